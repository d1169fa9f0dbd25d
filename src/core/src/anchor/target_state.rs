//! How it stands with each target, in memory: what it has, and when it is tried again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::anchor::AnchorError;
use crate::anchor::settings::Target;
use crate::journal::Journal;
use crate::tenant::ledger::Ledger;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::time::UnixMillis;

/// How long it waits after a first failure; after each further one twice as long.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The longest that it waits.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// All targets of all ledgers.
#[derive(Default)]
pub(super) struct TargetStates(Mutex<States>);

#[derive(Default)]
struct States {
    ledgers: HashMap<LedgerNumber, HashMap<String, TargetState>>,
    /// Places that nobody answers at rest for all ledgers.
    resting: HashMap<String, Instant>,
}

/// One target of one ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct TargetState {
    pub(super) last_size: Option<u64>,
    given_at: Option<Instant>,
    failures: u32,
    try_again_at: Option<Instant>,
    /// Why it failed last, and since when it fails.
    pub(super) failed: Option<(String, UnixMillis)>,
}

impl TargetStates {
    /// Reads what the targets of a ledger have, unless it is known.
    pub(super) fn load(&self, journal: &Journal, ledger: &Ledger) -> Result<(), StoreError> {
        let number = ledger.record.number;
        if self.lock().ledgers.contains_key(&number) {
            return Ok(());
        }
        let rows = journal.ledgers.last_anchorings(number)?.into_iter();
        let known = rows.map(|row| {
            let state = TargetState {
                last_size: Some(row.size),
                ..TargetState::default()
            };
            (row.target, state)
        });
        self.lock().ledgers.entry(number).or_insert(known.collect());
        Ok(())
    }

    /// The size that a target was last given.
    pub(super) fn last_size(&self, ledger: &Ledger, target: &Target) -> Option<u64> {
        self.of(ledger, &target.name).last_size
    }

    /// How it stands with a target.
    pub(super) fn of(&self, ledger: &Ledger, target: &str) -> TargetState {
        let states = self.lock();
        let of_ledger = states.ledgers.get(&ledger.record.number);
        let known = of_ledger.and_then(|targets| targets.get(target));
        known.cloned().unwrap_or_default()
    }

    /// Whether its time has come: since it was last given a head, or since it failed.
    pub(super) fn is_due(&self, ledger: &Ledger, target: &Target) -> bool {
        let now = Instant::now();
        let rests = self.lock().resting.get(&target.name).copied();
        if rests.is_some_and(|until| now < until) {
            return false;
        }
        let state = self.of(ledger, &target.name);
        match (state.try_again_at, state.given_at) {
            (Some(at), _) => now >= at,
            (None, Some(at)) => now.duration_since(at) >= target.every,
            (None, None) => true,
        }
    }

    /// A target has a head.
    pub(super) fn has(&self, ledger: &Ledger, target: &Target, size: u64) {
        let mut states = self.lock();
        states.resting.remove(&target.name);
        let of_ledger = states.ledgers.entry(ledger.record.number).or_default();
        let state = TargetState {
            last_size: Some(size),
            given_at: Some(Instant::now()),
            ..TargetState::default()
        };
        of_ledger.insert(target.name.clone(), state);
    }

    /// A target has it not.
    pub(super) fn failed(
        &self,
        ledger: &Ledger,
        target: &Target,
        error: &AnchorError,
        now: UnixMillis,
    ) {
        let mut states = self.lock();
        let of_ledger = states.ledgers.entry(ledger.record.number).or_default();
        let state = of_ledger.entry(target.name.clone()).or_default();
        let since = state.failed.as_ref().map_or(now, |(_, since)| *since);
        state.failed = Some((error.to_string(), since));
        let doubled = RETRY_AFTER.saturating_mul(2_u32.saturating_pow(state.failures));
        let longest = RETRY_AFTER_MAX.min(target.every.max(Duration::from_secs(1)));
        let until = Instant::now() + doubled.min(longest);
        state.failures = state.failures.saturating_add(1);
        state.try_again_at = Some(until);
        if error.is_of_the_place() {
            states.resting.insert(target.name.clone(), until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.0.lock()
    }
}
