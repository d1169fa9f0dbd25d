//! Values: parts of events' texts that are stored once, for all events of a ledger that refer to them.

use std::ops::Range;

use crate::StoreError;
use trailkeep_proof::ids::{LedgerNumber, Seq, ValueNumber};

/// Something that does not fit between values and the events that refer to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueFault {
    /// Events refer to it, and it is not stored.
    Missing(ValueNumber),
    /// It is stored, and no event refers to it.
    Orphaned(ValueNumber),
    /// As many events refer to it as are counted by their rows, and another number is stored.
    Count {
        /// Which.
        value: ValueNumber,
        /// How many events refer to it.
        counted: u64,
        /// How many are stored; none where no row says it.
        stored: Option<u64>,
    },
}

/// Reading values. They are written with the events that refer to them ([`crate::Row`]), and deleted with the last of those.
pub trait Values: Send + Sync {
    /// The bytes of values, in the order asked for; none of one that is not stored.
    fn values(
        &self,
        ledger: LedgerNumber,
        numbers: &[ValueNumber],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// The number after that of the last value that is stored or referred to.
    fn next_value(&self, ledger: LedgerNumber) -> Result<ValueNumber, StoreError>;

    /// The events of a range that refer to values, ascending, and to which; ascending.
    fn references(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<ValueNumber>)>, StoreError>;

    /// Compares the values of a ledger with the events that refer to them: what does not fit, ascending, at most `limit`.
    fn value_faults(
        &self,
        ledger: LedgerNumber,
        limit: usize,
    ) -> Result<Vec<ValueFault>, StoreError>;
}
