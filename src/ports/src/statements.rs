//! What statements say of other entries, and the rows that go because of them.

use std::collections::HashMap;
use std::ops::Range;

use crate::{ClassRow, DeletionCause, ExpiryRow, Mark, OpenJob, RememberedIds, StoreError};
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq, Tag, ValueNumber};
use trailkeep_proof::time::UnixMillis;

/// What statements say of other entries.
pub trait Statements: Send + Sync {
    /// The retention classes of a ledger, by number.
    fn classes(&self, ledger: LedgerNumber) -> Result<Vec<ClassRow>, StoreError>;

    /// The statements of a ledger: seq, kind and whether it is still being carried out, ascending.
    fn statements(&self, ledger: LedgerNumber) -> Result<Vec<(Seq, String, bool)>, StoreError>;

    /// The statements that are still being carried out, oldest first.
    fn open_jobs(&self, ledger: LedgerNumber) -> Result<Vec<OpenJob>, StoreError> {
        let statements = self.statements(ledger)?.into_iter();
        let open = statements.filter(|(_, _, is_open)| *is_open);
        Ok(open
            .map(|(statement, kind, _)| OpenJob { statement, kind })
            .collect())
    }

    /// A statement was carried out.
    fn close_job(&self, ledger: LedgerNumber, statement: Seq) -> Result<(), StoreError>;

    /// The expiry statements of a ledger, ascending.
    fn expiries(&self, ledger: LedgerNumber) -> Result<Vec<ExpiryRow>, StoreError>;

    /// The marks of a range of events; those without any are left out.
    fn marks(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<HashMap<Seq, Mark>, StoreError>;

    /// The events that holds keep although an expiry covers them, ascending, after a seq, at most `limit`.
    fn overdue(
        &self,
        ledger: LedgerNumber,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError>;

    /// The events that a statement covers one by one, ascending.
    fn tombstone_items(&self, ledger: LedgerNumber, statement: Seq)
    -> Result<Vec<Seq>, StoreError>;

    /// The events that a statement restricts, ascending, those included that went since or that it was lifted for.
    fn restricted_by(&self, ledger: LedgerNumber, statement: Seq) -> Result<Vec<Seq>, StoreError>;

    /// The statements that restrict, each with the entry that lifted it: more than one row of a statement says that
    /// the table is not what was written.
    fn restrictions(&self, ledger: LedgerNumber) -> Result<Vec<(Seq, Option<Seq>)>, StoreError>;
}

/// The rows that go because of statements, and what is remembered of them.
pub trait Deletions: Send + Sync {
    /// Puts payloads that were sealed anew in the place of those that they were made from. They refer to no value, and the
    /// values that no other event refers to are deleted with it: those are given. On disk when it returns.
    fn replace_payloads(
        &self,
        ledger: LedgerNumber,
        rows: &[(Seq, Vec<u8>)],
    ) -> Result<Vec<ValueNumber>, StoreError>;

    /// The seqs of a range that still have a payload, ascending.
    fn seqs_with_payload(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<Seq>, StoreError>;

    /// Deletes the payloads of some events, and the values that no other event refers to: those are given. On disk when
    /// it returns.
    fn delete_payloads(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
    ) -> Result<Vec<ValueNumber>, StoreError>;

    /// Deletes the rows of the active index run of events that go, and remembers their ids until a moment.
    fn leave_active(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
        gone: (&[Tag], DeletionCause),
        until: UnixMillis,
    ) -> Result<(), StoreError>;

    /// What became of the events with these ids, for each in its order.
    fn deleted_ids(
        &self,
        ledger: LedgerNumber,
        tags: &[Tag],
        now: UnixMillis,
    ) -> Result<Vec<Option<DeletionCause>>, StoreError>;

    /// Forgets up to `limit` remembered ids whose time is over; how many went.
    fn forget_ids(&self, now: UnixMillis, limit: u32) -> Result<usize, StoreError>;

    /// Deletes the rows of the reads that showed persons.
    fn delete_reads_of_persons(&self, gone: &[PersonReference]) -> Result<(), StoreError>;

    /// What is remembered of the ids of a ledger's events that went.
    fn remembered_ids(&self, ledger: LedgerNumber) -> Result<RememberedIds, StoreError>;

    /// How many ids of a ledger's events that went in a way are remembered beyond a time.
    fn remembered_beyond(
        &self,
        ledger: LedgerNumber,
        state: &str,
        moment: UnixMillis,
    ) -> Result<u64, StoreError>;

    /// Until when an id is remembered as that of an event that went.
    fn remembered_until(
        &self,
        ledger: LedgerNumber,
        tag: Tag,
    ) -> Result<Option<UnixMillis>, StoreError>;
}
