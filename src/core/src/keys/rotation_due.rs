//! The note that the vault must be rotated, since something was destroyed.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use trailkeep_proof::time::UnixMillis;

/// The one record of its kind.
pub(crate) const ID: &str = "vault";

/// A rotation must come, since something was destroyed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) since_ms: u64,
    /// Somebody asked for it, and it could not be carried out yet.
    #[serde(default)]
    pub(crate) at_once: bool,
}

impl Record for Due {
    const KIND: &'static str = "rotation-due";
    const WHAT: &'static str = "the note that a rotation is due";
}

/// Says that something was destroyed: a rotation comes within 24 hours. On disk when it returns.
pub(crate) fn set_due(keyring: &Keyring, now: UnixMillis) -> Result<(), KeyError> {
    if records::all_own::<Due>(keyring)?.is_empty() {
        let since_ms = now.get();
        let due = Due {
            since_ms,
            at_once: false,
        };
        records::put_own(keyring, ID, &due)?;
    }
    Ok(())
}

/// Says that the rotation that is due comes as soon as what was destroyed has gone from all files: somebody asked for it,
/// and it could not be carried out at once.
pub(crate) fn hasten(keyring: &Keyring, now: UnixMillis) -> Result<(), KeyError> {
    let due = records::all_own::<Due>(keyring)?.pop();
    let since_ms = due.map_or_else(|| now.get(), |(_, due)| due.since_ms);
    let due = Due {
        since_ms,
        at_once: true,
    };
    records::put_own(keyring, ID, &due)
}

/// Since when a rotation is due, in milliseconds since 1970.
pub(crate) fn due_since(keyring: &Keyring) -> Result<Option<u64>, KeyError> {
    let due = records::all_own::<Due>(keyring)?.pop();
    Ok(due.map(|(_, due)| due.since_ms))
}
