//! Names that have a number in sections `metered`, as the vault keeps them.
//!
//! A provider, a model or a prompt that an event names is a client's text. It gets a number only where a price table or the prompt
//! registry knows it, or where an admin allowed it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::ActiveRecord;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::system::{FiguresNameSection, NameKind};

/// Names of one kind that a tenant may have: the row that lists them stays small.
pub(crate) const NAMES_MAX: u32 = 2_000;

/// A registered name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredName {
    /// What it is of.
    pub kind: NameKind,
    /// The name.
    pub name: String,
    /// Its number among those of its kind, from 1.
    pub number: u32,
    /// Who allowed it; `server` where a price table or a prompt knows it.
    pub by: String,
    /// When it was registered.
    pub at_ms: u64,
    /// The entry that states it.
    pub seq: u64,
    /// Origin of that entry's ledger.
    pub ledger: String,
}

impl RegisteredName {
    /// A name as it is kept.
    pub(crate) fn new(
        stated: &FiguresNameSection,
        at_ms: u64,
        (ledger, seq): (&LedgerRecord, u64),
    ) -> Self {
        Self {
            kind: stated.kind,
            name: stated.name.clone(),
            number: stated.number,
            by: stated.by.clone(),
            at_ms,
            seq,
            ledger: ledger.origin.to_string(),
        }
    }
}

/// All names of a tenant, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameBook {
    /// The names.
    pub names: Vec<RegisteredName>,
}

impl Record for NameBook {
    const KIND: &'static str = crate::keys::rows::NAMES;
    const WHAT: &'static str = "a tenant's registered names";
}

impl NameBook {
    /// The number that the next name of a kind gets; none where there are too many.
    pub(crate) fn next_number(&self, kind: NameKind) -> Option<u32> {
        let of_kind = self.names.iter().filter(|name| name.kind == kind);
        let next = of_kind.map(|name| name.number).max().unwrap_or(0) + 1;
        (next <= NAMES_MAX).then_some(next)
    }

    /// The registered name, if it is one.
    pub fn find(&self, kind: NameKind, name: &str) -> Option<&RegisteredName> {
        let mut all = self.names.iter();
        all.find(|known| known.kind == kind && known.name == name)
    }
}

/// Numbers by name, to look them up for each event.
#[derive(Debug, Default)]
pub(crate) struct Numbers([HashMap<String, u32>; NameKind::ALL.len()]);

impl Numbers {
    pub(crate) fn of(book: &NameBook) -> Self {
        let mut numbers = Self::default();
        for name in &book.names {
            numbers.0[name.kind as usize].insert(name.name.clone(), name.number);
        }
        numbers
    }

    /// The number of a name.
    pub(crate) fn get(&self, kind: NameKind, name: &str) -> Option<u32> {
        self.0[kind as usize].get(name).copied()
    }

    /// Whether no further name of a kind gets a number.
    pub(crate) fn is_full(&self, kind: NameKind) -> bool {
        self.0[kind as usize].len() >= NAMES_MAX as usize
    }
}

/// The names of a ledger's tenant.
pub(crate) fn load(keyring: &Keyring, ledger: &LedgerRecord) -> Result<NameBook, KeyError> {
    records::of_tenant(keyring, ledger)
}

/// Gives a ledger that continues another one the names of that: their numbers go on.
pub(crate) fn carry_over(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    records::carry_over_of_tenant::<NameBook>(keyring, from.record(), to.record())
}
