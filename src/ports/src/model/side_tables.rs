//! What stands beside the entries, and copies of all of it.

use std::collections::BTreeMap;

use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq};

use super::ledgers::{MemoryLedgers, Tables};
use super::{Place, Shared, refused};
use crate::{
    AnchoredHead, AnchoredHeads, AnchoringRow, Copied, Extent, GapName, GapRow, Head, LedgerCopy,
    LedgerRecord, PersonRead, SideTables, StoreError,
};

impl AnchoredHeads for MemoryLedgers {
    fn keep_anchored(
        &self,
        ledger: LedgerNumber,
        anchoring: &AnchoringRow,
        is_cosigned: bool,
        merge: &dyn Fn(Option<String>) -> String,
    ) -> Result<(), StoreError> {
        self.change(|tables| {
            if !tables.ledgers.contains_key(&ledger) {
                return Err(refused("no such ledger"));
            }
            let size = anchoring.size;
            let known = tables.anchored.get(&(ledger, size)).cloned();
            let was_cosigned = known.as_ref().is_some_and(|(cosigned, _)| *cosigned);
            let note = merge(known.map(|(_, note)| note));
            let head = (was_cosigned || is_cosigned, note);
            tables.anchored.insert((ledger, size), head);
            let key = (ledger, anchoring.target.clone(), size);
            let row = (anchoring.kind.clone(), anchoring.at);
            // The kind is that of the first time.
            let known = tables.anchorings.entry(key).or_insert(row);
            known.1 = anchoring.at;
            Ok(())
        })
    }

    fn anchored_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        let tables = self.tables.lock();
        let note = tables.anchored.get(&(ledger, size));
        Ok(note.map(|(_, note)| AnchoredHead {
            size,
            note: note.clone(),
        }))
    }

    fn newest_anchored(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        Ok(self.heads_after(ledger, size, false).pop())
    }

    fn newest_cosigned(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        Ok(self.heads_after(ledger, size, true).pop())
    }

    fn anchored_after(
        &self,
        ledger: LedgerNumber,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AnchoredHead>, StoreError> {
        let mut heads = self.heads_after(ledger, after, false);
        heads.truncate(limit as usize);
        Ok(heads)
    }

    fn last_anchorings(&self, ledger: LedgerNumber) -> Result<Vec<AnchoringRow>, StoreError> {
        let newest = self.anchorings_of(ledger).into_iter();
        // By target and size: the last of a target stays.
        let newest: BTreeMap<String, AnchoringRow> =
            newest.map(|row| (row.target.clone(), row)).collect();
        Ok(newest.into_values().collect())
    }

    fn anchorings(
        &self,
        ledger: LedgerNumber,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<AnchoringRow>, StoreError> {
        let mut rows = self.anchorings_of(ledger);
        rows.retain(|row| row.size <= up_to);
        rows.sort_by(|one, other| {
            other
                .size
                .cmp(&one.size)
                .then(one.target.cmp(&other.target))
        });
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn anchorings_of_no_head(
        &self,
        ledger: LedgerNumber,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.anchorings.keys().filter(|(of, _, size)| {
            *of == ledger && !tables.anchored.contains_key(&(ledger, *size))
        });
        Ok(rows
            .map(|(_, target, size)| (*size, target.clone()))
            .collect())
    }
}

impl MemoryLedgers {
    fn heads_after(
        &self,
        ledger: LedgerNumber,
        after: u64,
        cosigned_only: bool,
    ) -> Vec<AnchoredHead> {
        let tables = self.tables.lock();
        let heads = tables
            .anchored
            .iter()
            .filter(|((of, size), (cosigned, _))| {
                *of == ledger && *size > after && (*cosigned || !cosigned_only)
            });
        let head = |((_, size), (_, note)): (&(_, u64), &(bool, String))| AnchoredHead {
            size: *size,
            note: note.clone(),
        };
        heads.map(head).collect()
    }

    fn anchorings_of(&self, ledger: LedgerNumber) -> Vec<AnchoringRow> {
        let tables = self.tables.lock();
        let rows = tables.anchorings.iter();
        rows.filter(|((of, _, _), _)| *of == ledger)
            .map(|((_, target, size), (kind, at))| AnchoringRow {
                size: *size,
                target: target.clone(),
                kind: kind.clone(),
                at: *at,
            })
            .collect()
    }
}

impl SideTables for MemoryLedgers {
    fn gaps(&self, ledger: LedgerNumber) -> Result<Vec<GapRow>, StoreError> {
        let tables = self.tables.lock();
        let gaps = tables.gaps.iter().filter(|((of, _), _)| *of == ledger);
        let gap = |((_, name), (events, first, last)): (&(_, GapName), &(u64, Seq, Seq))| GapRow {
            name: name.clone(),
            events: *events,
            first: *first,
            last: *last,
        };
        Ok(gaps.map(gap).collect())
    }

    fn reads_of_person(
        &self,
        reference: PersonReference,
    ) -> Result<Vec<(LedgerNumber, Seq)>, StoreError> {
        let tables = self.tables.lock();
        let reads = tables
            .reads
            .iter()
            .filter(|(person, _)| *person == reference);
        Ok(reads.map(|(_, place)| *place).collect())
    }

    fn person_reads(
        &self,
        after: Option<PersonRead>,
        limit: u32,
    ) -> Result<Vec<PersonRead>, StoreError> {
        let tables = self.tables.lock();
        let after = after.map(|after| (after.person, (after.ledger, after.seq)));
        let reads = tables.reads.iter().filter(|read| Some(**read) > after);
        let read = |(person, (ledger, seq)): &(PersonReference, Place)| PersonRead {
            person: *person,
            ledger: *ledger,
            seq: *seq,
        };
        Ok(reads.map(read).take(limit as usize).collect())
    }

    fn rows_beyond(&self, sizes: &[Extent]) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let tables = self.tables.lock();
        let restricted = tables.restricted.keys().map(|(place, _)| *place);
        let of = |table: &'static str, places: Vec<Place>| {
            places.into_iter().map(move |place| (table, place))
        };
        let all = of("entry", tables.entries.keys().copied().collect())
            .chain(of("payload", tables.payloads.keys().copied().collect()))
            .chain(of(
                "value_reference",
                tables.references.keys().copied().collect(),
            ))
            .chain(of("active_index", tables.active.keys().copied().collect()))
            .chain(of(
                "person_read",
                tables.reads.iter().map(|(_, place)| *place).collect(),
            ))
            .chain(of("statement", tables.statements.keys().copied().collect()))
            .chain(of("covered", tables.covered.keys().copied().collect()))
            .chain(of("overdue", tables.overdue.iter().copied().collect()))
            .chain(of("restricted", restricted.collect()));
        let is_beyond = |(table, (ledger, seq)): &(&'static str, Place)| {
            let extent = sizes.iter().find(|extent| extent.ledger == *ledger);
            let end = extent.map_or(0, |extent| match *table {
                "statement" => extent.names,
                _ => extent.entries,
            });
            seq.get() >= end
        };
        let number = |(table, (ledger, seq)): (&'static str, Place)| {
            let row = (i64::from(ledger.get()) << 40) | seq.get().cast_signed();
            (table, row)
        };
        Ok(all.filter(is_beyond).map(number).collect())
    }

    fn tables_of_no_ledger(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

/// A copy in another directory.
pub(super) struct MemoryCopy<'a> {
    pub(super) from: &'a MemoryLedgers,
    pub(super) to: Shared<Tables>,
}

impl LedgerCopy for MemoryCopy<'_> {
    fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let to = self.to.lock();
        let with_head = |record: &LedgerRecord| {
            let head = to.heads.get(&record.number)?;
            Some((record.clone(), head.clone()))
        };
        Ok(to.ledgers.values().filter_map(with_head).collect())
    }

    fn add(
        &self,
        heads: &[Head],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, StoreError> {
        let (from, mut to) = (self.from.tables.lock(), self.to.lock());
        let mut copied = Copied::default();
        let total = heads.iter().map(|(_, head)| head.size).sum();
        for (record, head) in heads {
            let ledger = record.number;
            to.ledgers.insert(ledger, record.clone());
            let had = to.heads.get(&ledger).map_or(0, |head| head.size);
            let new = super::places(ledger, had..head.size);
            let entries = from.entries.range(new.clone());
            let payloads = from.payloads.range(new);
            copied.entries += entries.clone().count() as u64;
            copied.payloads += payloads.clone().count() as u64;
            to.entries
                .extend(entries.map(|(place, row)| (*place, *row)));
            to.payloads
                .extend(payloads.map(|(place, row)| (*place, row.clone())));
            progress(head.size, total);
        }
        Ok(copied)
    }

    fn finish(&self, heads: &[Head]) -> Result<Copied, StoreError> {
        let (from, mut to) = (self.from.tables.lock(), self.to.lock());
        let mut copied = Copied::default();
        for (record, _) in heads {
            let had = to.heads.get(&record.number).map_or(0, |head| head.size);
            for (place, bytes) in to.payloads.range(super::places(record.number, 0..had)) {
                match from.payloads.get(place) {
                    None => copied.payloads_gone += 1,
                    Some(now) if now != bytes => copied.payloads += 1,
                    Some(_) => {}
                }
            }
        }
        *to = from.up_to(heads);
        Ok(copied)
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Tables {
    /// What belongs to these heads. The active run can be derived again.
    fn up_to(&self, heads: &[Head]) -> Self {
        let size = |ledger: LedgerNumber| {
            let head = heads.iter().find(|(record, _)| record.number == ledger);
            head.map_or(0, |(_, head)| head.size)
        };
        let is_within = |(ledger, seq): &Place| seq.get() < size(*ledger);
        let mut copy = self.clone();
        copy.active.clear();
        copy.ledgers.retain(|number, _| size(*number) > 0);
        copy.heads = heads
            .iter()
            .map(|(record, head)| (record.number, head.clone()))
            .collect();
        copy.entries.retain(|place, _| is_within(place));
        copy.payloads.retain(|place, _| is_within(place));
        copy.references.retain(|place, _| is_within(place));
        copy.drop_orphans();
        copy.reads.retain(|(_, place)| is_within(place));
        copy.classes
            .retain(|(ledger, _), (seq, _)| is_within(&(*ledger, *seq)));
        copy.statements.retain(|place, _| is_within(place));
        copy.expiries.retain(|place, _| is_within(place));
        copy.covered.retain(|place, _| is_within(place));
        copy.overdue.retain(is_within);
        copy.restricted.retain(|(place, _), _| is_within(place));
        copy.anchored
            .retain(|(ledger, head), _| *head <= size(*ledger));
        copy.anchorings
            .retain(|(ledger, _, head), _| *head <= size(*ledger));
        copy
    }
}
