//! The benchmark of erasure: one person among ever more events, and the rotation of ever larger vaults while writers go
//! on. docs/performance.md shows its figures.
//!
//! `cargo bench --bench erasure` runs all of it; `-- --stored 10000,100000 --keys 20000` a smaller one.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people: two or three digits of them count"
)]

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use support::in_process::{Bench, latencies, quantiles};
use support::{say, temporary};
use trailkeep_core::govern::rotation;
use trailkeep_core::{blocking, requests};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::{Kind, Regime};

/// Measures erasure and rotation on this machine.
#[derive(Parser)]
#[command(name = "erasure", max_term_width = 100)]
struct Options {
    /// Events stored when persons are erased
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    stored: Vec<u64>,
    /// Keys of the vault when it is rotated
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    keys: Vec<u64>,
    /// Where the temporary directory is made: the disk that is measured [default: target/tmp]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`; without it (`cargo test --all-targets`) nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

/// Events of one person: those who are erased have as many in every size.
const EVENTS_OF_A_PERSON: u64 = 100;
/// Persons who are erased, one after another.
const ERASED: u64 = 5;
/// How long writers are measured alone.
const ALONE: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return say("run this with `cargo bench --bench erasure`");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    say("| events stored | of the person | erasure ms: median / max of 5 |")?;
    say("|---|---|---|")?;
    for stored in &options.stored {
        let directory = temporary(options.dir.as_deref(), "erasure")?;
        runtime.block_on(erase(*stored, directory.path()))?;
    }
    say("")?;
    say("| keys | rotation s | keys/s | writers' p50/p99/max ms alone | during |")?;
    say("|---|---|---|---|---|")?;
    for keys in &options.keys {
        let directory = temporary(options.dir.as_deref(), "erasure")?;
        runtime.block_on(rotate(*keys, directory.path()))?;
    }
    Ok(())
}

/// Erases persons with as many events each, from the request to the certificate.
async fn erase(stored: u64, folder: &Path) -> anyhow::Result<()> {
    let bench = Bench::open(folder, EVENTS_OF_A_PERSON).await?;
    bench.fill(0..stored).await?;
    let persons = stored / EVENTS_OF_A_PERSON;
    let mut millis = Vec::new();
    for number in 0..ERASED {
        // From all over the ledger.
        let person = number * (persons - 1) / (ERASED - 1).max(1);
        let (engine, tenant) = (Arc::clone(&bench.engine), bench.tenant.clone());
        let begun = Instant::now();
        let request = blocking(move || {
            let new = requests::NewRequest {
                kind: Kind::Erasure,
                regime: Regime::Gdpr,
                subject: Person {
                    namespace: String::new(),
                    id: format!("person-{person}"),
                },
                reference: None,
                identity_kind: None,
                manner: None,
                identity_verified_by: Some("bench".to_owned()),
                received_on: None,
                include_acted: false,
                show_others: None,
                show_staff: false,
                not_the_same_person: None,
                ground: None,
            };
            let filed = requests::receive(&engine.requests, &tenant, &new, "bench")?;
            let seen = ("bench", None);
            let preview = requests::preview(&engine.requests, &tenant, &filed.id, seen)?;
            let order = requests::Order {
                token: preview.token.map(|token| token.text),
                ..requests::Order::default()
            };
            requests::order(&engine.requests, &tenant, &filed.id, &order, "bench")?;
            requests::carry_out_now(&engine.requests, &tenant, "bench", false)?;
            anyhow::Ok(requests::one(&engine.journal, &tenant, &filed.id)?)
        });
        let request = request.await?;
        millis.push(begun.elapsed().as_secs_f64() * 1_000.0);
        let decision = request.decision.context("it was carried out")?;
        ensure!(decision == "erased", "{decision}");
    }
    millis.sort_unstable_by(f64::total_cmp);
    say(&format!(
        "| {stored} | {EVENTS_OF_A_PERSON} | {:.0} / {:.0} |",
        millis[millis.len() / 2],
        millis[millis.len() - 1],
    ))?;
    bench.close().await
}

/// Rotates a vault in which each event's person has a key, while writers go on.
async fn rotate(keys: u64, folder: &Path) -> anyhow::Result<()> {
    let bench = Bench::open(folder, 1).await?;
    bench.fill(0..keys).await?;
    let next = Arc::new(AtomicU64::new(keys));
    let stop = Arc::new(AtomicBool::new(false));
    let alone = bench.write_until(&next, &stop);
    tokio::time::sleep(ALONE).await;
    stop.store(true, Ordering::SeqCst);
    let alone = latencies(alone).await?;

    let stop = Arc::new(AtomicBool::new(false));
    let beside = bench.write_until(&next, &stop);
    let begun = Instant::now();
    let engine = Arc::clone(&bench.engine);
    blocking(move || rotation::rotate_now(&engine.custody, "bench", &mut |_, _| {})).await?;
    let took = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::SeqCst);
    let beside = latencies(beside).await?;
    say(&format!(
        "| {keys} | {took:.1} | {:.0} | {} | {} |",
        keys as f64 / took,
        quantiles(&alone),
        quantiles(&beside),
    ))?;
    bench.close().await
}
