//! What the benchmarks share: where they measure, what they send, how they ask, what they say.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "each benchmark uses its part; figures are for people"
)]

pub mod events;
pub mod in_process;
pub mod load;
pub mod preload;
pub mod program;
pub mod questions;
pub mod server;
pub mod telemetry;

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A temporary directory on the disk that is measured.
pub fn temporary(parent: Option<&Path>, name: &str) -> anyhow::Result<tempfile::TempDir> {
    let default = || PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let parent = parent.map_or_else(default, Path::to_owned);
    std::fs::create_dir_all(&parent)?;
    let directory = tempfile::Builder::new()
        .prefix(&format!("{name}-bench-"))
        .tempdir_in(&parent);
    directory.with_context(|| format!("can't make a directory in {}", parent.display()))
}

/// The offline verifier, which belongs to a package of its own: built here as it ships.
pub fn verifier() -> anyhow::Result<PathBuf> {
    let build = escargot::CargoBuild::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .arg("--workspace")
        .bin("trailkeep-verify")
        .release();
    let build = build.run().context("can't build trailkeep-verify")?;
    Ok(build.path().to_owned())
}

pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Bytes of all files of a directory.
pub fn size_of(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

pub fn say(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}
