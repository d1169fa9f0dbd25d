//! What the event loop of a server may do itself, and what it must leave to other threads.
//!
//! A step that computes for well under a millisecond stays where the request is: to hand it to another thread costs more
//! than it takes. Where such a step finds that it has to wait for the writer after all, [`may_wait`] lets the other
//! requests of its thread go on meanwhile.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs work that computes or reads files off the event loop.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // What is logged there belongs to the same request.
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => value,
        // A panic is passed on; blocking tasks are never cancelled.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// How long a step on the way of a request computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Well under a millisecond.
    Short,
    /// Perhaps longer.
    Long,
}

/// Bytes of one event that is parsed, sealed and answered in well under a millisecond.
const SHORT_EVENT_BYTES_MAX: usize = 32 << 10;

impl Effort {
    /// That of a body with one event.
    pub const fn of_event(bytes: usize) -> Self {
        if bytes <= SHORT_EVENT_BYTES_MAX {
            Self::Short
        } else {
            Self::Long
        }
    }
}

/// Runs work of short effort where it is called, and any other off the event loop.
pub async fn computing<T: Send + 'static>(
    effort: Effort,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if effort == Effort::Short && has_workers() {
        work()
    } else {
        blocking(work).await
    }
}

/// Runs a step that may wait for the writer. On the event loop its thread's other requests are taken over by another
/// thread first; anywhere else this changes nothing.
pub(crate) fn may_wait<T>(step: impl FnOnce() -> T) -> T {
    if has_workers() {
        tokio::task::block_in_place(step)
    } else {
        step()
    }
}

/// Threads that the event loop of a server has: one for each core, and some more. A step of short effort reads a few rows
/// of a file where it stands; they are mostly in memory. Where the disk keeps two of them waiting, as many threads as
/// there are cores still serve the others. To hand such reads over instead made a thread for each of them.
pub fn event_loop_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores + SLOW_READS
}

/// Reads that may wait for a disk without a core being idle.
const SLOW_READS: usize = 2;

/// Whether this thread belongs to an event loop of several threads; the other kind can't give its requests away.
fn has_workers() -> bool {
    Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
}
