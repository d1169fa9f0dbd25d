//! Registering names: each gets its number in an entry of the tenant's ledger, before an event has it.

use crate::journal::Journal;
use crate::journal::append::{AppendError, state_name};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records::{self, TENANT_ROW};
use crate::tenant::Tenant;
use crate::tenant::names::{NAMES_MAX, NameBook, RegisteredName, load};
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::system::{FiguresNameSection, NameKind};

/// Most characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 128;

/// Why a name was not registered.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// It has another form.
    #[error(
        "not a name for figures: use 1 to {NAME_CHARACTERS_MAX} small letters, digits and `._:/@+-`, beginning with a letter or digit"
    )]
    Form,
    /// There are too many.
    #[error("the tenant has {NAMES_MAX} names of this kind, which is the most")]
    TooMany,
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Whether a text may be a registered name.
pub fn is_name(text: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._:/@+-".contains(&byte);
    let first = text.bytes().next();
    text.len() <= NAME_CHARACTERS_MAX
        && text.bytes().all(fits)
        && first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Allows a name that no price table knows. Allowed again it changes nothing.
pub fn allow(
    journal: &Journal,
    tenant: &Tenant,
    (kind, name): (NameKind, &str),
    by: &str,
) -> Result<RegisteredName, NamesError> {
    if !is_name(name) {
        return Err(NamesError::Form);
    }
    let _one = journal.locks.names();
    let stated = state_name(journal, tenant.active(), (kind, name), by)
        .map_err(|error| NamesError::Record(Box::new(error)))?;
    stated.ok_or(NamesError::TooMany)
}

/// The names of a tenant.
pub fn list(keyring: &Keyring, tenant: &Tenant) -> Result<NameBook, KeyError> {
    load(keyring, tenant.active_record().record())
}

/// Takes over a name that a statement registers, in a vault that lacks it; `false` where it is known otherwise.
pub(crate) fn take_over(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &FiguresNameSection,
    (seq, at_ms): (u64, u64),
) -> Result<bool, KeyError> {
    let mut book = load(keyring, ledger)?;
    let is_next = book.next_number(stated.kind) == Some(stated.number);
    if !is_next || book.find(stated.kind, &stated.name).is_some() {
        return Ok(false);
    }
    book.names
        .push(RegisteredName::new(stated, at_ms, (ledger, seq)));
    records::put(keyring, ledger, TENANT_ROW, &book)?;
    Ok(true)
}
