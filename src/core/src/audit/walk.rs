//! The walk over the payloads: ranges of entries, read and checked on all cores, counted in their order.

use std::collections::HashMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use crate::audit::event::{LookUps, Stretch};
use crate::audit::owners::{KeyOwner, KnownPerson};
use crate::audit::read::Read;
use crate::audit::reads::Reads;
use crate::audit::tombstones::TombstoneCheck;
use crate::audit::{Findings, Subject};
use crate::cores::in_order;
use crate::short_reads::{ENTRIES_PER_READ, short_reads};
use crate::tenant::ledger::LedgerKeys;
use crate::tenant::superseded_at;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_index::{StoredRows, SumKey};
use trailkeep_ports::{ClassRow, LedgerRecord, Mark, StoreError};
use trailkeep_proof::ids::{KeyId, LedgerNumber, LookupKey, Seq, Tag, ValueNumber};
use trailkeep_proof::ledger::entry::{Entry, EntryKind};

/// Persons, and data keys, that are remembered while verifying.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
/// The index is summed up for each range that is read.
const STRETCH: NonZeroU64 = NonZeroU64::new(ENTRIES_PER_READ).expect("not zero");

/// The walk over the payloads.
pub(super) struct Walk<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) record: &'a LedgerRecord,
    pub(super) keys: Option<&'a LedgerKeys>,
    size: u64,
    /// Whether a recovery superseded the ledger.
    is_superseded: bool,
    pub(super) classes: Vec<ClassRow>,
    /// Entries that state something for others, and what.
    pub(super) statements: HashMap<Seq, (String, bool)>,
    /// The tombstones, as they were known last.
    cover: Mutex<Arc<TombstoneCheck>>,
    /// Which entries are said to have shown persons.
    pub(super) reads: Reads,
    /// Whether ids of deleted events are remembered.
    pub(super) remembers: bool,
    pub(super) persons: Mutex<LruCache<Tag, Option<KnownPerson>>>,
    pub(super) key_owners: Mutex<LruCache<KeyId, Option<KeyOwner>>>,
    pub(super) sum_key: SumKey,
}

/// One entry of a range, with its row of each table.
pub(super) struct Stored {
    pub(super) seq: Seq,
    pub(super) entry: Option<Entry>,
    pub(super) payload: Option<Vec<u8>>,
    /// The values that its row in `value_reference` names.
    pub(super) refers: Vec<ValueNumber>,
    pub(super) active: Option<Vec<LookupKey>>,
    pub(super) mark: Mark,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        subject: Subject<'a>,
        record: &'a LedgerRecord,
        keys: Option<&'a LedgerKeys>,
        size: u64,
        findings: &mut Findings,
    ) -> Result<Self, StoreError> {
        let classes = subject.ledgers.classes(record.number)?;
        let reads = Reads::load(subject, record)?;
        let remembers = subject.ledgers.remembered_ids(record.number)?.rows > 0;
        let mut statements = subject.ledgers.statements(record.number)?;
        // After the end of a superseded ledger are those that its successors state of it; of an active one, those that just came.
        let is_superseded = matches!(superseded_at(subject.keyring, record), Ok(Some(_)));
        statements.retain(|(seq, ..)| seq.get() < size || is_superseded);
        let known = (size, statements.as_slice());
        let cover = TombstoneCheck::new(subject, record, keys, &classes, known, findings)?;
        let statements = statements.into_iter();
        let statements = statements
            .filter(|(seq, ..)| seq.get() < size)
            .map(|(seq, kind, open)| (seq, (kind, open)))
            .collect();
        Ok(Self {
            subject,
            record,
            keys,
            size,
            is_superseded,
            classes,
            statements,
            cover: Mutex::new(Arc::new(cover)),
            reads,
            remembers,
            persons: Mutex::new(LruCache::new(REMEMBERED)),
            key_owners: Mutex::new(LruCache::new(REMEMBERED)),
            sum_key: random_key()?,
        })
    }

    /// Checks all payloads and the index.
    pub(super) fn run(
        &self,
        findings: &mut Findings,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Read, StoreError> {
        // The index is read before the payloads. An event that is deleted in between makes the sums of its range differ, and
        // the rows of that range are then looked up.
        let index = self.subject.index.filter(|_| self.keys.is_some());
        let (number, end) = (self.record.number, Seq::new(self.size));
        let indexed = index.map(|index| index.stored_rows(number, end, STRETCH, &self.sum_key));
        let indexed = indexed.transpose()?;
        let mut total = Read::default();
        in_order(
            short_reads(0..self.size),
            |range| Ok((range.end, self.check_range(range, indexed.as_ref())?)),
            |(end, (read, found))| {
                total.add(read);
                findings.append(found);
                progress(end, self.size);
                Ok::<_, StoreError>(())
            },
        )?;
        self.reads.check(self.subject, self.record, findings)?;
        // Data subjects may have been erased since a copy was made. A superseded ledger is such a copy.
        if self.subject.index.is_some() && !self.is_superseded {
            self.check_shown(&total.shown, findings)?;
        }
        self.check_counts(&total, indexed.as_ref(), findings)?;
        Ok(total)
    }

    /// Checks that the other tables have no more rows than the entries give.
    fn check_counts(
        &self,
        total: &Read,
        indexed: Option<&StoredRows>,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        // Every row that should be there was found above; one more in the count is one that nothing justifies. Rows may
        // have gone since they were summed up: then they are counted again.
        let end = Seq::new(self.size);
        let differs = indexed.is_some_and(|indexed| indexed.rows != total.index_rows);
        let index = self.subject.index.filter(|_| differs);
        let stored = index.map(|index| index.count_rows(self.record.number, end));
        let stored = stored.transpose()?;
        let cover = self.cover();
        let (statements, classes) = (self.statements.len(), self.classes.len());
        for (rule, stored, given, detail) in [
            (
                "statement",
                statements,
                total.statements,
                format!(
                    "the table has {statements} statements, the ledger {}",
                    total.statements
                ),
            ),
            (
                "class",
                classes,
                total.classes,
                format!(
                    "the table has {classes} classes, the statements {}",
                    total.classes
                ),
            ),
            (
                "restriction",
                cover.lifts(),
                total.lifts,
                format!(
                    "{} restrictions are lifted by the table, {} by the ledger",
                    cover.lifts(),
                    total.lifts
                ),
            ),
        ] {
            if stored != given {
                findings.add(None, rule, detail);
            }
        }
        let is_quiet = !cover.has_open_job() && cover.is_current(self.subject, self.record)?;
        // Rows of events whose text does not open can't be judged, and those events are findings already.
        let whole = total.is_whole();
        // While a job is under way, rows of events that go are on their way out.
        if let Some(stored) = stored
            && whole
            && is_quiet
            && stored != total.index_rows
        {
            let detail = format!(
                "the index has {stored} rows, the events give {}",
                total.index_rows
            );
            findings.add(None, "index", detail);
        }
        Ok(())
    }

    /// The tombstones, as they are known now.
    fn cover(&self) -> Arc<TombstoneCheck> {
        Arc::clone(&self.cover.lock())
    }

    fn look_again(&self) -> Result<Arc<TombstoneCheck>, StoreError> {
        let statements = self.subject.ledgers.statements(self.record.number)?;
        // What is wrong with them was said at the beginning, or is said of later ones by the next walk.
        let mut unsaid = Findings::default();
        let cover = TombstoneCheck::new(
            self.subject,
            self.record,
            self.keys,
            &self.classes,
            (self.size, &statements),
            &mut unsaid,
        )?;
        let cover = Arc::new(cover);
        *self.cover.lock() = Arc::clone(&cover);
        Ok(cover)
    }

    /// Checks a range. Its index rows are looked up one by one only where their sum is not that of the index.
    fn check_range(
        &self,
        range: Range<u64>,
        indexed: Option<&StoredRows>,
    ) -> Result<(Read, Findings), StoreError> {
        let mut cover = self.cover();
        let first = Seq::new(range.start);
        let mut rows = self.read_range(range.clone())?;
        if rows.iter().any(|row| seems_missing(row, &cover)) {
            // A server in another process may have stated its deletion since we began.
            cover = self.look_again()?;
        }
        let mut look_ups = LookUps::SummedUp;
        loop {
            let stretch = Stretch {
                walk: self,
                cover: Arc::clone(&cover),
                look_ups,
            };
            let Some((read, found)) = stretch.check_rows(&rows)? else {
                // One was deleted after it was read.
                rows = self.read_range(range.clone())?;
                cover = self.look_again()?;
                continue;
            };
            let is_summed_up =
                indexed.is_none_or(|indexed| indexed.sum_from(first) == read.index_sum);
            if is_summed_up || look_ups == LookUps::OneByOne {
                return Ok((read, found));
            }
            look_ups = LookUps::OneByOne;
        }
    }

    fn read_range(&self, range: Range<u64>) -> Result<Vec<Stored>, StoreError> {
        let (ledgers, number): (_, LedgerNumber) = (self.subject.ledgers, self.record.number);
        let Range { start, end } = range;
        let mut active: HashMap<Seq, Vec<LookupKey>> = ledgers
            .active_index(number, start..end)?
            .into_iter()
            .collect();
        let mut refers: HashMap<Seq, Vec<ValueNumber>> = ledgers
            .references(number, start..end)?
            .into_iter()
            .collect();
        let mut payloads: HashMap<Seq, Vec<u8>> = ledgers
            .payload_rows(number, start..end)?
            .into_iter()
            .collect();
        let entries: HashMap<Seq, Vec<u8>> = ledgers
            .entry_rows(number, start..end)?
            .into_iter()
            .collect();
        // Read last: the deletion of a payload that was deleted in between is then known.
        let marks = ledgers.marks(number, start..end)?;
        let row = |seq| {
            let entry = entries
                .get(&seq)
                .and_then(|bytes| Entry::decode(bytes).ok());
            Stored {
                seq,
                entry,
                payload: payloads.remove(&seq),
                refers: refers.remove(&seq).unwrap_or_default(),
                active: active.remove(&seq),
                mark: marks.get(&seq).copied().unwrap_or_default(),
            }
        };
        Ok((start..end).map(Seq::new).map(row).collect())
    }
}

/// Whether an event's text is not there, for all that was known at the beginning.
fn seems_missing(row: &Stored, cover: &TombstoneCheck) -> bool {
    let entry = row.entry.filter(|_| row.payload.is_none());
    entry.is_some_and(|entry| {
        entry.kind == EntryKind::Event && cover.deletion(&entry, row.mark).is_none()
    })
}

fn random_key() -> Result<SumKey, StoreError> {
    let bytes = random_bytes().map_err(|error| StoreError::Engine {
        file: "index.db",
        error: error.into(),
    })?;
    Ok(SumKey::new(bytes))
}
