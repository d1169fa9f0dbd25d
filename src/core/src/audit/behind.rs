//! Statements that a ledger's tables name, wherever they stand: in the ledger, or, after a recovery closed it, in one of
//! those that continue it.

use std::collections::HashMap;

use crate::audit::{Findings, Subject};
use crate::journal::read::{ReadError, StoredEvent, open_stored};
use crate::keys::keyring::KeyError;
use crate::tenant::deletion::Tombstones;
use crate::tenant::ledger::LedgerKeys;
use crate::tenant::{ActiveRecord, Succession};
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{LedgerNumber, Seq};

/// A ledger with those behind it, and their keys.
pub(super) struct Behind<'a> {
    subject: Subject<'a>,
    record: &'a LedgerRecord,
    succession: Succession,
    keys: HashMap<LedgerNumber, LedgerKeys>,
}

/// A statement, opened.
pub(super) struct Opened<'a> {
    pub(super) stands_in: &'a LedgerRecord,
    pub(super) stored: StoredEvent,
    of: &'a LedgerRecord,
}

impl Opened<'_> {
    /// What it states of the ledger under a name.
    pub(super) fn says(&self, name: &str) -> Option<Vec<u8>> {
        let (of, stands_in) = (&self.of.origin, &self.stands_in.origin);
        self.stored.stated(of, stands_in, name)
    }

    /// Whether it stands in the ledger that it is about.
    pub(super) fn is_own(&self) -> bool {
        self.stands_in.number == self.of.number
    }
}

impl<'a> Behind<'a> {
    pub(super) fn new(
        subject: Subject<'a>,
        record: &'a LedgerRecord,
        findings: &mut Findings,
    ) -> Result<Self, StoreError> {
        let succession = match Succession::of(subject.keyring, record) {
            Ok(succession) => succession,
            Err(KeyError::Store(error)) => return Err(error),
            Err(error) => {
                findings.add(None, "ledger-keys", error.to_string());
                Succession::default()
            }
        };
        // What is wrong with their keys is a finding where they are verified.
        let mut keys = HashMap::new();
        for behind in succession.records() {
            if let Ok(opened) = LedgerKeys::load(subject.keyring, behind) {
                subject.keyring.add_system_key(&opened.system);
                keys.insert(behind.number, opened);
            }
        }
        Ok(Self {
            subject,
            record,
            succession,
            keys,
        })
    }

    /// Under which ledger the vault keeps the tenant's holds.
    pub(super) fn active_record(&self) -> ActiveRecord<'_> {
        ActiveRecord::behind(self.record, &self.succession)
    }

    /// The keys of a ledger behind this one.
    pub(super) fn keys(&self, ledger: LedgerNumber) -> Option<&LedgerKeys> {
        self.keys.get(&ledger)
    }

    /// Opens a statement by its name; none where it does not open.
    pub(super) fn open(&self, named: Seq) -> Result<Option<Opened<'_>>, StoreError> {
        let own = (self.record, named);
        let (stands_in, seq) = self.succession.find(named).unwrap_or(own);
        let (ledgers, keyring) = (self.subject.ledgers, self.subject.keyring);
        match open_stored(ledgers, keyring, stands_in, &Tombstones::default(), seq) {
            Ok(stored) => Ok(Some(Opened {
                stands_in,
                stored,
                of: self.record,
            })),
            Err(ReadError::Store(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether an entry behind the ledger lifts a restriction of it. Its own entries are compared by the walk.
    pub(super) fn lifts(&self, at: Seq, restriction: Seq) -> Result<bool, StoreError> {
        if self.succession.find(at).is_none() {
            return Ok(true);
        }
        let lift = self.open(at)?.and_then(|opened| opened.says("lift"));
        let lift = serde_json::from_slice::<serde_json::Value>(&lift.unwrap_or_default());
        Ok(lift.is_ok_and(|lift| lift["restricts"] == restriction.get()))
    }

    /// Whether a name is that of an entry behind the ledger.
    pub(super) fn is_behind(&self, named: Seq) -> bool {
        self.succession.find(named).is_some()
    }
}
