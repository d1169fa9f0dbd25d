//! Completeness by producer: an application numbers its events (`source: {name, seq}`), so that a lost event shows,
//! not only a changed one. Gaps, repeats and restarts are found by reading the events (docs/format.md, "Sources").
//!
//! What producers are called and how they number stands in the texts alone, and goes with them; so a number that is
//! missing may be that of a text that has gone since. How many texts went between the first and the last event of a
//! source is known from the entries: what is missing beyond that was never recorded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Facts;
use crate::ids::Seq;

/// Sources that are told apart; the events of others are counted together.
const SOURCES_MAX: usize = 10_000;
/// Stretches of numbers without a hole that are kept of one source.
const STRETCHES_MAX: usize = 10_000;
/// Restarts of one source whose holes are kept.
const COUNTS_MAX: usize = 1_000;
/// Holes that are listed of one source.
const LISTED_MAX: usize = 100;
/// A number below the first by no more than this came late; one far below begins anew.
const LATE_MAX: u64 = 1_000;
/// Numbers with which producers begin.
const FIRST_NUMBER_MAX: u64 = 1;

/// Entries whose texts that have gone are counted together.
const BLOCK_ENTRIES: u64 = 1_000;

/// What a walk over a ledger, or a bundle, sees of sources.
pub enum Sighting {
    /// An event with its source's name and number.
    Numbered(Seq, String, u64),
    /// An event whose text has gone, or whose number is not shown.
    Gone(Seq),
}

impl Sighting {
    /// The source of an event, if it names one.
    pub fn of(seq: Seq, facts: &Facts) -> Option<Self> {
        let (name, number) = facts.source.clone()?;
        Some(Self::Numbered(seq, name, number))
    }
}

/// The sources of a ledger, as far as it was read.
pub struct SourceBook {
    told_apart_max: usize,
    sources: BTreeMap<String, Source>,
    /// Texts that have gone, by their thousand of entries.
    gone: BTreeMap<u64, u64>,
    untold: u64,
}

impl Default for SourceBook {
    fn default() -> Self {
        Self::telling_apart(SOURCES_MAX)
    }
}

#[derive(Default)]
struct Source {
    events: u64,
    repeats: u64,
    restarts: u64,
    first: Option<Seq>,
    last: Option<Seq>,
    /// From the beginning, and again from each restart: first and last number of each stretch without a hole.
    counts: Vec<BTreeMap<u64, u64>>,
}

/// A source as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSource {
    /// Its name.
    pub name: String,
    /// Its events whose texts are there.
    pub events: u64,
    /// The number of its last event.
    pub last_number: u64,
    /// How often it began to count anew.
    pub restarts: u64,
    /// Events with a number that another event of the source has.
    pub repeats: u64,
    /// Numbers between its first and its last that no event has.
    pub missing: u64,
    /// Of these, how many may be those of texts that have gone, of whatever source.
    pub may_have_gone: u64,
    /// Which are missing; the first 100 stretches.
    pub gaps: Vec<Gap>,
}

/// Numbers that are missing, the first and the last.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// The sources of a ledger in sum; it names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesSummary {
    /// How many there are.
    pub sources: u64,
    /// Numbers that are missing.
    pub missing: u64,
    /// Of these, how many may be numbers of deleted events.
    pub may_be_deleted: u64,
    /// Events with a number that another event of their source has.
    pub repeats: u64,
    /// How often a source began to count anew.
    pub restarts: u64,
}

impl SourceBook {
    /// A book of so many sources; the events of others are counted together.
    pub const fn telling_apart(told_apart_max: usize) -> Self {
        Self {
            told_apart_max,
            sources: BTreeMap::new(),
            gone: BTreeMap::new(),
            untold: 0,
        }
    }

    /// Takes in what was seen, in the order of the ledger.
    pub fn see(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Gone(seq) => *self.gone.entry(seq.get() / BLOCK_ENTRIES).or_default() += 1,
            Sighting::Numbered(seq, name, number) => {
                if self.sources.len() >= self.told_apart_max && !self.sources.contains_key(&name) {
                    self.untold += 1;
                } else {
                    self.sources.entry(name).or_default().see(seq, number);
                }
            }
        }
    }

    /// All sources, by name.
    pub fn list(&self) -> Vec<ListedSource> {
        let listed = self.sources.iter().map(|(name, source)| {
            let (missing, gaps) = source.missing();
            let last = source.counts.last().and_then(BTreeMap::last_key_value);
            ListedSource {
                name: name.clone(),
                events: source.events,
                last_number: last.map_or(0, |(_, last)| *last),
                restarts: source.restarts,
                repeats: source.repeats,
                missing,
                may_have_gone: missing.min(self.deleted_within(source)),
                gaps,
            }
        });
        listed.collect()
    }

    /// Events of sources beyond those that are told apart.
    pub fn untold(&self) -> u64 {
        self.untold
    }

    /// All of them in sum.
    pub fn summary(&self) -> SourcesSummary {
        let begin = SourcesSummary::default();
        self.list()
            .iter()
            .fold(begin, |sum, source| SourcesSummary {
                sources: sum.sources + 1,
                missing: sum.missing.saturating_add(source.missing),
                may_be_deleted: sum.may_be_deleted + source.may_have_gone,
                repeats: sum.repeats + source.repeats,
                restarts: sum.restarts + source.restarts,
            })
    }

    /// Texts that have gone between the first and the last event of a source, rounded up to thousands of entries.
    fn deleted_within(&self, source: &Source) -> u64 {
        let (Some(first), Some(last)) = (source.first, source.last) else {
            return 0;
        };
        let blocks = self
            .gone
            .range(first.get() / BLOCK_ENTRIES..=last.get() / BLOCK_ENTRIES);
        blocks.map(|(_, count)| count).sum()
    }
}

impl Source {
    fn see(&mut self, seq: Seq, number: u64) {
        self.events += 1;
        self.first = self.first.or(Some(seq));
        self.last = Some(seq);
        let Some(count) = self.counts.last_mut() else {
            self.counts.push(BTreeMap::from([(number, number)]));
            return;
        };
        let is_known = count
            .range(..=number)
            .next_back()
            .is_some_and(|(_, last)| *last >= number);
        let first = count.first_key_value().map_or(0, |(first, _)| *first);
        let is_far_below = number < first && first - number > LATE_MAX;
        if (is_known && number <= FIRST_NUMBER_MAX) || is_far_below {
            self.restarts += 1;
            self.counts.push(BTreeMap::from([(number, number)]));
            if self.counts.len() > COUNTS_MAX {
                self.counts.remove(0);
            }
        } else if is_known {
            self.repeats += 1;
        } else {
            add_number(count, number);
        }
    }

    /// How many numbers no event has, and which.
    fn missing(&self) -> (u64, Vec<Gap>) {
        let (mut missing, mut gaps) = (0_u64, Vec::new());
        for count in &self.counts {
            for ((_, end), (start, _)) in count.iter().zip(count.iter().skip(1)) {
                missing = missing.saturating_add(start - end - 1);
                if gaps.len() < LISTED_MAX {
                    gaps.push(Gap {
                        first: end + 1,
                        last: start - 1,
                    });
                }
            }
        }
        (missing, gaps)
    }
}

/// Adds a number that is in no stretch, joining those that it touches.
fn add_number(count: &mut BTreeMap<u64, u64>, number: u64) {
    let (mut start, mut end) = (number, number);
    if let Some((below, last)) = count.range(..number).next_back().map(|(k, v)| (*k, *v))
        && last + 1 == number
    {
        start = below;
    }
    if let Some(above) = number.checked_add(1)
        && let Some(last) = count.remove(&above)
    {
        end = last;
    }
    count.insert(start, end);
    if count.len() > STRETCHES_MAX {
        // The oldest hole is forgotten, as if it were filled.
        let oldest = count.pop_first();
        let next = count.pop_first();
        if let (Some((start, _)), Some((_, end))) = (oldest, next) {
            count.insert(start, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn book_of(numbers: &[u64]) -> ListedSource {
        let mut book = SourceBook::default();
        for (seq, number) in (0..).zip(numbers) {
            book.see(Sighting::Numbered(Seq::new(seq), "bot".to_owned(), *number));
        }
        book.list().remove(0)
    }

    #[test]
    fn gaps_repeats_and_restarts() {
        let listed = book_of(&[1, 2, 5, 6, 9]);
        assert_eq!((listed.missing, listed.may_have_gone), (4, 0));
        let gap = |first, last| Gap { first, last };
        assert_eq!(listed.gaps, [gap(3, 4), gap(7, 8)]);
        // What comes late fills its gap, below the first too.
        assert_eq!(book_of(&[1, 2, 5, 4, 3]).missing, 0);
        assert_eq!(book_of(&[7, 6, 5]).missing, 0);
        let repeated = book_of(&[1, 2, 2, 3]);
        assert_eq!(
            (repeated.repeats, repeated.restarts, repeated.missing),
            (1, 0, 0)
        );
        let restarted = book_of(&[0, 1, 2, 0, 1, 3]);
        assert_eq!(
            (restarted.restarts, restarted.repeats, restarted.last_number),
            (1, 0, 3)
        );
        assert_eq!(restarted.gaps, [gap(2, 2)]);
        let far = book_of(&[50_000, 50_001, 17, 18]);
        assert_eq!((far.restarts, far.missing), (1, 0));
        assert_eq!(book_of(&[u64::MAX, u64::MAX - 1]).missing, 0);
    }

    #[test]
    fn what_went_may_be_what_is_missing() {
        let mut book = SourceBook::default();
        let see = |book: &mut SourceBook, seq, number| {
            book.see(Sighting::Numbered(Seq::new(seq), "bot".to_owned(), number));
        };
        see(&mut book, 10, 1);
        book.see(Sighting::Gone(Seq::new(11)));
        see(&mut book, 12, 4);
        let listed = book.list().remove(0);
        assert_eq!((listed.missing, listed.may_have_gone), (2, 1));
        // What went before its first event explains nothing.
        let mut book = SourceBook::default();
        book.see(Sighting::Gone(Seq::new(1)));
        see(&mut book, 5_000, 1);
        see(&mut book, 5_001, 3);
        assert_eq!(book.list()[0].may_have_gone, 0);
    }

    proptest! {
        #[test]
        fn numbers_in_any_order_within_a_window(mut numbers in prop::collection::btree_set(1_000u64..1_900, 1..200), seed in any::<u64>()) {
            let expected = {
                let (first, last) = (*numbers.first().unwrap(), *numbers.last().unwrap());
                last - first + 1 - numbers.len() as u64
            };
            let mut order: Vec<u64> = std::mem::take(&mut numbers).into_iter().collect();
            order.sort_by_key(|number| number.wrapping_mul(seed | 1));
            let listed = book_of(&order);
            prop_assert_eq!((listed.missing, listed.repeats, listed.restarts), (expected, 0, 0));
            let summed: u64 = listed.gaps.iter().map(|gap| gap.last - gap.first + 1).sum();
            prop_assert!(listed.gaps.len() == LISTED_MAX || summed == expected);
        }
    }
}
