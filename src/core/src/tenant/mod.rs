//! A tenant and the generations of its ledger. A recovery supersedes a ledger, and a successor continues it; which one
//! is active is known here alone.
//!
//! Whoever writes takes a [`Tenant`]: it acts on the active ledger, and on all generations where the matter concerns all
//! of them. Whoever reads takes a [`ReadScope`], which may name a superseded ledger.

pub mod classes;
pub mod deletion;
pub mod explain;
mod generation;
pub(crate) mod head;
pub mod hold;
pub mod keep_requests;
pub mod ledger;
pub(crate) mod metering;
pub mod names;
pub mod prices;
pub mod prompts;
pub mod rolled_back;
pub(crate) mod rules;
pub mod settings;
mod succession;
pub mod trigger;

use std::sync::Arc;

pub(crate) use generation::{ActiveRecord, Successor, SupersededAt, superseded_at};
pub(crate) use succession::Succession;

use crate::tenant::ledger::Ledger;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::TenantName;

/// The tenant that `init` makes: the operator's own. Its administrators make the others.
pub const DEFAULT_TENANT: &str = "default";

/// A ledger that is one of its tenant's generations: an open one, or its record where no engine runs.
pub trait Generation: Clone {
    /// Number, tenant and origin.
    fn record(&self) -> &LedgerRecord;
}

impl Generation for LedgerRecord {
    fn record(&self) -> &LedgerRecord {
        self
    }
}

impl Generation for Arc<Ledger> {
    fn record(&self) -> &LedgerRecord {
        &self.record
    }
}

/// A tenant: the active ledger, and those that recoveries superseded.
#[derive(Clone, Debug)]
pub struct Tenant<L = Arc<Ledger>> {
    /// Oldest first.
    superseded: Arc<[L]>,
    active: L,
}

/// A tenant, and the one of its ledgers that is read.
#[derive(Clone, Debug)]
pub struct ReadScope<L = Arc<Ledger>> {
    tenant: Tenant<L>,
    ledger: L,
}

/// Why a ledger can't be taken by the name that was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamedLedgerError {
    /// There is none of this name.
    #[error(
        "the tenant has no ledger with this name: `trailkeep tenant list --json` names its ledgers"
    )]
    Unknown,
    /// A write named a superseded ledger.
    #[error(
        "nothing was done: the ledger `{named}` is superseded and takes no writes. The active ledger is `{active}`: name that, or \
         leave out --ledger (`Trailkeep-Ledger`). Holds, requests and retention always cover all ledgers of the tenant"
    )]
    Superseded {
        /// The name that was given.
        named: String,
        /// The ledger that takes writes.
        active: String,
    },
}

impl<L: Generation> Tenant<L> {
    /// A tenant of these ledgers, in any order: the newest generation is the active one. None where there is no ledger.
    pub fn of(mut generations: Vec<L>) -> Option<Self> {
        generations.sort_by_key(|ledger| ledger.record().origin.generation());
        let active = generations.pop()?;
        Some(Self {
            superseded: generations.into(),
            active,
        })
    }

    /// A tenant whose first ledger was begun just now.
    pub fn first(ledger: L) -> Self {
        Self {
            superseded: Arc::new([]),
            active: ledger,
        }
    }

    /// Its name.
    pub fn name(&self) -> &TenantName {
        &self.active.record().tenant
    }

    /// The ledger that takes writes.
    pub const fn active(&self) -> &L {
        &self.active
    }

    /// The ledgers that recoveries superseded, oldest first.
    pub fn superseded(&self) -> &[L] {
        &self.superseded
    }

    /// All generations, oldest first: the active one is the last.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &L> {
        self.superseded.iter().chain([&self.active])
    }

    /// The ledger to read: that of the name, or the active one.
    pub fn read_scope(&self, name: Option<&str>) -> Result<ReadScope<L>, NamedLedgerError> {
        let ledger = match name {
            None => Some(&self.active),
            Some(name) => self
                .all()
                .find(|ledger| ledger.record().origin.ledger_name() == name),
        };
        Ok(ReadScope {
            ledger: ledger.ok_or(NamedLedgerError::Unknown)?.clone(),
            tenant: self.clone(),
        })
    }

    /// The tenant to write to. A name must be that of the active ledger: whoever names a superseded one means less than
    /// the tenant, and what would be done could not be undone.
    pub fn to_write(self, name: Option<&str>) -> Result<Self, NamedLedgerError> {
        let active = self.active.record().origin.ledger_name();
        let named = self.read_scope(name)?.ledger;
        let named = named.record().origin.ledger_name();
        if named == active {
            return Ok(self);
        }
        Err(NamedLedgerError::Superseded {
            named: named.to_owned(),
            active: active.to_owned(),
        })
    }
}

impl Tenant {
    /// Under which ledger the vault keeps its holds, triggers and requests.
    pub(crate) fn active_record(&self) -> ActiveRecord<'_> {
        self.active.active_record()
    }
}

impl<L: Generation> ReadScope<L> {
    /// The ledger that is read.
    pub const fn ledger(&self) -> &L {
        &self.ledger
    }

    /// Whose it is.
    pub const fn tenant(&self) -> &Tenant<L> {
        &self.tenant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_proof::ids::{LedgerNumber, Origin};

    fn record(number: u32, name: &str) -> LedgerRecord {
        LedgerRecord {
            number: LedgerNumber::new(number),
            tenant: TenantName::new("acme").unwrap(),
            origin: Origin::parse(&format!("audit.example.com/{name}")).unwrap(),
        }
    }

    fn tenant() -> Tenant<LedgerRecord> {
        let records = vec![record(9, "acme.10"), record(1, "acme"), record(4, "acme.2")];
        Tenant::of(records).unwrap()
    }

    #[test]
    fn the_newest_generation_is_active() {
        let tenant = tenant();
        assert_eq!(tenant.active().origin.ledger_name(), "acme.10");
        let all: Vec<&str> = tenant.all().map(|one| one.origin.ledger_name()).collect();
        assert_eq!(all, ["acme", "acme.2", "acme.10"]);
        assert!(Tenant::<LedgerRecord>::of(Vec::new()).is_none());
    }

    #[test]
    fn any_generation_is_read_and_the_active_one_written() {
        let tenant = tenant();
        let read = |name| {
            let scope = tenant.read_scope(name)?;
            Ok(scope.ledger().origin.ledger_name().to_owned())
        };
        assert_eq!(read(None), Ok("acme.10".to_owned()));
        assert_eq!(read(Some("acme")), Ok("acme".to_owned()));
        assert_eq!(read(Some("acme.3")), Err(NamedLedgerError::Unknown));
        let write = |name| tenant.clone().to_write(name).map(drop);
        assert_eq!(write(None), Ok(()));
        assert_eq!(write(Some("acme.10")), Ok(()));
        assert_eq!(write(Some("acme.3")), Err(NamedLedgerError::Unknown));
        let refused = NamedLedgerError::Superseded {
            named: "acme".to_owned(),
            active: "acme.10".to_owned(),
        };
        assert_eq!(write(Some("acme")), Err(refused));
    }
}
