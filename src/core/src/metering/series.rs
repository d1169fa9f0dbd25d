//! From the sums of hours to the rows of an answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::metering::hours::Hours;
use crate::metering::{Answer, FiguresError, MS_AN_HOUR, Question, ROWS_MAX, Row, Step};
use crate::tenant::names::NameBook;
use trailkeep_proof::metered::{CellKey, Ended, Named, Operation, Totals};
use trailkeep_proof::system::NameKind;
use trailkeep_proof::time::UnixMillis;

const HOURS_A_DAY: u64 = 24;
/// Stands for names that are not registered.
const OTHER: &str = "other";
/// Stands where an event names nothing.
const ABSENT: &str = "none";

/// What rows are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The provider.
    Provider,
    /// The model.
    Model,
    /// The prompt and its version.
    Prompt,
    /// How it ended.
    Outcome,
    /// Kind of call.
    Operation,
    /// The tenant's dimension.
    Dimension,
}

impl By {
    /// Each.
    pub const ALL: [Self; 6] = [
        Self::Provider,
        Self::Model,
        Self::Prompt,
        Self::Outcome,
        Self::Operation,
        Self::Dimension,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Prompt => "prompt",
            Self::Outcome => "outcome",
            Self::Operation => "operation",
            Self::Dimension => "dimension",
        }
    }

    /// That of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

/// What a row is of: a word for each thing that was asked for, in the order of [`By`].
pub type Group = BTreeMap<By, String>;

/// Adds the hours up.
pub(super) fn collect(
    hours: &Hours,
    question: &Question,
    names: &NameBook,
    answer: &mut Answer,
) -> Result<(), FiguresError> {
    let words = Words::of(names);
    let mut tables = BTreeSet::new();
    let mut rows: BTreeMap<(u64, Group), Totals> = BTreeMap::new();
    let times = question.from.get()..question.to.get();
    for (at, hour) in hours.hours.range(times) {
        answer.left_out.add(hour.left_out);
        tables.extend(&hour.tables);
        let start = match question.step {
            Step::Hour => *at,
            Step::Day => question
                .from
                .get()
                .max(at - at % (HOURS_A_DAY * MS_AN_HOUR)),
            Step::Whole => question.from.get(),
        };
        for (key, totals) in &hour.cells {
            let group = words.group(key, &question.by);
            rows.entry((start, group)).or_default().merge(totals);
            if rows.len() > ROWS_MAX {
                return Err(FiguresError::TooManyRows);
            }
        }
    }
    let is_short = match question.step {
        Step::Hour => true,
        Step::Day => false,
        Step::Whole => question.to.get() - question.from.get() < HOURS_A_DAY * MS_AN_HOUR,
    };
    if is_short {
        rows = with_small_ones_together(rows, question.least_calls);
    }
    answer.tables = tables.into_iter().collect();
    let rows = rows.into_iter().map(|((start, group), totals)| Row {
        start: UnixMillis::new(start),
        group,
        totals,
    });
    answer.rows = rows.collect();
    Ok(())
}

/// The rows, with those of few calls as one row of their time: few calls in an hour may be one person's.
fn with_small_ones_together(
    rows: BTreeMap<(u64, Group), Totals>,
    least_calls: u64,
) -> BTreeMap<(u64, Group), Totals> {
    let mut together: BTreeMap<(u64, Group), Totals> = BTreeMap::new();
    for ((start, mut group), totals) in rows {
        if totals.calls < least_calls {
            group.values_mut().for_each(|word| OTHER.clone_into(word));
        }
        together.entry((start, group)).or_default().merge(&totals);
    }
    together
}

/// Names by their numbers.
struct Words<'a>(BTreeMap<(NameKind, u32), &'a str>);

impl<'a> Words<'a> {
    fn of(names: &'a NameBook) -> Self {
        let all = names.names.iter();
        Self(
            all.map(|name| ((name.kind, name.number), name.name.as_str()))
                .collect(),
        )
    }

    fn group(&self, key: &CellKey, by: &[By]) -> Group {
        let word = |by: &By| match by {
            By::Provider => self.name(NameKind::Provider, key.provider),
            By::Model => self.name(NameKind::Model, key.model),
            By::Prompt => match (key.prompt, key.prompt_version) {
                (Named::Number(_), Some(version)) => {
                    format!("{}/{version}", self.name(NameKind::Prompt, key.prompt))
                }
                _ => self.name(NameKind::Prompt, key.prompt),
            },
            By::Outcome => key.ended.map_or(ABSENT, Ended::word).to_owned(),
            By::Operation => {
                let word = key.operation.map(Operation::word);
                word.unwrap_or(ABSENT).to_owned()
            }
            By::Dimension => self.name(NameKind::Dimension, key.dimension),
        };
        by.iter().map(|by| (*by, word(by))).collect()
    }

    fn name(&self, kind: NameKind, named: Named) -> String {
        match named {
            Named::Absent => ABSENT.to_owned(),
            Named::Other => OTHER.to_owned(),
            Named::Number(number) => {
                let known = self.0.get(&(kind, number)).copied();
                known.map_or_else(|| format!("{kind} {number}"), str::to_owned)
            }
        }
    }
}
