//! API keys in memory, so that a request's token is compared without the vault being read and opened each time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::keys::api_key::StoredKey;

/// Keys that are kept, at most: some MiB. Where there are more, all are forgotten and read again.
const KEYS_MAX: usize = 16_384;

/// The keys that requests came with, until a row of a key changes.
#[derive(Default)]
pub(crate) struct KnownApiKeys(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<StoredKey>>,
    changes: u64,
}

/// How often rows of API keys had changed when one was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changes(u64);

impl KnownApiKeys {
    /// The key of this id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<StoredKey>> {
        self.0.read().keys.get(id).cloned()
    }

    /// To be asked before a key's row is read that is to be kept.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.read().changes)
    }

    /// Keeps a key that was read after `read_after`. One whose row may have changed since is left out.
    pub(crate) fn keep(&self, read_after: Changes, id: &str, key: Arc<StoredKey>) {
        let mut known = self.0.write();
        if known.changes != read_after.0 {
            return;
        }
        if known.keys.len() >= KEYS_MAX {
            known.keys.clear();
        }
        known.keys.insert(id.to_owned(), key);
    }

    /// A row of a key changed, so the next request with it reads it again.
    pub(crate) fn forget(&self) {
        let mut known = self.0.write();
        known.changes += 1;
        known.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::role::Role;
    use trailkeep_proof::ids::TenantName;

    fn key() -> Arc<StoredKey> {
        Arc::new(StoredKey::of_test(
            TenantName::new("default").unwrap(),
            Role::Writer,
        ))
    }

    #[test]
    fn a_key_that_was_read_before_a_change_is_not_kept() {
        let known = KnownApiKeys::default();
        let before = known.changes();
        known.forget();
        known.keep(before, "k", key());
        assert!(known.find("k").is_none());
        known.keep(known.changes(), "k", key());
        assert!(known.find("k").is_some());
        known.forget();
        assert!(known.find("k").is_none());
    }

    #[test]
    fn the_keys_in_memory_are_bounded() {
        let known = KnownApiKeys::default();
        for number in 0..=KEYS_MAX {
            known.keep(known.changes(), &number.to_string(), key());
        }
        assert!(known.0.read().keys.len() <= KEYS_MAX);
        assert!(known.find(&KEYS_MAX.to_string()).is_some());
    }
}
