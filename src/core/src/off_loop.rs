//! What the event loop of a server may do itself, and what it must leave to other threads.
//!
//! A step that computes for well under a millisecond stays where the request is: to hand it to another thread costs more
//! than it takes. Where such a step finds that it has to wait for a file or for the writer after all, [`short_read`] and
//! [`may_wait`] let the other requests of its thread go on meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs work that computes or reads files off the event loop.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // What is logged there belongs to the same request.
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => value,
        // A panic goes on where it would have gone; blocking tasks are never cancelled.
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
    let Some(_permit) = HandedOver::take() else {
        return step();
    };
    may_wait(step)
}

/// Reads that may give their thread's requests away at the same time.
const HANDED_OVER_MAX: usize = 2;
static HANDED_OVER: AtomicUsize = AtomicUsize::new(0);

struct HandedOver;

impl HandedOver {
    fn take() -> Option<Self> {
        let room = |taken: usize| (taken < HANDED_OVER_MAX).then_some(taken + 1);
        let taken = HANDED_OVER.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        taken.is_ok().then_some(Self)
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        HANDED_OVER.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether this thread belongs to an event loop of several threads; the other kind can't give its requests away.
fn has_workers() -> bool {
    Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
}
