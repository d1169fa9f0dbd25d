//! The benchmark of destruction: expiry of a part of a ledger while writers go on. docs/performance.md shows its
//! figures.
//!
//! `cargo bench --bench retention` runs all of it; `-- --stored 100000 --expired 10000` a smaller one.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people: two or three digits of them count"
)]

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use support::in_process::{Bench, latencies, quantiles};
use support::{say, size_of, temporary};
use trailkeep_core::blocking;
use trailkeep_core::ops::run;

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

/// How long writers are measured alone.
const ALONE: Duration = Duration::from_secs(10);
const DAY_MS: u64 = 86_400_000;
/// Events of one person.
const EVENTS_OF_A_PERSON: u64 = 10;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench retention`");
    }
    let directory = temporary(options.dir.as_deref(), "retention")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(&options, directory.path()))
}

async fn measure(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let bench = Bench::open(folder, EVENTS_OF_A_PERSON).await?;
    bench.fill(0..options.expired).await?;
    bench.clock.move_by(30 * DAY_MS);
    bench.fill(options.expired..options.stored).await?;
    bench.clock.move_by(62 * DAY_MS);

    let next = Arc::new(AtomicU64::new(options.stored));
    let stop = Arc::new(AtomicBool::new(false));
    let alone = bench.write_until(&next, &stop);
    tokio::time::sleep(ALONE).await;
    stop.store(true, Ordering::SeqCst);
    let alone = latencies(alone).await?;

    let before = size_of(&folder.join("data"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let beside = bench.write_until(&next, &stop);
    let begun = Instant::now();
    let report = {
        let (engine, tenant) = (Arc::clone(&bench.engine), bench.tenant.clone());
        blocking(move || run::run(&engine, &tenant, "bench")).await?
    };
    let took = begun.elapsed();
    stop.store(true, Ordering::SeqCst);
    let beside = latencies(beside).await?;
    let after = size_of(&folder.join("data"))?;

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
    bench.close().await
}
