//! Room on the disk. Below the reserve no event is taken; what the ledger itself records goes on in it: reads, holds,
//! deletions, keys. So whoever looks for room can still look, and is still seen.

use std::sync::Arc;

use crate::journal::Disk;
use crate::journal::append::queue::Waiting;
use trailkeep_proof::ledger::entry::EntryKind;
use trailkeep_proof::text::size;

/// The room that the writer has, and what was logged about it.
pub(crate) struct Room {
    disk: Arc<Disk>,
    is_below: bool,
    is_full: bool,
}

impl Room {
    pub(crate) const fn new(disk: Arc<Disk>) -> Self {
        Self {
            disk,
            is_below: false,
            is_full: false,
        }
    }

    /// Whether less than the reserve is free. The log says when that begins and ends.
    pub(super) fn is_below_reserve(&mut self) -> bool {
        let is_below = self.disk.is_below_reserve();
        if is_below != self.is_below {
            let free = size(self.disk.free_bytes().unwrap_or_default());
            let reserve = size(self.disk.reserve_bytes());
            if is_below {
                tracing::error!(
                    free,
                    reserve,
                    "the disk is below its reserve: events are refused until space is freed"
                );
            } else {
                tracing::info!(
                    free,
                    reserve,
                    "the disk is above its reserve: events are accepted again"
                );
            }
            self.is_below = is_below;
        }
        is_below
    }

    /// A commit was rolled back for lack of room. The log says so once, until one succeeds.
    pub(super) fn note_full(&mut self) {
        if !self.is_full {
            tracing::error!("the disk is full: nothing is recorded until space is freed");
        }
        self.is_full = true;
    }

    /// A commit succeeded.
    pub(super) fn note_committed(&mut self) {
        if self.is_full {
            tracing::info!("the disk has room again");
        }
        self.is_full = false;
    }
}

/// Whether a submission holds what the ledger itself records, and no event.
pub(super) fn may_use_reserve(waiting: &Waiting) -> bool {
    let events = &waiting.submission.events;
    events.iter().all(|event| event.kind != EntryKind::Event)
}
