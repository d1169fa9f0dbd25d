//! Programs outside of this process that read the files (a database browser, a replicator such as Litestream). While one of
//! them keeps a read transaction, what was destroyed still stands in SQLite's log, and no destruction comes to its end.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

/// A reader of a moment is nobody's business.
const SAID_AFTER: Duration = Duration::from_secs(3);
/// How often the log repeats it.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What destruction waits for.
#[derive(Debug, Default)]
pub struct OutsideReaders {
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    file: &'static str,
    since: Instant,
    said: Option<Instant>,
}

impl OutsideReaders {
    /// The log of a file could not be emptied.
    pub(crate) fn found(&self, file: &'static str) {
        let now = Instant::now();
        let mut waiting = self.lock();
        let waiting = waiting.get_or_insert(Waiting {
            file,
            since: now,
            said: None,
        });
        waiting.file = file;
        let is_long = now.duration_since(waiting.since) >= SAID_AFTER;
        let is_news = waiting
            .said
            .is_none_or(|said| now.duration_since(said) >= SAID_AGAIN_AFTER);
        if is_long && is_news {
            waiting.said = Some(now);
            let seconds = now.duration_since(waiting.since).as_secs();
            tracing::warn!(
                file,
                seconds,
                "a deletion waits: another program has a read transaction on this file, so its write-ahead log cannot be \
                 purged; stop that program (a database browser, a replicator), and the deletion continues automatically"
            );
        }
    }

    /// The logs of all files are empty.
    pub(crate) fn none(&self) {
        if let Some(Waiting { said: Some(_), .. }) = self.lock().take() {
            tracing::info!("the program that a deletion waited for has ended its read");
        }
    }

    /// Whether anything waits, be it for a moment.
    pub(crate) fn is_waiting(&self) -> bool {
        self.lock().is_some()
    }

    /// The file that another program has read for some seconds, while a deletion waits for it.
    pub fn file(&self) -> Option<&'static str> {
        let waiting = *self.lock();
        waiting
            .filter(|waiting| waiting.since.elapsed() >= SAID_AFTER)
            .map(|waiting| waiting.file)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock()
    }
}
