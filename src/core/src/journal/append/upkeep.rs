//! What the writer does between batches: the vault's memory of the heads, and rows that a merged run has taken over.

use crate::failpoint::FailPoint;
use crate::journal::append::writer::Writer;
use crate::journal::clock_guard;
use trailkeep_ports::{StoreError, Watermark};
use trailkeep_proof::time::UnixMillis;

/// How often the vault is told the time when nothing is written.
const SEEN_EVERY_MS: u64 = 3_600_000;
/// Rows of a merged active run that are deleted at once when no batch waits.
const DROPPED_ROWS_PER_STEP: usize = 1_000;

impl Writer {
    /// Tells the vault how far the ledgers have come, so that an older ledger.db put back is noticed.
    pub(super) fn write_watermarks(&mut self) -> Result<(), StoreError> {
        // An operator hears of the reserve, and of its end, whether anything is written or not.
        self.room.is_below_reserve();
        let seen_at = self.clock.wall();
        // A directory that rests is seen nevertheless, else its next start would ask whether the clock is right.
        let is_old = |last: UnixMillis| seen_at.get() >= last.get().saturating_add(SEEN_EVERY_MS);
        let is_time =
            self.seen_at.is_none_or(is_old) && self.clock_guard.lock().now(&*self.clock).is_ok();
        // Told at once, since the next start must not take for a pause what was refused as a jump.
        let doubt = self.clock_guard.lock().changed_doubt(&*self.clock);
        let memory = is_time.then(|| self.clock_guard.lock().memory(&*self.clock));
        clock_guard::remember(memory.flatten().or(doubt), &self.keyring)?;
        if is_time && let Err(error) = self.keyring.last_uses().write(&self.keyring) {
            tracing::warn!(%error, "the last uses of API keys could not be stored; they are kept until the next mark");
        }
        for (number, state) in &mut self.shards.states {
            let size = state.edge.size();
            if size == state.watermark_size && !is_time {
                continue;
            }
            FailPoint::BeforeWatermark.reach();
            let mark = Watermark {
                size,
                root: state.edge.root(),
                seen_at,
            };
            match self.keyring.vault().set_watermark(*number, &mark) {
                Ok(()) => {
                    state.watermark_size = size;
                    self.seen_at = self.seen_at.max(Some(seen_at));
                }
                // It is written behind: the next try, with room again, is as good.
                Err(error) if error.is_full() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes active index rows that stand in a merged run, a few at a time.
    pub(super) fn drop_merged_rows(&mut self) -> Result<(), StoreError> {
        for (number, state) in &mut self.shards.states {
            let merged_end = self.index.merged_end(*number);
            if merged_end == state.merged_end {
                continue;
            }
            match self
                .ledgers
                .drop_active(*number, merged_end, DROPPED_ROWS_PER_STEP)
            {
                Ok(0) => state.merged_end = merged_end,
                Ok(_) => {}
                Err(error) if error.is_full() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
