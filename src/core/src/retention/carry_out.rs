//! Destroying what a statement says has gone. Every step may be done twice: a job that a crash cut off is carried
//! out again from its beginning, and closed only when nothing is left.
//!
//! The order of an expiry: index rows while the texts still say which; texts, in steps that hold the writer for milliseconds;
//! data keys of which nothing is left, and persons whom nobody needs any more; then the logs of all files are
//! emptied, so that what was deleted stands nowhere; then the job is closed. Free pages go back to the file system
//! behind it. An erasure destroys the keys before the texts, at once, and answers the requests before it is closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RetentionError;
use super::due::{DueClass, present};
use super::erase_keys::destroy_keys_of;
use super::keys::{
    Touched, all_persons, destroy_keys, forget_persons, periods_between, periods_of,
    periods_of_records,
};
use super::texts::{destroy_all, destroy_class, destroy_index_rows, destroy_texts};
use crate::Engine;
use crate::classes::Class;
use crate::deletion::DeletionCause;
use crate::failpoint::FailPoint;
use crate::ledger::Ledger;
use crate::read::entry_at;
use crate::tenant::Tenant;
use crate::{privacy, rotation};
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::{DeletionBasis, StoreError};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// Entries of one read.
const ENTRIES_PER_READ: u64 = 1_000;
/// Free pages that one step gives back.
const PAGES_PER_STEP: u32 = 64;
/// How long the logs are tried to be emptied before the job is left for the next time.
const SCRUB_PATIENCE: Duration = Duration::from_secs(10);

/// A statement that is to be carried out.
#[derive(Clone)]
pub struct Job {
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
pub struct JobDone {
    /// Events whose texts were destroyed, as far as this process did it.
    pub destroyed: u64,
    /// Whether old pages may still be in a file's log.
    pub scrub_pending: bool,
    /// The longest step that the writer may have waited for.
    pub longest_step: Duration,
}

impl JobDone {
    /// Does a step that holds the writer, and notes how long it took.
    pub(super) fn step<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let outcome = step();
        self.longest_step = self.longest_step.max(begun.elapsed());
        outcome
    }
}

impl Job {
    pub(super) fn of_class(due: &DueClass) -> Self {
        Self {
            statement: Seq::new(0),
            scope: Scope::Class {
                class: Arc::clone(&due.class),
                from: due.expired_before,
                before: due.recorded_before,
                released: due.released.clone(),
            },
        }
    }

    /// What requests of persons lead to.
    pub(crate) fn of_requests(statement: Seq, items: Vec<Seq>) -> Self {
        Self {
            statement,
            scope: Scope::Erasure(items),
        }
    }

    pub(super) fn of_items(items: Vec<Seq>) -> Self {
        Self {
            statement: Seq::new(0),
            scope: Scope::Items(items),
        }
    }
}

/// Carries out what a crash, or somebody who read, left open.
pub(crate) fn resume(
    engine: &Engine,
    tenant: &Tenant,
    ledger: &Ledger,
) -> Result<Vec<JobDone>, RetentionError> {
    let number = ledger.record.number;
    let mut done = Vec::new();
    for open in engine.ledgers.open_jobs(number)? {
        let expiries = engine.ledgers.expiries(number)?;
        let expiry = expiries.iter().find(|row| row.statement == open.statement);
        let mut touched = Touched::default();
        let scope = if let Some(row) = expiry {
            let class = ledger.classes.class(row.class);
            Scope::Class {
                class: class.ok_or(RetentionError::Class(row.class.get()))?,
                from: None,
                before: row.recorded_before,
                released: Vec::new(),
            }
        } else {
            let items = engine.ledgers.tombstone_items(number, open.statement)?;
            if open.kind == DeletionBasis::Trigger.kind() {
                touched.periods = periods_of_records(engine, ledger)?;
                touched.periods.extend(periods_of(engine, ledger, &items)?);
                Scope::Items(items)
            } else {
                Scope::Erasure(items)
            }
        };
        // Whom the texts were about that are gone already, nobody knows: everybody is looked at.
        touched.persons = all_persons(engine, ledger)?;
        let job = Job {
            statement: open.statement,
            scope,
        };
        done.push(destroy(engine, (tenant, ledger), &job, touched)?);
    }
    Ok(done)
}

/// Destroys what a job says that was stated just now, and closes it.
pub(crate) fn carry_out(
    engine: &Engine,
    tenant: &Tenant,
    ledger: &Ledger,
    job: &Job,
) -> Result<JobDone, RetentionError> {
    FailPoint::DestructionStated.reach();
    destroy(engine, (tenant, ledger), job, Touched::default())
}

fn destroy(
    engine: &Engine,
    (tenant, ledger): (&Tenant, &Ledger),
    job: &Job,
    mut touched: Touched,
) -> Result<JobDone, RetentionError> {
    match &job.scope {
        Scope::Items(items) => destroy_all(engine, ledger, items, &mut touched)?,
        Scope::Erasure(items) => {
            erase(engine, (tenant, ledger), job.statement, items, &mut touched)?;
        }
        Scope::Class {
            class,
            from,
            before,
            released,
        } => {
            destroy_all(engine, ledger, released, &mut touched)?;
            destroy_class(engine, ledger, class, (*from, *before), &mut touched)?;
            let from = match from {
                Some(from) => *from,
                // No event is older than its class.
                None => entry_at(engine, ledger, class.statement)?.recorded_at,
            };
            touched
                .periods
                .extend(periods_between(class, from, *before));
            touched.periods.retain(|(_, period)| match period {
                KeyPeriod::Record(_) => true,
                KeyPeriod::Week { .. } | KeyPeriod::Month { .. } => period.bounds().end <= *before,
            });
        }
    }
    FailPoint::TextsDestroyed.reach();
    let Touched {
        periods,
        persons,
        mut done,
    } = touched;
    let is_erasure = matches!(job.scope, Scope::Erasure(_));
    let figures = &engine.figures;
    let gone = if is_erasure {
        &figures.erased
    } else {
        &figures.expired
    };
    gone.inc_by(done.destroyed);
    if !is_erasure {
        for (class, period) in &periods {
            destroy_keys(engine, ledger, *class, *period)?;
        }
    }
    forget_persons(engine, ledger, &persons, &mut done)?;
    // The job is still open: a crash before this comes back to it.
    rotation::set_due(engine)?;
    if !is_erasure {
        FailPoint::KeysDestroyed.reach();
    }
    if !done.step(|| purge(engine))? {
        done.scrub_pending = true;
        return Ok(done);
    }
    FailPoint::LogsEmptied.reach();
    if is_erasure {
        privacy::answer_all(engine, tenant, ledger, job.statement)?;
    }
    engine
        .ledgers
        .close_job(ledger.record.number, job.statement)?;
    give_back_pages(engine, &mut done)?;
    Ok(done)
}

/// Index rows, then the keys, then the texts.
fn erase(
    engine: &Engine,
    (tenant, ledger): (&Tenant, &Ledger),
    statement: Seq,
    items: &[Seq],
    touched: &mut Touched,
) -> Result<(), RetentionError> {
    let going = destroy_index_rows(engine, ledger, items, DeletionCause::Erased, touched)?;
    let leaving = privacy::leaving(engine, tenant, ledger, statement)?;
    destroy_keys_of(engine, ledger, (&going, &leaving), touched)?;
    destroy_texts(engine, ledger, &going, touched)
}

/// Empties the logs of all files, so that what was deleted stands in none; `false` where somebody outside of this
/// process keeps reading.
pub(super) fn purge(engine: &Engine) -> Result<bool, StoreError> {
    let begun = Instant::now();
    loop {
        let emptied = purge_once(engine)?;
        if emptied || begun.elapsed() >= SCRUB_PATIENCE {
            return Ok(emptied);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same, without patience. Whom it waits for is noted, and said after some seconds.
pub(super) fn purge_once(engine: &Engine) -> Result<bool, StoreError> {
    let read = if !engine.ledgers.purge()? {
        Some("ledger.db")
    } else if !engine.index.purge()? {
        Some("index.db")
    } else if !engine.keyring.vault().purge()? {
        Some("vault.db")
    } else {
        None
    };
    match read {
        Some(file) => engine.outside.found(file),
        None => engine.outside.none(),
    }
    Ok(read.is_none())
}

/// Gives free pages back to the file system, a few at a time.
fn give_back_pages(engine: &Engine, done: &mut JobDone) -> Result<(), StoreError> {
    while done.step(|| engine.ledgers.release_pages(PAGES_PER_STEP))? {
        std::thread::yield_now();
    }
    while engine.index.release_pages(PAGES_PER_STEP)? {}
    // The files shrink when the log is copied into them.
    done.step(|| engine.ledgers.purge())?;
    engine.index.purge().map(drop)
}

/// How many events of a class are present in a range; for previews.
pub(super) fn count_present(
    engine: &Engine,
    ledger: &Ledger,
    range: std::ops::Range<u64>,
    mut each: impl FnMut(&Entry),
) -> Result<(), RetentionError> {
    let mut first = range.start;
    while first < range.end {
        let last = range.end.min(first + ENTRIES_PER_READ);
        for entry in present(engine, ledger, first, last)? {
            each(&entry);
        }
        first = last;
    }
    Ok(())
}
