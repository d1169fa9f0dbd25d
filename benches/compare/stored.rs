//! What is measured of events that are stored: verifying, exporting, verifying offline, sizes, start, memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::Bench;
use crate::contenders::Contender;
use crate::support::events::{Events, Persons, Size};
use crate::support::load::Shape;
use crate::support::program::{Program, public_key_of, trailkeep};
use crate::support::{mebibytes, say, size_of};
use crate::table::Requirement::{AtLeast, AtMost};
use crate::table::{Against, Table};

/// A directory with events, whose server has ended.
struct Stored {
    program: PathBuf,
    data: PathBuf,
    events: f64,
    raw_bytes: f64,
}

/// Fills a directory with each program, and measures what is done with it.
pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    let rows = ["verify", "export", "offline verify", "disk", "start"];
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
        if options.wants("start") {
            let (ms, mebibytes) = new.start()?;
            table.new_is("start", "ms", ms);
            table.new_is("start, memory two seconds later", "MiB", mebibytes);
            let before = old.start()?;
            table.other_is("start", Against::Old, before.0, None);
            table.other_is(
                "start, memory two seconds later",
                Against::Old,
                before.1,
                None,
            );
        }
    }
    if options.wants("disk") {
        table.new_is("disk, stored/raw", "", new.disk_ratio()?);
        table.other_is("disk, stored/raw", Against::Old, old.disk_ratio()?, None);
        table.other_is("disk, stored/raw", Against::Limit, 0.53, Some(AtMost(1.0)));
    }
    Ok(())
}

impl Stored {
    fn fill(bench: &Bench<'_>, contender: Contender, name: &str) -> anyhow::Result<Self> {
        let (program, folder) = (bench.contenders.program(contender), bench.folder.join(name));
        std::fs::create_dir(&folder)?;
        let data = folder.join("data");
        let (mut server, _) = Program::first(program, &data)?;
        let events = Events::new(Size::Usual, Persons::Known)?;
        let shape = Shape {
            connections: 4,
            batch: 1_000,
            duration: Duration::from_secs(1),
            warm_up: Duration::ZERO,
        };
        let (mut sent, mut raw_bytes) = (0, 0);
        while sent < bench.options.stored {
            let loaded = bench.load(&server.target, &events, shape)?;
            sent += loaded.sent_events;
            raw_bytes += loaded.sent_bytes;
        }
        // The load settles: runs are merged, free pages given back.
        std::thread::sleep(Duration::from_secs(10));
        server.stop()?;
        Ok(Self {
            program: program.to_owned(),
            data,
            events: sent as f64,
            raw_bytes: raw_bytes as f64,
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

    fn disk_ratio(&self) -> anyhow::Result<f64> {
        Ok(size_of(&self.data)? as f64 / self.raw_bytes)
    }
}
