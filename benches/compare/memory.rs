//! Memory: at the end of a filling at full speed, and at rest after a start.

use std::path::Path;
use std::time::Duration;

use crate::Bench;
use crate::contenders::Contender;
use crate::support::events::{Events, Persons, Size};
use crate::support::program::Program;
use crate::support::{mebibytes, say};
use crate::table::Requirement::AtMost;
use crate::table::{Against, Table};

/// The prefix of its rows.
const ROW: &str = "memory";
const LOADED: &str = "memory, at the end of a filling";
const MOST: &str = "memory, most while filling";
const AT_REST: &str = "memory, at rest after a start";
/// How long a server rests before its memory is looked at.
pub(crate) const REST: Duration = Duration::from_secs(5);
/// Memory for the bodies of requests; 0.1.0 does not bound it.
const BODIES: [&str; 2] = ["--limits-body-memory-bytes", "67108864"];

/// Mebibytes of one server.
struct Resident {
    loaded: f64,
    most: f64,
    at_rest: f64,
}

pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    if !options.wants(ROW) {
        return Ok(());
    }
    for round in 1..=options.rounds {
        say(&format!("memory, round {round} of {}", options.rounds))?;
        let new = resident(bench, Contender::New)?;
        let old = resident(bench, Contender::Old)?;
        for (row, new, old, limit) in [
            (LOADED, new.loaded, old.loaded, Some(200.0)),
            (MOST, new.most, old.most, None),
            (AT_REST, new.at_rest, old.at_rest, Some(60.0)),
        ] {
            table.new_is(row, "MiB", new);
            table.other_is(row, Against::Old, old, None);
            if let Some(limit) = limit {
                table.other_is(row, Against::Limit, limit, Some(AtMost(1.0)));
            }
        }
    }
    Ok(())
}

fn resident(bench: &Bench<'_>, contender: Contender) -> anyhow::Result<Resident> {
    let settings: &[&str] = match contender {
        Contender::New => &BODIES,
        Contender::Old => &[],
    };
    let program = bench.contenders.program(contender);
    let (mut server, data) = bench.first(contender, "memory")?;
    server.stop()?;
    let (mut server, _) = Program::start_with(program, &data, settings)?;
    let events = Events::new(Size::Usual, Persons::Known)?;
    bench.fill(&server.target, &events, bench.options.stored)?;
    let (loaded, most) = server.memory()?;
    server.stop()?;
    let (mut server, _) = Program::start_with(program, &data, settings)?;
    std::thread::sleep(REST);
    let (at_rest, _) = server.memory()?;
    server.stop()?;
    if let Some(folder) = data.parent().filter(|folder: &&Path| folder.exists()) {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(Resident {
        loaded: mebibytes(loaded),
        most: mebibytes(most),
        at_rest: mebibytes(at_rest),
    })
}
