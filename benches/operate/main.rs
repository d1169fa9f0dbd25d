//! The benchmark of operating: the real program in a process of its own. Its memory at rest, under load and after a
//! million events, its start with them, what a backup costs writers, and what the programs weigh. docs/performance.md shows its figures.
//!
//! `cargo bench --bench operate` runs all of it; `-- --stored 20000` a smaller one; `-- --build` also times a build from nothing.

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::runtime::Handle;

use support::events::{Events, Persons, Size};
use support::load::{Latencies, Loaded, Shape, append};
use support::program::{Program, this_build, trailkeep};
use support::{mebibytes, say, size_of, temporary, verifier};

/// Measures what running Trailkeep takes on this machine.
#[derive(Parser)]
#[command(name = "operate", max_term_width = 100)]
struct Options {
    /// Events stored when the memory, the start and the backup are measured
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    stored: u64,
    /// Seconds of each load
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Also build the programs in an empty target directory, and say how long that takes
    #[arg(long)]
    build: bool,
    /// Where the temporary directory is made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long a server rests before its memory is looked at.
const REST: Duration = Duration::from_secs(5);
/// Writers of single events beside a backup, each of which waits for its answer.
const WRITERS: usize = 4;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench operate`");
    }
    let directory = temporary(options.dir.as_deref(), "operate")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(measure(&options, directory.path()))?;
    weigh(&options, directory.path())
}

async fn measure(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let data = folder.join("data");
    let (mut server, start_ms) = Program::first(this_build(), &data)?;
    let events = Events::new(Size::Usual, Persons::Known)?;
    say("| the server | resident MiB | most so far MiB |")?;
    say("|---|---|---|")?;
    let at = |server: &Program, state: &str| -> anyhow::Result<()> {
        let (now, most) = server.memory()?;
        let (now, most) = (mebibytes(now), mebibytes(most));
        say(&format!("| {state} | {now:.0} | {most:.0} |"))
    };
    rest().await;
    at(&server, "at rest, nothing stored")?;
    let load = Shape {
        connections: 64,
        batch: 1,
        duration: Duration::from_secs(options.seconds),
        warm_up: Duration::from_secs(1),
    };
    let mut stored = write(&server, &events, load).await?.sent_events;
    at(&server, "64 connections of single events, at the end")?;
    let large = Shape {
        connections: 4,
        batch: 1_000,
        duration: Duration::from_secs(2),
        warm_up: Duration::ZERO,
    };
    while stored < options.stored {
        stored += write(&server, &events, large).await?.sent_events;
    }
    at(
        &server,
        &format!("{stored} events by requests of 1,000, at the end"),
    )?;
    rest().await;
    at(&server, &format!("at rest after {stored} events"))?;
    let stop_ms = server.stop()?;
    let (again, start_full_ms) = Program::start(this_build(), &data)?;
    server = again;
    rest().await;
    at(&server, &format!("at rest after a start with {stored}"))?;
    say("")?;
    say("| events stored | from the command to `listening on` ms | from SIGTERM to the end ms |")?;
    say("|---|---|---|")?;
    say(&format!("| 0 | {start_ms:.0} | |"))?;
    say(&format!("| {stored} | {start_full_ms:.0} | {stop_ms:.0} |"))?;
    back_up(&server, &events, options, &data).await?;
    server.stop()?;
    Ok(())
}

async fn rest() {
    tokio::time::sleep(REST).await;
}

async fn write(server: &Program, events: &Events, shape: Shape) -> anyhow::Result<Loaded> {
    append(&Handle::current(), &server.target, events, shape).await
}

/// A first backup and a second one behind it, each beside writers.
async fn back_up(
    server: &Program,
    events: &Events,
    options: &Options,
    data: &Path,
) -> anyhow::Result<()> {
    let to = data.with_file_name("backup");
    let writers = |duration| Shape {
        connections: WRITERS,
        batch: 1,
        duration,
        warm_up: Duration::ZERO,
    };
    let alone = write(
        server,
        events,
        writers(Duration::from_secs(options.seconds)),
    )
    .await?;
    say("")?;
    say("| backup | s | MiB written | writers' p50/p99/max ms |")?;
    say("|---|---|---|---|")?;
    say(&format!("| none | | | {} |", quantiles(&alone.latencies)))?;
    let mut before = 0;
    for name in ["the first", "the next"] {
        let mut command = trailkeep(this_build(), &["backup", "--out"], &to);
        command.arg("--dir").arg(data).arg("--json");
        let (from, mut backup) = (
            Instant::now(),
            command.stdout(std::process::Stdio::null()).spawn()?,
        );
        let mut latencies = Latencies::of(Vec::new());
        let ended = loop {
            let beside = write(server, events, writers(Duration::from_millis(500))).await?;
            latencies = latencies.with(beside.latencies);
            if let Some(ended) = backup.try_wait()? {
                break ended;
            }
        };
        ensure!(ended.success(), "the backup ended with {ended}");
        let (seconds, size) = (from.elapsed().as_secs_f64(), size_of(&to)?);
        say(&format!(
            "| {name} | {seconds:.1} | {:.0} | {} |",
            mebibytes(size - before),
            quantiles(&latencies)
        ))?;
        before = size;
    }
    Ok(())
}

fn quantiles(latencies: &Latencies) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| latencies.quantile_ms(share));
    format!("{p50:.1} / {p99:.1} / {max:.1}")
}

/// Sizes of the programs, and how long they take to build.
fn weigh(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let mut built = None;
    if options.build {
        let target = folder.join("target");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let from = Instant::now();
        let status = Command::new(cargo)
            .args([
                "build",
                "--profile=dist",
                "--locked",
                "--quiet",
                "--bins",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .status()?;
        ensure!(status.success(), "the build ended with {status}");
        built = Some(from.elapsed().as_secs_f64());
    }
    say("")?;
    say("| program | MiB | gzip MiB |")?;
    say("|---|---|---|")?;
    for (name, path) in [
        ("trailkeep", PathBuf::from(env!("CARGO_BIN_EXE_trailkeep"))),
        ("trailkeep-verify", verifier()?),
    ] {
        let bytes =
            std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, &bytes)?;
        let (plain, packed) = (bytes.len() as u64, packed.finish()?.len() as u64);
        say(&format!(
            "| {name} | {:.1} | {:.1} |",
            mebibytes(plain),
            mebibytes(packed)
        ))?;
    }
    built.map_or(Ok(()), |seconds| {
        say(&format!(
            "\nBoth, built from nothing with all their libraries: {seconds:.0} s."
        ))
    })
}
