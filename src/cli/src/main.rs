//! The program `trailkeep`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    trailkeep::run()
}
