//! One bound for the bytes that all bodies hold together, as sent and as decoded.
//!
//! Bytes are counted as they come, never as a header declares them. When they don't fit, the largest body that has not
//! fully come makes room: it is refused, be it the one that asks or another. So many unfinished bodies keep nobody out
//! who sends little, and none of them was accepted. The last eighth is for small bodies alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::BodyFault;

/// A body up to here is small.
const SMALL_BYTES: u64 = 256 << 10;

/// What all bodies hold.
#[derive(Debug)]
pub(in crate::http) struct BodyMemory {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    next_id: u64,
    shares: HashMap<u64, Held>,
    /// Those that have not fully come, by size.
    unfinished: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Held {
    bytes: u64,
    refused: Arc<Notify>,
}

/// What one body holds, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: Arc<BodyMemory>,
    id: u64,
    /// Told when this body has to make room.
    pub(super) refused: Arc<Notify>,
}

impl BodyMemory {
    pub(in crate::http) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
        })
    }

    /// Bytes held now.
    pub(in crate::http) fn used(&self) -> u64 {
        self.lock().used
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        let refused = Arc::new(Notify::new());
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        let held = Held {
            bytes: 0,
            refused: Arc::clone(&refused),
        };
        state.shares.insert(id, held);
        state.unfinished.insert((0, id));
        drop(state);
        Share {
            memory: Arc::clone(self),
            id,
            refused,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.shares.remove(&id)?;
        self.unfinished.remove(&(held.bytes, id));
        self.used -= held.bytes;
        Some(held)
    }

    /// Refuses the largest unfinished body, if it is larger than one of `bytes`.
    fn make_room(&mut self, bytes: u64) -> bool {
        let Some((_, id)) = self
            .unfinished
            .last()
            .copied()
            .filter(|(held, _)| *held > bytes)
        else {
            return false;
        };
        if let Some(held) = self.remove(id) {
            held.refused.notify_one();
        }
        true
    }
}

impl Share {
    /// Counts more bytes. After an error the body holds nothing, and is over.
    pub(super) fn grow(&self, more: u64) -> Result<(), BodyFault> {
        let memory = &self.memory;
        let mut state = memory.lock();
        let Some(held) = state.shares.get(&self.id) else {
            return Err(BodyFault::NoRoom);
        };
        let (before, after) = (held.bytes, held.bytes + more);
        if after > memory.limit {
            state.remove(self.id);
            return Err(BodyFault::LargerThanAll(memory.limit));
        }
        let room = if after > SMALL_BYTES {
            memory.limit - memory.limit / 8
        } else {
            memory.limit
        };
        // Not to be refused by itself.
        state.unfinished.remove(&(before, self.id));
        while state.used + more > room.max(after) {
            if !state.make_room(after) {
                state.remove(self.id);
                return Err(BodyFault::NoRoom);
            }
        }
        state.used += more;
        state.unfinished.insert((after, self.id));
        if let Some(held) = state.shares.get_mut(&self.id) {
            held.bytes = after;
        }
        Ok(())
    }

    /// Gives bytes back before the end.
    pub(super) fn shrink(&self, less: u64) {
        let mut state = self.memory.lock();
        let Some(held) = state.shares.get_mut(&self.id) else {
            return;
        };
        let before = held.bytes;
        let less = less.min(before);
        held.bytes -= less;
        state.used -= less;
        if state.unfinished.remove(&(before, self.id)) {
            state.unfinished.insert((before - less, self.id));
        }
    }

    /// The body has fully come: nobody else's takes its place.
    pub(super) fn finish(&self) -> Result<(), BodyFault> {
        let mut state = self.memory.lock();
        let Some(bytes) = state.shares.get(&self.id).map(|held| held.bytes) else {
            return Err(BodyFault::NoRoom);
        };
        state.unfinished.remove(&(bytes, self.id));
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_largest_unfinished_body_makes_room_for_a_smaller_one() {
        let memory = BodyMemory::new(80 * MIB);
        let large: Vec<Share> = (1..=4).map(|_| memory.share()).collect();
        for (share, mib) in large.iter().zip([10, 20, 30, 10]) {
            share.grow(mib * MIB).unwrap();
        }
        // All but the last eighth is taken: who asks is smaller than the one of 30.
        let small = memory.share();
        small.grow(MIB).unwrap();
        assert_eq!(memory.used(), 41 * MIB);
        assert!(matches!(large[2].grow(1), Err(BodyFault::NoRoom)));
        assert!(matches!(large[2].finish(), Err(BodyFault::NoRoom)));
        // Who asks is the largest itself.
        assert!(matches!(large[1].grow(30 * MIB), Err(BodyFault::NoRoom)));
        assert_eq!(memory.used(), 21 * MIB);
        drop((large, small));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_has_fully_come_stays_and_leaves_room_for_small_ones() {
        let memory = BodyMemory::new(80 * MIB);
        let whole = memory.share();
        whole.grow(70 * MIB).unwrap();
        whole.finish().unwrap();
        let next = memory.share();
        assert!(matches!(next.grow(MIB), Err(BodyFault::NoRoom)));
        let small: Vec<Share> = (0..40).map(|_| memory.share()).collect();
        for share in &small {
            share.grow(SMALL_BYTES).unwrap();
        }
        whole.shrink(70 * MIB);
        assert_eq!(memory.used(), 10 * MIB);
        assert!(matches!(
            memory.share().grow(81 * MIB),
            Err(BodyFault::LargerThanAll(_))
        ));
    }

    #[test]
    fn ten_thousand_small_unfinished_bodies_keep_nobody_out() {
        let memory = BodyMemory::new(8 * MIB);
        let many: Vec<Share> = (0..10_000).map(|_| memory.share()).collect();
        let held = many
            .iter()
            .filter(|share| share.grow(25 << 10).is_ok())
            .count();
        assert!(held > 300, "{held}");
        for _ in 0..1_000 {
            let honest = memory.share();
            honest.grow(1 << 10).unwrap();
            honest.finish().unwrap();
        }
        assert!(memory.used() <= 8 * MIB);
    }
}
