//! Which parts of texts came before. The hashes are quick and keyed, and not strong. Two parts with one hash have no other
//! effect than that one of them is stored as a value the first time that it comes.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use trailkeep_crypto::payload::KeySet;
use trailkeep_proof::ids::LedgerNumber;

/// Places of prints: 1 MiB. A part counts as new again after another part took its place.
const SLOTS: usize = 1 << 18;

/// Stands for a part under its data keys while a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print(u64);

/// The prints of the parts that came last.
pub(super) struct Seen {
    slots: Box<[AtomicU32]>,
    state: RandomState,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            state: RandomState::new(),
        }
    }
}

impl Seen {
    pub(super) fn print_of(&self, ledger: LedgerNumber, keys: &KeySet, text: &[u8]) -> Print {
        let mut hasher = self.state.build_hasher();
        ledger.get().hash(&mut hasher);
        keys.ids().for_each(|id| id.get().hash(&mut hasher));
        text.hash(&mut hasher);
        Print(hasher.finish())
    }

    /// Notes that a part came. Gives whether it had come before.
    pub(super) fn mark(&self, print: Print) -> bool {
        let (slot, mark) = self.place(print);
        slot.is_some_and(|slot| slot.swap(mark, Ordering::Relaxed) == mark)
    }

    pub(super) fn forget(&self, print: Print) {
        let (slot, mark) = self.place(print);
        if let Some(slot) = slot {
            let _ = slot.compare_exchange(mark, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The place of a part, and what stands there after it came: never 0.
    fn place(&self, Print(print): Print) -> (Option<&AtomicU32>, u32) {
        let slot = print as usize % SLOTS;
        (self.slots.get(slot), (print >> 32) as u32 | 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use trailkeep_crypto::payload::NumberedKey;
    use trailkeep_crypto::secret::DataKey;
    use trailkeep_proof::ids::KeyId;

    #[test]
    fn a_part_came_before_under_its_own_keys_until_it_is_forgotten() {
        let key = |id| NumberedKey {
            id: KeyId::new(id),
            key: Arc::new(DataKey::new([1; 32])),
        };
        let keys = |ids: &[u64]| KeySet::new(ids.iter().map(|id| key(*id)).collect()).unwrap();
        let (seen, ledger) = (Seen::default(), LedgerNumber::new(1));
        let print = |ids: &[u64], text| seen.print_of(ledger, &keys(ids), text);
        let one = print(&[1], b"text");
        let others = [
            print(&[2], b"text"),
            print(&[1, 2], b"text"),
            print(&[1], b"texts"),
            seen.print_of(LedgerNumber::new(2), &keys(&[1]), b"text"),
        ];
        assert!(!seen.mark(one));
        assert!(seen.mark(one));
        assert!(others.iter().all(|other| *other != one));
        seen.forget(one);
        assert!(!seen.mark(one));
    }
}
