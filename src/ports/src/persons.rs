//! Persons and data keys, in the vault.

use crate::{DataKeyRow, PersonRow, StoreError, UnfoldedPerson};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, Tag};

/// Persons, by the tag of their identifier.
pub trait Persons: Send + Sync {
    /// The person with a tag.
    fn person(&self, ledger: LedgerNumber, tag: Tag) -> Result<Option<PersonRow>, StoreError>;

    /// The tags of a ledger's persons after row `after`, with the row's number, at most `limit`.
    fn person_tags(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError>;

    /// The tag of a person, by the row.
    fn person_tag(&self, person: i64) -> Result<Option<Tag>, StoreError>;

    /// Whether a person's row is named by a data key.
    fn person_has_keys(&self, ledger: LedgerNumber, person: i64) -> Result<bool, StoreError>;

    /// Destroys the tags and references of persons, by their rows.
    fn delete_persons(&self, persons: &[i64]) -> Result<(), StoreError>;

    /// Persons of a ledger that have no folded row yet, at most `limit`: those of a file that an earlier version wrote.
    fn unfolded_persons(
        &self,
        ledger: LedgerNumber,
        limit: u32,
    ) -> Result<Vec<UnfoldedPerson>, StoreError>;

    /// Keeps the folded tags of persons, or that they have none. A person who was deleted meanwhile gets none.
    fn put_folded(
        &self,
        ledger: LedgerNumber,
        rows: &[(i64, Option<Tag>)],
    ) -> Result<(), StoreError>;

    /// Numbers of folded rows of a ledger whose person is not there, at most `limit`.
    fn folded_of_nobody(&self, ledger: LedgerNumber, limit: u32) -> Result<Vec<i64>, StoreError>;

    /// The tags of the persons with a folded tag, at most `limit`.
    fn persons_folded_to(
        &self,
        ledger: LedgerNumber,
        folded: Tag,
        limit: u32,
    ) -> Result<Vec<Tag>, StoreError>;
}

/// Data keys: of a person, or of nobody, a class and a period.
pub trait DataKeys: Send + Sync {
    /// The data key of a person (by tag, or of nobody), class and period.
    fn data_key_for(
        &self,
        ledger: LedgerNumber,
        person: Option<Tag>,
        class: ClassNumber,
        period: &str,
    ) -> Result<Option<DataKeyRow>, StoreError>;

    /// The data key with a number.
    fn data_key(&self, key_id: KeyId) -> Result<Option<DataKeyRow>, StoreError>;

    /// All data keys after number `after` (in the file's order), at most `limit`.
    fn data_keys(&self, after: Option<KeyId>, limit: u32) -> Result<Vec<DataKeyRow>, StoreError>;

    /// The data keys of a class and period.
    fn data_keys_of_period(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        period: &str,
    ) -> Result<Vec<KeyId>, StoreError>;

    /// The data keys of a ledger that retired: nothing new is sealed under them, and they go when nothing needs them
    /// any more.
    fn retired_data_keys(&self, ledger: LedgerNumber) -> Result<Vec<DataKeyRow>, StoreError>;

    /// Puts retired keys in the place of what they were, so that another key may take their slot. The rows are sealed
    /// for their new period. On disk when it returns.
    fn retire_data_keys(&self, rows: &[DataKeyRow]) -> Result<(), StoreError>;

    /// Destroys data keys. On disk when it returns; the write-ahead log still holds them until it is purged.
    fn delete_data_keys(&self, keys: &[KeyId]) -> Result<(), StoreError>;
}
