//! When each API key was last used. It is kept in memory, and written with the hourly mark of the writer: a use is no
//! change of the vault by itself, so the last hour before a stop may be missing.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use trailkeep_proof::time::UnixMillis;

/// The one record of its kind.
const ID: &str = "api-keys";

/// Milliseconds since 1970, by the key's id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Written(BTreeMap<String, u64>);

impl Record for Written {
    const KIND: &'static str = "api-key-use";
    const WHAT: &'static str = "the last uses of API keys";
}

/// Uses since the last mark.
#[derive(Default)]
pub(crate) struct LastUses {
    unwritten: Mutex<BTreeMap<String, u64>>,
}

impl LastUses {
    /// A key was used.
    pub(crate) fn note(&self, id: &str, now: UnixMillis) {
        let mut unwritten = self.unwritten.lock();
        if let Some(last) = unwritten.get_mut(id) {
            *last = (*last).max(now.get());
        } else {
            unwritten.insert(id.to_owned(), now.get());
        }
    }

    /// Writes them into the vault, as a note that is no reason to copy it anew.
    pub(crate) fn write(&self, keyring: &Keyring) -> Result<(), KeyError> {
        let uses = self.unwritten.lock().clone();
        if uses.is_empty() {
            return Ok(());
        }
        records::put_own_note(keyring, ID, &Written(self.known(keyring)?))?;
        // What came meanwhile waits for the next mark.
        let mut unwritten = self.unwritten.lock();
        unwritten.retain(|id, last| uses.get(id) != Some(last));
        Ok(())
    }

    /// The last use of each key that was used, in milliseconds since 1970.
    pub(crate) fn known(&self, keyring: &Keyring) -> Result<BTreeMap<String, u64>, KeyError> {
        let written = records::all_own::<Written>(keyring)?.pop();
        let mut known = written.map(|(_, written)| written.0).unwrap_or_default();
        for (id, at) in &*self.unwritten.lock() {
            let last = known.entry(id.clone()).or_default();
            *last = (*last).max(*at);
        }
        Ok(known)
    }
}
