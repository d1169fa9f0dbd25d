//! Retention policies: what a policy file says, the calendar it is said in, and what follows for an event.
//! Pure: no clock inside.
#![forbid(unsafe_code)]

pub mod change;
pub mod class;
pub mod clock;
pub mod cutoff;
mod document;
pub mod fields;
pub mod file;
pub mod ingest;
pub mod later;
pub mod lint;
mod pattern;
pub mod read;
pub mod resolve;
mod sample;
pub mod set;
pub mod verdict;

pub use class::{applied_to_class, class_key, define_class};
pub use clock::{ClockRule, EventTimes};
pub use document::{Authority, AuthorityKind, Erasure};
pub use file::{Force, OnErasureRequest, Policy};
pub use pattern::ActionPattern;
pub use read::PolicyError;
pub use resolve::{Applied, Date, Resolved, resolve};
pub use set::{DEFAULT_POLICY, PolicySet, PolicySetError, UnknownRegime};
pub use trailkeep_proof::period::{CalendarPeriod, KeyPeriod};
pub use verdict::{Case, Decision, ErasureOutcome, HoldSpan, Verdict, verdict};

/// The policy of events without a regime, as shipped: policies/default-90d.toml.
pub const DEFAULT_90D: &str = include_str!("../../../policies/default-90d.toml");
