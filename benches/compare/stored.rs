//! What is measured of events that are stored: verifying, exporting, verifying offline, sizes, start, memory.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::contenders::Contender;
use crate::support::events::{Events, Persons, Size};
use crate::support::load::Shape;
use crate::support::program::{Program, public_key_of, trailkeep};
use crate::support::{mebibytes, say, size_of};
use crate::table::Requirement::{AtLeast, AtMost};
use crate::table::{Against, Table};
use crate::{BATCHES, Bench};

const START: &str = "start";
const AFTER_KILL: &str = "start after a kill under load";
const START_MS_MAX: f64 = 300.0;
/// How long a server takes events before it is killed.
const UNTIL_KILLED: Duration = Duration::from_secs(3);

/// A directory with events, whose server has ended.
struct Stored {
    program: PathBuf,
    data: PathBuf,
    events: f64,
    raw_bytes: f64,
    /// The number of the first event that the next killed load sends.
    killed_at: AtomicU64,
}

/// Fills a directory with each program, and measures what is done with it.
pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    let rows = [
        "verify",
        "export",
        "offline verify",
        "disk",
        START,
        AFTER_KILL,
    ];
    if !rows.iter().any(|row| options.wants(row)) {
        return Ok(());
    }
    say(&format!(
        "storing {} events with each program",
        options.stored
    ))?;
    let new = Stored::fill(bench, Contender::New, "new-stored")?;
    let old = Stored::fill(bench, Contender::Old, "old-stored")?;
    for round in 1..=options.rounds {
        say(&format!("reading, round {round} of {}", options.rounds))?;
        for (row, required, rate) in [
            (
                "verify",
                8.0,
                Stored::verify as fn(&Stored) -> anyhow::Result<f64>,
            ),
            ("export", 3.0, Stored::export),
            ("offline verify", 3.0, Stored::verify_offline),
        ] {
            // What is verified offline was exported before.
            if options.wants(row) || (row == "export" && options.wants("offline verify")) {
                table.new_is(row, "events/s", rate(&new)?);
                table.other_is(row, Against::Old, rate(&old)?, Some(AtLeast(required)));
            }
        }
        if options.wants(START) || options.wants(AFTER_KILL) {
            starts(bench, (&new, &old), table)?;
        }
    }
    if options.wants("disk") {
        table.new_is("disk, stored/raw", "", new.disk_ratio()?);
        table.other_is("disk, stored/raw", Against::Old, old.disk_ratio()?, None);
        table.other_is("disk, stored/raw", Against::Limit, 0.53, Some(AtMost(1.0)));
    }
    Ok(())
}

/// Starts both programs, after a stop and after a kill under load.
fn starts(
    bench: &Bench<'_>,
    (new, old): (&Stored, &Stored),
    table: &mut Table,
) -> anyhow::Result<()> {
    if bench.options.wants(START) {
        let (ms, mebibytes) = new.start()?;
        let (ms_before, mebibytes_before) = old.start()?;
        table.new_is(START, "ms", ms);
        table.other_is(START, Against::Old, ms_before, None);
        table.other_is(START, Against::Limit, START_MS_MAX, Some(AtMost(1.0)));
        let row = "start, memory two seconds later";
        table.new_is(row, "MiB", mebibytes);
        table.other_is(row, Against::Old, mebibytes_before, None);
    }
    if bench.options.wants(AFTER_KILL) {
        table.new_is(AFTER_KILL, "ms", new.start_after_kill(bench)?);
        table.other_is(AFTER_KILL, Against::Old, old.start_after_kill(bench)?, None);
        table.other_is(AFTER_KILL, Against::Limit, START_MS_MAX, Some(AtMost(1.0)));
    }
    Ok(())
}

impl Stored {
    fn fill(bench: &Bench<'_>, contender: Contender, name: &str) -> anyhow::Result<Self> {
        let (mut server, data) = bench.first(contender, name)?;
        let events = Events::new(Size::Usual, Persons::Known)?;
        let raw_bytes = bench.fill(&server.target, &events, bench.options.stored)?;
        // The load settles: runs are merged, free pages given back.
        std::thread::sleep(Duration::from_secs(10));
        server.stop()?;
        Ok(Self {
            program: bench.contenders.program(contender).to_owned(),
            data,
            events: bench.options.stored as f64,
            raw_bytes: raw_bytes as f64,
            killed_at: AtomicU64::new(1 << 32),
        })
    }

    /// Runs a command that reads all events; gives how many of them a second.
    fn rate(&self, command: &mut std::process::Command) -> anyhow::Result<f64> {
        let from = Instant::now();
        let done = command.output()?;
        let seconds = from.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{command:?} failed: {said}");
        Ok(self.events / seconds)
    }

    fn verify(&self) -> anyhow::Result<f64> {
        self.rate(&mut trailkeep(
            &self.program,
            &["verify", "--dir"],
            &self.data,
        ))
    }

    fn export(&self) -> anyhow::Result<f64> {
        // 0.1.0 replaces no file.
        if self.bundle().exists() {
            std::fs::remove_file(self.bundle())?;
        }
        let mut export = trailkeep(&self.program, &["export", "--dir"], &self.data);
        self.rate(export.arg("--out").arg(self.bundle()))
    }

    fn verify_offline(&self) -> anyhow::Result<f64> {
        let mut verify = trailkeep(&self.program, &["bundle", "verify"], &self.bundle());
        self.rate(verify.arg("--key").arg(public_key_of(&self.data)))
    }

    fn bundle(&self) -> PathBuf {
        self.data.with_file_name("bundle.zip")
    }

    /// Milliseconds of a start, and the memory that it has two seconds later.
    fn start(&self) -> anyhow::Result<(f64, f64)> {
        let (mut server, ms) = Program::start(&self.program, &self.data)?;
        std::thread::sleep(Duration::from_secs(2));
        let (resident, _) = server.memory()?;
        server.stop()?;
        Ok((ms, mebibytes(resident)))
    }

    /// Milliseconds of the start after a kill while four connections sent batches.
    fn start_after_kill(&self, bench: &Bench<'_>) -> anyhow::Result<f64> {
        let (mut server, _) = Program::start(&self.program, &self.data)?;
        let events = Events::new(Size::Usual, Persons::Known)?;
        // Ids that no load before had.
        events.take(self.killed_at.fetch_add(1 << 32, Ordering::Relaxed));
        let shape = Shape {
            duration: UNTIL_KILLED * 4,
            ..BATCHES
        };
        let target = server.target.clone();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| bench.load(&target, &events, shape));
            std::thread::sleep(UNTIL_KILLED);
            let killed = server.kill();
            let loaded = load.join();
            ensure!(
                matches!(loaded, Ok(Err(_))),
                "the load ended before the kill"
            );
            killed
        })?;
        let (mut server, ms) = Program::start(&self.program, &self.data)?;
        server.stop()?;
        Ok(ms)
    }

    fn disk_ratio(&self) -> anyhow::Result<f64> {
        Ok(size_of(&self.data)? as f64 / self.raw_bytes)
    }
}
