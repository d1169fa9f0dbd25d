//! Figures of calls, from the sections `metered` of the events that are left.
//!
//! The sums of each hour are kept in memory and never on disk. An erased or expired event leaves them with its text: the hours are
//! added up again from the events that are left. So nothing that is kept tells what an erased event said.

mod hours;
mod read;
mod series;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::journal::Journal;
use crate::journal::append::metering;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use crate::metering::hours::Hours;
use crate::tenant::ledger::{Ledger, Published};
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::metered::Totals;
use trailkeep_proof::time::UnixMillis;

pub use series::{By, Group};

/// Milliseconds of an hour.
pub const MS_AN_HOUR: u64 = 60 * 60 * 1000;
/// Hours that one question may be about: a leap year and a day.
const HOURS_MAX: u64 = 367 * 24;
/// Rows that an answer may have.
const ROWS_MAX: usize = 20_000;

/// How long the time of one row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
    /// All of the time that is asked for.
    Whole,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// From this hour on, by the time of recording.
    pub from: UnixMillis,
    /// Up to this hour, which is left out.
    pub to: UnixMillis,
    /// How long the time of one row is.
    pub step: Step,
    /// What rows are told apart by.
    pub by: Vec<By>,
    /// In times of less than a day: groups of fewer calls than this are one row, `other`. 0: none are.
    pub least_calls: u64,
}

/// The figures that answer a question.
#[derive(Debug)]
pub struct Answer {
    /// The entries of the time that was asked for.
    pub entries: Range<u64>,
    /// Events of these that are counted no more.
    pub left_out: LeftOut,
    /// Numbers of the price tables that costs were computed by, ascending.
    pub tables: Vec<u32>,
    /// The rows, by time and group; those without any event are left out.
    pub rows: Vec<Row>,
}

/// The figures of one group in one time.
#[derive(Debug)]
pub struct Row {
    /// When its time begins.
    pub start: UnixMillis,
    /// What the row is of.
    pub group: Group,
    /// The sums.
    pub totals: Totals,
}

/// Events of which nothing is counted, because they are not to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// They expired.
    pub expired: u64,
    /// They were erased.
    pub erased: u64,
    /// They are restricted (GDPR Art. 18).
    pub restricted: u64,
}

impl LeftOut {
    /// Whether all events are counted.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    fn add(&mut self, other: Self) {
        self.expired += other.expired;
        self.erased += other.erased;
        self.restricted += other.restricted;
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum FiguresError {
    /// The times have another order, or are no whole hours.
    #[error("`from` must come before `to`, and both must be whole hours (in UTC)")]
    Times,
    /// It is about too long a time.
    #[error("at most 367 days may be asked for at once")]
    TooLong,
    /// It has too many rows.
    #[error(
        "the answer would have more than {ROWS_MAX} rows: ask for a shorter time, a longer step, or fewer groups"
    )]
    TooManyRows,
    /// An event can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sums of the ledgers that were asked for, in memory.
#[derive(Default)]
pub struct KeptFigures(Mutex<HashMap<LedgerNumber, Arc<Mutex<Hours>>>>);

impl KeptFigures {
    fn of(&self, ledger: &Ledger) -> Arc<Mutex<Hours>> {
        let mut all = self.0.lock();
        Arc::clone(all.entry(ledger.record.number).or_default())
    }
}

/// Answers a question. What was not asked for before is read from the events.
pub fn figures(
    journal: &Journal,
    kept: &KeptFigures,
    (ledger, published): (&Ledger, &Published),
    question: &Question,
) -> Result<Answer, FiguresError> {
    let (from, to) = (question.from.get(), question.to.get());
    if from >= to || from % MS_AN_HOUR != 0 || to % MS_AN_HOUR != 0 {
        return Err(FiguresError::Times);
    }
    if (to - from) / MS_AN_HOUR > HOURS_MAX {
        return Err(FiguresError::TooLong);
    }
    let known = metering(journal, ledger)?;
    let hours = kept.of(ledger);
    let mut hours = hours.lock();
    let entries = hours.bring_up_to(journal, (ledger, published), from..to)?;
    let mut answer = Answer {
        entries,
        left_out: LeftOut::default(),
        tables: Vec::new(),
        rows: Vec::new(),
    };
    series::collect(&hours, question, &known.names, &mut answer)?;
    Ok(answer)
}
