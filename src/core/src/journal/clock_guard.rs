//! One bad jump of the clock would stay in every later `recorded_at`, which never goes back. So a jump
//! stops appends until somebody confirms it.
//!
//! The wall clock is compared with the time since boot, which can't be set: also across restarts within one boot. What
//! nothing proves (the machine was off, or a virtual machine was paused) may add up to 31 days over all starts; time that
//! is proven afterwards takes from that sum. A start is no way round a jump that was refused within the same boot.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use trailkeep_ports::StoreError;
use trailkeep_proof::time::{Clock, UnixMillis};

/// How far the wall clock may be ahead of the time since boot.
const STEP_MAX_MS: u64 = 5 * 60 * 1_000;
/// A clock that is ahead by less is taken as right at this rate: 5 minutes a day. So many small steps are no way round.
const SLEW_PART: u64 = 24 * 60 / 5;
/// Time that starts take for passed without proof, in all.
const UNPROVEN_MAX_MS: u64 = 31 * DAY_MS;
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// What a data directory remembers of the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockMemory {
    /// What the wall clock should have shown.
    wall_ms: u64,
    since_boot_ms: u64,
    /// Which boot of which machine that was.
    boot: Option<String>,
    /// Time that starts took for passed and nothing proved, less what was proven since.
    unproven_ms: u64,
    /// A jump was refused, and the clock was not right since.
    #[serde(default)]
    is_doubted: bool,
}

impl Record for ClockMemory {
    const KIND: &'static str = "clock";
    const WHAT: &'static str = "the memory of the clock";
}

/// Watches the wall clock.
#[derive(Debug)]
pub(crate) struct ClockGuard {
    /// What the wall clock should have shown at some time since boot.
    wall: UnixMillis,
    since_boot_ms: u64,
    boot: Option<String>,
    /// At `since_boot_ms`.
    unproven_ms: u64,
    /// Nothing proves how much time passed before the start, and no look has found the wall clock within what may be.
    is_gap_open: bool,
    /// The last look refused a jump.
    is_doubted: bool,
    /// What the vault was last told of that.
    is_doubt_noted: bool,
}

/// The clock can't be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock jumped from about {expected} to {found}{reason}: nothing is recorded or destroyed until it is right; if it is right, start once with \
     `trailkeep serve --confirm-clock`",
    reason = Unproven(*left_ms)
)]
pub struct ClockJump {
    expected: UnixMillis,
    found: UnixMillis,
    /// What may still pass without proof, where this is a start after a time that nothing proves.
    left_ms: Option<u64>,
}

struct Unproven(Option<u64>);

impl std::fmt::Display for Unproven {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(left_ms) = self.0 else { return Ok(()) };
        let (max, left) = (UNPROVEN_MAX_MS / DAY_MS, left_ms / DAY_MS);
        write!(
            text,
            " without proof that this time passed (unproven gaps may add up to {max} days, of which {left} are left)"
        )
    }
}

impl ClockGuard {
    /// Starts watching. `last_seen` is when this directory was last written to; `confirmed` says that somebody looked at
    /// the clock.
    pub(crate) fn start(
        clock: &dyn Clock,
        last_seen: Option<UnixMillis>,
        memory: Option<&ClockMemory>,
        confirmed: bool,
    ) -> Self {
        let (wall, since_boot_ms, boot) = (clock.wall(), clock.since_boot_ms(), clock.boot());
        let guard = |wall, unproven_ms, is_gap_open, is_doubted| Self {
            wall,
            since_boot_ms,
            boot: boot.clone(),
            unproven_ms,
            is_gap_open,
            is_doubted,
            is_doubt_noted: is_doubted,
        };
        let unproven_ms = memory.map_or(0, |memory| memory.unproven_ms);
        let is_same_boot = |memory: &&ClockMemory| boot.is_some() && memory.boot == boot;
        let proven = memory.filter(is_same_boot).and_then(|memory| {
            let passed = since_boot_ms.checked_sub(memory.since_boot_ms)?;
            let expected = UnixMillis::new(memory.wall_ms.saturating_add(passed));
            Some((expected, passed, memory.is_doubted))
        });
        match (proven, memory.map(|memory| memory.wall_ms)) {
            _ if confirmed => guard(wall, 0, false, false),
            // The boot clock stands still while a virtual machine is paused: that it proves less is no jump yet.
            (Some((expected, passed, is_doubted)), _) => {
                let unproven_ms = unproven_ms.saturating_sub(passed);
                guard(expected, unproven_ms, !is_doubted, is_doubted)
            }
            (None, remembered) => {
                let last = last_seen.max(remembered.map(UnixMillis::new));
                guard(last.unwrap_or(wall), unproven_ms, last.is_some(), false)
            }
        }
    }

    /// The wall time, if it can be believed. A clock that comes back to where it should be is believed again.
    pub(crate) fn now(&mut self, clock: &dyn Clock) -> Result<UnixMillis, ClockJump> {
        let looked = self.look(clock);
        self.is_doubted = looked.is_err();
        looked
    }

    fn look(&mut self, clock: &dyn Clock) -> Result<UnixMillis, ClockJump> {
        let (found, since_boot_ms) = (clock.wall(), clock.since_boot_ms());
        let passed = since_boot_ms.saturating_sub(self.since_boot_ms);
        let expected = UnixMillis::new(self.wall.get().saturating_add(passed));
        let ahead = found.get().saturating_sub(expected.get());
        let left_ms = UNPROVEN_MAX_MS.saturating_sub(self.unproven_ms);
        let may_be = if self.is_gap_open {
            left_ms.max(STEP_MAX_MS)
        } else {
            STEP_MAX_MS
        };
        if ahead > may_be {
            let left_ms = self.is_gap_open.then_some(left_ms);
            return Err(ClockJump {
                expected,
                found,
                left_ms,
            });
        }
        // Back steps are taken as they are: recorded time waits for the clock to catch up. What the clock should show stays
        // what it was, so that it may be put right.
        if self.is_gap_open {
            self.is_gap_open = false;
            self.move_to(expected.get().max(found.get()), since_boot_ms);
            self.unproven_ms = self.unproven_ms.saturating_add(ahead);
        } else if ahead > 0 && passed >= SLEW_PART {
            let credit = passed / SLEW_PART;
            self.move_to(expected.get() + ahead.min(credit), since_boot_ms);
        }
        Ok(found)
    }

    fn move_to(&mut self, wall_ms: u64, since_boot_ms: u64) {
        let proven = since_boot_ms.saturating_sub(self.since_boot_ms);
        self.unproven_ms = self.unproven_ms.saturating_sub(proven);
        self.wall = UnixMillis::new(wall_ms);
        self.since_boot_ms = since_boot_ms;
    }

    /// What the data directory is to remember; none before the clock was believed.
    pub(crate) fn memory(&self, clock: &dyn Clock) -> Option<ClockMemory> {
        let since_boot_ms = clock.since_boot_ms();
        let passed = since_boot_ms.saturating_sub(self.since_boot_ms);
        (!self.is_gap_open).then(|| ClockMemory {
            wall_ms: self.wall.get().saturating_add(passed),
            since_boot_ms,
            boot: self.boot.clone(),
            unproven_ms: self.unproven_ms.saturating_sub(passed),
            is_doubted: self.is_doubted,
        })
    }

    /// The same, where a doubt came or went that the vault was not told of.
    pub(crate) fn changed_doubt(&mut self, clock: &dyn Clock) -> Option<ClockMemory> {
        if self.is_doubted == self.is_doubt_noted {
            return None;
        }
        self.is_doubt_noted = self.is_doubted;
        self.memory(clock)
    }
}

/// The one record of its kind.
const ID: &str = "clock";

/// Starts watching, with what the vault remembers, and lets it remember this boot.
pub(crate) fn start(
    keyring: &Keyring,
    clock: &dyn Clock,
    last_seen: Option<UnixMillis>,
    confirmed: bool,
) -> Result<ClockGuard, KeyError> {
    let memory = records::all_own::<ClockMemory>(keyring)?.pop();
    let memory = memory.map(|(_, memory)| memory);
    let mut guard = ClockGuard::start(clock, last_seen, memory.as_ref(), confirmed);
    let is_believed = guard.now(clock).is_ok();
    let is_known =
        |memory: &ClockMemory| !confirmed && memory.boot == guard.boot && !memory.is_doubted;
    if is_believed && !memory.as_ref().is_some_and(is_known) {
        remember(guard.memory(clock), keyring)?;
    }
    Ok(guard)
}

/// Lets the vault remember what the clock should show. On a full disk it is tried again with the next watermark.
pub(crate) fn remember(memory: Option<ClockMemory>, keyring: &Keyring) -> Result<(), StoreError> {
    let Some(memory) = memory else {
        return Ok(());
    };
    match records::put_own_note(keyring, ID, &memory) {
        Err(KeyError::Store(error)) if !error.is_full() => Err(error),
        Err(error) => {
            tracing::warn!(%error, "the expected time could not be stored; it is retried");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
