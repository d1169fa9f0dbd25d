//! The thread that keeps the vault's copies new and rotates when it is due; started by `serve`.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Engine;
use super::privacy;
use super::rotation::{self, RotationError};
use super::vault_copy::{self, CopyError};

/// How often the thread looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// New keys wait at most this long before they are copied: with the copying itself, a minute.
const COPY_AFTER: Duration = Duration::from_secs(20);
/// How long it waits after a target could not be reached, or a rotation stopped.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long one look works on the folded tags of an older vault.
const FOLD_FOR: Duration = Duration::from_millis(100);
/// A rotation begins this long after it became due, so that it is over within 24 hours of the destruction.
const ROTATE_AFTER_MS: u64 = 20 * 3_600_000;

/// The running keeper.
pub struct VaultKeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

/// What the thread remembers between two looks.
#[derive(Default)]
struct Looks {
    behind_since: Option<Instant>,
    rest_until: Option<Instant>,
    /// Whether every data subject of an older vault has its folded tag.
    is_folded: bool,
}

impl VaultKeeper {
    /// Starts the thread.
    pub fn start(engine: Arc<Engine>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("vault-keeper".to_owned())
            .spawn(move || {
                let mut looks = Looks::default();
                while !wait(&stopped, LOOK_EVERY) {
                    looks.look(&engine);
                }
            })?;
        Ok(Self { stop, thread })
    }

    /// Ends after the step under way, and after a last copy of what is new.
    pub fn stop(self, engine: &Engine) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        let _ = self.thread.join();
        if let Err(error) = vault_copy::keep_up(engine) {
            tracing::warn!(%error, "the vault replicas could not be updated at the end");
        }
    }
}

fn wait(stopped: &(Mutex<bool>, Condvar), time: Duration) -> bool {
    let (flag, changed) = stopped;
    let mut flag = flag.lock();
    changed.wait_while_for(&mut flag, |stop| !*stop, time);
    *flag
}

impl Looks {
    fn look(&mut self, engine: &Engine) {
        if !self.is_folded {
            self.is_folded = fold_some(engine);
        }
        let now = Instant::now();
        if self.rest_until.is_some_and(|until| now < until) {
            return;
        }
        self.rest_until = None;
        let outcome = rotate_if_due(engine).map_err(|error| error.to_string());
        let outcome = outcome.and_then(|went_well| {
            let copied = self.copy_if_behind(engine, now);
            Ok(copied.map_err(|error| error.to_string())? && went_well)
        });
        match outcome {
            Ok(true) => {}
            Ok(false) => self.rest_until = Some(now + retry_after()),
            Err(error) => {
                tracing::warn!(%error, "the vault could not be replicated or rotated; it is retried");
                self.rest_until = Some(now + retry_after());
            }
        }
    }

    /// `false` where a target could not be reached.
    fn copy_if_behind(&mut self, engine: &Engine, now: Instant) -> Result<bool, CopyError> {
        if !vault_copy::is_behind(engine)? {
            self.behind_since = None;
            return Ok(true);
        }
        let since = *self.behind_since.get_or_insert(now);
        if now.duration_since(since) < copy_after() {
            return Ok(true);
        }
        self.behind_since = None;
        Ok(vault_copy::keep_up(engine)?.is_empty())
    }
}

/// Gives some data subjects of a vault that an earlier version wrote their folded tags; whether none is left.
fn fold_some(engine: &Engine) -> bool {
    let until = Instant::now() + FOLD_FOR;
    let mut is_over = true;
    for ledger in engine.all_ledgers() {
        match privacy::fold_persons(engine, &ledger, until) {
            Ok(is_done) => is_over &= is_done,
            Err(error) => {
                tracing::warn!(%error, "similar identifiers could not be prepared; the next start continues");
            }
        }
    }
    is_over
}

/// `false` where the rotation waits for a target.
fn rotate_if_due(engine: &Engine) -> Result<bool, RotationError> {
    let Some(status) = rotation::rotate_if_due(engine, ROTATE_AFTER_MS)? else {
        return Ok(true);
    };
    let (epoch, copies_pending) = (status.epoch, status.copies_pending);
    tracing::info!(epoch, copies_pending, "the vault was rotated");
    Ok(!copies_pending)
}

/// In debug builds a test may set another time.
fn copy_after() -> Duration {
    set_in_tests("TRAILKEEP_TEST_COPY_AFTER_MS").unwrap_or(COPY_AFTER)
}

fn retry_after() -> Duration {
    set_in_tests("TRAILKEEP_TEST_RETRY_AFTER_MS").unwrap_or(RETRY_AFTER)
}

#[cfg(debug_assertions)]
fn set_in_tests(name: &str) -> Option<Duration> {
    let set = std::env::var(name).ok()?.parse().ok()?;
    Some(Duration::from_millis(set))
}

#[cfg(not(debug_assertions))]
fn set_in_tests(_: &str) -> Option<Duration> {
    None
}
