//! The program `trailkeep`: commands, the settings of the server, and the demo's events.
#![forbid(unsafe_code)]

mod commands;
pub mod demo;

pub use commands::run;
