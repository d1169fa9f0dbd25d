//! Destroying what a statement says has gone. Every step may be done twice: a job that a crash cut off is carried
//! out again from its beginning, and closed only when nothing is left.
//!
//! The order of an expiry: index rows while the texts still say which; texts, in steps that hold the writer for milliseconds;
//! data keys of which nothing is left, and persons whom nobody needs any more; then the logs of all files are
//! emptied, so that what was deleted stands nowhere; then the job is closed. Free pages go back to the file system
//! behind it. An erasure destroys the keys before the texts, at once, and answers the requests before it is closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use crate::destroy::erase_keys::Leaving;
use crate::destroy::erase_keys::destroy_keys_of;
use crate::destroy::keys::{
    Touched, all_persons, destroy_keys, forget_persons, periods_between, periods_of,
    periods_of_records,
};
use crate::destroy::texts::{destroy_all, destroy_class, destroy_index_rows, destroy_texts};
use crate::destroy::{DeletionError, Deletions};
use crate::failpoint::FailPoint;
use crate::journal::Journal;
use crate::journal::read::entry_at;
use crate::keys::rotation_due;
use crate::tenant::Tenant;
use crate::tenant::classes::Class;
use crate::tenant::deletion::DeletionCause;
use crate::tenant::ledger::Ledger;
use crate::tenant::rules::UnknownPolicies;
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::{DeletionBasis, StoreError};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::time::UnixMillis;

/// Free pages that one step gives back.
const PAGES_PER_STEP: u32 = 64;
/// How long the logs are tried to be emptied before the job is left for the next time.
const PURGE_PATIENCE: Duration = Duration::from_secs(10);

/// Why the room above could not do its part of a deletion.
pub(crate) type CompletionError = Box<dyn std::error::Error + Send + Sync>;

/// What the data subject requests behind an erasure add to its job.
pub(crate) trait Completion: Send + Sync {
    /// Events that stay, whose payloads are to need the keys of the data subject no more.
    fn leaving(
        &self,
        tenant: &Tenant,
        ledger: &Ledger,
        statement: Seq,
    ) -> Result<Vec<Leaving>, CompletionError>;

    /// Answers the requests that a tombstone serves, now that all of it is purged. Done twice, it changes nothing.
    fn complete(
        &self,
        tenant: &Tenant,
        ledger: &Ledger,
        statement: Seq,
    ) -> Result<(), CompletionError>;
}

/// A statement that is to be carried out.
#[derive(Clone)]
pub(crate) struct Job {
    /// The entry that states it.
    pub statement: Seq,
    scope: Scope,
}

#[derive(Clone)]
enum Scope {
    /// The events of a class up to a time of receipt, but for those that are marked as overdue.
    Class {
        class: Arc<Class>,
        /// What was recorded before is gone already; none: look at all.
        from: Option<UnixMillis>,
        before: UnixMillis,
        /// Events from earlier times that go as well.
        released: Vec<Seq>,
    },
    /// These.
    Items(Vec<Seq>),
    /// These, of persons who asked, with all their keys.
    Erasure(Vec<Seq>),
}

/// What a job did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobDone {
    /// Events whose texts were destroyed, as far as this process did it.
    pub destroyed: u64,
    /// Whether old pages may still be in a file's log.
    pub purge_pending: bool,
    /// The longest step that the writer may have waited for.
    pub longest_step: Duration,
}

impl JobDone {
    /// Does a step that holds the writer, and notes how long it took.
    pub(crate) fn step<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let outcome = step();
        self.longest_step = self.longest_step.max(begun.elapsed());
        outcome
    }
}

impl Job {
    /// Events of a class that were recorded in a time, and some of before it.
    pub(crate) fn of_class(
        class: &Arc<Class>,
        (from, before): (Option<UnixMillis>, UnixMillis),
        released: &[Seq],
    ) -> Self {
        Self {
            statement: Seq::new(0),
            scope: Scope::Class {
                class: Arc::clone(class),
                from,
                before,
                released: released.to_vec(),
            },
        }
    }

    /// The erasure that data subject requests lead to.
    pub(crate) fn of_requests(statement: Seq, items: Vec<Seq>) -> Self {
        Self {
            statement,
            scope: Scope::Erasure(items),
        }
    }

    pub(crate) fn of_items(items: Vec<Seq>) -> Self {
        Self {
            statement: Seq::new(0),
            scope: Scope::Items(items),
        }
    }
}

/// Carries out what a crash, or somebody who read, left open.
pub(crate) fn resume(
    deletions: &Deletions,
    tenant: &Tenant,
    ledger: &Ledger,
) -> Result<Vec<JobDone>, DeletionError> {
    let number = ledger.record.number;
    let mut done = Vec::new();
    for open in deletions.journal.ledgers.open_jobs(number)? {
        let expiries = deletions.journal.ledgers.expiries(number)?;
        let expiry = expiries.iter().find(|row| row.statement == open.statement);
        let mut touched = Touched::default();
        let scope = if let Some(row) = expiry {
            let class = ledger.classes.class(row.class);
            Scope::Class {
                class: class.ok_or(UnknownPolicies(row.class.get()))?,
                from: None,
                before: row.recorded_before,
                released: Vec::new(),
            }
        } else {
            let items = deletions
                .journal
                .ledgers
                .tombstone_items(number, open.statement)?;
            if open.kind == DeletionBasis::Trigger.kind() {
                touched.periods = periods_of_records(&deletions.journal, ledger)?;
                touched
                    .periods
                    .extend(periods_of(&deletions.journal, ledger, &items)?);
                Scope::Items(items)
            } else {
                Scope::Erasure(items)
            }
        };
        // Whom the texts were about that are gone already, nobody knows: everybody is looked at.
        touched.persons = all_persons(&deletions.journal, ledger)?;
        let job = Job {
            statement: open.statement,
            scope,
        };
        done.push(destroy(deletions, (tenant, ledger), &job, touched)?);
    }
    Ok(done)
}

/// Destroys what a job says that was stated just now, and closes it.
pub(crate) fn carry_out(
    deletions: &Deletions,
    tenant: &Tenant,
    ledger: &Ledger,
    job: &Job,
) -> Result<JobDone, DeletionError> {
    FailPoint::DestructionStated.reach();
    destroy(deletions, (tenant, ledger), job, Touched::default())
}

fn destroy(
    deletions: &Deletions,
    (tenant, ledger): (&Tenant, &Ledger),
    job: &Job,
    mut touched: Touched,
) -> Result<JobDone, DeletionError> {
    let journal = &*deletions.journal;
    destroy_payloads(deletions, (tenant, ledger), job, &mut touched)?;
    FailPoint::TextsDestroyed.reach();
    let Touched {
        periods,
        persons,
        mut done,
    } = touched;
    let is_erasure = matches!(job.scope, Scope::Erasure(_));
    let figures = &journal.figures;
    let deleted = if is_erasure {
        &figures.erased
    } else {
        &figures.expired
    };
    deleted.inc_by(done.destroyed);
    if !is_erasure {
        for (class, period) in &periods {
            destroy_keys(journal, ledger, *class, *period)?;
        }
    }
    forget_persons(journal, ledger, &persons, &mut done)?;
    // The job is still open: a crash before this comes back to it.
    rotation_due::set_due(&journal.keyring, journal.clock.wall())?;
    if !is_erasure {
        FailPoint::KeysDestroyed.reach();
    }
    if !done.step(|| purge(journal))? {
        done.purge_pending = true;
        return Ok(done);
    }
    FailPoint::LogsEmptied.reach();
    if is_erasure {
        let completed = deletions.completion.complete(tenant, ledger, job.statement);
        completed.map_err(DeletionError::Request)?;
    }
    let number = ledger.record.number;
    journal.ledgers.close_job(number, job.statement)?;
    give_back_pages(journal, &mut done)?;
    Ok(done)
}

/// The payloads of a job's scope; of an erasure with all their keys.
fn destroy_payloads(
    deletions: &Deletions,
    (tenant, ledger): (&Tenant, &Ledger),
    job: &Job,
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    let journal = &*deletions.journal;
    let (class, from, before, released) = match &job.scope {
        Scope::Items(items) => return destroy_all(journal, ledger, items, touched),
        Scope::Erasure(items) => {
            return erase(deletions, (tenant, ledger), job.statement, items, touched);
        }
        Scope::Class {
            class,
            from,
            before,
            released,
        } => (class, *from, *before, released),
    };
    destroy_all(journal, ledger, released, touched)?;
    destroy_class(journal, ledger, class, (from, before), touched)?;
    let from = match from {
        Some(from) => from,
        // No event is older than its class.
        None => entry_at(journal, ledger, class.statement)?.recorded_at,
    };
    let ended = periods_between(class, from, before);
    touched.periods.extend(ended);
    touched.periods.retain(|(_, period)| match period {
        KeyPeriod::Record(_) => true,
        KeyPeriod::Week { .. } | KeyPeriod::Month { .. } => period.bounds().end <= before,
    });
    Ok(())
}

/// Index rows, then the keys, then the texts.
fn erase(
    deletions: &Deletions,
    (tenant, ledger): (&Tenant, &Ledger),
    statement: Seq,
    items: &[Seq],
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    let going = destroy_index_rows(
        &deletions.journal,
        ledger,
        items,
        DeletionCause::Erased,
        touched,
    )?;
    let leaving = deletions.completion.leaving(tenant, ledger, statement);
    let leaving = leaving.map_err(DeletionError::Request)?;
    destroy_keys_of(&deletions.journal, ledger, (&going, &leaving), touched)?;
    destroy_texts(&deletions.journal, ledger, &going, touched)
}

/// Empties the logs of all files, so that what was deleted stands in none; `false` where somebody outside of this
/// process keeps reading.
pub(crate) fn purge(journal: &Journal) -> Result<bool, StoreError> {
    let begun = Instant::now();
    loop {
        let emptied = purge_once(journal)?;
        if emptied || begun.elapsed() >= PURGE_PATIENCE {
            return Ok(emptied);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same, without patience. Whom it waits for is noted, and said after some seconds.
pub(crate) fn purge_once(journal: &Journal) -> Result<bool, StoreError> {
    let read = if !journal.ledgers.purge()? {
        Some("ledger.db")
    } else if !journal.index.purge()? {
        Some("index.db")
    } else if !journal.keyring.vault().purge()? {
        Some("vault.db")
    } else {
        None
    };
    match read {
        Some(file) => journal.outside.found(file),
        None => journal.outside.none(),
    }
    Ok(read.is_none())
}

/// Gives free pages back to the file system, a few at a time.
fn give_back_pages(journal: &Journal, done: &mut JobDone) -> Result<(), StoreError> {
    while done.step(|| journal.ledgers.release_pages(PAGES_PER_STEP))? {
        std::thread::yield_now();
    }
    while journal.index.release_pages(PAGES_PER_STEP)? {}
    // The files shrink when the log is copied into them.
    done.step(|| journal.ledgers.purge())?;
    journal.index.purge().map(drop)
}
