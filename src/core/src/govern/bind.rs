//! Stating the rows of the vault that no statement commits to: those of an earlier version, those that a restore took over, and those
//! that were changed since by what no statement says.

use std::collections::BTreeMap;

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::journal::each_change::each_change;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use crate::keys::records::NO_LEDGER;
use crate::keys::rows::{API_KEY, Changes, SECTION, is_stated};
use crate::keys::{api_key, records};
use crate::tenant::{DEFAULT_TENANT, Tenant};
use trailkeep_proof::system::{BindSection, LostRow, RowsSection, SystemEvent};

/// Rows that one statement lists.
const ROWS_PER_STATEMENT: usize = 1_000;

/// The statements of one ledger.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its tenant.
    pub tenant: String,
    /// Rows that its statements now commit to.
    pub rows: u64,
    /// The statements.
    pub statements: Vec<u64>,
}

/// Why rows were not stated.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// A statement can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// States all rows that no statement commits to as they are now, in the ledger of each tenant that has any. Nothing changes a
/// row meanwhile.
pub fn bind(journal: &Journal, by: &str) -> Result<Vec<Bound>, BindError> {
    let _no_target_comes = journal.locks.keeping();
    let _no_setting_or_key_changes = journal.locks.creation();
    let _no_hold_comes = journal.locks.decision();
    let _no_request_changes = journal.locks.requests();
    let mut bound = Vec::new();
    for tenant in journal.tenants() {
        let mut said = Bound {
            tenant: tenant.name().to_string(),
            rows: 0,
            statements: Vec::new(),
        };
        let changes = unbound(journal, &tenant, &mut Named::new())?;
        for changes in changes.chunks(ROWS_PER_STATEMENT) {
            let rows = changes.len() as u64;
            let event = SystemEvent::VaultBind {
                vault: BindSection {
                    rows,
                    lost: None,
                    by: by.to_owned(),
                },
            };
            let seq = append_changing(journal, tenant.active(), &event, changes)
                .map_err(|error| BindError::Record(Box::new(error)))?;
            said.rows += rows;
            said.statements.push(seq.get());
        }
        if said.rows > 0 {
            bound.push(said);
        }
    }
    bound.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    Ok(bound)
}

/// States anew, after a restore from an older vault, the rows that the statements from `from` on changed: as they are now, or
/// as lost.
pub(crate) fn restate(journal: &Journal, tenant: &Tenant, from: u64) -> Result<(), BindError> {
    let ledger = tenant.active();
    let size = ledger.published().head.size;
    let mut named = Named::new();
    let both = (&*journal.ledgers, &*journal.keyring);
    each_change(both, &ledger.record, from..size, |_, statement| {
        let rows = statement.section(SECTION).unwrap_or_default();
        let rows: RowsSection = serde_json::from_slice(rows).unwrap_or_default();
        for row in rows.rows {
            named.insert((row.kind, row.id), row.commitment.is_some());
        }
    })?;
    let mut changes = unbound(journal, tenant, &mut named)?;
    let mut lost = Vec::new();
    for ((kind, name), was_there) in named {
        if was_there {
            changes.lose(&ledger.record, &kind, &name)?;
            lost.push(LostRow { kind, id: name });
        }
    }
    let event = SystemEvent::VaultBind {
        vault: BindSection {
            rows: changes.len() as u64,
            lost: Some(lost),
            by: "restore".to_owned(),
        },
    };
    append_changing(journal, ledger, &event, changes)
        .map_err(|error| BindError::Record(Box::new(error)))?;
    Ok(())
}

/// Rows by kind and name, with whether they should be there.
type Named = BTreeMap<(String, String), bool>;

/// The rows of a tenant that no statement commits to as they are, and those that are `named`, which are taken out there.
fn unbound(journal: &Journal, tenant: &Tenant, named: &mut Named) -> Result<Changes, KeyError> {
    let keyring = &journal.keyring;
    let mut places: Vec<(trailkeep_proof::ids::LedgerNumber, String)> = tenant
        .all()
        .map(|ledger| (ledger.record.number, ledger.record.origin.to_string()))
        .collect();
    let tenant = tenant.name().as_str();
    if tenant == DEFAULT_TENANT {
        places.push((NO_LEDGER, String::new()));
    }
    let mut changes = Changes::default();
    for (number, origin) in places {
        for stored in keyring.vault().records_of(number)? {
            if is_stated(&stored.kind) {
                let row = records::open(keyring, &origin, &stored)?;
                let is_named = take_named(named, &stored.kind, row.name(&stored.id));
                changes.bind(
                    &stored.kind,
                    (number, &origin),
                    (&stored.id, is_named),
                    &row,
                )?;
            }
        }
    }
    for key in keyring.vault().api_keys()? {
        let (row, owner) = api_key::row_of(keyring, &key)?;
        if owner == tenant {
            let is_named = take_named(named, API_KEY, row.name(&key.id));
            changes.bind(API_KEY, (NO_LEDGER, ""), (&key.id, is_named), &row)?;
        }
    }
    Ok(changes)
}

fn take_named(named: &mut Named, kind: &str, name: &str) -> bool {
    named.remove(&(kind.to_owned(), name.to_owned())).is_some()
}
