//! `trailkeep demo`: the main job, for real, on made-up events.

mod bundle;
mod person;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::client::Client;
use super::output::{print_line, progress_bar};
use super::{DirectoryArgs, TargetArgs, clock};
use crate::demo::demo_events;
use trailkeep_api::events::AppendedOne;
use trailkeep_core::audit::{Question, Report, Subject, verify};
use trailkeep_core::ops::init::{Initialised, init};
use trailkeep_core::ops::open::Files;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::{DataDirectory, make_private_folder};
use trailkeep_files::private::write_private_file;
use trailkeep_proof::ids::{LogName, Seq};
use trailkeep_proof::ledger::note::PublicKey;
use trailkeep_proof::time::UnixMillis;
use trailkeep_server::serve::{ServeOptions, serve};
use trailkeep_store_sqlite::Sqlite;
use trailkeep_store_sqlite::tamper::change_one_payload_byte;
use trailkeep_verify::offline;

/// Events that the demo writes.
const EVENTS: usize = 300;
/// Events of one request, after the first few that are sent one by one.
const EVENTS_PER_REQUEST: usize = 25;
/// Events sent one by one, for their receipts.
const SINGLE_EVENTS: usize = 25;
/// The same events in every run.
const SEED: u64 = 20_261_124;
/// How long the demo's server waits for requests at its end.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// An hour in milliseconds.
const HOUR_MS: u64 = 3_600_000;

#[derive(Args)]
#[command(after_help = "\
Example:  trailkeep demo

It creates a directory, starts a server on a free port, and keeps the directory for you to try.")]
pub(super) struct DemoArgs {
    /// Directory to create [default: a new ./trailkeep-demo-N]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let path = args.dir.unwrap_or_else(free_directory);
    ensure!(
        !path.exists(),
        "{} exists: choose another directory with --dir",
        path.display()
    );
    let dir = path.display().to_string();

    print_line("Trailkeep: an audit trail that proves what it kept\n")?;
    let directory = DataDirectory::new(&path);
    let root_key = RootKeySource::File(directory.root_key());
    let made = init(
        &Sqlite,
        &directory,
        &LogName::new("localhost")?,
        &root_key,
        &clock(),
    )?;
    print_line(&format!(
        "1  A ledger      {dir}\n                 public key {}",
        made.verifier
    ))?;

    let receipt = write_events(&directory, &root_key, &made).await?;
    show_receipt(&path, &receipt, &made)?;

    let report = verify_directory(&directory, &root_key)?;
    print_line(&format!("\n4  Verify        {}", verdict(&report)))?;
    ensure!(
        report.ok,
        "the demo's ledger does not verify: this is a fault of trailkeep"
    );

    show_tampering(&path, &receipt, &root_key)?;
    let target = target(&directory, None, None);
    bundle::show_bundles(&target, &path).await?;
    person::show_person(&target, &path).await?;
    let report = verify_directory(&directory, &root_key)?;
    print_line(&format!("\n11 Verify again  {}", verdict(&report)))?;
    ensure!(
        report.ok && report.erased > 0,
        "the demo's ledger does not verify after an erasure: this is a fault of trailkeep"
    );
    print_line(&format!(
        "\nTry next:\n  \
         trailkeep query --dir {dir} --action chat.completion --limit 5\n  \
         trailkeep show --dir {dir} demo-000001\n  \
         trailkeep receipt verify {dir}/demo-000001.tlog-proof --key {dir}/public-key.pem\n  \
         trailkeep bundle verify {dir}/bundle.zip --key {dir}/public-key.pem\n  \
         unzip -p {dir}/bundle.zip report.html > report.html        (and open it in a browser)\n  \
         trailkeep certificate verify {dir}/certificate.json --key {dir}/public-key.pem\n  \
         trailkeep verify --dir {dir}\n  \
         trailkeep serve --dir {dir}\n\
         With cargo, write `cargo run --release --` for `trailkeep`. Remove {dir} when you are done."
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The directory, by itself or as served.
fn target(directory: &DataDirectory, url: Option<String>, token: Option<String>) -> TargetArgs {
    TargetArgs {
        directory: DirectoryArgs {
            dir: directory.path().to_owned(),
            root_key_file: None,
            root_key_command: None,
        },
        url,
        tenant: trailkeep_core::DEFAULT_TENANT.to_owned(),
        ledger: None,
        purpose: None,
        token,
    }
}

/// Serves the directory on a free port, and writes over HTTP as an application would. Gives the answer to
/// the first event.
async fn write_events(
    directory: &DataDirectory,
    root_key: &RootKeySource,
    made: &Initialised,
) -> anyhow::Result<AppendedOne> {
    let engine = Arc::new(
        Files::open(Arc::new(Sqlite), directory.clone(), root_key)?
            .start(super::settings::start_options(false)?)?,
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let options = ServeOptions {
        tls: None,
        daily_hour: None,
        stop_wait: STOP_WAIT,
        limits: trailkeep_server::limits::Limits::default(),
    };
    let server = tokio::spawn(serve(engine, listener, options, async {
        let _ = stopped.await;
    })?);
    print_line(&format!(
        "\n2  Write         {EVENTS} events of LLM calls to {url}/v1/events"
    ))?;
    let client = Client::to(&target(directory, Some(url), Some(made.token.to_string())))?;
    let started_at = UnixMillis::new(clock().wall().get().saturating_sub(6 * HOUR_MS));
    let events = demo_events(EVENTS, SEED, started_at);
    let bar = progress_bar(EVENTS as u64, "writing");
    let mut first = None;
    for event in &events[..SINGLE_EVENTS] {
        let answer = client.append("application/json", event.clone().into_bytes());
        let answer: AppendedOne = answer.await?.read_as()?;
        first.get_or_insert(answer);
        bar.inc(1);
    }
    for some in events[SINGLE_EVENTS..].chunks(EVENTS_PER_REQUEST) {
        let body = some.join("\n").into_bytes();
        client.append("application/x-ndjson", body).await?;
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    let _ = stop.send(());
    server.await??;
    let bytes: usize = events.iter().map(String::len).sum();
    print_line(&format!(
        "                 {EVENTS} acknowledged ({} KiB of JSON); each was encrypted, chained and on disk before its answer",
        bytes / 1024
    ))?;
    first.context("no event was written")
}

/// Keeps the first event's receipt and the public key as files, and checks the one with the other.
fn show_receipt(path: &Path, answer: &AppendedOne, made: &Initialised) -> anyhow::Result<()> {
    let AppendedOne {
        id, seq, receipt, ..
    } = answer;
    fs_write(&path.join("demo-000001.tlog-proof"), receipt)?;
    fs_write(&path.join("public-key.pem"), &made.public_key_pem)?;
    print_line(&format!(
        "\n3  A receipt     of {id} (seq {seq}): proof that it is in the ledger, for anyone with the public key\n"
    ))?;
    for line in receipt.lines() {
        print_line(&format!("                 {line}"))?;
    }
    let key = PublicKey::parse(&made.public_key_pem)?;
    let question = offline::Question {
        key: &key,
        against: None,
        witnesses: &[],
    };
    let report = offline::check(receipt, &question);
    ensure!(
        report.verified,
        "the receipt does not verify: this is a fault of trailkeep"
    );
    print_line("\n                 checked offline: VERIFIED").map_err(anyhow::Error::from)
}

/// Changes one byte of a stored payload in a copy, and shows what verify says.
fn show_tampering(
    path: &Path,
    answer: &AppendedOne,
    root_key: &RootKeySource,
) -> anyhow::Result<()> {
    let copy = path.join("tampered-copy");
    make_private_folder(&copy)?;
    for name in ["ledger.db", "index.db", "vault.db", "epoch.key"] {
        fs::copy(path.join(name), copy.join(name)).with_context(|| format!("can't copy {name}"))?;
    }
    let seq = answer.seq;
    let tampered = DataDirectory::new(&copy);
    change_one_payload_byte(&tampered.ledger_db(), Seq::new(seq))?;
    let report = verify_directory(&tampered, root_key)?;
    print_line(&format!(
        "\n5  Tamper        one byte of seq {seq} changed in a copy of the ledger\n                 {}",
        verdict(&report)
    ))?;
    for finding in report.findings.iter().take(3) {
        let seq = finding
            .seq
            .map_or_else(|| "ledger".to_owned(), |seq| format!("seq {seq}"));
        print_line(&format!(
            "                 {seq}  {}: {}",
            finding.rule, finding.detail
        ))?;
    }
    ensure!(
        !report.ok,
        "verify did not notice the change: this is a fault of trailkeep"
    );
    fs::remove_dir_all(&copy)?;
    Ok(())
}

fn verify_directory(directory: &DataDirectory, root_key: &RootKeySource) -> anyhow::Result<Report> {
    let files = Files::open(Arc::new(Sqlite), directory.clone(), root_key)?;
    let ledgers = files.ledgers.ledgers()?;
    let record = ledgers.first().context("the directory has no ledger")?;
    Ok(verify(
        Subject::from(&files),
        record,
        &Question::default(),
        &mut |_, _| (),
    )?)
}

fn verdict(report: &Report) -> String {
    let verdict = if report.ok { "OK" } else { "NOT OK" };
    format!(
        "{verdict}: {} entries, {} of {} events intact{}, root {}",
        report.entries,
        report.intact,
        report.events,
        gone(report),
        report.root
    )
}

fn gone(report: &Report) -> String {
    if report.erased == 0 {
        return String::new();
    }
    format!(
        ", {} erased, {} restricted",
        report.erased, report.restricted
    )
}

fn free_directory() -> PathBuf {
    let names = (1..).map(|number| PathBuf::from(format!("trailkeep-demo-{number}")));
    names
        .into_iter()
        .find(|path| !path.exists())
        .unwrap_or_else(|| PathBuf::from("trailkeep-demo"))
}

fn fs_write(path: &Path, text: &str) -> anyhow::Result<()> {
    write_private_file(path, text.as_bytes())
        .with_context(|| format!("can't write {}", path.display()))
}
