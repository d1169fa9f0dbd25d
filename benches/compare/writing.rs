//! Loads of events: single ones at 64 connections and at one, batches, new data subjects.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::Options;
use crate::contenders::{Contender, Contenders};
use crate::postgres::{Load, Postgres};
use crate::support::events::{Events, Persons, Size};
use crate::support::load::{Loaded, Shape, append};
use crate::support::program::Program;
use crate::support::say;
use crate::table::Requirement::{AtLeast, AtMost};
use crate::table::{Against, Table};

/// Events that each server has before it is measured: its 10,000 data subjects are known then.
const KNOWN_AFTER: u64 = 60_000;

/// A server under load, with the events that it gets.
struct Server {
    program: Program,
    known: Events,
    new: Events,
}

impl Server {
    fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir(folder)?;
        let (program, _) = Program::first(program, &folder.join("data"))?;
        let new = Events::new(Size::Usual, Persons::New)?;
        // Ids of their own: both supplies go to one ledger.
        new.take(1 << 32);
        Ok(Self {
            program,
            known: Events::new(Size::Usual, Persons::Known)?,
            new,
        })
    }

    fn load(&self, clients: &Runtime, events: &Events, shape: Shape) -> anyhow::Result<Loaded> {
        let target = &self.program.target;
        clients.block_on(append(clients.handle(), target, events, shape))
    }
}

/// Measures all loads, the contenders by turns.
pub(crate) fn measure(
    options: &Options,
    contenders: &Contenders,
    (folder, clients): (&Path, &Runtime),
    table: &mut Table,
) -> anyhow::Result<()> {
    let rows = ["single-64", "single-1", "batches", "new-subjects-64"];
    if !rows.iter().any(|row| options.wants(row)) {
        return Ok(());
    }
    let new = Server::start(contenders.program(Contender::New), &folder.join("new"))?;
    let old = Server::start(contenders.program(Contender::Old), &folder.join("old"))?;
    let postgres = Postgres::start(folder.join("postgres"))?;
    if postgres.is_none() {
        say("skipped: PostgreSQL is not installed, so nothing is compared with it")?;
    }
    for server in [&new, &old] {
        let fill = shape(4, 1_000, Duration::from_secs(1));
        while server.known.take(0).start < KNOWN_AFTER {
            server.load(clients, &server.known, fill)?;
        }
    }
    for round in 1..=options.rounds {
        say(&format!("loads, round {round} of {}", options.rounds))?;
        let round = Round {
            options,
            clients,
            servers: (&new, &old),
            postgres: postgres.as_ref(),
        };
        round.single_64(table)?;
        round.single_1(folder, table)?;
        round.batches(table)?;
    }
    Ok(())
}

/// One turn of each contender in each row.
struct Round<'a> {
    options: &'a Options,
    clients: &'a Runtime,
    servers: (&'a Server, &'a Server),
    postgres: Option<&'a Postgres>,
}

impl Round<'_> {
    fn single_64(&self, table: &mut Table) -> anyhow::Result<()> {
        let shape = shape(64, 1, self.options.load_time());
        let (new, old) = self.servers;
        if !self.options.wants("single-64") && !self.options.wants("new-subjects-64") {
            return Ok(());
        }
        let measured = self.measured(new, &new.known, shape)?;
        table.new_is("single-64", "events/s", measured.rate);
        table.new_is("single-64, processor time", "us/event", measured.cpu_us);
        table.new_is("single-64, threads", "most", measured.threads);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
        let limit = (Against::Limit, 8.0 + 2.0 * cores);
        table.other_is("single-64, threads", limit.0, limit.1, Some(AtMost(1.0)));
        let with_new = self.measured(new, &new.new, shape)?;
        table.new_is("new-subjects-64", "events/s", with_new.rate);
        let known = (Against::Itself, measured.rate);
        table.other_is("new-subjects-64", known.0, known.1, Some(AtLeast(0.85)));
        if self.options.wants("single-64") {
            let before = self.measured(old, &old.known, shape)?;
            let required = [Some(AtLeast(3.0)), Some(AtMost(0.4))];
            table.other_is("single-64", Against::Old, before.rate, required[0]);
            let cpu = "single-64, processor time";
            table.other_is(cpu, Against::Old, before.cpu_us, required[1]);
            table.other_is("single-64, threads", Against::Old, before.threads, None);
            self.postgres_takes("single-64", Load::Single(64), 8.0, table)?;
        }
        Ok(())
    }

    fn single_1(&self, folder: &Path, table: &mut Table) -> anyhow::Result<()> {
        if !self.options.wants("single-1") {
            return Ok(());
        }
        let shape = shape(1, 1, self.options.load_time());
        let (new, old) = self.servers;
        let measured = self.measured(new, &new.known, shape)?;
        table.new_is("single-1", "events/s", measured.rate);
        let before = self.measured(old, &old.known, shape)?;
        table.other_is("single-1", Against::Old, before.rate, Some(AtLeast(2.0)));
        self.postgres_takes("single-1", Load::Single(1), 1.0, table)?;
        table.new_is("single-1, median", "ms", measured.median_ms);
        let limit = 1.5 * sync_ms(folder, measured.written_per_event)? + 0.2;
        table.other_is("single-1, median", Against::Limit, limit, Some(AtMost(1.0)));
        Ok(())
    }

    fn batches(&self, table: &mut Table) -> anyhow::Result<()> {
        if !self.options.wants("batches") {
            return Ok(());
        }
        let shape = shape(4, 1_000, self.options.load_time());
        let (new, old) = self.servers;
        let measured = self.measured(new, &new.known, shape)?;
        table.new_is("batches of 1,000 x 4", "events/s", measured.rate);
        let before = self.measured(old, &old.known, shape)?;
        let row = "batches of 1,000 x 4";
        table.other_is(row, Against::Old, before.rate, Some(AtLeast(2.0)));
        self.postgres_takes(row, Load::Batches, 8.0, table)
    }

    fn postgres_takes(
        &self,
        row: &'static str,
        load: Load,
        required: f64,
        table: &mut Table,
    ) -> anyhow::Result<()> {
        if let Some(postgres) = self.postgres {
            let rate = postgres.events_per_second(load, self.options.load_time())?;
            table.other_is(row, Against::Postgres, rate, Some(AtLeast(required)));
        }
        Ok(())
    }

    fn measured(&self, server: &Server, events: &Events, shape: Shape) -> anyhow::Result<Measured> {
        let (cpu, written) = (server.program.cpu()?, server.program.written()?);
        let (loaded, threads) = std::thread::scope(|scope| {
            // Looked at in the middle of the load.
            let threads = scope.spawn(|| {
                std::thread::sleep(shape.warm_up + shape.duration / 2);
                server.program.threads()
            });
            let loaded = server.load(self.clients, events, shape);
            (loaded, threads.join())
        });
        let loaded = loaded?;
        let threads = threads.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        let sent = loaded.sent_events as f64;
        let cpu = server.program.cpu()?.saturating_sub(cpu);
        Ok(Measured {
            rate: loaded.events as f64 / loaded.seconds,
            median_ms: loaded.latencies.quantile_ms(0.5),
            cpu_us: cpu.as_secs_f64() * 1e6 / sent,
            threads: threads as f64,
            written_per_event: (server.program.written()? - written) / loaded.sent_events,
        })
    }
}

struct Measured {
    rate: f64,
    median_ms: f64,
    /// Processor time of the server for an event.
    cpu_us: f64,
    threads: f64,
    /// Bytes that went to its disk for an event.
    written_per_event: u64,
}

fn shape(connections: usize, batch: u64, duration: Duration) -> Shape {
    Shape {
        connections,
        batch,
        duration,
        warm_up: Duration::from_millis(500),
    }
}

/// The median milliseconds of a write of so many bytes with `fdatasync`, over what stands in a file already.
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
