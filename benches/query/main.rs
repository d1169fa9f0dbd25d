//! The benchmark of the front door: queries by each filter at a large ledger, and OpenTelemetry against NDJSON.
//! docs/performance.md shows its figures.
//!
//! `cargo bench --bench query` runs all of it; `-- --stored 20000 --spans 2000` a smaller one.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people: two or three digits of them count"
)]

mod otlp;
mod pages;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use clap::Parser;

use support::{say, temporary};

/// Measures queries and OpenTelemetry on this machine.
#[derive(Parser)]
#[command(name = "query", max_term_width = 100)]
struct Options {
    /// Events stored when they are asked for
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    stored: u64,
    /// Requests for each page that is measured
    #[arg(long, value_name = "N", default_value_t = 200)]
    requests: u64,
    /// Spans that are sent, and as many events by NDJSON
    #[arg(long, value_name = "N", default_value_t = 51_200)]
    spans: u64,
    /// Spans that wait when it is measured how fast they become events
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [5_120, 20_480, 81_920])]
    waiting: Vec<u64>,
    /// Where the temporary directory is made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench query`");
    }
    let directory = temporary(options.dir.as_deref(), "query")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        otlp::measure(directory.path(), options.spans, &options.waiting).await?;
        pages::measure(directory.path(), options.stored, options.requests).await
    })
}
