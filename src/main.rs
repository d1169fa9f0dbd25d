//! The program `trailkeep`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Gives back to the system what a burst of requests took; glibc's keeps it (docs/decisions.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    trailkeep::cli::run()
}
