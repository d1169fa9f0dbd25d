//! The first page of a query by each filter.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::Bench;
use crate::contenders::Contender;
use crate::support::events::{Events, Persons, Size};
use crate::support::load::Connection;
use crate::support::program::Program;
use crate::support::questions::{Filter, ask, filters, middle};
use crate::support::say;
use crate::table::Requirement::AtMost;
use crate::table::{Against, Table};

/// The prefix of its rows.
const ROW: &str = "query";
const CPU: &str = "query, processor time of a page";
const RECORD: &str = "query, of it the commit of its record";
/// Pages of a filter in a round.
const PAGES: u64 = 50;

/// A server with events, and what it is asked.
struct Server {
    program: Program,
    filters: Vec<Filter>,
}

/// Medians by filter, and the means of all pages.
struct Round {
    median_ms: Vec<f64>,
    cpu: Duration,
    record: Duration,
}

pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    if !options.wants(ROW) {
        return Ok(());
    }
    say(&format!(
        "storing {} events with each program",
        options.stored
    ))?;
    let mut new = Server::fill(bench, Contender::New, "new-query")?;
    let mut old = Server::fill(bench, Contender::Old, "old-query")?;
    for round in 1..=options.rounds {
        say(&format!("pages, round {round} of {}", options.rounds))?;
        let asked = new.ask(bench)?;
        let before = old.ask(bench)?;
        for (at, filter) in new.filters.iter().enumerate() {
            let row = format!("{ROW}, a page by {}", filter.name);
            table.new_is(&row, "ms", asked.median_ms[at]);
            table.other_is(
                &row,
                Against::Old,
                before.median_ms[at],
                Some(AtMost(1.0 / 3.0)),
            );
        }
        for (row, new, old) in [
            (CPU, asked.cpu, before.cpu),
            (RECORD, asked.record, before.record),
        ] {
            table.new_is(row, "ms", new.as_secs_f64() * 1_000.0);
            table.other_is(row, Against::Old, old.as_secs_f64() * 1_000.0, None);
        }
    }
    new.program.stop()?;
    old.program.stop()?;
    Ok(())
}

impl Server {
    fn fill(bench: &Bench<'_>, contender: Contender, name: &str) -> anyhow::Result<Self> {
        let (program, _) = bench.first(contender, name)?;
        let events = Events::new(Size::Usual, Persons::Known)?;
        let stored = bench.options.stored;
        bench.fill(&program.target, &events, stored)?;
        let edges = bench.clients.block_on(middle(&program.target))?;
        let filters = filters(&events, stored, edges)?;
        // The load settles: runs are merged.
        std::thread::sleep(Duration::from_secs(5));
        Ok(Self { program, filters })
    }

    /// Asks for pages by each filter in turn.
    fn ask(&self, bench: &Bench<'_>) -> anyhow::Result<Round> {
        let target = &self.program.target;
        let (cpu, recorded) = (self.program.cpu()?, self.recorded(bench)?);
        let mut median_ms = Vec::new();
        for filter in &self.filters {
            let asking = ask(target, &filter.questions, None, PAGES);
            median_ms.push(bench.clients.block_on(asking)?.quantile_ms(0.5));
        }
        let pages = (PAGES * self.filters.len() as u64) as f64;
        let cpu = self.program.cpu()?.saturating_sub(cpu);
        let (seconds, count) = self.recorded(bench)?;
        let (seconds, count) = (seconds - recorded.0, count - recorded.1);
        Ok(Round {
            median_ms,
            cpu: cpu.div_f64(pages),
            record: Duration::from_secs_f64(seconds / count),
        })
    }

    /// Seconds of all appends so far, and how many there were, by the server's own histogram.
    fn recorded(&self, bench: &Bench<'_>) -> anyhow::Result<(f64, f64)> {
        let text = bench.clients.block_on(async {
            let mut connection = Connection::open(&self.program.target).await?;
            let status = connection.get("/metrics").await?;
            ensure!(status == 200, "{status}: {}", connection.text());
            anyhow::Ok(connection.text())
        })?;
        let figure = |name| {
            let found = text.lines().find_map(|line| line.strip_prefix(name));
            found.and_then(|figure| figure.trim().parse().ok())
        };
        let seconds = figure("trailkeep_append_seconds_sum ");
        let both = seconds.zip(figure("trailkeep_append_seconds_count "));
        both.context("no figures of appends in /metrics")
    }
}
