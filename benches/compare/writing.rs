//! Loads of events: single ones at 64 connections and at one, batches, new data subjects.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::contenders::Contender;
use crate::postgres::{Load, Postgres};
use crate::support::events::{Events, Persons, Size};
use crate::support::load::Shape;
use crate::support::program::Program;
use crate::support::say;
use crate::table::Requirement::{AtLeast, AtMost};
use crate::table::{Against, Table};

/// Events that each server has before it is measured: its 10,000 data subjects are known then.
pub(crate) const KNOWN_AFTER: u64 = 60_000;

/// A server under load, with the events that it gets.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) known: Events,
    new: Events,
}

impl Server {
    pub(crate) fn start(
        bench: &Bench<'_>,
        contender: Contender,
        (name, stored): (&str, u64),
    ) -> anyhow::Result<Self> {
        let (program, _) = bench.first(contender, name)?;
        let new = Events::new(Size::Usual, Persons::New)?;
        // Ids of their own: both supplies go to one ledger.
        new.take(1 << 32);
        let known = Events::new(Size::Usual, Persons::Known)?;
        bench.fill(&program.target, &known, stored.max(KNOWN_AFTER))?;
        Ok(Self {
            program,
            known,
            new,
        })
    }
}

/// Measures all loads, the contenders by turns.
pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let rows = [SINGLE_64.name, SINGLE_1.name, BATCHES.name, NEW_SUBJECTS];
    if !rows.iter().any(|row| bench.options.wants(row)) {
        return Ok(());
    }
    let round = Round {
        bench,
        new: Server::start(bench, Contender::New, ("new", KNOWN_AFTER))?,
        old: Server::start(bench, Contender::Old, ("old", KNOWN_AFTER))?,
        postgres: Postgres::start(bench.folder.join("postgres"))?,
    };
    if round.postgres.is_none() {
        say("skipped: PostgreSQL is not installed, so nothing is compared with it")?;
    }
    for number in 1..=bench.options.rounds {
        say(&format!(
            "loads, round {number} of {}",
            bench.options.rounds
        ))?;
        round.single_64(table)?;
        round.single_1(table)?;
        if bench.options.wants(BATCHES.name) {
            round.row(&BATCHES, table)?;
        }
    }
    Ok(())
}

/// A load that all contenders take, and what is required of the ratios of their rates.
struct Row {
    name: &'static str,
    connections: usize,
    batch: u64,
    postgres: Load,
    at_least_old: f64,
    at_least_postgres: f64,
}

const SINGLE_64: Row = Row {
    name: "single-64",
    connections: 64,
    batch: 1,
    postgres: Load::Single(64),
    at_least_old: 3.0,
    at_least_postgres: 8.0,
};
const SINGLE_1: Row = Row {
    name: "single-1",
    connections: 1,
    batch: 1,
    postgres: Load::Single(1),
    at_least_old: 2.0,
    at_least_postgres: 1.0,
};
const BATCHES: Row = Row {
    name: "batches of 1,000 x 4",
    connections: 4,
    batch: 1_000,
    postgres: Load::Batches,
    at_least_old: 2.0,
    at_least_postgres: 8.0,
};
const NEW_SUBJECTS: &str = "new-subjects-64";

/// One turn of each contender in each row.
struct Round<'a> {
    bench: &'a Bench<'a>,
    new: Server,
    old: Server,
    postgres: Option<Postgres>,
}

impl Round<'_> {
    fn single_64(&self, table: &mut Table) -> anyhow::Result<()> {
        let wants = |name| self.bench.options.wants(name);
        if !wants(SINGLE_64.name) && !wants(NEW_SUBJECTS) {
            return Ok(());
        }
        let (new, old) = self.row(&SINGLE_64, table)?;
        let (cpu, threads) = ("single-64, processor time", "single-64, threads");
        table.new_is(cpu, "us/event", new.cpu_us);
        table.other_is(cpu, Against::Old, old.cpu_us, Some(AtMost(0.4)));
        table.new_is(threads, "most", new.threads);
        table.other_is(threads, Against::Old, old.threads, None);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
        let limit = 8.0 + 2.0 * cores;
        table.other_is(threads, Against::Limit, limit, Some(AtMost(1.0)));
        let shape = self.shape(&SINGLE_64);
        let about_new = self.measured(&self.new, &self.new.new, shape)?;
        table.new_is(NEW_SUBJECTS, "events/s", about_new.rate);
        table.other_is(NEW_SUBJECTS, Against::Itself, new.rate, Some(AtLeast(0.85)));
        Ok(())
    }

    fn single_1(&self, table: &mut Table) -> anyhow::Result<()> {
        if !self.bench.options.wants(SINGLE_1.name) {
            return Ok(());
        }
        let (new, _) = self.row(&SINGLE_1, table)?;
        let row = "single-1, median";
        table.new_is(row, "ms", new.median_ms);
        let limit = 1.5 * sync_ms(self.bench.folder, new.written_per_event)? + 0.2;
        table.other_is(row, Against::Limit, limit, Some(AtMost(1.0)));
        Ok(())
    }

    /// Measures the rate of each contender; gives what else was seen of this build and of 0.1.0.
    fn row(&self, row: &Row, table: &mut Table) -> anyhow::Result<(Measured, Measured)> {
        let shape = self.shape(row);
        let new = self.measured(&self.new, &self.new.known, shape)?;
        table.new_is(row.name, "events/s", new.rate);
        let old = self.measured(&self.old, &self.old.known, shape)?;
        table.other_is(
            row.name,
            Against::Old,
            old.rate,
            Some(AtLeast(row.at_least_old)),
        );
        if let Some(postgres) = &self.postgres {
            let rate = postgres.events_per_second(row.postgres, shape.duration)?;
            let required = Some(AtLeast(row.at_least_postgres));
            table.other_is(row.name, Against::Postgres, rate, required);
        }
        Ok((new, old))
    }

    pub(crate) const fn shape(&self, row: &Row) -> Shape {
        shape(row.connections, row.batch, self.bench.options.load_time())
    }

    fn measured(&self, server: &Server, events: &Events, shape: Shape) -> anyhow::Result<Measured> {
        let program = &server.program;
        let (cpu, written) = (program.cpu()?, program.written()?);
        let (loaded, threads) = std::thread::scope(|scope| {
            // Looked at in the middle of the load.
            let threads = scope.spawn(|| {
                std::thread::sleep(shape.warm_up + shape.duration / 2);
                program.threads()
            });
            let loaded = self.bench.load(&program.target, events, shape);
            (loaded, threads.join())
        });
        let loaded = loaded?;
        let threads = threads.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        let cpu = program.cpu()?.saturating_sub(cpu);
        Ok(Measured {
            rate: loaded.events as f64 / loaded.seconds,
            median_ms: loaded.latencies.quantile_ms(0.5),
            cpu_us: cpu.as_secs_f64() * 1e6 / loaded.sent_events as f64,
            threads: threads as f64,
            written_per_event: (program.written()? - written) / loaded.sent_events,
        })
    }
}

struct Measured {
    rate: f64,
    median_ms: f64,
    /// Processor time of the server for an event.
    cpu_us: f64,
    threads: f64,
    /// Bytes that it wrote to its disk for an event.
    written_per_event: u64,
}

pub(crate) const fn shape(connections: usize, batch: u64, duration: Duration) -> Shape {
    Shape {
        connections,
        batch,
        duration,
        warm_up: Duration::from_millis(500),
    }
}

/// The median milliseconds of a write of so many bytes with `fdatasync` into a file that has its size already.
fn sync_ms(folder: &Path, bytes: u64) -> anyhow::Result<f64> {
    use std::io::Seek as _;
    let block = vec![7; usize::try_from(bytes)?];
    let mut file = std::fs::File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..2 {
        file.rewind()?;
        times.clear();
        for _ in 0..200 {
            let from = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            times.push(from.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    Ok(crate::table::median(&times))
}
