//! The benchmark of destruction: expiry of a part of a ledger while writers go on. docs/performance.md shows its
//! figures.
//!
//! `cargo bench --bench retention` runs all of it; `-- --stored 100000 --expired 10000` a smaller one.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for people: two or three digits of them count"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use trailkeep::demo::demo_events;
use trailkeep::ids::LogName;
use trailkeep::ledger::event::parse_event;
use trailkeep::seal::root::RootKeySource;
use trailkeep::service::append::{Incoming, append};
use trailkeep::service::init::init;
use trailkeep::service::ledger::Ledger;
use trailkeep::service::open::{Files, StartOptions};
use trailkeep::service::{Engine, blocking, retention};
use trailkeep::store::directory::DataDirectory;
use trailkeep::time::{Clock, UnixMillis};

/// Measures expiry on this machine.
#[derive(Parser)]
#[command(name = "retention", max_term_width = 100)]
struct Options {
    /// Events stored
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    stored: u64,
    /// Events of them that expire
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    expired: u64,
    /// Where the temporary directory is made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

/// Different events that are repeated under new ids and persons.
const DIFFERENT: usize = 2_000;
/// Events of one append while the ledger is filled.
const BATCH: u64 = 2_048;
/// Writers, each of which waits for its answer before it writes again.
const WRITERS: usize = 4;
/// How long writers are measured alone.
const ALONE: Duration = Duration::from_secs(10);
const DAY_MS: u64 = 86_400_000;
const START_MS: u64 = 1_800_000_000_000;

/// A clock that goes with the machine's, and that is moved by days.
struct MovedClock {
    begun: Instant,
    moved_ms: AtomicU64,
}

impl Clock for MovedClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(START_MS + self.since_boot_ms())
    }

    fn since_boot_ms(&self) -> u64 {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        passed + self.moved_ms.load(Ordering::SeqCst)
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench retention`");
    }
    let parent = options
        .dir
        .clone()
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    std::fs::create_dir_all(&parent)?;
    let directory = tempfile::Builder::new()
        .prefix("retention-bench-")
        .tempdir_in(&parent)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(&options, directory.path()))
}

async fn measure(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let clock = Arc::new(MovedClock {
        begun: Instant::now(),
        moved_ms: AtomicU64::new(0),
    });
    let engine = open(folder, &clock).await?;
    let ledger = engine.open_ledgers().into_iter().next();
    let ledger = ledger.context("the directory holds no ledger")?;
    let source = Arc::new(demo_events(DIFFERENT, 1, UnixMillis::new(START_MS)));
    fill(&engine, &ledger, &source, 0..options.expired).await?;
    clock.moved_ms.fetch_add(30 * DAY_MS, Ordering::SeqCst);
    fill(&engine, &ledger, &source, options.expired..options.stored).await?;
    clock.moved_ms.fetch_add(62 * DAY_MS, Ordering::SeqCst);

    let next = Arc::new(AtomicU64::new(options.stored));
    let stop = Arc::new(AtomicBool::new(false));
    let alone = write_until(&engine, &ledger, &source, &next, &stop);
    tokio::time::sleep(ALONE).await;
    stop.store(true, Ordering::SeqCst);
    let alone = latencies(alone).await?;

    let before = size_of(folder)?;
    let stop = Arc::new(AtomicBool::new(false));
    let beside = write_until(&engine, &ledger, &source, &next, &stop);
    let begun = Instant::now();
    let report = {
        let (engine, ledger) = (Arc::clone(&engine), Arc::clone(&ledger));
        blocking(move || retention::run(&engine, &ledger, "bench")).await?
    };
    let took = begun.elapsed();
    stop.store(true, Ordering::SeqCst);
    let beside = latencies(beside).await?;
    let after = size_of(folder)?;

    say(
        "| events | expired | s | expired/s | longest step ms | writers' p50/p99/max ms alone | during | files MiB before | after |",
    )?;
    say("|---|---|---|---|---|---|---|---|---|")?;
    say(&format!(
        "| {} | {} | {:.1} | {:.0} | {} | {} ({} writes) | {} ({} writes) | {:.1} | {:.1} |",
        options.stored,
        report.destroyed,
        took.as_secs_f64(),
        report.destroyed as f64 / took.as_secs_f64(),
        report.longest_step_ms,
        quantiles(&alone),
        alone.len(),
        quantiles(&beside),
        beside.len(),
        before as f64 / f64::from(1 << 20),
        after as f64 / f64::from(1 << 20),
    ))?;
    blocking(move || engine.close()).await?;
    Ok(())
}

async fn open(folder: &Path, clock: &Arc<MovedClock>) -> anyhow::Result<Arc<Engine>> {
    let directory = DataDirectory::new(folder.join("data"));
    let root_key = RootKeySource::File(directory.root_key());
    let clock: Arc<dyn Clock> = clock.clone();
    blocking(move || {
        init(&directory, &LogName::new("localhost")?, &root_key, &clock)?;
        let engine = Files::open(directory, &root_key)?.start(StartOptions::new(clock))?;
        anyhow::Ok(Arc::new(engine))
    })
    .await
}

/// An event under an id and a person of its own; ten events have one person.
fn event(source: &[String], number: u64) -> anyhow::Result<Incoming> {
    let text = &source[number as usize % source.len()];
    let mut event: serde_json::Value = serde_json::from_str(text)?;
    event["id"] = format!("event-{number}").into();
    event["subjects"] = serde_json::json!([{"id": format!("person-{}", number / 10)}]);
    Ok(Incoming {
        event: parse_event(event.to_string().as_bytes())?,
        via: "http",
        added: Vec::new(),
    })
}

async fn fill(
    engine: &Arc<Engine>,
    ledger: &Arc<Ledger>,
    source: &Arc<Vec<String>>,
    numbers: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    for first in numbers.clone().step_by(BATCH as usize) {
        let end = numbers.end.min(first + BATCH);
        let source = Arc::clone(source);
        let parse = move || {
            let events = (first..end).map(|number| event(&source, number));
            events.collect::<anyhow::Result<Vec<_>>>()
        };
        append(engine, ledger, blocking(parse).await?).await?;
    }
    Ok(())
}

type Writer = tokio::task::JoinHandle<anyhow::Result<Vec<u64>>>;

/// Writes single events; gives the microseconds that each took.
fn write_until(
    engine: &Arc<Engine>,
    ledger: &Arc<Ledger>,
    source: &Arc<Vec<String>>,
    next: &Arc<AtomicU64>,
    stop: &Arc<AtomicBool>,
) -> Vec<Writer> {
    let writer = |_| {
        let (engine, ledger, source) = (engine.clone(), ledger.clone(), source.clone());
        let (next, stop) = (next.clone(), stop.clone());
        tokio::spawn(async move {
            let mut micros = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let events = vec![event(&source, next.fetch_add(1, Ordering::SeqCst))?];
                let begun = Instant::now();
                append(&engine, &ledger, events).await?;
                micros.push(u64::try_from(begun.elapsed().as_micros())?);
            }
            Ok(micros)
        })
    };
    (0..WRITERS).map(writer).collect()
}

async fn latencies(writers: Vec<Writer>) -> anyhow::Result<Vec<u64>> {
    let mut micros = Vec::new();
    for writer in writers {
        micros.extend(writer.await??);
    }
    micros.sort_unstable();
    Ok(micros)
}

fn quantiles(micros: &[u64]) -> String {
    let at = |share: f64| {
        let place = (micros.len() as f64 * share) as usize;
        let found = micros.get(place.min(micros.len().saturating_sub(1)));
        found.map_or(f64::NAN, |micros| *micros as f64 / 1_000.0)
    };
    format!("{:.1} / {:.1} / {:.1}", at(0.5), at(0.99), at(1.0))
}

/// Bytes of all files of the data directory.
fn size_of(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder.join("data"))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn say(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
