//! Trailkeep against what this work can't move: the released 0.1.0, and an audit trail by hand in PostgreSQL. All three take
//! turns on one machine; a figure is a ratio of medians. docs/performance.md shows the table.
//!
//! `cargo bench --bench compare` runs all of it; `-- --only single` some rows; `-- --require` fails where a ratio misses its requirement.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people: two or three digits of them count"
)]

mod contenders;
mod grown;
mod memory;
mod postgres;
mod queries;
mod stored;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod telemetry;
mod tenants;
mod writing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;

use crate::contenders::{Contender, Contenders};
use crate::support::events::Events;
use crate::support::load::{Loaded, Shape, Target, append, fill};
use crate::support::program::Program;
use crate::support::{say, temporary};
use crate::table::Table;

/// Compares this build with 0.1.0 and with PostgreSQL by hand.
#[derive(Parser)]
#[command(name = "compare", max_term_width = 100)]
struct Options {
    /// Times that each contender is measured in each row; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds of each load
    #[arg(long, value_name = "S", default_value_t = 5)]
    seconds: u64,
    /// Events stored when reading is measured
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    stored: u64,
    /// Spans that wait when it is measured how fast they become events
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    waiting: u64,
    /// Tenants whose memory and start are measured
    #[arg(long, value_name = "N", default_value_t = 20)]
    tenants: u64,
    /// Events of each of these tenants
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    tenant_events: u64,
    /// Only rows whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// The program of 0.1.0 [default: built from the repository's history]
    #[arg(long, value_name = "FILE")]
    old: Option<PathBuf>,
    /// The program that is measured [default: this build's]
    #[arg(long, value_name = "FILE")]
    new: Option<PathBuf>,
    /// Fail where a ratio misses its requirement
    #[arg(long)]
    require: bool,
    /// Where the temporary directory is made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.only.as_ref().is_none_or(|only| row.contains(only))
    }

    const fn load_time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// What is measured, with which programs, where.
struct Bench<'a> {
    options: &'a Options,
    contenders: Contenders,
    folder: &'a Path,
    clients: Runtime,
}

impl Bench<'_> {
    /// Sends events of a shape to a server for its time.
    fn load(&self, target: &Target, events: &Events, shape: Shape) -> anyhow::Result<Loaded> {
        let clients = self.clients.handle();
        self.clients
            .block_on(append(clients, target, events, shape))
    }

    /// Stores so many events with a server, as fast as it takes them over four connections. All programs get the same ones. Gives the
    /// bytes of their JSON.
    fn fill(&self, target: &Target, events: &Events, count: u64) -> anyhow::Result<u64> {
        let clients = self.clients.handle();
        let sending = fill(clients, target, events, (count, 1_000, 4));
        self.clients.block_on(sending)
    }

    /// Makes a data directory in a new folder and serves it with a program.
    fn first(&self, contender: Contender, name: &str) -> anyhow::Result<(Program, PathBuf)> {
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder)?;
        let data = folder.join("data");
        let (server, _) = Program::first(self.contenders.program(contender), &data)?;
        Ok((server, data))
    }
}

/// A load of batches.
const BATCHES: Shape = Shape {
    connections: 4,
    batch: 1_000,
    duration: Duration::from_secs(1),
    warm_up: Duration::ZERO,
};

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench compare`");
    }
    let directory = temporary(options.dir.as_deref(), "compare")?;
    // The clients have one thread: they share the cores with what is measured.
    let clients = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let bench = Bench {
        contenders: Contenders::find(&options)?,
        options: &options,
        folder: directory.path(),
        clients,
    };
    let mut table = Table::default();
    writing::measure(&bench, &mut table)?;
    grown::measure(&bench, &mut table)?;
    stored::measure(&bench, &mut table)?;
    queries::measure(&bench, &mut table)?;
    telemetry::measure(&bench, &mut table)?;
    memory::measure(&bench, &mut table)?;
    tenants::measure(&bench, &mut table)?;
    directory.close()?;
    say(&table.to_string())?;
    if options.require {
        table.check()?;
    }
    Ok(())
}
