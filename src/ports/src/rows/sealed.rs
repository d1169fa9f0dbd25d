//! Sealed rows of all tables of the vault, as a rotation sees them.

use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber};

/// A table with sealed rows: each has the columns `epoch` and `sealed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedTable {
    /// References of persons.
    Person,
    /// Data keys.
    DataKey,
    /// Secrets of ledgers.
    LedgerSecret,
    /// API keys.
    ApiKey,
    /// Records of all kinds.
    Record,
}

/// What the sealing of a row is bound to, besides its ledger's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedPlace {
    /// A person's reference.
    Person,
    /// A data key.
    DataKey {
        /// Its number.
        key_id: KeyId,
        /// Its class.
        class: ClassNumber,
        /// Its period, as text.
        period: String,
    },
    /// A ledger's secret.
    LedgerSecret {
        /// Which of them.
        kind: String,
        /// Its number.
        key_id: KeyId,
    },
    /// An API key.
    ApiKey {
        /// Its id.
        id: String,
    },
    /// A record.
    Record {
        /// What it is.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// A sealed row of any table.
#[derive(Clone, Debug)]
pub struct SealedRow {
    /// Its number in its table.
    pub number: i64,
    /// Its ledger; 0 where it belongs to none.
    pub ledger: LedgerNumber,
    /// Its state.
    pub place: SealedPlace,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// A row with another sealing.
#[derive(Debug)]
pub struct Rewrapped {
    /// The row as it was read: one that changed since is left as it is.
    pub before: SealedRow,
    /// The new epoch.
    pub epoch: u32,
    /// The new sealing.
    pub sealed: Vec<u8>,
}

impl SealedTable {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::DataKey,
        Self::LedgerSecret,
        Self::ApiKey,
        Self::Record,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::DataKey => "data_key",
            Self::LedgerSecret => "ledger_secret",
            Self::ApiKey => "api_key",
            Self::Record => "sealed_record",
        }
    }

    /// What one of its rows is, to stand in an error.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Person => "a person",
            Self::DataKey => "a data key",
            Self::LedgerSecret => "a ledger secret",
            Self::ApiKey => "an API key",
            Self::Record => "a record",
        }
    }
}
