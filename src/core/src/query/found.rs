//! The rows of the events that may answer a query, in its order. Those of a page are read together, at one moment.

use std::collections::VecDeque;

use crate::journal::Journal;
use crate::journal::read::{ReadError, decoded, is_event};
use crate::query::QueryError;
use crate::query::candidates::{Candidates, List, Lists, Step};
use crate::short_reads::ENTRIES_PER_READ;
use crate::tenant::ledger::Ledger;
use trailkeep_ports::{EventRow, Order, Span, StoreError};
use trailkeep_proof::ids::Seq;

/// Bytes of sealed payloads that are read at once, after which no further event joins them.
const READ_BYTES_MAX: usize = 8 << 20;
/// Entries that a walk reads ahead at first; each further time twice as many.
const ENTRIES_FIRST: u64 = 64;

/// What a query finds.
pub(super) struct Found<'a> {
    journal: &'a Journal,
    ledger: &'a Ledger,
    candidates: Candidates<IndexLists<'a>>,
    /// Of a walk over all entries: those that were read ahead.
    entries: Option<Entries<'a>>,
    /// Found, and not read yet.
    seqs: VecDeque<Seq>,
    is_over: bool,
    /// Where its work is spent: what was not looked at.
    pub(super) rest: Option<Span>,
}

impl<'a> Found<'a> {
    pub(super) fn new(
        journal: &'a Journal,
        ledger: &'a Ledger,
        wanted: Vec<List>,
        (span, order): (Span, Order),
    ) -> Self {
        let is_walk = wanted.is_empty();
        let lists = IndexLists { journal, ledger };
        Self {
            journal,
            ledger,
            candidates: Candidates::new(lists, wanted, span, order),
            entries: is_walk.then(|| Entries::of(journal, ledger, order)),
            seqs: VecDeque::new(),
            is_over: false,
            rest: None,
        }
    }

    /// The rows of the next events as they are at one moment, at most `limit`. It is empty after the last event.
    pub(super) fn rows(
        &mut self,
        limit: usize,
    ) -> Result<Vec<(Seq, Option<EventRow>)>, QueryError> {
        let limit = limit.min(ENTRIES_PER_READ as usize);
        while self.seqs.len() < limit && !self.is_over {
            self.find()?;
        }
        let seqs: Vec<Seq> = self.seqs.iter().take(limit).copied().collect();
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let number = self.ledger.record.number;
        let rows = self.journal.ledgers.events(number, &seqs, READ_BYTES_MAX)?;
        self.seqs.drain(..rows.len());
        Ok(seqs.into_iter().zip(rows).collect())
    }

    /// Looks for one more.
    fn find(&mut self) -> Result<(), QueryError> {
        match self.candidates.next()? {
            Step::Done => self.is_over = true,
            Step::Spent => {
                self.is_over = true;
                self.rest = Some(self.candidates.span());
            }
            Step::Found(seq) => {
                let is_wanted = match &mut self.entries {
                    Some(entries) => entries.has_event(seq)?,
                    None => true,
                };
                if is_wanted {
                    self.seqs.push_back(seq);
                }
            }
        }
        Ok(())
    }
}

/// Entries, read ahead where all of them are walked over: those of the ledger's own statements have no event.
struct Entries<'a> {
    journal: &'a Journal,
    ledger: &'a Ledger,
    order: Order,
    at_once: u64,
    ahead: Vec<(Seq, Vec<u8>)>,
}

impl<'a> Entries<'a> {
    const fn of(journal: &'a Journal, ledger: &'a Ledger, order: Order) -> Self {
        Self {
            journal,
            ledger,
            order,
            at_once: ENTRIES_FIRST,
            ahead: Vec::new(),
        }
    }

    fn has_event(&mut self, seq: Seq) -> Result<bool, ReadError> {
        let find = |rows: &[(Seq, Vec<u8>)]| rows.binary_search_by_key(&seq, |(seq, _)| *seq).ok();
        if find(&self.ahead).is_none() {
            let whole = Span {
                from: Seq::new(0),
                end: Seq::MAX,
            };
            let range = whole
                .starting_at(seq, self.order)
                .beginning(self.order, self.at_once);
            self.at_once = (self.at_once * 2).min(ENTRIES_PER_READ);
            self.ahead = self
                .journal
                .ledgers
                .entry_rows(self.ledger.record.number, range)?;
        }
        let at = find(&self.ahead).ok_or(ReadError::NotFound)?;
        Ok(is_event(&decoded(seq, &self.ahead[at].1)?))
    }
}

/// The lists of a ledger's index, and its entries.
struct IndexLists<'a> {
    journal: &'a Journal,
    ledger: &'a Ledger,
}

impl Lists for IndexLists<'_> {
    fn seqs(
        &self,
        list: &List,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let number = self.ledger.record.number;
        match list {
            List::Key(key) => self
                .journal
                .index
                .find_in_order(number, *key, span, order, limit),
            List::Classes(classes) => {
                let ledgers = &self.journal.ledgers;
                ledgers.events_of_classes(number, classes, span, order, limit)
            }
            List::All => Ok(span.first_seqs(order, limit)),
        }
    }
}
