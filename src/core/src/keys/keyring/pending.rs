//! Keys and data subjects that the vault knows, and new ones on their way to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use lru::LruCache;

use crate::keys::keyring::{CACHE_ENTRIES, KeySlot};
use trailkeep_crypto::payload::NumberedKey;
use trailkeep_ports::{NewDataKey, NewPerson};
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Tag};

/// Something new that the vault must hold before any event that needs it.
#[derive(Debug)]
pub struct Pending<K, V, R> {
    pub(super) slot: K,
    pub(super) value: V,
    pub(super) row: R,
    /// What the row's wrapping is bound to, for wrapping it again.
    pub(super) place: String,
    pub(super) durable: AtomicBool,
}

/// A person whom the vault does not know yet.
pub type PendingPerson = Pending<(LedgerNumber, Tag), PersonReference, NewPerson>;

/// A data key that the vault does not hold yet.
pub type PendingKey = Pending<KeySlot, NumberedKey, NewDataKey>;

/// What an event needs to be in the vault before its own commit.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Persons.
    pub persons: Vec<Arc<PendingPerson>>,
    /// Data keys.
    pub keys: Vec<Arc<PendingKey>>,
}

/// Values that are in the vault, and those on their way there.
pub(super) struct Known<K, V, R> {
    pub(super) ready: LruCache<K, V>,
    pub(super) pending: HashMap<K, Weak<Pending<K, V, R>>>,
}

impl<K: Copy + Eq + std::hash::Hash, V: Clone, R> Known<K, V, R> {
    pub(super) fn find(&mut self, slot: &K, needs: &mut Vec<Arc<Pending<K, V, R>>>) -> Option<V> {
        if let Some(value) = self.ready.get(slot) {
            return Some(value.clone());
        }
        let pending = self.pending.get(slot)?.upgrade()?;
        let value = pending.value.clone();
        needs.push(pending);
        Some(value)
    }

    /// The value that somebody else made meanwhile, or this one, which then is pending.
    pub(super) fn find_or_add(
        &mut self,
        slot: K,
        value: V,
        (row, place): (R, String),
        needs: &mut Vec<Arc<Pending<K, V, R>>>,
    ) -> V {
        if let Some(found) = self.find(&slot, needs) {
            return found;
        }
        let pending = Arc::new(Pending {
            slot,
            value: value.clone(),
            row,
            place,
            durable: AtomicBool::new(false),
        });
        self.pending.insert(slot, Arc::downgrade(&pending));
        needs.push(pending);
        value
    }

    pub(super) fn settle(&mut self, settled: &[&Arc<Pending<K, V, R>>]) {
        for pending in settled {
            pending.durable.store(true, Ordering::Release);
            self.pending.remove(&pending.slot);
            self.ready.put(pending.slot, pending.value.clone());
        }
        // What refused requests left behind.
        if self.pending.len() > CACHE_ENTRIES.get() {
            self.pending.retain(|_, pending| pending.strong_count() > 0);
        }
    }
}

impl<K: Eq + std::hash::Hash, V, R> Default for Known<K, V, R> {
    fn default() -> Self {
        Self {
            ready: LruCache::new(CACHE_ENTRIES),
            pending: HashMap::new(),
        }
    }
}

/// What is not in the vault yet, each once.
pub(super) fn distinct<'a, K: Copy + Eq + std::hash::Hash + 'a, V: 'a, R: 'a>(
    pending: impl Iterator<Item = &'a Arc<Pending<K, V, R>>>,
) -> Vec<&'a Arc<Pending<K, V, R>>> {
    let mut seen = std::collections::HashSet::new();
    pending
        .filter(|one| !one.durable.load(Ordering::Acquire) && seen.insert(one.slot))
        .collect()
}
