//! What the event loop of a server may do itself, and what it must leave to other threads.
//!
//! A step that computes for well under a millisecond stays where the request is: to hand it to another thread costs more
//! than it takes. Where such a step finds that it has to wait for a file or for the writer after all, [`short_read`] and
//! [`may_wait`] let the other requests of its thread go on meanwhile.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

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

/// Runs work of short effort where it is called, and any other off the event loop. What may make short work wait stands
/// in [`short_read`] and [`may_wait`].
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

/// Runs a read of a few rows, which are mostly in memory. On the event loop a few of them at a time give the requests of
/// their threads away, as in [`may_wait`], so a disk that is slow holds up as little as possible. Any more stay where they
/// are: to hand over all of them costs more than the reads, and makes a thread for each.
pub(crate) fn short_read<T>(step: impl FnOnce() -> T) -> T {
    match HAND_OVERS.try_acquire() {
        Ok(_permit) => may_wait(step),
        Err(_all_taken) => step(),
    }
}

/// Reads that may give their thread's requests away at the same time.
const HAND_OVERS_MAX: usize = 2;
static HAND_OVERS: Semaphore = Semaphore::const_new(HAND_OVERS_MAX);

/// Whether this thread belongs to an event loop of several threads; the other kind can't give its requests away.
fn has_workers() -> bool {
    Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads within reads, more than may be handed over.
    fn nested(depth: usize) -> usize {
        short_read(|| if depth == 0 { 0 } else { 1 + nested(depth - 1) })
    }

    #[test]
    fn reads_beyond_the_limit_stay_and_all_places_come_back() {
        assert_eq!(nested(5), 5);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let reads: Vec<_> = (0..64)
            .map(|_| runtime.spawn(async { nested(5) }))
            .collect();
        for read in reads {
            assert_eq!(runtime.block_on(read).unwrap(), 5);
        }
        assert_eq!(HAND_OVERS.available_permits(), HAND_OVERS_MAX);
    }
}
