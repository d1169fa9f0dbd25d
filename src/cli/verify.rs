//! `trailkeep verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::output::{print_json, print_line, progress_bar};
use super::{TargetArgs, exit};
use crate::service::backup::open_backup;
use crate::service::open::Files;
use crate::service::verify::{Subject, verify as verify_ledger};
use crate::store::{LedgerRecord, StoreError};

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep verify --dir D
  trailkeep verify --dir D --against checkpoint-of-last-month.txt --json

Everything is derived again from the stored bytes. It runs beside a server too. Exit code 3: something
is not as it was recorded; each finding names the entry and the rule. Exit code 1: all is as recorded, but keys are
missing (an older vault was restored).")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// A checkpoint that somebody kept: the ledger must begin with what it signs
    #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
    against: Option<PathBuf>,
    /// Print JSON: {"ok","entries","intact","expired","erased","size","root","findings":[{"seq","rule","detail"}]}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let against = match &args.against {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("can't read {}", path.display()))?,
        ),
        None => None,
    };
    let report = if args.target.url.is_some() {
        ask(&args, against).await?
    } else {
        verify_here(&args, against).await?
    };
    let ok = report.get("ok").and_then(Value::as_bool).unwrap_or(false);
    if args.json {
        print_json(&report)?;
    } else {
        print_line(&describe(&report))?;
    }
    Ok(match verdict(&report) {
        _ if ok => ExitCode::SUCCESS,
        Verdict::KeysMissing => ExitCode::from(exit::FAILED),
        Verdict::Tampered => ExitCode::from(exit::TAMPERED),
    })
}

/// What findings come to.
enum Verdict {
    /// Nothing is other than it was recorded, and some texts can't be read.
    KeysMissing,
    /// Something is not as it was recorded.
    Tampered,
}

fn verdict(report: &Value) -> Verdict {
    let findings = report["findings"].as_array();
    let is_key = |finding: &Value| finding["rule"] == "key-missing";
    let all_listed = findings.is_some_and(|listed| report["findings_total"] == listed.len() as u64);
    if all_listed && findings.is_some_and(|listed| listed.iter().all(is_key)) {
        Verdict::KeysMissing
    } else {
        Verdict::Tampered
    }
}

/// Opens the files without starting a writer, so that a damaged ledger can be looked at; if a server has
/// them, asks the server.
async fn verify_here(args: &VerifyArgs, against: Option<String>) -> anyhow::Result<Value> {
    let directory = &args.target.directory;
    if directory.directory().is_backup() {
        let backup = open_backup(&directory.directory(), &directory.root_key())?;
        let (tenant, name) = (args.target.tenant.clone(), args.target.ledger.clone());
        return crate::service::blocking(move || {
            verify_open(
                Subject::from(&backup),
                (&tenant, name.as_deref()),
                against.as_deref(),
            )
        })
        .await;
    }
    let files = match Files::open(directory.directory(), &directory.root_key()) {
        Ok(files) => files,
        Err(crate::service::open::OpenError::Store(StoreError::Locked(_))) => {
            return ask(args, against).await;
        }
        Err(error) => return Err(error.into()),
    };
    let (tenant, name) = (args.target.tenant.clone(), args.target.ledger.clone());
    crate::service::blocking(move || {
        verify_open(
            Subject::from(&files),
            (&tenant, name.as_deref()),
            against.as_deref(),
        )
    })
    .await
}

/// Verifies the ledger with a name, or the newest of the tenant: earlier ones were closed by a recovery.
fn verify_open(
    subject: Subject<'_>,
    (tenant, name): (&str, Option<&str>),
    against: Option<&str>,
) -> anyhow::Result<Value> {
    let bar = progress_bar(0, "verifying");
    let ledgers = subject.ledgers.ledgers()?;
    let is_named = |record: &&LedgerRecord| {
        let origin = record.origin.as_str();
        name.is_none_or(|name| origin.rsplit('/').next() == Some(name))
    };
    let mut of_tenant = ledgers
        .iter()
        .filter(|record| record.tenant.as_str() == tenant);
    let Some(record) = of_tenant.rfind(is_named) else {
        bail!("the directory holds no such ledger of the tenant `{tenant}`");
    };
    let report = verify_ledger(subject, record, against, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(serde_json::to_value(report?)?)
}

async fn ask(args: &VerifyArgs, against: Option<String>) -> anyhow::Result<Value> {
    let client = Client::to(&args.target)?;
    let bar = progress_bar(0, "verifying");
    let mut report = None;
    let body = against.unwrap_or_default().into_bytes();
    let answer = client
        .send("POST", "/v1/verify", Some("text/plain"), body)
        .await?;
    answer
        .lines(|line| {
            let line: Value = serde_json::from_str(line)?;
            if let Some(error) = line.get("error").and_then(Value::as_str) {
                bail!("{error}");
            }
            let number = |name: &str| line.get(name).and_then(Value::as_u64);
            if let (Some(done), Some(total)) = (number("done"), number("total")) {
                bar.set_length(total);
                bar.set_position(done);
            }
            if let Some(found) = line.get("report") {
                report = Some(found.clone());
            }
            Ok(())
        })
        .await?;
    bar.finish_and_clear();
    client.close().await?;
    report.context("the server ended before the verification did")
}

fn describe(report: &Value) -> String {
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    let text = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut lines = vec![
        format!("ledger    {}", text(report, "origin")),
        format!(
            "entries   {} (size {}, root {})",
            number("entries"),
            number("size"),
            text(report, "root")
        ),
        format!(
            "events    {}: {} intact, {} expired, {} erased, {} restricted, {} damaged",
            number("events"),
            number("intact"),
            number("expired"),
            number("erased"),
            number("restricted"),
            number("damaged")
        ),
    ];
    let sources = &report["sources"];
    let count = |name: &str| sources[name].as_u64().unwrap_or_default();
    if count("sources") > 0 {
        lines.push(format!(
            "sources   {}: {} of their numbers missing, {} of which may have gone; {} repeated, {} restarts",
            count("sources"),
            count("missing"),
            count("may_have_gone"),
            count("repeats"),
            count("restarts")
        ));
    }
    let findings = report
        .get("findings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for finding in &findings {
        let place = finding
            .get("seq")
            .and_then(Value::as_u64)
            .map_or_else(|| "ledger".to_owned(), |seq| format!("seq {seq}"));
        lines.push(format!(
            "  {place:>10}  {}: {}",
            text(finding, "rule"),
            text(finding, "detail")
        ));
    }
    let total = number("findings_total");
    if total > findings.len() as u64 {
        lines.push(format!("  and {} more", total - findings.len() as u64));
    }
    let keys_missing = matches!(verdict(report), Verdict::KeysMissing);
    lines.push(if total > 0 && keys_missing {
        format!(
            "verdict   INCOMPLETE: nothing was changed, and {total} event(s) can't be opened: their keys are in this vault \
             no more; restore with the newest copy of the vault"
        )
    } else if total == 0 {
        "verdict   OK: chain, tree, checkpoint, every payload and every index row are as recorded".to_owned()
    } else {
        format!("verdict   NOT OK: {total} finding(s); keep a copy of this directory before anything else")
    });
    lines.join("\n")
}
