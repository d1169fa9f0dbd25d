//! The entries that may answer a query, in its order, found with bounded work.
//!
//! A query by several values is the intersection of their keys' lists in the index. It is found by seeking: each
//! list in turn is asked for its next entry from where the last one stood, until all name the same. So what the
//! rarest value skips is never read. A query without any value walks over the entries.

use trailkeep_ports::{Order, Span, StoreError};
use trailkeep_proof::ids::{ClassNumber, LookupKey, Seq};

/// Entries taken from a list, or walked over, for one page: beyond it the page ends with what it has, and its cursor
/// stands further on.
const WORK_MAX: usize = 20_000;
/// Seqs that a list is first asked for; each further time twice as many, up to the largest.
const SEQS_FIRST: usize = 16;
const SEQS_LARGEST: usize = 1_024;

/// A list of entries.
#[derive(Clone, Debug)]
pub(super) enum List {
    /// Those under a key.
    Key(LookupKey),
    /// Those of any of these classes.
    Classes(Vec<ClassNumber>),
    /// All.
    All,
}

/// Where the lists come from: the seqs of one within a span, in order, at most so many.
pub(super) trait Lists {
    /// The next seqs.
    fn seqs(
        &self,
        list: &List,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError>;
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An entry that all lists have.
    Found(Seq),
    /// The page's work is done; go on at [`Candidates::span`].
    Spent,
    /// There is no more.
    Done,
}

/// The walk over the lists.
pub(super) struct Candidates<L> {
    lists: L,
    order: Order,
    /// What is left to look at.
    span: Span,
    streams: Vec<Stream>,
    work: usize,
}

/// One list, read ahead.
struct Stream {
    list: List,
    ahead: Vec<Seq>,
    /// How many of those that were read ahead are behind.
    at: usize,
    limit: usize,
    is_dry: bool,
}

impl<L: Lists> Candidates<L> {
    /// The entries within a span that stand in all of these; all entries where none is named.
    pub(super) fn new(lists: L, wanted: Vec<List>, span: Span, order: Order) -> Self {
        let mut streams: Vec<Stream> = wanted.into_iter().map(Stream::new).collect();
        if streams.is_empty() {
            streams.push(Stream::new(List::All));
        }
        Self {
            lists,
            order,
            span,
            streams,
            work: 0,
        }
    }

    /// What is left to look at.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The next entry that all lists have.
    pub(super) fn next(&mut self) -> Result<Step, StoreError> {
        let mut agreed = 0;
        let mut candidate = None;
        for at in (0..self.streams.len()).cycle() {
            if self.work > WORK_MAX {
                return Ok(Step::Spent);
            }
            let stream = &mut self.streams[at];
            let found = stream.seek(&self.lists, self.span, self.order, &mut self.work)?;
            let Some(found) = found else {
                return Ok(Step::Done);
            };
            if candidate == Some(found) {
                agreed += 1;
            } else {
                (candidate, agreed) = (Some(found), 1);
                self.span = self.span.starting_at(found, self.order);
            }
            if agreed == self.streams.len() {
                self.span = self.span.starting_after(found, self.order);
                return Ok(Step::Found(found));
            }
        }
        Ok(Step::Done)
    }
}

impl Stream {
    fn new(list: List) -> Self {
        Self {
            list,
            ahead: Vec::new(),
            at: 0,
            limit: SEQS_FIRST,
            is_dry: false,
        }
    }

    /// The list's first seq within the span.
    fn seek(
        &mut self,
        lists: &impl Lists,
        span: Span,
        order: Order,
        work: &mut usize,
    ) -> Result<Option<Seq>, StoreError> {
        let is_behind = |seq: &Seq| match order {
            Order::Oldest => *seq < span.from,
            Order::Newest => *seq >= span.end,
        };
        if span.is_empty() {
            return Ok(None);
        }
        self.at += self.ahead[self.at..].partition_point(is_behind);
        if self.at == self.ahead.len() && !self.is_dry {
            self.ahead = lists.seqs(&self.list, span, order, self.limit)?;
            self.at = 0;
            *work += self.ahead.len().max(1);
            self.is_dry = self.ahead.len() < self.limit;
            self.limit = (self.limit * 2).min(SEQS_LARGEST);
        }
        Ok(self.ahead.get(self.at).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    struct Sets {
        sets: Vec<BTreeSet<u64>>,
        asked: Cell<usize>,
    }

    fn key(at: usize) -> List {
        List::Key(LookupKey::new([at as u8; 16]))
    }

    impl Lists for &Sets {
        fn seqs(
            &self,
            list: &List,
            span: Span,
            order: Order,
            limit: usize,
        ) -> Result<Vec<Seq>, StoreError> {
            let List::Key(key) = list else {
                panic!("asked for {list:?}")
            };
            self.asked.set(self.asked.get() + 1);
            if span.is_empty() {
                return Ok(Vec::new());
            }
            let set = &self.sets[usize::from(key.as_bytes()[0])];
            let range = set
                .range(span.from.get()..span.end.get())
                .copied()
                .map(Seq::new);
            Ok(match order {
                Order::Oldest => range.take(limit).collect(),
                Order::Newest => range.rev().take(limit).collect(),
            })
        }
    }

    /// All that a walk finds, begun again wherever its work was spent.
    fn walk(sets: &Sets, mut span: Span, order: Order) -> Vec<u64> {
        let mut found = Vec::new();
        loop {
            let mut candidates =
                Candidates::new(sets, (0..sets.sets.len()).map(key).collect(), span, order);
            loop {
                match candidates.next().unwrap() {
                    Step::Found(seq) => found.push(seq.get()),
                    Step::Spent => break,
                    Step::Done => return found,
                }
            }
            assert_ne!(candidates.span(), span, "a page moves on");
            span = candidates.span();
        }
    }

    proptest! {
        #[test]
        fn an_intersection_is_what_a_filter_finds(
            sets in prop::collection::vec(prop::collection::btree_set(0u64..400, 0..300), 1..5),
            from in 0u64..400,
            end in 0u64..420,
        ) {
            let span = Span { from: Seq::new(from), end: Seq::new(end) };
            let is_in = |seq: &u64| *seq >= from && *seq < end && sets.iter().all(|set| set.contains(seq));
            let mut expected: Vec<u64> = (0..400).filter(is_in).collect();
            let sets = Sets { sets: sets.clone(), asked: Cell::new(0) };
            prop_assert_eq!(walk(&sets, span, Order::Oldest), expected.clone());
            expected.reverse();
            prop_assert_eq!(walk(&sets, span, Order::Newest), expected);
        }
    }

    #[test]
    fn what_the_rarest_value_skips_is_never_read() {
        let all: BTreeSet<u64> = (0..1_000_000).collect();
        let rare: BTreeSet<u64> = [3, 500_000, 999_999].into();
        let sets = Sets {
            sets: vec![all, rare],
            asked: Cell::new(0),
        };
        let span = Span {
            from: Seq::new(0),
            end: Seq::new(1_000_000),
        };
        assert_eq!(walk(&sets, span, Order::Newest), [999_999, 500_000, 3]);
        assert!(sets.asked.get() < 10, "{}", sets.asked.get());
    }

    #[test]
    fn a_page_ends_where_values_never_meet() {
        let even: BTreeSet<u64> = (0..200_000).step_by(2).collect();
        let odd: BTreeSet<u64> = (1..200_000).step_by(2).collect();
        let sets = Sets {
            sets: vec![even, odd],
            asked: Cell::new(0),
        };
        let span = Span {
            from: Seq::new(0),
            end: Seq::new(200_000),
        };
        let mut candidates = Candidates::new(&sets, vec![key(0), key(1)], span, Order::Oldest);
        assert_eq!(candidates.next().unwrap(), Step::Spent);
        assert!(candidates.span().from.get() > 1_000);
        assert_eq!(walk(&sets, span, Order::Oldest), [0; 0]);
    }
}
