//! The order of things: loads on empty ledgers, looks at a small one, then all of it on a large one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::runtime::Handle;
use trailkeep_core::audit::{Question, Subject, verify};
use trailkeep_core::blocking;

use crate::report::{FilesRow, LoadRow, ReadRow, Report, TimeRow, note};
use crate::support::events::{Events, Persons, Size};
use crate::support::load::{self, Latencies, Shape};
use crate::support::preload::preload;
use crate::support::server::{Server, Site};

/// Events of the small ledger.
const SMALL: u64 = 16_384;
/// Events a stretch of the preload.
const MARK_EVERY: u64 = 250_000;
/// The action that most of the events have.
const ACTION: &str = "chat.completion";

/// What to measure.
pub(crate) struct Plan {
    pub(crate) stored: u64,
    pub(crate) quick: bool,
    pub(crate) only: Option<String>,
    pub(crate) directory: PathBuf,
    pub(crate) client: Handle,
}

/// One way of sending events.
struct Load {
    name: &'static str,
    connections: usize,
    batch: u64,
    persons: Persons,
}

const fn load_of(name: &'static str, connections: usize, batch: u64, persons: Persons) -> Load {
    Load {
        name,
        connections,
        batch,
        persons,
    }
}

const LOADS: [Load; 8] = [
    load_of("single-1", 1, 1, Persons::Known),
    load_of("single-16", 16, 1, Persons::Known),
    load_of("single-64", 64, 1, Persons::Known),
    load_of("batch-1", 1, 1_000, Persons::Known),
    load_of("batch-4", 4, 1_000, Persons::Known),
    load_of("new-subject-single-64", 64, 1, Persons::New),
    load_of("new-subject-batch-1", 1, 1_000, Persons::New),
    load_of("new-subject-batch-4", 4, 1_000, Persons::New),
];

impl Plan {
    fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    }

    fn wants_looks(&self) -> bool {
        ["start", "look-up", "query", "verify", "files"]
            .iter()
            .any(|name| self.wants(name))
    }

    fn shape(&self, load: &Load) -> Shape {
        let seconds = if self.quick { 2 } else { 10 };
        Shape {
            connections: load.connections,
            batch: load.batch,
            duration: Duration::from_secs(seconds),
            warm_up: Duration::from_millis(if self.quick { 300 } else { 1_500 }),
        }
    }
}

/// Measures all that the plan names.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    for load in LOADS.iter().filter(|load| plan.wants(load.name)) {
        run_on_empty(plan, load, report).await?;
    }
    if plan.wants_looks() {
        let site = Site::make(&plan.directory, "small")?;
        fill_and_look(plan, &site, SMALL, report)
            .await?
            .close()
            .await?;
        site.remove()?;
    }
    let wants_loads = LOADS.iter().any(|load| plan.wants(load.name));
    if plan.stored > 0 && (wants_loads || plan.wants_looks() || plan.wants("preload")) {
        run_on_large(plan, report).await?;
    }
    Ok(())
}

/// One load on a ledger of its own.
async fn run_on_empty(plan: &Plan, load: &Load, report: &mut Report) -> anyhow::Result<()> {
    let site = Site::make(&plan.directory, load.name)?;
    let events = Events::new(Size::Usual, load.persons)?;
    let server = site.serve().await?;
    let (bytes, count) = run_load(plan, load, &server, &events, 0, report).await?;
    server.close().await?;
    if load.batch > 1 {
        report.files.push(FilesRow {
            what: load.name.to_owned(),
            events: count,
            raw_bytes: bytes,
            sizes: site.sizes()?,
        });
    }
    site.remove()
}

/// All of it again, on one ledger that holds many events.
async fn run_on_large(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let site = Site::make(&plan.directory, "large")?;
    let server = fill_and_look(plan, &site, plan.stored, report).await?;
    for (number, load) in LOADS.iter().enumerate() {
        if plan.wants(load.name) {
            let events = Events::new(Size::Usual, load.persons)?;
            // Numbers, and with them ids and new persons, that nobody has used yet.
            events.take((number as u64 + 1) << 40);
            run_load(plan, load, &server, &events, plan.stored, report).await?;
        }
    }
    server.close().await?;
    site.remove()
}

/// Runs one load. Gives the bytes and the number of all events sent.
async fn run_load(
    plan: &Plan,
    load: &Load,
    server: &Server,
    events: &Events,
    stored: u64,
    report: &mut Report,
) -> anyhow::Result<(u64, u64)> {
    note(&format!("{} on {stored} events", load.name));
    let loaded = load::append(&plan.client, &server.target, events, plan.shape(load)).await?;
    report.loads.push(LoadRow {
        name: load.name,
        connections: load.connections,
        batch: load.batch,
        new_subjects: load.persons == Persons::New,
        stored,
        rate: loaded.events as f64 / loaded.seconds,
        p50_ms: loaded.latencies.quantile_ms(0.5),
        p99_ms: loaded.latencies.quantile_ms(0.99),
        requests: loaded.latencies.count(),
    });
    Ok((loaded.sent_bytes, loaded.sent_events))
}

/// Fills an empty ledger, closes it to see its files, and opens it again for looks at it.
async fn fill_and_look(
    plan: &Plan,
    site: &Site,
    stored: u64,
    report: &mut Report,
) -> anyhow::Result<Server> {
    note(&format!("preloading {stored} events"));
    let server = site.serve().await?;
    let events = Events::new(Size::Compact, Persons::Known)?;
    let filled = preload(&server, &events, stored, MARK_EVERY.min(stored.div_ceil(4))).await?;
    server.close().await?;
    report.files.push(FilesRow {
        what: format!("preload of {stored}"),
        events: filled.events,
        raw_bytes: filled.raw_bytes,
        sizes: site.sizes()?,
    });
    if stored == plan.stored {
        report.preload = Some(filled);
    }
    let server = site.serve().await?;
    if plan.wants("start") {
        report.starts.push(TimeRow {
            stored,
            ms: server.start_ms,
        });
    }
    look(plan, &server, stored, report).await?;
    Ok(server)
}

/// Reads a ledger in all the ways that are measured.
async fn look(
    plan: &Plan,
    server: &Server,
    stored: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (client, target) = (&plan.client, &server.target);
    let count = if plan.quick { 500 } else { 5_000 };
    let mut add = |name, latencies: &Latencies| {
        report.reads.push(ReadRow {
            name,
            stored,
            requests: latencies.count(),
            p50_ms: latencies.quantile_ms(0.5),
            p99_ms: latencies.quantile_ms(0.99),
        });
    };
    if plan.wants("look-up") {
        note(&format!("look-ups in {stored} events"));
        add(
            "look-up by id",
            &load::look_up(client, target, stored, count).await?,
        );
    }
    if plan.wants("query") {
        let pages = load::query(client, target, ACTION, count as usize / 10).await?;
        add("query by action, first page of 100", &pages);
    }
    if plan.wants("verify") {
        note(&format!("verifying {stored} events"));
        report.verifies.push(verify_all(server, stored).await?);
    }
    Ok(())
}

async fn verify_all(server: &Server, stored: u64) -> anyhow::Result<TimeRow> {
    let (engine, tenant) = (server.engine.clone(), server.tenant()?);
    let from = Instant::now();
    let verified = blocking(move || {
        verify(
            Subject::from(&*engine),
            &tenant.active().record,
            &Question::default(),
            &mut |_, _| (),
        )
    });
    let verified = verified.await?;
    ensure!(
        verified.ok,
        "the ledger does not verify: {:?}",
        verified.findings
    );
    ensure!(
        verified.intact == stored,
        "{} of {stored} are intact",
        verified.intact
    );
    Ok(TimeRow {
        stored,
        ms: from.elapsed().as_secs_f64() * 1_000.0,
    })
}
