//! Stretches of a ledger, and the two orders in which they are read.

use std::ops::Range;

use trailkeep_proof::ids::Seq;

/// In which order entries are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By seq.
    #[default]
    Oldest,
    /// By seq, the last first.
    Newest,
}

/// The entries from one seq on, below another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: Seq,
    /// The one after the last.
    pub end: Seq,
}

impl Span {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.from >= self.end
    }

    /// What comes at a seq or behind it, in an order.
    #[must_use]
    pub fn starting_at(self, seq: Seq, order: Order) -> Self {
        match order {
            Order::Oldest => Self { from: seq, ..self },
            Order::Newest => Self {
                end: seq.next(),
                ..self
            },
        }
    }

    /// What comes behind a seq, in an order.
    #[must_use]
    pub fn starting_after(self, seq: Seq, order: Order) -> Self {
        match order {
            Order::Oldest => Self {
                from: seq.next(),
                ..self
            },
            Order::Newest => Self { end: seq, ..self },
        }
    }

    /// Its beginning in an order: at most so many seqs, as a range.
    pub fn beginning(self, order: Order, limit: u64) -> Range<u64> {
        let (from, end) = (self.from.get(), self.end.get().max(self.from.get()));
        match order {
            Order::Oldest => from..end.min(from.saturating_add(limit)),
            Order::Newest => from.max(end.saturating_sub(limit))..end,
        }
    }

    /// The seqs of its beginning, in order.
    pub fn first_seqs(self, order: Order, limit: usize) -> Vec<Seq> {
        let range = self.beginning(order, limit as u64).map(Seq::new);
        match order {
            Order::Oldest => range.collect(),
            Order::Newest => range.rev().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_at_either_end() {
        let span = Span {
            from: Seq::new(3),
            end: Seq::new(9),
        };
        assert_eq!(span.beginning(Order::Oldest, 2), 3..5);
        assert_eq!(span.beginning(Order::Newest, 2), 7..9);
        assert_eq!(span.beginning(Order::Newest, 99), 3..9);
        let (five, order) = (Seq::new(5), Order::Newest);
        assert_eq!(span.starting_after(five, order).beginning(order, 99), 3..5);
        assert_eq!(span.starting_at(five, order).beginning(order, 99), 3..6);
        assert!(span.starting_after(Seq::new(8), Order::Oldest).is_empty());
        let backwards = Span {
            from: Seq::new(u64::MAX),
            end: Seq::new(9),
        };
        assert_eq!(backwards.first_seqs(Order::Oldest, 5), []);
    }
}
