//! What statements say of other entries, and the rows that go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq, Tag, ValueNumber};
use trailkeep_proof::time::UnixMillis;

use super::ledgers::MemoryLedgers;
use super::{places, whole};
use crate::{
    ClassRow, DeletionCause, Deletions, ExpiryRow, Mark, RememberedIds, Statements, StoreError,
};

impl Statements for MemoryLedgers {
    fn classes(&self, ledger: LedgerNumber) -> Result<Vec<ClassRow>, StoreError> {
        let tables = self.tables.lock();
        let classes = tables.classes.iter().filter(|((of, _), _)| *of == ledger);
        let class = |((_, number), (statement, definition)): (&(_, _), &(Seq, String))| ClassRow {
            number: *number,
            statement: *statement,
            definition: definition.clone(),
        };
        Ok(classes.map(class).collect())
    }

    fn statements(&self, ledger: LedgerNumber) -> Result<Vec<(Seq, String, bool)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.statements.range(whole(ledger));
        Ok(rows
            .map(|((_, seq), (kind, is_open))| (*seq, (*kind).to_owned(), *is_open))
            .collect())
    }

    fn close_job(&self, ledger: LedgerNumber, statement: Seq) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        if let Some((_, is_open)) = tables.statements.get_mut(&(ledger, statement)) {
            *is_open = false;
        }
        Ok(())
    }

    fn expiries(&self, ledger: LedgerNumber) -> Result<Vec<ExpiryRow>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.expiries.range(whole(ledger));
        let expiry =
            |((_, statement), (class, recorded_before)): (&(_, Seq), &(_, UnixMillis))| ExpiryRow {
                statement: *statement,
                class: *class,
                recorded_before: *recorded_before,
            };
        Ok(rows.map(expiry).collect())
    }

    fn marks(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<HashMap<Seq, Mark>, StoreError> {
        let tables = self.tables.lock();
        let mut marks: HashMap<Seq, Mark> = HashMap::new();
        let range = places(ledger, range);
        for ((_, seq), by) in tables.covered.range(range.clone()) {
            marks.entry(*seq).or_default().tombstone = Some(*by);
        }
        for (_, seq) in tables.overdue.range(range.clone()) {
            marks.entry(*seq).or_default().is_overdue = true;
        }
        let standing = tables
            .restricted
            .iter()
            .filter(|(_, lifted)| lifted.is_none());
        // The first statement comes last.
        for ((place, by), _) in standing
            .rev()
            .filter(|((place, _), _)| range.contains(place))
        {
            marks.entry(place.1).or_default().restricted_by = Some(*by);
        }
        Ok(marks)
    }

    fn overdue(
        &self,
        ledger: LedgerNumber,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let found = tables.overdue.range((ledger, from)..=(ledger, Seq::MAX));
        Ok(found.map(|(_, seq)| *seq).take(limit).collect())
    }

    fn tombstone_items(
        &self,
        ledger: LedgerNumber,
        statement: Seq,
    ) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let covered = tables.covered.range(whole(ledger));
        let covered = covered.filter(|(_, by)| **by == statement);
        Ok(covered.map(|((_, seq), _)| *seq).collect())
    }

    fn restricted_by(&self, ledger: LedgerNumber, statement: Seq) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let restricted = tables.restricted.keys();
        let restricted = restricted.filter(|((of, _), by)| *of == ledger && *by == statement);
        Ok(restricted.map(|((_, seq), _)| *seq).collect())
    }

    fn restrictions(&self, ledger: LedgerNumber) -> Result<Vec<(Seq, Option<Seq>)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.restricted.iter();
        let rows = rows.filter(|(((of, _), _), _)| *of == ledger);
        let distinct: BTreeSet<_> = rows.map(|((_, by), lifted)| (*by, *lifted)).collect();
        Ok(distinct.into_iter().collect())
    }
}

impl Deletions for MemoryLedgers {
    fn replace_payloads(
        &self,
        ledger: LedgerNumber,
        rows: &[(Seq, Vec<u8>)],
    ) -> Result<Vec<ValueNumber>, StoreError> {
        let mut tables = self.tables.lock();
        let mut gone = Vec::new();
        for (seq, payload) in rows {
            if let Some(known) = tables.payloads.get_mut(&(ledger, *seq)) {
                known.clone_from(payload);
                gone.extend(tables.drop_references((ledger, *seq)));
            }
        }
        Ok(gone)
    }

    fn seqs_with_payload(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.payloads.range(places(ledger, range));
        Ok(rows.map(|((_, seq), _)| *seq).collect())
    }

    fn delete_payloads(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
    ) -> Result<Vec<ValueNumber>, StoreError> {
        let mut tables = self.tables.lock();
        let mut gone = Vec::new();
        for seq in seqs {
            tables.payloads.remove(&(ledger, *seq));
            gone.extend(tables.drop_references((ledger, *seq)));
        }
        Ok(gone)
    }

    fn leave_active(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
        (tags, cause): (&[Tag], DeletionCause),
        until: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        for seq in seqs {
            tables.active.remove(&(ledger, *seq));
        }
        for tag in tags {
            tables.gone_ids.insert((ledger, *tag), (cause, until));
        }
        Ok(())
    }

    fn deleted_ids(
        &self,
        ledger: LedgerNumber,
        tags: &[Tag],
        now: UnixMillis,
    ) -> Result<Vec<Option<DeletionCause>>, StoreError> {
        let tables = self.tables.lock();
        let cause = |tag: &Tag| {
            let (cause, until) = tables.gone_ids.get(&(ledger, *tag))?;
            (*until > now).then_some(*cause)
        };
        Ok(tags.iter().map(cause).collect())
    }

    fn forget_ids(&self, now: UnixMillis, limit: u32) -> Result<usize, StoreError> {
        let mut tables = self.tables.lock();
        let over = tables
            .gone_ids
            .iter()
            .filter(|(_, (_, until))| *until <= now);
        let over: Vec<_> = over.map(|(id, _)| *id).take(limit as usize).collect();
        for id in &over {
            tables.gone_ids.remove(id);
        }
        Ok(over.len())
    }

    fn delete_reads_of_persons(&self, gone: &[PersonReference]) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        tables.reads.retain(|(person, _)| !gone.contains(person));
        Ok(())
    }

    fn remembered_ids(&self, ledger: LedgerNumber) -> Result<RememberedIds, StoreError> {
        let tables = self.tables.lock();
        let mut found = RememberedIds::default();
        let rows: BTreeMap<_, _> = tables
            .gone_ids
            .iter()
            .filter(|((of, _), _)| *of == ledger)
            .collect();
        for (cause, until) in rows.into_values() {
            found.rows += 1;
            match cause {
                DeletionCause::Expired => found.expired += 1,
                DeletionCause::Erased => found.erased += 1,
            }
            found.until_ms = found.until_ms.max(until.get());
        }
        Ok(found)
    }

    fn remembered_beyond(
        &self,
        ledger: LedgerNumber,
        state: &str,
        moment: UnixMillis,
    ) -> Result<u64, StoreError> {
        let tables = self.tables.lock();
        let beyond = tables.gone_ids.iter().filter(|((of, _), (cause, until))| {
            *of == ledger && cause.as_str() == state && *until > moment
        });
        Ok(beyond.count() as u64)
    }

    fn remembered_until(
        &self,
        ledger: LedgerNumber,
        tag: Tag,
    ) -> Result<Option<UnixMillis>, StoreError> {
        let tables = self.tables.lock();
        Ok(tables.gone_ids.get(&(ledger, tag)).map(|(_, until)| *until))
    }
}
