//! What became of an event, by the statements of its ledger: the first state that applies of expired, erased,
//! restricted and intact (invariant 8).

use std::collections::HashMap;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use trailkeep_ports::DeletionCause;
use trailkeep_ports::{DeletionBasis, ExpiryRow, Ledgers, Mark, StoreError};
use trailkeep_proof::ids::{ClassNumber, LedgerNumber, Seq};
use trailkeep_proof::ledger::entry::{Entry, EntryKind};
use trailkeep_proof::time::UnixMillis;

/// A payload that was deleted, and its tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Why it was deleted.
    pub deletion_cause: DeletionCause,
    /// The statement.
    pub by: Seq,
    /// Whether the statement names the event by itself, not by its class.
    pub is_item: bool,
}

/// Why a text is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// It was deleted.
    Deleted(Deletion),
    /// It is there, and this statement restricts it.
    Restricted(Seq),
}

/// The tombstones of one ledger.
#[derive(Debug, Default)]
pub struct Tombstones {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of each class: up to when it expired, and by which statement; both ascending.
    expiries: HashMap<ClassNumber, Vec<(UnixMillis, Seq)>>,
    causes: HashMap<Seq, DeletionBasis>,
}

impl Tombstones {
    /// Reads them from the ledger's file.
    pub fn load(ledgers: &Ledgers, ledger: LedgerNumber) -> Result<Self, StoreError> {
        let covers = Self::default();
        for row in ledgers.expiries(ledger)? {
            covers.add_expiry(row);
        }
        for (seq, kind, _) in ledgers.statements(ledger)? {
            if let Some(cause) = DeletionBasis::of_kind(&kind) {
                covers.add_cause(seq, cause);
            }
        }
        Ok(covers)
    }

    /// Adds an expiry that is on disk: from here on no reader gets the texts.
    pub(crate) fn add_expiry(&self, row: ExpiryRow) {
        let mut inner = self.write();
        let of_class = inner.expiries.entry(row.class).or_default();
        of_class.push((row.recorded_before, row.statement));
    }

    /// Adds a statement on single events.
    pub(crate) fn add_cause(&self, statement: Seq, cause: DeletionBasis) {
        self.write().causes.insert(statement, cause);
    }

    /// Whether no text has gone yet.
    pub fn is_empty(&self) -> bool {
        let inner = self.read();
        inner.expiries.is_empty() && inner.causes.is_empty()
    }

    /// Up to when a class has expired.
    pub fn expired_before(&self, class: ClassNumber) -> Option<UnixMillis> {
        let inner = self.read();
        inner
            .expiries
            .get(&class)?
            .last()
            .map(|(before, _)| *before)
    }

    /// How an event's payload was deleted; none where it must be there.
    pub fn deletion(&self, entry: &Entry, mark: Mark) -> Option<Deletion> {
        if entry.kind != EntryKind::Event {
            return None;
        }
        let inner = self.read();
        let expired = || {
            let of_class = inner.expiries.get(&entry.class)?;
            let first = of_class.partition_point(|(before, _)| *before <= entry.recorded_at);
            of_class.get(first).map(|(_, by)| *by)
        };
        if !mark.is_overdue
            && let Some(by) = expired()
        {
            return Some(Deletion {
                deletion_cause: DeletionCause::Expired,
                by,
                is_item: false,
            });
        }
        let by = mark.tombstone?;
        let deletion_cause = match inner.causes.get(&by)? {
            DeletionBasis::Request => DeletionCause::Erased,
            DeletionBasis::Trigger => DeletionCause::Expired,
        };
        Some(Deletion {
            deletion_cause,
            by,
            is_item: true,
        })
    }

    /// Why an event's text is not shown: none where it is. A person's own copy shows what is restricted, too (GDPR
    /// Art. 15; COMPLIANCE T21).
    pub fn hidden(&self, entry: &Entry, mark: Mark, is_own_copy: bool) -> Option<Hidden> {
        let restricted = mark.restricted_by.filter(|_| !is_own_copy);
        let gone = self.deletion(entry, mark).map(Hidden::Deleted);
        gone.or(restricted.map(Hidden::Restricted))
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write()
    }
}
