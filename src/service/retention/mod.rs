//! Expiry: what is due goes, by a statement of the ledger, unless a hold keeps it (docs/retention.md, "Runs").
//!
//! A run decides under one lock with the holds ([`due`]), states what it decided in the ledger, and carries it out
//! as jobs ([`carry_out`]) that a crash does not end: what is open is taken up at the next start.

mod carry_out;
pub mod daily;
mod due;
mod erase_keys;
mod explain;
mod keys;
mod preview;
pub(super) mod rules;
mod texts;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Engine;
use super::append::{AppendError, append_statements, prepare_statement};
use super::cover::ItemTree;
use super::hold::{self, Hold, HoldError, Holds, NewHold};
use super::keyring::KeyError;
use super::ledger::Ledger;
use super::privacy::{self, PrivacyError};
use super::read::ReadError;
use super::{restore, rotation};
use crate::ids::{ClassNumber, Seq};
use crate::seal::payload::EVENT_NONCE_BYTES;
use crate::seal::secret::{RandomError, random_bytes};
use crate::store::{CoverCause, Statement, StoreError};
use crate::time::UnixMillis;

pub use carry_out::{Job, JobDone};
pub(super) use carry_out::{carry_out, resume};
pub use due::{Due, DueClass};
pub use explain::explain_event;
pub use preview::{Preview, preview};

/// Why a run did not end well. What it stated is taken up again.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// It could not be recorded, so it was not done.
    #[error("it could not be recorded, so nothing was destroyed: {0}")]
    Record(Box<AppendError>),
    /// A class is stated in a way that this program can't follow.
    #[error(
        "retention class {0} names policies that the ledger does not state: run `trailkeep verify`"
    )]
    Class(u16),
    /// The directory was restored, and nobody has reviewed the holds.
    #[error(
        "nothing is destroyed since {0}: {1}. Review the holds, then `trailkeep retention resume --reviewed-holds`"
    )]
    Paused(UnixMillis, String),
    /// A key that was to go is needed by a text that stays: nothing was destroyed.
    #[error(
        "entry {0} still needs a key that an erasure was to destroy: the key stays; run `trailkeep verify`"
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
    /// Events whose texts were destroyed.
    pub destroyed: u64,
    /// Events whose time has come and that a hold keeps.
    pub held: u64,
    /// The statements that say so.
    pub statements: Vec<u64>,
    /// Whether old pages may still be in a file's log, since somebody read meanwhile; it is tried again.
    pub scrub_pending: bool,
    /// The longest time that a step kept writers waiting, or waited for them, in milliseconds.
    pub longest_step_ms: u64,
}

impl RunReport {
    fn add(&mut self, done: JobDone) {
        self.destroyed += done.destroyed;
        self.scrub_pending |= done.scrub_pending;
        let longest = u64::try_from(done.longest_step.as_millis()).unwrap_or(u64::MAX);
        self.longest_step_ms = self.longest_step_ms.max(longest);
    }
}

/// Destroys what is due in the ledgers of a ledger's tenant, those that were closed included. Run twice, the second time changes nothing.
pub fn run(engine: &Engine, ledger: &Ledger, by: &str) -> Result<RunReport, RetentionError> {
    let _alone = engine.destruction();
    if let Some(paused) = restore::is_destruction_paused(engine)? {
        let since = UnixMillis::new(paused.since_ms);
        return Err(RetentionError::Paused(since, paused.reason));
    }
    let mut report = RunReport {
        tenant: ledger.record.tenant.to_string(),
        ..RunReport::default()
    };
    let ledgers = engine.ledgers_of(ledger);
    // What a crash or a busy scrub left open comes first.
    for ledger in &ledgers {
        for done in resume(engine, ledger)? {
            report.add(done);
        }
    }
    let mut looked_at = Vec::with_capacity(ledgers.len());
    for ledger in &ledgers {
        let Decided { jobs, due } = decide(engine, ledger, by)?;
        report.held += due.held();
        for job in jobs {
            report
                .statements
                .push(ledger.place_of(job.statement).1.get());
            let done = carry_out(engine, ledger, &job)?;
            report.add(done);
        }
        looked_at.push((ledger, due));
    }
    for done in privacy::carry_out_open(engine, ledger, by)? {
        report.statements.push(done.statement.get());
        report.add(done.done);
    }
    for (ledger, due) in looked_at {
        if keys::destroy_idle_keys(engine, ledger, &due)? {
            rotation::set_due(engine)?;
            report.scrub_pending |= !carry_out::scrub(engine)?;
        }
    }
    hold::forget_lifted(engine, ledger)?;
    if privacy::forget_answered(engine, ledger, engine.clock.wall())? > 0 {
        report.scrub_pending |= !carry_out::scrub(engine)?;
    }
    engine.ledgers.forget_ids(engine.clock.wall(), u32::MAX)?;
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
    let now = engine.clock.wall();
    let holds = Holds::load(&engine.keyring, ledger.desk())?.in_force();
    let due = due::due(engine, ledger, &holds, now)?;
    let mut statements = Vec::new();
    let mut jobs: Vec<Job> = Vec::new();
    for class in due.classes.iter().filter(|class| class.goes() > 0) {
        statements.push(state_expiry(ledger, class, by)?);
        jobs.push(Job::of_class(class));
    }
    if !due.by_trigger.is_empty() {
        statements.push(state_covers(ledger, &due.by_trigger, by)?);
        jobs.push(Job::of_items(due.by_trigger.clone()));
    }
    if statements.is_empty() {
        return Ok(Decided { jobs, due });
    }
    let first = append_statements(&engine.writer, ledger, statements, now)?;
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
        ("action", b"\"trailkeep.retention.expiry\""),
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
        &sections,
        states,
    )
}

fn state_covers(
    ledger: &Ledger,
    items: &[Seq],
    by: &str,
) -> Result<super::append::PreparedEvent, AppendError> {
    let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes().map_err(KeyError::from)?;
    let tree = ItemTree::new(&ledger.recorder().system_key.key, &nonce, items.to_vec());
    let covers = json!({
        "items": tree.size(),
        "root": tree.root().to_string(),
        "cause": CoverCause::Trigger.as_str(),
        "requests": [],
    })
    .to_string();
    let job = json!({"events": items.len(), "by": by}).to_string();
    let sections: [(&str, &[u8]); 3] = [
        ("action", b"\"trailkeep.retention.expiry\""),
        ("covers", covers.as_bytes()),
        ("job", job.as_bytes()),
    ];
    let states = Statement::Covers {
        cause: CoverCause::Trigger,
        items: items.to_vec(),
    };
    prepare_statement(ledger, nonce, &sections, states)
}

/// A hold that was placed, and what it came too late for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlacedHold {
    /// Its id.
    pub id: String,
    /// The entry that records it.
    pub seq: u64,
    /// When somebody must look at it again.
    pub review_at: Option<String>,
    /// Events that it covers whose time had come: they were due, and are kept now.
    pub late: u64,
    /// Statements by which texts went that it may have covered: it came too late for them.
    pub too_late: Vec<TooLate>,
}

/// An expiry that came before a hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TooLate {
    /// The statement.
    pub statement: u64,
    /// The class that expired.
    pub class: u16,
    /// Up to when.
    pub recorded_before: String,
}

/// Places a hold, between decisions and not during one.
pub fn place_hold(
    engine: &Engine,
    ledger: &Ledger,
    new: NewHold,
    by: &str,
) -> Result<PlacedHold, RetentionOrHoldError> {
    let _no_run_decides = engine.retention();
    let (id, hold) = hold::place(engine, ledger, new, by)?;
    let now = engine.clock.wall();
    let this = Holds::from_one(&id, &hold);
    let due = due::due(engine, ledger, &this, now)?;
    Ok(PlacedHold {
        seq: hold.placed_seq,
        review_at: hold.review_at().map(|moment| moment.to_string()),
        late: due.newly_held(),
        too_late: too_late(engine, ledger, &hold).map_err(RetentionError::from)?,
        id,
    })
}

/// Lifts a hold. What it kept goes with the next run.
pub fn lift_hold(
    engine: &Engine,
    ledger: &Ledger,
    id: &str,
    reason: &str,
    by: &str,
) -> Result<Hold, HoldError> {
    let _no_run_decides = engine.retention();
    hold::lift(engine, ledger, id, reason, by)
}

/// Why a hold was not placed.
#[derive(Debug, thiserror::Error)]
pub enum RetentionOrHoldError {
    /// The hold is wrong, or was not recorded.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// It is placed; what it came too late for can't be told.
    #[error("the hold is placed; what it came too late for can't be told: {0}")]
    Retention(#[from] RetentionError),
}

/// The last expiry of each class that a hold may have covered events of.
fn too_late(engine: &Engine, ledger: &Ledger, hold: &Hold) -> Result<Vec<TooLate>, StoreError> {
    let expiries = engine.ledgers.expiries(ledger.record.number)?;
    let mut last: BTreeMap<ClassNumber, TooLate> = BTreeMap::new();
    for row in expiries {
        let class = ledger.classes.class(row.class);
        let is_under = |regime: &String| {
            class.as_ref().is_some_and(|class| {
                let policies = &class.definition.key.policies;
                policies.iter().any(|policy| policy.id == *regime)
            })
        };
        let scope = &hold.scope;
        let reaches = scope
            .from_ms
            .is_none_or(|from| from < row.recorded_before.get());
        if reaches && scope.regime.as_ref().is_none_or(is_under) {
            let said = TooLate {
                statement: row.statement.get(),
                class: row.class.get(),
                recorded_before: row.recorded_before.to_string(),
            };
            last.insert(row.class, said);
        }
    }
    Ok(last.into_values().collect())
}
