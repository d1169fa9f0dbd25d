//! What time ends and what data subjects asked for, together: a run, its preview, and why an event is kept.

use crate::destroy::DeletionError;
use crate::destroy::job::purge;
use crate::destroy::pause::check_not_paused;
use crate::govern::hold;
use crate::journal::Journal;
use crate::keys::rotation_due;
use crate::ops::Engine;
use crate::requests;
use crate::retention::{self, Preview, RunReport};
use crate::tenant::{ReadScope, Tenant};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::time::UnixMillis;

/// Destroys what is due in all ledgers of a tenant. Run twice, the second time changes nothing.
pub fn run(engine: &Engine, tenant: &Tenant, by: &str) -> Result<RunReport, DeletionError> {
    let _alone = engine.journal.locks.destruction(tenant.name());
    check_not_paused(&engine.journal)?;
    let now = engine.journal.believed_now()?;
    let mut report = RunReport {
        tenant: tenant.name().to_string(),
        ..RunReport::default()
    };
    let looked_at = retention::expire(&engine.retention, tenant, by, &mut report)?;
    for carried in requests::carry_out_open(&engine.requests, tenant, by)? {
        report.add_job(carried.statement, carried.done);
    }
    for (ledger, due) in looked_at {
        if retention::destroy_idle(&engine.journal, ledger, &due)? {
            rotation_due::set_due(&engine.journal.keyring, engine.journal.clock.wall())?;
            report.purge_pending |= !purge(&engine.journal)?;
        }
    }
    hold::forget_lifted(&engine.journal, tenant)?;
    if requests::forget_answered(&engine.journal, tenant, now)? > 0 {
        report.purge_pending |= !purge(&engine.journal)?;
    }
    engine.journal.ledgers.forget_ids(now, u32::MAX)?;
    retention::forget(&engine.retention);
    Ok(report)
}

/// Tells what a run at a moment would do with the holds and requests as they are. Nothing changes.
pub fn preview(
    journal: &Journal,
    tenant: &Tenant,
    as_of: UnixMillis,
) -> Result<Preview, DeletionError> {
    let asked = requests::foreseen(journal, tenant, as_of)?;
    retention::preview(journal, tenant, as_of, asked)
}

/// Explains the entry at a seq, judged at a moment. It shows no payload: of one that was deleted it names the tombstone.
pub fn explain_event(
    journal: &Journal,
    scope: &ReadScope,
    seq: Seq,
    at: UnixMillis,
) -> Result<retention::ExplainedEvent, DeletionError> {
    let asked_at = requests::erasure_asked_at(journal, scope, seq)?;
    retention::explain_event(journal, scope, (seq, asked_at), at)
}
