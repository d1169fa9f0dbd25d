//! The programs that are compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::Options;
use crate::support::program::this_build;
use crate::support::say;

/// The commit that 0.1.0 was released from.
const RELEASE: &str = "b19b661";

/// A program that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// 0.1.0.
    Old,
    /// This build.
    New,
}

/// Both programs.
pub(crate) struct Contenders {
    old: PathBuf,
    new: PathBuf,
}

impl Contenders {
    /// The programs that were named; else this build's, and 0.1.0 built once from the repository's history.
    pub(crate) fn find(options: &Options) -> anyhow::Result<Self> {
        let old = match &options.old {
            Some(old) => old.clone(),
            None => build_release()?,
        };
        let new = options.new.clone();
        Ok(Self {
            old,
            new: new.unwrap_or_else(|| this_build().to_owned()),
        })
    }

    pub(crate) fn program(&self, contender: Contender) -> &Path {
        match contender {
            Contender::Old => &self.old,
            Contender::New => &self.new,
        }
    }
}

/// Builds 0.1.0 in the target directory, unless it was built there before.
fn build_release() -> anyhow::Result<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trailkeep-0.1.0");
    let program = place.join("target/release/trailkeep");
    if program.exists() {
        return Ok(program);
    }
    say("building 0.1.0 once (about 15 minutes of processor time)")?;
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    if !place.exists() {
        let mut checkout = Command::new("git");
        checkout.args(["-C", repository, "worktree", "add", "--detach"]);
        let made = checkout.arg(&place).arg(RELEASE).status()?;
        ensure!(
            made.success(),
            "git can't check out {RELEASE}: is the repository's history there?"
        );
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--bin", "trailkeep"]);
    build.current_dir(&place).env_remove("CARGO_TARGET_DIR");
    let built = build.status().context("can't run cargo")?;
    ensure!(built.success(), "0.1.0 does not build");
    Ok(program)
}
