//! When heads are given away: before the server listens, on a schedule, and at its end.

use std::sync::Arc;
use std::time::Duration;

use crate::anchor::{Anchors, Which, run};
use crate::off_loop::blocking;

/// How long starting and ending wait for targets.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Gives the head of every ledger to its targets; whether what came of it could be stored.
fn run_all(anchors: &Anchors, which: Which) -> bool {
    let mut is_stored = true;
    for tenant in anchors.journal.tenants() {
        if let Err(error) = run(anchors, &tenant, which) {
            let origin = &tenant.active().record.origin;
            tracing::error!(%origin, %error, "anchored checkpoints could not be stored");
            is_stored = false;
        }
    }
    is_stored
}

async fn run_all_within_reason(anchors: &Arc<Anchors>, which: Which, when: &str) {
    if anchors.targets().is_empty() {
        return;
    }
    let running = Arc::clone(anchors);
    let all = blocking(move || run_all(&running, which));
    if tokio::time::timeout(WAIT_MAX, all).await.is_err() {
        tracing::warn!(
            "{when}: anchor targets did not answer in time; the server continues without them"
        );
    }
}

/// Before the server listens: a target that has seen more than there is says so before anything is signed.
pub async fn at_start(anchors: &Arc<Anchors>) {
    run_all_within_reason(anchors, Which::All, "at the start").await;
}

/// At the server's end: the last heads.
pub async fn at_end(anchors: &Arc<Anchors>) {
    run_all_within_reason(anchors, Which::Behind, "at the end").await;
}

/// While the server runs: to the targets whose time has come. Gives whether what came of it could be stored.
pub fn anchor_due(anchors: &Anchors) -> bool {
    run_all(anchors, Which::Due)
}
