//! What time ends and what data subjects asked for, together: a run, its preview, and why an event is kept.
//!
//! The daily run of a server comes at a set hour, for all tenants. When it ran last is kept in the vault, so that a server
//! that was down at the hour runs when it comes up.

use serde::{Deserialize, Serialize};

use crate::destroy::job::purge;
use crate::destroy::job::{purge_once, resume};
use crate::destroy::pause::{check_not_paused, is_destruction_paused};
use crate::destroy::{DeletionError, Deletions};
use crate::govern::hold;
use crate::journal::Journal;
use crate::keys::records::Record;
use crate::keys::{records, rotation_due};
use crate::ops::Engine;
use crate::requests;
use crate::retention::{self, Preview, RunReport};
use crate::tenant::{ReadScope, Tenant};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::time::UnixMillis;

const HOUR_MS: u64 = 3_600_000;
const ROW_ID: &str = "daily";

/// When the daily run was last made.
#[derive(Serialize, Deserialize)]
struct LastRun {
    at_ms: u64,
}

impl Record for LastRun {
    const KIND: &'static str = "retention-run";
    const WHAT: &'static str = "the time of the last retention run";
}

/// The last moment at which a daily run was due.
fn last_slot(now: UnixMillis, hour: u8) -> UnixMillis {
    let today = now.start_of_day().get() + u64::from(hour) * HOUR_MS;
    let slot = if today <= now.get() {
        today
    } else {
        today.saturating_sub(24 * HOUR_MS)
    };
    UnixMillis::new(slot)
}

/// Destroys what is due in all ledgers of a tenant. Run twice, the second time changes nothing.
pub fn run(engine: &Engine, tenant: &Tenant, by: &str) -> Result<RunReport, DeletionError> {
    let _alone = engine.journal.locks.destruction(tenant.name());
    check_not_paused(&engine.journal)?;
    let now = engine.journal.believed_now()?;
    let mut report = RunReport {
        tenant: tenant.name().to_string(),
        ..RunReport::default()
    };
    // A request's hold ends with its due date, whenever the run comes.
    requests::release_over(&engine.journal, tenant, now)?;
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

/// Runs if the hour has come since the last run.
pub fn run_if_due(engine: &Engine, hour: u8) -> Result<Vec<RunReport>, DeletionError> {
    if is_destruction_paused(&engine.journal)?.is_some() {
        return Ok(Vec::new());
    }
    let now = engine.journal.clock.wall();
    let slot = last_slot(now, hour);
    if engine.daily_run_at_ms() >= slot.get() {
        return Ok(Vec::new());
    }
    let Some(operator) = engine.journal.operator() else {
        return Ok(Vec::new());
    };
    let known = records::all::<LastRun>(&engine.journal.keyring, &operator.active().record)?;
    let known = known.iter().map(|(_, last)| last.at_ms).max();
    let mut reports = Vec::new();
    if known.is_none_or(|at_ms| at_ms < slot.get()) {
        for tenant in engine.journal.tenants() {
            // One that was rolled back can state nothing, and must not hold up the others.
            if tenant.active().rolled_back().is_none() {
                reports.push(run(engine, &tenant, "daily")?);
            }
        }
        let last = LastRun { at_ms: now.get() };
        records::put(
            &engine.journal.keyring,
            &operator.active().record,
            ROW_ID,
            &last,
        )?;
    }
    engine.set_daily_run_at_ms(now.get());
    Ok(reports)
}

/// Takes up what a reader outside kept from being finished, unless somebody is at it.
pub fn finish_open(deletions: &Deletions) -> Result<(), DeletionError> {
    if is_destruction_paused(&deletions.journal)?.is_some() {
        return Ok(());
    }
    for tenant in deletions.journal.tenants() {
        for ledger in tenant.all() {
            if deletions
                .journal
                .ledgers
                .open_jobs(ledger.record.number)?
                .is_empty()
            {
                continue;
            }
            if let Some(_alone) = deletions.journal.locks.try_destruction(tenant.name()) {
                resume(deletions, &tenant, ledger)?;
            }
        }
    }
    if deletions.journal.outside.is_waiting()
        && let Some(_not_copied) = deletions.journal.locks.try_not_copied()
    {
        purge_once(&deletions.journal)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_is_today_s_or_yesterday_s() {
        for (now, slot) in [
            ("2026-11-25T01:59:59.999Z", "2026-11-24T02:00:00.000Z"),
            ("2026-11-25T02:00:00Z", "2026-11-25T02:00:00.000Z"),
            ("2026-11-25T23:00:00Z", "2026-11-25T02:00:00.000Z"),
        ] {
            let now = UnixMillis::parse_rfc3339(now).unwrap();
            assert_eq!(last_slot(now, 2).to_string(), slot);
        }
    }
}
