//! The inbox.

use std::collections::{BTreeMap, BTreeSet};

use trailkeep_proof::ids::{LedgerNumber, Tag};
use trailkeep_proof::time::UnixMillis;

use super::Shared;
use super::vault::next;
use crate::{
    AssembledRow, InboxStore, NewPart, PartRow, Round, StagedPart, StagedText, StoreError, Upkeep,
};

/// Waits to be used.
const WAITS: i64 = 0;
/// Is kept for calls that come later.
const USED: i64 = 1;
/// Does not open.
const UNREADABLE: i64 = 2;

#[derive(Clone)]
struct Part {
    ledger: LedgerNumber,
    tag: Tag,
    trace: Tag,
    span: Tag,
    answer: Option<Tag>,
    is_root: bool,
    arrived_at: UnixMillis,
    day: u32,
    state: i64,
    sealed: Vec<u8>,
}

/// The tables of an inbox.
#[derive(Clone, Default)]
pub(super) struct Tables {
    parts: BTreeMap<i64, Part>,
    assembled: BTreeMap<i64, (LedgerNumber, u32, Vec<u8>)>,
}

/// The inbox of a data directory.
pub(super) struct MemoryInbox(pub(super) Shared<Tables>);

impl Tables {
    fn parts_of(&self, ledger: LedgerNumber) -> impl DoubleEndedIterator<Item = (i64, &Part)> {
        let parts = self.parts.iter();
        parts
            .filter(move |(_, part)| part.ledger == ledger)
            .map(|(id, part)| (*id, part))
    }

    fn set_state(&mut self, rows: &[i64], state: i64) {
        for row in rows {
            if let Some(part) = self.parts.get_mut(row) {
                part.state = state;
            }
        }
    }
}

/// Whether a trace is due, by its parts that open.
fn is_due(parts: &[&Part], root_by: UnixMillis, first_by: UnixMillis) -> bool {
    let waiting = || parts.iter().filter(|part| part.state == WAITS);
    let arrived = |part: &&&Part| part.arrived_at;
    let is_new = parts.iter().all(|part| part.state == WAITS);
    let last = if is_new {
        waiting()
            .filter(|part| part.is_root)
            .map(|part| part.arrived_at)
            .max()
    } else {
        waiting().map(|part| part.arrived_at).max()
    };
    let first = waiting().min_by_key(arrived).map(|part| part.arrived_at);
    last.is_some_and(|last| last <= root_by) || first.is_some_and(|first| first <= first_by)
}

impl Upkeep for MemoryInbox {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn purge(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl InboxStore for MemoryInbox {
    fn add(&self, ledger: LedgerNumber, parts: &[NewPart]) -> Result<usize, StoreError> {
        let mut tables = self.0.lock();
        let mut added = 0;
        for new in parts {
            if tables.parts_of(ledger).any(|(_, part)| part.tag == new.tag) {
                continue;
            }
            let part = Part {
                ledger,
                tag: new.tag,
                trace: new.trace,
                span: new.span,
                answer: new.answer,
                is_root: new.is_root,
                arrived_at: new.arrived_at,
                day: new.day,
                state: WAITS,
                sealed: new.sealed.clone(),
            };
            let id = next(&tables.parts);
            tables.parts.insert(id, part);
            added += 1;
        }
        Ok(added)
    }

    fn due_traces(
        &self,
        ledger: LedgerNumber,
        root_by: UnixMillis,
        first_by: UnixMillis,
        after: Option<Tag>,
        limit: usize,
    ) -> Result<Vec<Tag>, StoreError> {
        let tables = self.0.lock();
        let mut traces: BTreeMap<Tag, Vec<&Part>> = BTreeMap::new();
        for (_, part) in tables.parts_of(ledger) {
            if part.state < UNREADABLE && Some(part.trace) > after {
                traces.entry(part.trace).or_default().push(part);
            }
        }
        let due = traces
            .into_iter()
            .filter(|(_, parts)| is_due(parts, root_by, first_by));
        Ok(due.map(|(trace, _)| trace).take(limit).collect())
    }

    fn parts_of(
        &self,
        ledger: LedgerNumber,
        traces: &[Tag],
        parts_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<StagedPart>>, StoreError> {
        let tables = self.0.lock();
        let staged = |(id, part): (i64, &Part)| StagedPart {
            id,
            tag: part.tag,
            trace: part.trace,
            span: part.span,
            answer: part.answer,
            day: part.day,
            is_used: part.state != WAITS,
            sealed: part.sealed.clone(),
        };
        let (mut read, mut bytes) = (Vec::new(), 0);
        for trace in traces {
            let parts = tables.parts_of(ledger);
            let parts = parts.filter(|(_, part)| part.trace == *trace && part.state < UNREADABLE);
            let parts: Vec<StagedPart> = parts.map(staged).take(parts_max).collect();
            bytes += parts.iter().map(|part| part.sealed.len()).sum::<usize>();
            read.push(parts);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(read)
    }

    fn traces_of_answers(
        &self,
        ledger: LedgerNumber,
        answers: &[Tag],
    ) -> Result<BTreeSet<Tag>, StoreError> {
        let tables = self.0.lock();
        let mut found = BTreeSet::new();
        for answer in answers {
            let parts = tables.parts_of(ledger).map(|(_, part)| part);
            let parts = parts.filter(|part| part.answer == Some(*answer) && part.state == WAITS);
            let traces: BTreeSet<Tag> = parts.map(|part| part.trace).collect();
            found.extend(traces.into_iter().take(16));
        }
        Ok(found)
    }

    fn finish_round(&self, ledger: LedgerNumber, round: &Round) -> Result<Vec<i64>, StoreError> {
        let mut tables = self.0.lock();
        let mut numbers = Vec::new();
        for (day, sealed) in &round.events {
            let id = next(&tables.assembled);
            tables.assembled.insert(id, (ledger, *day, sealed.clone()));
            numbers.push(id);
        }
        for row in &round.done {
            tables.parts.remove(row);
        }
        tables.set_state(&round.used, USED);
        tables.set_state(&round.unreadable, UNREADABLE);
        Ok(numbers)
    }

    fn assembled(
        &self,
        ledger: LedgerNumber,
        limit: usize,
    ) -> Result<Vec<AssembledRow>, StoreError> {
        let tables = self.0.lock();
        let rows = tables
            .assembled
            .iter()
            .filter(|(_, (of, _, _))| *of == ledger);
        Ok(rows
            .map(|(id, (_, day, sealed))| (*id, *day, sealed.clone()))
            .take(limit)
            .collect())
    }

    fn part_rows(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<PartRow>, StoreError> {
        let tables = self.0.lock();
        let parts = tables.parts_of(ledger).filter(|(id, _)| *id > after);
        let row = |(id, part): (i64, &Part)| {
            let tags = [
                Some(part.tag),
                Some(part.trace),
                Some(part.span),
                part.answer,
            ];
            PartRow {
                id,
                tags: tags.map(|tag| tag.map(|tag| tag.as_bytes().to_vec())),
                is_root: i64::from(part.is_root),
                arrived_at_ms: part.arrived_at.get().cast_signed(),
                state: part.state,
                text: StagedText {
                    id,
                    day: i64::from(part.day),
                    sealed: part.sealed.clone(),
                },
            }
        };
        Ok(parts.map(row).take(limit as usize).collect())
    }

    fn assembled_rows(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StagedText>, StoreError> {
        let rows = self.assembled(ledger, usize::MAX)?.into_iter();
        let text = |(id, day, sealed): AssembledRow| StagedText {
            id,
            day: i64::from(day),
            sealed,
        };
        Ok(rows
            .filter(|(id, _, _)| *id > after)
            .map(text)
            .take(limit as usize)
            .collect())
    }

    fn still_has(&self, row: &StagedText) -> Result<bool, StoreError> {
        let tables = self.0.lock();
        let part = tables.parts.get(&row.id).map(|part| &part.sealed);
        let event = tables.assembled.get(&row.id).map(|(_, _, sealed)| sealed);
        Ok(part == Some(&row.sealed) || event == Some(&row.sealed))
    }

    fn named_ledgers(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let tables = self.0.lock();
        let parts = tables.parts.values();
        let parts = parts.map(|part| ("part", part.ledger));
        let events = tables.assembled.values();
        let events = events.map(|(ledger, _, _)| ("assembled", *ledger));
        let named: BTreeSet<_> = parts.chain(events).collect();
        Ok(named
            .into_iter()
            .map(|(table, ledger)| (table.to_owned(), i64::from(ledger.get())))
            .collect())
    }

    fn remove_assembled(&self, rows: &[i64]) -> Result<(), StoreError> {
        let mut tables = self.0.lock();
        for row in rows {
            tables.assembled.remove(row);
        }
        Ok(())
    }

    fn drop_used(&self, ledger: LedgerNumber, arrived_by: UnixMillis) -> Result<usize, StoreError> {
        let mut tables = self.0.lock();
        let before = tables.parts.len();
        tables.parts.retain(|_, part| {
            part.ledger != ledger || part.state != USED || part.arrived_at > arrived_by
        });
        Ok(before - tables.parts.len())
    }

    fn ledgers(&self) -> Result<Vec<LedgerNumber>, StoreError> {
        let tables = self.0.lock();
        let parts = tables.parts.values().filter(|part| part.state < UNREADABLE);
        let parts = parts.map(|part| part.ledger);
        let events = tables.assembled.values().map(|(ledger, _, _)| *ledger);
        let ledgers: BTreeSet<_> = parts.chain(events).collect();
        Ok(ledgers.into_iter().collect())
    }

    fn days(&self, ledger: LedgerNumber) -> Result<Vec<u32>, StoreError> {
        let tables = self.0.lock();
        let parts = tables.parts_of(ledger).map(|(_, part)| part.day);
        let events = tables.assembled.values();
        let events = events.filter(|(of, _, _)| *of == ledger);
        let days: BTreeSet<u32> = parts.chain(events.map(|(_, day, _)| *day)).collect();
        Ok(days.into_iter().collect())
    }

    fn waiting(&self) -> Result<u64, StoreError> {
        let tables = self.0.lock();
        let parts = tables.parts.values().filter(|part| part.state == WAITS);
        Ok((parts.count() + tables.assembled.len()) as u64)
    }

    fn release_pages(&self, _pages: u32) -> Result<bool, StoreError> {
        Ok(false)
    }
}
