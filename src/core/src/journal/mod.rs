//! The journal of all ledgers: append, publish, read, and the record of who read what.

pub mod access_log;
pub mod append;
pub mod class;
pub(crate) mod clock_guard;
pub(crate) mod compaction;
mod context;
pub(crate) mod derive_rows;
pub(crate) mod each_change;
pub(crate) mod folded;
pub mod outside;
pub mod read;
pub(crate) mod tombstone;

pub use self::context::{Disk, Journal};

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
