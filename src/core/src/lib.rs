//! What Trailkeep does: the domain, room by room.
//!
//! Arrows go one way, from what stands later in this list to what stands earlier: `keys`, `tenant`, `journal`; `ingest`,
//! `destroy`, `govern`; `anchor`, `query`, `metering`, `export`; `retention`, `requests`; `audit`, `ops`. `tests/operate/rooms.rs` lists
//! the arrows and holds them. docs/design.md, "The rooms of core", says what each is for.
//!
//! [`Engine`] only puts the rooms together. A use case takes what it needs: most take the [`journal::Journal`].
#![forbid(unsafe_code)]

pub mod anchor;
pub mod audit;
pub mod clock;
mod cores;
pub mod destroy;
pub mod export;
pub mod failpoint;
pub mod figures;
pub mod govern;
pub mod ingest;
pub mod journal;
pub mod keys;
pub mod locks;
pub mod metering;
mod off_loop;
pub mod ops;
pub mod query;
pub mod requests;
pub mod retention;
mod short_reads;
pub mod tenant;

pub use self::off_loop::{Effort, blocking, computing, event_loop_threads};
pub use self::ops::Engine;
pub use self::tenant::DEFAULT_TENANT;
