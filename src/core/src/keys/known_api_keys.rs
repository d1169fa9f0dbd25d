//! API keys in memory, so that a request's token is compared without its row being read and opened each time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::keys::api_key::StoredKey;

/// Keys that are kept, at most: some MiB. Where there are more, all are forgotten and read again.
const KEYS_MAX: usize = 16_384;

/// The keys that requests came with, as they stand in one version of the vault. After any commit to the vault they are
/// read again: a key that was revoked, or whose row was changed by hand, is never taken from here.
#[derive(Default)]
pub(crate) struct KnownApiKeys(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// The vault's version that they were read in.
    version: u64,
    keys: HashMap<String, Arc<StoredKey>>,
}

impl KnownApiKeys {
    /// The key of this id, as it stands in this version of the vault.
    pub(crate) fn find(&self, version: u64, id: &str) -> Option<Arc<StoredKey>> {
        let known = self.0.read();
        let is_current = known.version == version;
        known.keys.get(id).filter(|_| is_current).cloned()
    }

    /// Keeps a key whose row was read after the vault had this version.
    pub(crate) fn keep(&self, version: u64, id: &str, key: Arc<StoredKey>) {
        let mut known = self.0.write();
        if known.version != version || known.keys.len() >= KEYS_MAX {
            known.keys.clear();
            known.version = version;
        }
        known.keys.insert(id.to_owned(), key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::role::Role;
    use trailkeep_proof::ids::TenantName;

    fn key() -> Arc<StoredKey> {
        let tenant = TenantName::new("default").unwrap();
        Arc::new(StoredKey::of_test(tenant, Role::Writer))
    }

    #[test]
    fn a_key_is_known_in_the_version_that_it_was_read_in() {
        let known = KnownApiKeys::default();
        known.keep(1, "k", key());
        assert!(known.find(1, "k").is_some());
        assert!(known.find(2, "k").is_none());
        known.keep(2, "other", key());
        assert!(known.find(2, "k").is_none());
        assert!(known.find(1, "k").is_none());
        assert!(known.find(2, "other").is_some());
    }

    #[test]
    fn the_keys_in_memory_are_bounded() {
        let known = KnownApiKeys::default();
        for number in 0..=KEYS_MAX {
            known.keep(1, &number.to_string(), key());
        }
        assert!(known.0.read().keys.len() <= KEYS_MAX);
        assert!(known.find(1, &KEYS_MAX.to_string()).is_some());
    }
}
