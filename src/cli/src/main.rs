//! The program `trailkeep`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// See decision 143.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    trailkeep::run()
}
