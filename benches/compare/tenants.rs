//! Many tenants: what their ledgers take of memory, and of a start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::Bench;
use crate::contenders::Contender;
use crate::memory::REST;
use crate::support::events::{Events, Persons, Size};
use crate::support::load::{Connection, Target};
use crate::support::program::{Program, trailkeep};
use crate::support::{mebibytes, say};
use crate::table::Requirement::AtMost;
use crate::table::{Against, Table};

/// The prefix of its rows.
const ROW: &str = "tenants";
const LOADED: &str = "tenants, memory at the end of a filling";
const AT_REST: &str = "tenants, memory at rest after a start";
const START: &str = "tenants, start";
/// Events of a request.
const BATCH: u64 = 1_000;
/// Tenants that are filled at the same time.
const CONNECTIONS: usize = 4;
const MEBIBYTES_MAX: f64 = 300.0;
const START_MS_MAX: f64 = 1_000.0;

pub(crate) fn measure(bench: &Bench<'_>, table: &mut Table) -> anyhow::Result<()> {
    let options = bench.options;
    if !options.wants(ROW) {
        return Ok(());
    }
    let (count, events) = (options.tenants, options.tenant_events);
    say(&format!(
        "storing {events} events of each of {count} tenants with each program"
    ))?;
    let (new, loaded) = fill(bench, Contender::New, "new-tenants")?;
    let (old, loaded_before) = fill(bench, Contender::Old, "old-tenants")?;
    table.new_is(LOADED, "MiB", loaded);
    table.other_is(LOADED, Against::Old, loaded_before, None);
    table.other_is(LOADED, Against::Limit, MEBIBYTES_MAX, Some(AtMost(1.0)));
    for round in 1..=options.rounds {
        say(&format!("tenants, round {round} of {}", options.rounds))?;
        let (ms, resident) = start(bench, Contender::New, &new)?;
        let (ms_before, resident_before) = start(bench, Contender::Old, &old)?;
        for (row, unit, new, old, limit) in [
            (START, "ms", ms, ms_before, START_MS_MAX),
            (AT_REST, "MiB", resident, resident_before, MEBIBYTES_MAX),
        ] {
            table.new_is(row, unit, new);
            table.other_is(row, Against::Old, old, None);
            table.other_is(row, Against::Limit, limit, Some(AtMost(1.0)));
        }
    }
    Ok(())
}

/// Milliseconds of a start, and the mebibytes of the server when it has rested.
fn start(bench: &Bench<'_>, contender: Contender, data: &Path) -> anyhow::Result<(f64, f64)> {
    let (mut server, ms) = Program::start(bench.contenders.program(contender), data)?;
    std::thread::sleep(REST);
    let (resident, _) = server.memory()?;
    server.stop()?;
    Ok((ms, mebibytes(resident)))
}

/// Makes the tenants and fills their ledgers; gives the mebibytes of the server at the end.
fn fill(bench: &Bench<'_>, contender: Contender, name: &str) -> anyhow::Result<(PathBuf, f64)> {
    let (mut server, data) = bench.first(contender, name)?;
    let program = bench.contenders.program(contender);
    let mut targets = Vec::new();
    for number in 0..bench.options.tenants {
        let tenant = format!("tenant-{number}");
        let mut create = trailkeep(
            program,
            &["tenant", "create", &tenant, "--json", "--dir"],
            &data,
        );
        let made = create.output()?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "{create:?} failed: {said}");
        let made: Value = serde_json::from_slice(&made.stdout)?;
        targets.push(Target {
            address: server.target.address,
            token: made["token"].as_str().context("no token")?.to_owned(),
        });
    }
    let events = Events::new(Size::Compact, Persons::Known)?;
    let filling = send(targets, events, bench.options.tenant_events);
    bench.clients.block_on(filling)?;
    let (resident, _) = server.memory()?;
    server.stop()?;
    Ok((data, mebibytes(resident)))
}

/// Sends each tenant its events, several tenants at a time. A round of all tenants comes before the next one, so that all of them are
/// in use.
async fn send(targets: Vec<Target>, events: Events, count: u64) -> anyhow::Result<()> {
    let targets = Arc::new(targets);
    let mut senders = Vec::new();
    for connection in 0..CONNECTIONS {
        let (targets, events) = (Arc::clone(&targets), events.clone());
        senders.push(tokio::spawn(async move {
            let mine = targets.iter().skip(connection).step_by(CONNECTIONS);
            let mut open = Vec::new();
            for target in mine {
                open.push(Connection::open(target).await?);
            }
            let mut left = count;
            while left > 0 {
                let some = left.min(BATCH);
                for connection in &mut open {
                    let body = events.ndjson(some);
                    let kind = "application/x-ndjson";
                    let status = connection.post("/v1/events", kind, &body).await?;
                    ensure!(status == 201, "{status}: {}", connection.text());
                }
                left -= some;
            }
            Ok(())
        }));
    }
    for sender in senders {
        sender.await??;
    }
    Ok(())
}
