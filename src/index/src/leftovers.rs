//! Rows of runs that are in no use: those of runs that others have replaced, and what a crash left half-done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Index, Run};
use trailkeep_ports::{RunId, StoreError};

/// Free pages that go back to the file system at once: a few milliseconds.
pub(super) const PAGES_PER_STEP: u32 = 256;
/// How often it is looked whether the readers of a run have ended.
const READERS_LOOKED_AT_EVERY: Duration = Duration::from_millis(5);

/// What is to be taken away.
pub(super) struct Leftovers {
    /// Whether there may be any. A start knows only by looking.
    may_be: bool,
    /// Runs that were replaced. Look-ups that began before may still read them.
    replaced: Vec<Arc<Run>>,
}

impl Leftovers {
    /// Whether a look-up that began before a run was replaced still reads it.
    fn are_read(&self) -> bool {
        self.replaced.iter().any(|run| Arc::strong_count(run) > 1)
    }
}

impl Default for Leftovers {
    fn default() -> Self {
        Self {
            may_be: true,
            replaced: Vec::new(),
        }
    }
}

impl Index {
    /// Notes that there may be leftovers: of runs that were replaced, or of one that is begun and may not become whole.
    pub(super) fn expect_leftovers(&self, replaced: Vec<Arc<Run>>) {
        let mut leftovers = self.leftovers.lock();
        leftovers.may_be = true;
        leftovers.replaced.extend(replaced);
    }

    /// Takes away the rows of one run that is not in use; whether there was one. While somebody still reads a run that was
    /// replaced, none is deleted.
    pub(super) fn drop_leftover(&self, being_written: Option<RunId>) -> Result<bool, StoreError> {
        let mut leftovers = self.leftovers.lock();
        if !leftovers.may_be || leftovers.are_read() {
            return Ok(false);
        }
        leftovers.replaced.clear();
        leftovers.may_be = self.store.drop_leftover(being_written.as_slice())?;
        if leftovers.may_be {
            self.has_free_pages.store(true, Ordering::Relaxed);
        }
        Ok(leftovers.may_be)
    }

    /// Takes away the rows of all runs that are not in use. It waits for those who read them.
    pub(super) fn drop_leftovers(&self, being_written: Option<RunId>) -> Result<(), StoreError> {
        while self.leftovers.lock().are_read() {
            std::thread::sleep(READERS_LOOKED_AT_EVERY);
        }
        while self.drop_leftover(being_written)? {}
        Ok(())
    }

    /// Gives some free pages back to the file system. While events keep coming, the next runs use them instead.
    pub(super) fn release_some_pages(&self) -> Result<(), StoreError> {
        if self.has_free_pages.load(Ordering::Relaxed) {
            let more = self.store.release_pages(PAGES_PER_STEP)?;
            self.has_free_pages.store(more, Ordering::Relaxed);
        }
        Ok(())
    }
}
