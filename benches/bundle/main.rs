//! The benchmark of bundles: the real programs, each in a process of its own, on ledgers of several sizes.
//! docs/performance.md shows its figures.
//!
//! `cargo bench --bench bundle` runs all of it; `-- --events 10000` one size.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people: two or three digits of them count"
)]

mod process;
#[path = "../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::Value;
use trailkeep::demo::demo_events;
use trailkeep_proof::time::UnixMillis;

use process::{Measured, measure};
use support::{mebibytes, say, temporary, verifier};

/// Measures how fast bundles are made and verified, and with how much memory.
#[derive(Parser)]
#[command(name = "bundle", max_term_width = 100)]
struct Options {
    /// Sizes of the ledgers, in events
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    events: Vec<u64>,
    /// Where the temporary directories are made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

/// Different events that are repeated under new ids.
const DIFFERENT: usize = 2_000;
/// The action of the selection: most of the demo's events have it.
const ACTION: &str = "chat.completion";

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench bundle`");
    }
    say(
        "| events | bundle | in it | file MiB | text MiB | export s | events/s | MiB/s | peak MiB | verify s | events/s | MiB/s | peak MiB |",
    )?;
    say("|---|---|---|---|---|---|---|---|---|---|---|---|---|")?;
    for count in &options.events {
        let directory = temporary(options.dir.as_deref(), "bundle")?;
        measure_size(*count, directory.path()).with_context(|| format!("with {count} events"))?;
    }
    Ok(())
}

fn measure_size(count: u64, folder: &Path) -> anyhow::Result<()> {
    let data = folder.join("data");
    let made = trailkeep(&["init", "--json"], &data).output()?;
    ensure!(made.status.success(), "init failed");
    let made: Value = serde_json::from_slice(&made.stdout)?;
    let key = folder.join("public.pem");
    std::fs::write(&key, made["public_key"].as_str().context("no key")?)?;
    fill(&data, count)?;
    for (name, question) in [("range", &[][..]), ("selection", &["--action", ACTION])] {
        let bundle = folder.join("bundle.zip");
        let mut export = trailkeep(&["export", "--json", "--force"], &data);
        export.arg("--out").arg(&bundle).args(question);
        let exported = measure(export)?;
        let summary: Value = serde_json::from_slice(&exported.stdout)?;
        let mut verify = Command::new(verifier()?);
        verify.arg(&bundle).arg("--key").arg(&key).arg("--json");
        let verified = measure(verify)?;
        let report: Value = serde_json::from_slice(&verified.stdout)?;
        ensure!(
            report["authentic"] == true,
            "the bundle does not verify: {report}"
        );
        let disclosed = summary["counts"]["disclosed"]
            .as_u64()
            .context("no counts")?;
        let text = text_bytes(&bundle)?;
        let rates = |measured: &Measured| {
            format!(
                "{:.1} | {:.0} | {:.0} | {:.0}",
                measured.seconds,
                disclosed as f64 / measured.seconds,
                mebibytes(text) / measured.seconds,
                mebibytes(measured.peak_bytes)
            )
        };
        say(&format!(
            "| {count} | {name} | {disclosed} | {:.1} | {:.1} | {} | {} |",
            mebibytes(std::fs::metadata(&bundle)?.len()),
            mebibytes(text),
            rates(&exported),
            rates(&verified)
        ))?;
    }
    Ok(())
}

/// Writes the events through the command line, as a file of them would be.
fn fill(data: &Path, count: u64) -> anyhow::Result<()> {
    let events = demo_events(DIFFERENT, 1, UnixMillis::new(1_790_000_000_000));
    let mut append = trailkeep(&["append", "-"], data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = std::io::BufWriter::new(append.stdin.take().context("no standard input")?);
    for (number, event) in (0..count).zip(events.iter().cycle()) {
        let id = format!("demo-{:06}", number as usize % DIFFERENT + 1);
        writeln!(
            input,
            "{}",
            event.replacen(&id, &format!("bench-{number}"), 1)
        )?;
    }
    drop(input);
    ensure!(append.wait()?.success(), "append failed");
    Ok(())
}

/// Bytes of events.jsonl.
fn text_bytes(bundle: &Path) -> anyhow::Result<u64> {
    let shown = Command::new(env!("CARGO_BIN_EXE_trailkeep"))
        .args(["bundle", "show", "--json"])
        .arg(bundle)
        .output()?;
    let shown: Value = serde_json::from_slice(&shown.stdout)?;
    let members = shown["members"].as_array().context("no members")?;
    let events = members
        .iter()
        .find(|member| member["name"] == "events.jsonl");
    events
        .and_then(|member| member["bytes"].as_u64())
        .context("no events.jsonl")
}

fn trailkeep(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailkeep"));
    command.args(arguments).arg("--dir").arg(data);
    command
}
