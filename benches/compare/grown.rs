//! Whether this build slows down as it grows: loads on a ledger with many events, and on one with few.

use crate::Bench;
use crate::contenders::Contender;
use crate::support::say;
use crate::table::Requirement::AtLeast;
use crate::table::{Against, Table};
use crate::writing::{KNOWN_AFTER, Server, shape};

/// The prefix of its rows.
const ROW: &str = "rate";
/// The loads: name, connections, events of a request.
const ROWS: [(&str, usize, u64); 2] = [
    ("rate, single-64, many stored", 64, 1),
    ("rate, batches of 1,000 x 4, many stored", 4, 1_000),
];

/// Measures both ledgers by turns. The one with few has what makes its data subjects known.
pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    if !options.wants(ROW) {
        return Ok(());
    }
    say(&format!("storing {} events", options.stored))?;
    let many = ("rate-many", options.stored);
    let many = Server::start(bench, Contender::New, many)?;
    let few = Server::start(bench, Contender::New, ("rate-few", KNOWN_AFTER))?;
    for round in 1..=options.rounds {
        say(&format!("rates, round {round} of {}", options.rounds))?;
        for (row, connections, batch) in ROWS {
            let shape = shape(connections, batch, options.load_time());
            let rate = |server: &Server| -> anyhow::Result<f64> {
                let loaded = bench.load(&server.program.target, &server.known, shape)?;
                Ok(loaded.events as f64 / loaded.seconds)
            };
            table.new_is(row, "events/s", rate(&many)?);
            table.other_is(row, Against::Itself, rate(&few)?, Some(AtLeast(0.9)));
        }
    }
    for mut server in [many, few] {
        server.program.stop()?;
    }
    Ok(())
}
