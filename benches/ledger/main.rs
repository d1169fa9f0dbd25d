//! The benchmark: a real server on real files, loaded over real TCP. docs/performance.md shows its figures.
//!
//! `cargo bench --bench ledger` runs all of it; `-- --quick` a minute's worth.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people: two or three digits of them count"
)]

mod machine;
mod report;
mod stages;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::report::Report;
use crate::stages::Plan;
use crate::support::{say, temporary};

/// Measures Trailkeep on this machine, on an empty and on a large ledger.
#[derive(Parser)]
#[command(name = "ledger", max_term_width = 100)]
struct Options {
    /// Events stored before the second half [default: 3000000, with --quick 40000]; 0 leaves it out
    #[arg(long, value_name = "N")]
    stored: Option<u64>,
    /// A minute in all: short loads on a small ledger. The figures are rough
    #[arg(long)]
    quick: bool,
    /// Where the temporary directory is made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Only measurements whose name contains this, such as `single-64`, `subject`, `verify`, `look-up`
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench ledger`");
    }
    let directory = temporary(options.dir.as_deref(), "ledger")?;
    let outcome = measure(&options, directory.path());
    directory.close()?;
    outcome
}

/// Runs the plan until its end or Ctrl-C; either way the caller removes the directory.
fn measure(options: &Options, directory: &std::path::Path) -> anyhow::Result<()> {
    let server = Builder::new_multi_thread().enable_all().build()?;
    let client = client_runtime()?;
    let machine = machine::Machine::look(directory)?;
    say(&machine.to_string())?;
    let plan = Plan {
        stored: options
            .stored
            .unwrap_or(if options.quick { 40_000 } else { 3_000_000 }),
        quick: options.quick,
        only: options.only.clone(),
        directory: directory.to_owned(),
        client: client.handle().clone(),
    };
    let mut report = Report::new(machine);
    let outcome = server.block_on(async {
        tokio::select! {
            outcome = stages::run(&plan, &mut report) => outcome,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    client.shutdown_background();
    server.shutdown_background();
    outcome?;
    say(&report.to_string())?;
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

/// The clients have threads of their own, few of them, so that they don't queue among the server's tasks.
fn client_runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Builder::new_multi_thread()
        .worker_threads((cores / 4).max(1))
        .thread_name("client")
        .enable_all()
        .build()
}
