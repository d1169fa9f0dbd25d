//! What the ports promise, as tests that run on each engine: `cargo test -p trailkeep-conformance`.
//!
//! Each case of `tests/suite` gets an empty data directory through [`Storage`], and knows no engine. A new engine is one
//! more line in `main.rs`. Random operations are made on each engine and on the model in memory, and must show the same.
//!
//! [`Storage`]: https://docs.rs/trailkeep-ports
#![forbid(unsafe_code)]
