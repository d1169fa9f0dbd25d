//! Retention policies: what a policy file says, and the calendar it is said in. Pure: no clock inside.

pub mod calendar;
pub mod file;

pub use calendar::{CalendarPeriod, KeyPeriod};
pub use file::{Policy, PolicyError};

/// The policy of events without a regime, as shipped: policies/default-90d.toml.
pub const DEFAULT_90D: &str = include_str!("../../policies/default-90d.toml");
