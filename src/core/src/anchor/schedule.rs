//! When heads are given away: before the server listens, on a schedule, and at its end.

use std::sync::Arc;
use std::time::Duration;

use super::{Which, run};
use crate::{Engine, blocking};

/// How long starting and ending wait for targets.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Gives the head of every ledger to its targets; whether what came of it could be stored.
fn run_all(engine: &Engine, which: Which) -> bool {
    let mut is_stored = true;
    for tenant in engine.tenants() {
        if let Err(error) = run(engine, &tenant, which) {
            let origin = &tenant.active().record.origin;
            tracing::error!(%origin, %error, "anchored checkpoints could not be stored");
            is_stored = false;
        }
    }
    is_stored
}

async fn run_all_within_reason(engine: &Arc<Engine>, which: Which, when: &str) {
    if engine.anchors.targets().is_empty() {
        return;
    }
    let running = Arc::clone(engine);
    let all = blocking(move || run_all(&running, which));
    if tokio::time::timeout(WAIT_MAX, all).await.is_err() {
        tracing::warn!(
            "{when}: anchor targets did not answer in time; the server continues without them"
        );
    }
}

/// Before the server listens: a target that has seen more than there is says so before anything is signed.
pub async fn at_start(engine: &Arc<Engine>) {
    run_all_within_reason(engine, Which::All, "at the start").await;
}

/// At the server's end: the last heads.
pub async fn at_end(engine: &Arc<Engine>) {
    run_all_within_reason(engine, Which::Behind, "at the end").await;
}

/// While the server runs: to the targets whose time has come. Gives whether what came of it could be stored.
pub fn anchor_due(engine: &Engine) -> bool {
    run_all(engine, Which::Due)
}
