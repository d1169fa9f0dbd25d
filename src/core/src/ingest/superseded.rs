//! Telemetry that waits for a ledger which is superseded: an earlier version took it where a request named one, or its
//! staging.db was put back behind a restore. It was acknowledged, so it becomes events of the active ledger.

use crate::ingest::assemble::drop_used;
use crate::ingest::flush::flush;
use crate::ingest::intake::stage;
use crate::ingest::keys::Sealing;
use crate::ingest::round::{DueBy, keys_of, open, read};
use crate::ingest::{Inbox, StagingError};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_otlp::rejection::Rejections;
use trailkeep_otlp::telemetry::Part;
use trailkeep_ports::Round;
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::time::UnixMillis;

/// Traces of a round.
const TRACES_MAX: usize = 16;
/// Parts that are staged together.
const PARTS_MAX: usize = 50;

/// Stages what waits for the superseded ledgers of a tenant for the active one. `waiting` are the ledgers for which
/// something waits. A crash in between does it again: the same part is staged once, and the same event recorded once.
pub(super) fn take_over(
    inbox: &Inbox,
    tenant: &Tenant,
    waiting: &[LedgerNumber],
) -> Result<(), StagingError> {
    let active = tenant.active();
    // A closed tenant takes no event, and one that was rolled back none yet.
    if active.settings().closed_at_ms.is_some() || active.rolled_back().is_some() {
        return Ok(());
    }
    for ledger in tenant.superseded() {
        if !waiting.contains(&ledger.record.number) {
            continue;
        }
        flush(inbox, &ledger.record, active)?;
        while restage(inbox, ledger, active)? {}
        drop_used(inbox, ledger, UnixMillis::MAX)?;
        let keys = &inbox.keys;
        keys.destroy_unused(inbox, &ledger.record, None)?;
    }
    Ok(())
}

/// Gives whether there was anything to do.
fn restage(inbox: &Inbox, from: &Ledger, to: &Ledger) -> Result<bool, StagingError> {
    let (staging, number) = (&inbox, from.record.number);
    let DueBy { root, first } = DueBy::EVERYTHING;
    let traces = staging
        .file
        .due_traces(number, root, first, None, TRACES_MAX)?;
    let mut moved = false;
    for trace in traces {
        let sealed = read(inbox, &from.record, &[trace], usize::MAX)?;
        let keys = keys_of(inbox, &from.record, &sealed)?;
        let waiting = open(&from.record, &keys, sealed.into_iter().flatten());
        let parts: Vec<(usize, Part)> = waiting.parts.into_iter().enumerate().collect();
        for parts in parts.chunks(PARTS_MAX) {
            // They were small enough when they came.
            stage(inbox, to, Sealing::Event, parts, &mut Rejections::default())?;
        }
        let round = Round {
            done: waiting.rows.iter().map(|row| row.id).collect(),
            unreadable: waiting.unreadable,
            ..Round::default()
        };
        let gone = waiting.rows.iter().filter(|row| !row.is_used).count() + round.unreadable.len();
        staging.file.finish_round(number, &round)?;
        staging.changed(0, gone);
        moved = true;
    }
    Ok(moved)
}
