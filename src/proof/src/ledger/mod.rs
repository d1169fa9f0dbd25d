//! The pure core: what an auditor reads to know what is proven and how. No I/O, no clock, no secret.
//!
//! docs/format.md has the bytes; each module names its source.

pub mod action;
pub mod attestation;
pub mod chain;
pub mod checkpoint;
pub mod commitment;
pub mod cosignature;
pub mod entry;
pub mod event;
pub mod key_change;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod sources;
pub mod tile;
pub mod witness;
