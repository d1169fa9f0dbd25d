//! What every store is asked for, whatever it holds.

use crate::StoreError;

/// Looking after a store.
pub trait Upkeep: Send + Sync {
    /// How the tables, indexes and triggers differ from those of this version; none where they do not.
    fn schema_difference(&self) -> Result<Option<String>, StoreError>;

    /// Sees to it that what was deleted is nowhere any more; `false` where a reader outside of this process keeps it from
    /// that: then it is to be tried again.
    fn purge(&self) -> Result<bool, StoreError>;

    /// The same, before the store is closed, as far as that is possible.
    fn close(&self) -> Result<(), StoreError> {
        self.purge().map(drop)
    }
}
