//! Expiry: what is due goes, by a statement of the ledger, unless a hold keeps it (docs/retention.md, "Runs").
//!
//! A run decides under one lock with the holds ([`due`]), states what it decided in the ledger, and carries it out
//! as jobs ([`carry_out`]) that a crash does not end: what is open is taken up at the next start.

mod due;
mod explain;
mod held;
mod overdue;
mod preview;
mod single;

use std::sync::Arc;

use overdue::OverdueCache;

use crate::destroy::job::{Job, JobDone, carry_out, resume};
use crate::destroy::keys::destroy_idle_keys;
use crate::destroy::{DeletionError, Deletions};
use crate::export::jobs::Exports;
use crate::journal::Journal;
use crate::journal::append::{AppendError, Changing, append_statements, prepare_statement};
use crate::journal::tombstone::ItemTree;
use crate::keys::keyring::KeyError;
use crate::keys::rows::Changes;
use crate::tenant::Tenant;
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
pub use due::{Due, DueClass, DueEvent};
pub use explain::ExplainedEvent;
pub(crate) use explain::explain_event;
pub use held::{PlacedHold, RetentionOrHoldError, TooLate, covers_events, lift_hold, place_hold};
pub(crate) use overdue::forget;
pub use overdue::{Overdue, overdue, recently_overdue};
pub(crate) use preview::preview;
pub use preview::{AwaitingTrigger, ClassPreview, Preview};
use trailkeep_crypto::payload::EVENT_NONCE_BYTES;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_ports::{DeletionBasis, Statement};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::system::{
    DecisionSections, ExpirySection, ItemsSection, JobSection, StatedSections, SystemEvent,
};

/// What deletes by time.
pub struct Retention {
    pub(crate) deletions: Arc<Deletions>,
    pub(crate) exports: Arc<Exports>,
    overdue: OverdueCache,
}

impl Retention {
    pub(crate) fn new(deletions: Arc<Deletions>, exports: Arc<Exports>) -> Self {
        Self {
            deletions,
            exports,
            overdue: OverdueCache::default(),
        }
    }
}

/// What a run did in one ledger.
#[derive(Clone, Debug, Default)]
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
    /// Adds a job, and the entry that states it.
    pub(crate) fn add_job(&mut self, statement: Seq, done: JobDone) {
        self.statements.push(statement.get());
        self.add(done);
    }

    fn add(&mut self, done: JobDone) {
        self.destroyed += done.destroyed;
        self.purge_pending |= done.purge_pending;
        let longest = u64::try_from(done.longest_step.as_millis()).unwrap_or(u64::MAX);
        self.longest_step_ms = self.longest_step_ms.max(longest);
    }
}

/// Destroys what time ends in all ledgers of a tenant, after what a crash or a busy purge left open. Gives what was
/// due in each.
pub(crate) fn expire<'a>(
    retention: &Retention,
    tenant: &'a Tenant,
    by: &str,
    report: &mut RunReport,
) -> Result<Vec<(&'a Arc<Ledger>, Due)>, DeletionError> {
    for ledger in tenant.all() {
        for done in resume(&retention.deletions, tenant, ledger)? {
            report.add(done);
        }
    }
    let mut looked_at = Vec::new();
    for ledger in tenant.all() {
        let Decided { jobs, due } = decide(&retention.exports, ledger, by)?;
        report.held += due.held();
        for job in jobs {
            let statement = ledger.place_of(job.statement).1;
            report.add_job(
                statement,
                carry_out(&retention.deletions, tenant, ledger, &job)?,
            );
        }
        looked_at.push((ledger, due));
    }
    Ok(looked_at)
}

/// Destroys the keys of ended periods of which nothing is left, of classes of which nothing was due.
pub(crate) fn destroy_idle(
    journal: &Journal,
    ledger: &Ledger,
    due: &Due,
) -> Result<bool, DeletionError> {
    let mut any = false;
    for class in due.classes.iter().filter(|class| class.goes() == 0) {
        if let Some(from) = class.expired_before {
            let ended = (from, class.recorded_before);
            any |= destroy_idle_keys(journal, ledger, &class.class, ended)?;
        }
    }
    Ok(any)
}

/// What a run is to do.
struct Decided {
    jobs: Vec<Job>,
    due: Due,
}

/// Evaluates what is due against the holds and states it: one commit. From then on no reader gets the texts.
fn decide(exports: &Exports, ledger: &Ledger, by: &str) -> Result<Decided, DeletionError> {
    let _no_hold_comes = exports.journal.locks.decision();
    let now = exports.journal.believed_now()?;
    let holds = Holds::load(&exports.journal.keyring, ledger.active_record())?.in_force();
    let due = due::due(&exports.journal, ledger, &holds, now)?;
    let mut jobs: Vec<Job> = Vec::new();
    let expiring = || due.classes.iter().filter(|class| class.goes() > 0);
    jobs.extend(expiring().map(DueClass::job));
    let single: Vec<Seq> = due.single.iter().map(|due| due.entry.seq).collect();
    if !single.is_empty() {
        jobs.push(Job::of_items(single.clone()));
    }
    if jobs.is_empty() {
        return Ok(Decided { jobs, due });
    }
    // No row is stated, and keys go: a vault from before it would have them.
    let changing = Changing::begin(&exports.journal, ledger, Changes::default())?;
    let mut statements = Vec::with_capacity(jobs.len());
    for class in expiring() {
        statements.push(state_expiry(ledger, class, by, &changing)?);
    }
    if !single.is_empty() {
        statements.push(state_tombstones(ledger, &single, by, &changing)?);
    }
    let count = statements.len() as u64;
    let appended = append_statements(&exports.journal.writer, ledger, statements, now);
    let first = changing.end_of(appended, count)?;
    for (job, seq) in jobs.iter_mut().zip(first.get()..) {
        job.statement = ledger.name_of(Seq::new(seq));
    }
    exports.texts_go(ledger.record.number);
    Ok(Decided { jobs, due })
}

fn state_expiry(
    ledger: &Ledger,
    due: &DueClass,
    by: &str,
    changing: &Changing<'_>,
) -> Result<crate::journal::append::PreparedEvent, AppendError> {
    let class = &due.class;
    let expiry = ExpirySection {
        class: class.number.get(),
        recorded_before_ms: due.recorded_before.get(),
        policy: class.statement.get(),
        after: class.definition.after.clone(),
    };
    let job = JobSection {
        events: due.goes(),
        held: Some(due.held.len() as u64),
        by: by.to_owned(),
        ..JobSection::default()
    };
    let own = StatedSections {
        expiry: Some(expiry),
        ..StatedSections::default()
    };
    let event = SystemEvent::RetentionExpiry {
        decision: DecisionSections::new(own, job),
    };
    let states = Statement::Expiry {
        class: class.number,
        recorded_before: due.recorded_before,
        held: due.held.clone(),
        released: due.released.clone(),
    };
    prepare_statement(
        ledger,
        random_bytes().map_err(KeyError::from)?,
        event,
        Some(changing),
        states,
    )
}

fn state_tombstones(
    ledger: &Ledger,
    items: &[Seq],
    by: &str,
    changing: &Changing<'_>,
) -> Result<crate::journal::append::PreparedEvent, AppendError> {
    let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes().map_err(KeyError::from)?;
    let tree = ItemTree::new(&ledger.recorder().system_key.key, &nonce, items.to_vec());
    let covers = ItemsSection {
        items: tree.size(),
        root: tree.root().to_string(),
        cause: DeletionBasis::Trigger.as_str().to_owned(),
        requests: Vec::new(),
    };
    let job = JobSection {
        events: items.len() as u64,
        by: by.to_owned(),
        ..JobSection::default()
    };
    let own = StatedSections {
        covers: Some(covers),
        ..StatedSections::default()
    };
    let event = SystemEvent::RetentionExpiry {
        decision: DecisionSections::new(own, job),
    };
    let states = Statement::Tombstones {
        cause: DeletionBasis::Trigger,
        items: items.to_vec(),
    };
    prepare_statement(ledger, nonce, event, Some(changing), states)
}
