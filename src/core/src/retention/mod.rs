//! Expiry: what is due goes, by a statement of the ledger, unless a hold keeps it (docs/retention.md, "Runs").
//!
//! A run decides under one lock with the holds ([`due`]), states what it decided in the ledger, and carries it out
//! as jobs ([`carry_out`]) that a crash does not end: what is open is taken up at the next start.

mod carry_out;
pub mod daily;
mod due;
mod erase_keys;
mod explain;
mod held;
mod keys;
mod overdue;
mod preview;
pub(super) mod rules;
mod single;
mod texts;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Engine;
use super::append::{AppendError, Changing, append_statements, prepare_statement};
use super::clock_guard::ClockJump;
use super::hold::{self, Holds};
use super::keyring::KeyError;
use super::ledger::Ledger;
use super::privacy::{self, PrivacyError};
use super::read::ReadError;
use super::rows::Changes;
use super::tenant::Tenant;
use super::tombstone::ItemTree;
use super::{restore, rotation};
use trailkeep_crypto::payload::EVENT_NONCE_BYTES;
use trailkeep_crypto::secret::{RandomError, random_bytes};
use trailkeep_ports::{DeletionBasis, Statement, StoreError};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::time::UnixMillis;

pub use carry_out::{Job, JobDone};
pub(super) use carry_out::{carry_out, resume};
pub use due::{Due, DueClass, DueEvent};
pub use explain::explain_event;
pub use held::{PlacedHold, RetentionOrHoldError, TooLate, covers_events, lift_hold, place_hold};
pub(super) use keys::destroy_again;
pub use overdue::{Overdue, OverdueCache, ShownOverdue, overdue, recently_overdue};
pub use preview::{Preview, preview};

/// Why a run did not end well. What it stated is taken up again.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// It could not be recorded, so it was not done.
    #[error("nothing was deleted, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The clock can't be believed, so nothing can be said to be due.
    #[error("nothing was destroyed: {0}")]
    Clock(#[from] ClockJump),
    /// A class is stated in a way that this program can't follow.
    #[error(
        "retention class {0} names policies that are not in the ledger: run `trailkeep verify`"
    )]
    Class(u16),
    /// The directory was restored, and nobody has reviewed the holds.
    #[error(
        "deletions are paused since {0}: {1}. Review the holds, then run `trailkeep retention resume --reviewed-holds`"
    )]
    Paused(UnixMillis, String),
    /// A key that was to go is needed by a text that stays: nothing was destroyed.
    #[error(
        "entry {0} still needs a key that an erasure should destroy: the key is kept; run `trailkeep verify`"
    )]
    KeyNeeded(Seq),
    /// A person's request could not be carried out.
    #[error(transparent)]
    Request(Box<PrivacyError>),
    /// An event could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PrivacyError> for RetentionError {
    fn from(error: PrivacyError) -> Self {
        match error {
            PrivacyError::Retention(error) => error,
            error => Self::Request(Box::new(error)),
        }
    }
}

impl From<AppendError> for RetentionError {
    fn from(error: AppendError) -> Self {
        Self::Record(Box::new(error))
    }
}

/// What a run did in one ledger.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = RetentionRun)]
pub struct RunReport {
    /// The ledger's tenant.
    pub tenant: String,
    /// Events whose payloads were deleted.
    pub destroyed: u64,
    /// Events that are due and that a hold keeps.
    pub held: u64,
    /// The entries with the tombstones.
    pub statements: Vec<u64>,
    /// Whether old pages may remain in a database's WAL, because another process read it; the purge is retried.
    pub purge_pending: bool,
    /// The longest time that a step blocked writers, or waited for them, in milliseconds.
    pub longest_step_ms: u64,
}

impl RunReport {
    fn add(&mut self, done: JobDone) {
        self.destroyed += done.destroyed;
        self.purge_pending |= done.scrub_pending;
        let longest = u64::try_from(done.longest_step.as_millis()).unwrap_or(u64::MAX);
        self.longest_step_ms = self.longest_step_ms.max(longest);
    }
}

/// Destroys what is due in all ledgers of a tenant. Run twice, the second time changes nothing.
pub fn run(engine: &Engine, tenant: &Tenant, by: &str) -> Result<RunReport, RetentionError> {
    let _alone = engine.destruction();
    if let Some(paused) = restore::is_destruction_paused(engine)? {
        let since = UnixMillis::new(paused.since_ms);
        return Err(RetentionError::Paused(since, paused.reason));
    }
    let now = engine.believed_now()?;
    let mut report = RunReport {
        tenant: tenant.name().to_string(),
        ..RunReport::default()
    };
    // What a crash or a busy scrub left open comes first.
    for ledger in tenant.all() {
        for done in resume(engine, tenant, ledger)? {
            report.add(done);
        }
    }
    let mut looked_at = Vec::new();
    for ledger in tenant.all() {
        let Decided { jobs, due } = decide(engine, ledger, by)?;
        report.held += due.held();
        for job in jobs {
            report
                .statements
                .push(ledger.place_of(job.statement).1.get());
            let done = carry_out(engine, tenant, ledger, &job)?;
            report.add(done);
        }
        looked_at.push((ledger, due));
    }
    for done in privacy::carry_out_open(engine, tenant, by)? {
        report.statements.push(done.statement.get());
        report.add(done.done);
    }
    for (ledger, due) in looked_at {
        if keys::destroy_idle_keys(engine, ledger, &due)? {
            rotation::set_due(engine)?;
            report.purge_pending |= !carry_out::purge(engine)?;
        }
    }
    hold::forget_lifted(engine, tenant)?;
    if privacy::forget_answered(engine, tenant, now)? > 0 {
        report.purge_pending |= !carry_out::purge(engine)?;
    }
    engine.ledgers.forget_ids(now, u32::MAX)?;
    overdue::forget(engine);
    Ok(report)
}

/// What a run is to do.
struct Decided {
    jobs: Vec<Job>,
    due: Due,
}

/// Evaluates what is due against the holds and states it: one commit. From then on no reader gets the texts.
fn decide(engine: &Engine, ledger: &Ledger, by: &str) -> Result<Decided, RetentionError> {
    let _no_hold_comes = engine.retention();
    let now = engine.believed_now()?;
    let holds = Holds::load(&engine.keyring, ledger.active_record())?.in_force();
    let due = due::due(engine, ledger, &holds, now)?;
    let mut jobs: Vec<Job> = Vec::new();
    let expiring = || due.classes.iter().filter(|class| class.goes() > 0);
    jobs.extend(expiring().map(Job::of_class));
    let single: Vec<Seq> = due.single.iter().map(|due| due.entry.seq).collect();
    if !single.is_empty() {
        jobs.push(Job::of_items(single.clone()));
    }
    if jobs.is_empty() {
        return Ok(Decided { jobs, due });
    }
    // No row is stated, and keys go: a vault from before it would have them.
    let changing = Changing::begin(engine, ledger, Changes::default())?;
    let mut statements = Vec::with_capacity(jobs.len());
    for class in expiring() {
        statements.push(state_expiry(ledger, class, by, &changing)?);
    }
    if !single.is_empty() {
        statements.push(state_tombstones(ledger, &single, by, &changing)?);
    }
    let count = statements.len() as u64;
    let appended = append_statements(&engine.writer, ledger, statements, now);
    let first = changing.end_of(appended, count)?;
    for (job, seq) in jobs.iter_mut().zip(first.get()..) {
        job.statement = ledger.name_of(Seq::new(seq));
    }
    engine.exports.texts_go(ledger.record.number);
    Ok(Decided { jobs, due })
}

fn state_expiry(
    ledger: &Ledger,
    due: &DueClass,
    by: &str,
    changing: &Changing<'_>,
) -> Result<super::append::PreparedEvent, AppendError> {
    let class = &due.class;
    let expiry = json!({
        "class": class.number.get(),
        "recorded_before_ms": due.recorded_before.get(),
        "policy": class.statement.get(),
        "after": class.definition.after,
    })
    .to_string();
    let job = json!({"events": due.goes(), "held": due.held.len(), "by": by}).to_string();
    let sections: [(&str, &[u8]); 3] = [
        ("action", SystemAction::RetentionExpiry.section()),
        ("expiry", expiry.as_bytes()),
        ("job", job.as_bytes()),
    ];
    let states = Statement::Expiry {
        class: class.number,
        recorded_before: due.recorded_before,
        held: due.held.clone(),
        released: due.released.clone(),
    };
    prepare_statement(
        ledger,
        random_bytes().map_err(KeyError::from)?,
        &changing.with_section(&sections),
        states,
    )
}

fn state_tombstones(
    ledger: &Ledger,
    items: &[Seq],
    by: &str,
    changing: &Changing<'_>,
) -> Result<super::append::PreparedEvent, AppendError> {
    let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes().map_err(KeyError::from)?;
    let tree = ItemTree::new(&ledger.recorder().system_key.key, &nonce, items.to_vec());
    let covers = json!({
        "items": tree.size(),
        "root": tree.root().to_string(),
        "cause": DeletionBasis::Trigger.as_str(),
        "requests": [],
    })
    .to_string();
    let job = json!({"events": items.len(), "by": by}).to_string();
    let sections: [(&str, &[u8]); 3] = [
        ("action", SystemAction::RetentionExpiry.section()),
        ("covers", covers.as_bytes()),
        ("job", job.as_bytes()),
    ];
    let states = Statement::Tombstones {
        cause: DeletionBasis::Trigger,
        items: items.to_vec(),
    };
    prepare_statement(ledger, nonce, &changing.with_section(&sections), states)
}
