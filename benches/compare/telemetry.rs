//! How fast spans that wait become events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use trailkeep_core::ingest::StagingSettings;

use crate::Bench;
use crate::contenders::Contender;
use crate::support::load::Connection;
use crate::support::program::Program;
use crate::support::say;
use crate::support::telemetry::{Call, SPANS, calls, send};
use crate::table::Requirement::AtLeast;
use crate::table::{Against, Table};

/// The prefix of its rows.
const ROW: &str = "otlp";
const ALL: &str = "otlp, to events";
const QUARTER: &str = "otlp, to events, a quarter waiting";
const BACKLOG: &str = "otlp, while they become events, all waiting against a quarter";
/// How often the size of the ledger is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Within this the spans are events.
const PATIENCE: Duration = Duration::from_mins(30);

/// A server, and how many spans it was sent.
struct Server {
    program: Program,
    sent: u64,
}

/// Events a second.
#[derive(Clone, Copy)]
struct Rates {
    /// From the moment when the first trace is due.
    from_due: f64,
    /// From the moment when the first events were seen.
    meanwhile: f64,
}

/// Measures each program with all spans and with a quarter of them, by turns. Each span has a `gen_ai.response.id` and is the only one of its trace.
pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    if !options.wants(ROW) {
        return Ok(());
    }
    let calls = Arc::new(calls());
    let start = |contender, name: &str| -> anyhow::Result<Server> {
        let (program, _) = bench.first(contender, name)?;
        Ok(Server { program, sent: 0 })
    };
    let mut new = start(Contender::New, "new-otlp")?;
    let mut old = start(Contender::Old, "old-otlp")?;
    let (all, quarter) = (options.waiting, options.waiting.div_ceil(4));
    for round in 1..=options.rounds {
        say(&format!("telemetry, round {round} of {}", options.rounds))?;
        let rates = |server: &mut Server, count| {
            let measured = bench.clients.block_on(server.rates(&calls, count))?;
            say(&format!("{count} spans: {:.0} events/s", measured.from_due))?;
            anyhow::Ok(measured)
        };
        let of_quarter = rates(&mut new, quarter)?;
        let of_quarter_before = rates(&mut old, quarter)?;
        let of_all = rates(&mut new, all)?;
        let of_all_before = rates(&mut old, all)?;
        table.new_is(ALL, "events/s", of_all.from_due);
        table.other_is(
            ALL,
            Against::Old,
            of_all_before.from_due,
            Some(AtLeast(15.0)),
        );
        table.new_is(QUARTER, "events/s", of_quarter.from_due);
        table.other_is(QUARTER, Against::Old, of_quarter_before.from_due, None);
        table.new_is(BACKLOG, "events/s", of_all.meanwhile);
        table.other_is(
            BACKLOG,
            Against::Itself,
            of_quarter.meanwhile,
            Some(AtLeast(0.9)),
        );
    }
    new.program.stop()?;
    old.program.stop().map(drop)
}

impl Server {
    async fn rates(&mut self, calls: &Arc<Vec<Call>>, count: u64) -> anyhow::Result<Rates> {
        let target = &self.program.target;
        let mut connection = Connection::open(target).await?;
        let before = size(&mut connection).await?;
        let quiet = Duration::from_millis(StagingSettings::default().quiet_ms);
        let due = Instant::now() + quiet;
        send(target, calls, SPANS, self.sent..self.sent + count).await?;
        self.sent += count;
        let mut first: Option<(Instant, u64)> = None;
        loop {
            let events = size(&mut connection).await?.saturating_sub(before);
            let now = Instant::now();
            ensure!(
                now < due + PATIENCE,
                "events are missing: {events} of {count}"
            );
            let (since, of) = *first.get_or_insert((now, events));
            if of == 0 {
                first = None;
            }
            if events >= count {
                let rate =
                    |events: u64, since: Instant| events as f64 / (now - since).as_secs_f64();
                let from_due = rate(count, due);
                // Few come all at once.
                let meanwhile = if of == count {
                    from_due
                } else {
                    rate(count - of, since)
                };
                return Ok(Rates {
                    from_due,
                    meanwhile,
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The size of the ledger, as its checkpoint says.
async fn size(connection: &mut Connection) -> anyhow::Result<u64> {
    let status = connection.get("/v1/log/default/checkpoint").await?;
    let text = connection.text();
    ensure!(status == 200, "{status}: {text}");
    let size = text.lines().nth(1).and_then(|line| line.parse().ok());
    size.context("a checkpoint without a size")
}
