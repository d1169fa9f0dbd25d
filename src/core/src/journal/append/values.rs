//! Values: parts of texts that are stored once for all events under the same data keys (docs/format.md, "Values").
//!
//! Which are there is remembered in memory alone. What was forgotten is stored once more, and nothing needs to be looked
//! up for an event.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::journal::append::history::{Part, parts};
use crate::journal::append::queue::Waiting;
use crate::journal::append::seen::{Print, Seen};
use crate::journal::append::{Submission, Writer};
use crate::keys::keyring::KeyError;
use trailkeep_crypto::payload::{Cut, EVENT_NONCE_BYTES, KeySet, seal_value};
use trailkeep_crypto::secret::{IndexKey, random_bytes};
use trailkeep_ports::{LedgerRecord, Ledgers, StoreError};
use trailkeep_proof::ids::{LedgerNumber, Tag, ValueNumber};

/// Values that are remembered: 12 MiB, the histories of some ten thousand conversations.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(131_072).expect("not zero");
/// Values that one event refers to: what opening it may have to read.
const VALUES_MAX: usize = 1_024;

/// A value of a ledger, by number.
type Place = (LedgerNumber, ValueNumber);

/// What is known of the parts of the texts that came last.
pub(crate) struct KnownValues {
    /// By tag, the value that a part stands in, and the part's print.
    known: Mutex<LruCache<Tag, (Place, Print)>>,
    /// Parts that came, those included that stand in their event alone.
    seen: Seen,
    next: Mutex<HashMap<LedgerNumber, u64>>,
    /// Held by the writer from where it asks whether values are there until its commit, and by who deletes some.
    steady: RwLock<()>,
    /// How often values were deleted.
    deletions: AtomicU64,
}

/// The writer holds it: no value is deleted meanwhile.
pub(super) struct Steady<'a>(#[expect(dead_code, reason = "a guard")] RwLockReadGuard<'a, ()>);

impl Default for KnownValues {
    fn default() -> Self {
        Self {
            known: Mutex::new(LruCache::new(REMEMBERED)),
            seen: Seen::default(),
            next: Mutex::default(),
            steady: RwLock::default(),
            deletions: AtomicU64::new(0),
        }
    }
}

impl KnownValues {
    /// Keeps the values that are there.
    pub(super) fn hold_still(&self) -> Steady<'_> {
        Steady(self.steady.read())
    }

    /// Deletes payloads, and forgets the values that went with them. Nothing that refers to these is written after it.
    pub(crate) fn deleting(
        &self,
        ledger: LedgerNumber,
        delete: impl FnOnce() -> Result<Vec<ValueNumber>, StoreError>,
    ) -> Result<(), StoreError> {
        let _no_batch = self.steady.write();
        let gone = delete()?;
        if !gone.is_empty() {
            self.forget(ledger, gone);
        }
        Ok(())
    }

    /// Forgets values that are not there any more.
    pub(crate) fn forget(&self, ledger: LedgerNumber, gone: impl IntoIterator<Item = ValueNumber>) {
        let gone: BTreeSet<Place> = gone.into_iter().map(|number| (ledger, number)).collect();
        let mut known = self.known.lock();
        let of_gone = known.iter().filter(|(_, (place, _))| gone.contains(place));
        let tags: Vec<Tag> = of_gone.map(|(tag, _)| *tag).collect();
        for tag in tags {
            if let Some((_, print)) = known.pop(&tag) {
                self.seen.forget(print);
            }
        }
        self.deletions.fetch_add(1, Ordering::SeqCst);
    }

    /// What an event was encrypted with is on disk: from here on others may refer to it.
    pub(super) fn settle(&self, _steady: &Steady<'_>, written: &[(LedgerNumber, NewValues)]) {
        let mut known = self.known.lock();
        for (ledger, new) in written {
            for (tag, (number, print)) in &new.numbers {
                known.put(*tag, ((*ledger, *number), *print));
            }
        }
    }

    /// Whether the values that a submission took as known are still there.
    fn are_there(
        &self,
        _steady: &Steady<'_>,
        ledgers: &Ledgers,
        ledger: LedgerNumber,
        new: &NewValues,
    ) -> Result<bool, StoreError> {
        if new.known.is_empty() || new.as_of == self.deletions.load(Ordering::SeqCst) {
            return Ok(true);
        }
        let known: Vec<ValueNumber> = new.known.iter().copied().collect();
        let found = ledgers.values(ledger, &known)?;
        Ok(found.iter().all(Option::is_some))
    }

    /// A number for a new value; `None` when all numbers are used.
    fn next(
        &self,
        ledgers: &Ledgers,
        ledger: LedgerNumber,
    ) -> Result<Option<ValueNumber>, StoreError> {
        let mut next = self.next.lock();
        let number = match next.get(&ledger) {
            Some(number) => *number,
            None => ledgers.next_value(ledger)?.get(),
        };
        let number = ValueNumber::new(number);
        if number > ValueNumber::MAX {
            return Ok(None);
        }
        next.insert(ledger, number.get() + 1);
        Ok(Some(number))
    }
}

impl Writer {
    /// Submissions that refer to values which were deleted since: they go back to be encrypted again.
    pub(super) fn split_without_values(
        &self,
        batch: Vec<Waiting>,
        steady: &Steady<'_>,
    ) -> (Vec<Waiting>, Vec<Waiting>) {
        batch.into_iter().partition(|waiting| {
            let Submission { ledger, values, .. } = &waiting.submission;
            let there = self
                .values
                .are_there(steady, &self.ledgers, *ledger, values);
            // The commit asks once more.
            there.unwrap_or(true)
        })
    }
}

/// The values that a submission brings, and those that it took as known.
#[derive(Debug, Default)]
pub(crate) struct NewValues {
    numbers: HashMap<Tag, (ValueNumber, Print)>,
    known: BTreeSet<ValueNumber>,
    as_of: u64,
}

/// What stands in values of one event.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) cuts: Vec<Cut>,
    /// Values that nothing refers to yet.
    pub(super) values: Vec<(ValueNumber, Vec<u8>)>,
    /// The values that the event refers to, ascending, each once.
    pub(super) refers: Vec<ValueNumber>,
}

/// Finds what the events of one submission share, with one another and with those of before.
pub(super) struct Sharing<'a> {
    files: (&'a KnownValues, &'a Ledgers),
    record: &'a LedgerRecord,
    index_key: &'a IndexKey,
    new: NewValues,
}

impl<'a> Sharing<'a> {
    pub(super) fn new(
        files: (&'a KnownValues, &'a Ledgers),
        record: &'a LedgerRecord,
        index_key: &'a IndexKey,
    ) -> Self {
        // Read before anything is taken as known.
        let as_of = files.0.deletions.load(Ordering::SeqCst);
        let new = NewValues {
            as_of,
            ..NewValues::default()
        };
        Self {
            files,
            record,
            index_key,
            new,
        }
    }

    pub(super) fn into_new(self) -> NewValues {
        self.new
    }

    /// What of an event stands in values, known ones and new ones.
    pub(super) fn share(
        &mut self,
        keys: &KeySet,
        sections: &[(&str, &[u8])],
    ) -> Result<Shared, KeyError> {
        let mut shared = Shared::default();
        for (section, (_, bytes)) in sections.iter().enumerate() {
            // The lists of which an element came before: what follows is new to a history that is sent again.
            let mut continued: BTreeSet<usize> = BTreeSet::new();
            let mut end = 0;
            for Part { range, history } in parts(bytes) {
                // It lies within one that stands in a value.
                if range.start < end {
                    continue;
                }
                let Some(text) = bytes.get(range.clone()) else {
                    continue;
                };
                if shared.cuts.len() >= VALUES_MAX {
                    break;
                }
                let print = self.files.0.seen.print_of(self.record.number, keys, text);
                let came_before = self.files.0.seen.mark(print);
                let continues = history.is_some_and(|list| continued.contains(&list));
                // It may never come again, and stands in its event.
                if !came_before && !continues {
                    continue;
                }
                let tag = self.index_key.value_tag(keys.ids(), text);
                let value = match self.known(tag) {
                    Some(value) => value,
                    None => match self.add(keys, (tag, print, text), &mut shared)? {
                        Some(value) => value,
                        None => continue,
                    },
                };
                continued.extend(history);
                end = range.end;
                shared.refers.push(value);
                shared.cuts.push(Cut {
                    section,
                    range,
                    value,
                });
            }
        }
        shared.refers.sort_unstable();
        shared.refers.dedup();
        Ok(shared)
    }

    /// The value that a part stands in.
    fn known(&mut self, tag: Tag) -> Option<ValueNumber> {
        if let Some((number, _)) = self.new.numbers.get(&tag) {
            return Some(*number);
        }
        let ((_, number), _) = *self.files.0.known.lock().get(&tag)?;
        self.new.known.insert(number);
        Some(number)
    }

    fn add(
        &mut self,
        keys: &KeySet,
        (tag, print, text): (Tag, Print, &[u8]),
        shared: &mut Shared,
    ) -> Result<Option<ValueNumber>, KeyError> {
        let (values, ledgers) = self.files;
        let Some(number) = values.next(ledgers, self.record.number)? else {
            return Ok(None);
        };
        let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes()?;
        let sealed = seal_value(&self.record.origin, keys, nonce, number, text);
        shared.values.push((number, sealed));
        self.new.numbers.insert(tag, (number, print));
        Ok(Some(number))
    }
}

#[cfg(test)]
mod tests;
