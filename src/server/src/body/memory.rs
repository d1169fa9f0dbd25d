//! One bound for the bytes that all bodies hold together, as sent and as decoded, with what their decoders take.
//!
//! Bytes are counted as they come, never as a header declares them. When they don't fit, the largest body that has not
//! fully come makes room: it is refused, be it the one that asks or another. So many unfinished bodies keep nobody out
//! who sends little, and none of them was accepted. What a refused body held counts until it is dropped: who needs the room
//! waits for that moment. The last eighth is for small bodies alone.

use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::BodyFault;

/// A body up to here is small.
const SMALL_BYTES: u64 = 256 << 10;

/// What all bodies hold.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    limit: u64,
    state: Mutex<State>,
    /// Told when bytes were given back.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// Of these, bytes of bodies that were refused and are about to be dropped.
    leaving: u64,
    next_id: u64,
    shares: HashMap<u64, Held>,
    /// Those that have not fully come, by size.
    unfinished: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Held {
    bytes: u64,
    is_leaving: bool,
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
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> u64 {
        self.lock().used
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        let refused = Arc::new(Notify::new());
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        let held = Held {
            bytes: 0,
            is_leaving: false,
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
        self.state.lock()
    }
}

impl State {
    /// A body is over: it is refused, and holds its bytes until it is dropped.
    fn refuse(&mut self, id: u64) {
        if let Some(held) = self.shares.get_mut(&id)
            && !held.is_leaving
        {
            held.is_leaving = true;
            self.leaving += held.bytes;
            self.unfinished.remove(&(held.bytes, id));
            held.refused.notify_one();
        }
    }

    /// The largest unfinished body, if it is larger than one of `bytes`.
    fn larger_than(&self, bytes: u64) -> Option<u64> {
        let largest = self.unfinished.last().filter(|(held, _)| *held > bytes);
        largest.map(|(_, id)| *id)
    }
}

impl Share {
    /// Counts more bytes, once there is room. After an error the body is over.
    pub(super) async fn grow(&self, more: u64) -> Result<(), BodyFault> {
        loop {
            let freed = self.memory.freed.notified();
            if self.try_grow(more)? {
                return Ok(());
            }
            freed.await;
        }
    }

    /// `false` where room is on its way.
    fn try_grow(&self, more: u64) -> Result<bool, BodyFault> {
        let limit = self.memory.limit;
        let mut state = self.memory.lock();
        let Some(held) = state.shares.get(&self.id).filter(|held| !held.is_leaving) else {
            return Err(BodyFault::NoRoom);
        };
        let (before, after) = (held.bytes, held.bytes + more);
        if after > limit {
            state.refuse(self.id);
            return Err(BodyFault::LargerThanAll(limit));
        }
        let room = if after > SMALL_BYTES {
            limit - limit / 8
        } else {
            limit
        };
        let room = room.max(after);
        while state.used - state.leaving + more > room {
            let other = state.larger_than(after);
            state.refuse(other.unwrap_or(self.id));
            if other.is_none() {
                return Err(BodyFault::NoRoom);
            }
        }
        if state.used + more > limit.max(room) {
            return Ok(false);
        }
        state.used += more;
        state.unfinished.remove(&(before, self.id));
        state.unfinished.insert((after, self.id));
        if let Some(held) = state.shares.get_mut(&self.id) {
            held.bytes = after;
        }
        Ok(true)
    }

    /// Gives bytes back before the end.
    pub(super) fn shrink(&self, less: u64) {
        let mut state = self.memory.lock();
        let Some(held) = state
            .shares
            .get_mut(&self.id)
            .filter(|held| !held.is_leaving)
        else {
            return;
        };
        let before = held.bytes;
        let less = less.min(before);
        held.bytes -= less;
        state.used -= less;
        if state.unfinished.remove(&(before, self.id)) {
            state.unfinished.insert((before - less, self.id));
        }
        drop(state);
        self.memory.freed.notify_waiters();
    }

    /// The body has fully come: nobody else's takes its place.
    pub(super) fn finish(&self) -> Result<(), BodyFault> {
        let mut state = self.memory.lock();
        let held = state.shares.get(&self.id);
        let Some(held) = held.filter(|held| !held.is_leaving) else {
            return Err(BodyFault::NoRoom);
        };
        let key = (held.bytes, self.id);
        state.unfinished.remove(&key);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        if let Some(held) = state.shares.remove(&self.id) {
            state.unfinished.remove(&(held.bytes, self.id));
            state.used -= held.bytes;
            if held.is_leaving {
                state.leaving -= held.bytes;
            }
        }
        drop(state);
        self.memory.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Whether there is room at once: a refused body that is not dropped yet keeps its room.
    fn grow(share: &Share, more: u64) -> Result<bool, BodyFault> {
        share.try_grow(more)
    }

    #[test]
    fn the_largest_unfinished_body_makes_room_for_a_smaller_one() {
        let memory = BodyMemory::new(80 * MIB);
        let mut large: Vec<Share> = (1..=4).map(|_| memory.share()).collect();
        for (share, mib) in large.iter().zip([10, 20, 30, 10]) {
            assert!(grow(share, mib * MIB).unwrap());
        }
        // All but the last eighth is taken: who asks is smaller than the one of 30.
        let next = memory.share();
        assert!(grow(&next, MIB).unwrap());
        assert!(matches!(grow(&large[2], 1), Err(BodyFault::NoRoom)));
        assert!(matches!(large[2].finish(), Err(BodyFault::NoRoom)));
        // It still holds its bytes, so there is no room for as many before it is dropped.
        assert_eq!(memory.used(), 71 * MIB);
        assert!(!grow(&next, 10 * MIB).unwrap());
        drop(large.remove(2));
        assert_eq!(memory.used(), 41 * MIB);
        assert!(grow(&next, 10 * MIB).unwrap());
        // Who asks is the largest itself.
        assert!(matches!(grow(&large[1], 30 * MIB), Err(BodyFault::NoRoom)));
        drop((large, next));
        assert_eq!(memory.used(), 0);
        assert_eq!(memory.lock().leaving, 0);
    }

    #[tokio::test]
    async fn who_waits_for_room_goes_on_when_it_is_there() {
        let memory = BodyMemory::new(8 * MIB);
        let large = memory.share();
        large.grow(6 * MIB).await.unwrap();
        let small = memory.share();
        let dropped = async {
            large.refused.notified().await;
            drop(large);
        };
        let (grown, ()) = tokio::join!(small.grow(3 * MIB), dropped);
        grown.unwrap();
        assert_eq!(memory.used(), 3 * MIB);
    }

    #[test]
    fn what_has_fully_come_stays_and_leaves_room_for_small_ones() {
        let memory = BodyMemory::new(80 * MIB);
        let whole = memory.share();
        assert!(grow(&whole, 70 * MIB).unwrap());
        whole.finish().unwrap();
        let next = memory.share();
        assert!(matches!(grow(&next, MIB), Err(BodyFault::NoRoom)));
        let small: Vec<Share> = (0..40).map(|_| memory.share()).collect();
        for share in &small {
            assert!(grow(share, SMALL_BYTES).unwrap());
        }
        whole.shrink(70 * MIB);
        assert_eq!(memory.used(), 10 * MIB);
        let over = grow(&memory.share(), 81 * MIB);
        assert!(matches!(over, Err(BodyFault::LargerThanAll(_))));
    }

    #[test]
    fn ten_thousand_small_unfinished_bodies_keep_nobody_out() {
        let memory = BodyMemory::new(8 * MIB);
        let mut many: Vec<Share> = (0..10_000).map(|_| memory.share()).collect();
        many.retain(|share| grow(share, 25 << 10).is_ok());
        assert!(many.len() > 300, "{}", many.len());
        for _ in 0..1_000 {
            let honest = memory.share();
            while !grow(&honest, 1 << 10).unwrap() {
                // The task of a refused body drops it.
                let leaving = |share: &Share| share.finish().is_err();
                many.retain(|share| !leaving(share));
            }
            honest.finish().unwrap();
        }
        assert!(memory.used() <= 8 * MIB);
    }
}
