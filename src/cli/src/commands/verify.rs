//! `trailkeep verify`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::client::{Client, segment};
use super::failure::Failure;
use super::output::{print_json, print_line, progress_bar};
use super::{TargetArgs, clock};
use trailkeep_core::audit::{Question, Subject, verify as verify_ledger};
use trailkeep_core::ops::backup::open_backup;
use trailkeep_core::ops::open::Files;
use trailkeep_core::tenant::Tenant;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_server::verify_report;
use trailkeep_store_sqlite::Sqlite;
use trailkeep_verify::exit::Exit;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep verify --dir D
  trailkeep verify --dir D --against checkpoint-of-last-month.txt --json
  trailkeep verify --dir D --witness witness.example.com/1+4e4ba1e0+BK...

Everything is recomputed from the stored bytes. It works while a server runs. Exit code 3: tampering or damage found;
each finding names the entry and the rule. Exit code 1: nothing was changed, but keys are missing (an older vault was
restored).")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// A checkpoint that you kept earlier: the ledger must still begin with it
    #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
    against: Option<PathBuf>,
    /// A witness that you trust, by its C2SP verifier key: its cosignatures are checked. Repeatable; a server knows those
    /// of its settings
    #[arg(long = "witness", value_name = "VKEY", value_parser = WitnessKey::parse)]
    witnesses: Vec<WitnessKey>,
    /// Print JSON: {"ok","entries","intact","expired","erased","size","root","attested","findings":[{"seq","rule","detail"}]}
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
        Verdict::KeysMissing => Exit::Failed.into(),
        Verdict::Tampered => Exit::Tampered.into(),
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
        let backup = open_backup(&Sqlite, &directory.directory(), &directory.root_key())?;
        let (tenant, name) = (args.target.tenant.clone(), args.target.ledger.clone());
        let witnesses = args.witnesses.clone();
        return trailkeep_core::blocking(move || {
            let question = Question {
                against: against.as_deref(),
                witnesses: &witnesses,
                now: Some(clock().wall()),
            };
            verify_open(
                Subject::from(&backup),
                (&tenant, name.as_deref()),
                &question,
            )
        })
        .await;
    }
    let files = match Files::open(
        Arc::new(Sqlite),
        directory.directory(),
        &directory.root_key(),
    ) {
        Ok(files) => files,
        Err(trailkeep_core::ops::open::OpenError::Store(StoreError::Locked(_))) => {
            return ask(args, against).await;
        }
        Err(error) => return Err(error.into()),
    };
    let (tenant, name) = (args.target.tenant.clone(), args.target.ledger.clone());
    let witnesses = args.witnesses.clone();
    trailkeep_core::blocking(move || {
        let question = Question {
            against: against.as_deref(),
            witnesses: &witnesses,
            now: Some(clock().wall()),
        };
        verify_open(Subject::from(&files), (&tenant, name.as_deref()), &question)
    })
    .await
}

/// Verifies the ledger with a name, or the tenant's active one.
fn verify_open(
    subject: Subject<'_>,
    (tenant, name): (&str, Option<&str>),
    question: &Question<'_>,
) -> anyhow::Result<Value> {
    let bar = progress_bar(0, "verifying");
    let ledgers = subject.ledgers.ledgers()?;
    let is_theirs = |record: &LedgerRecord| record.tenant.as_str() == tenant;
    let of_tenant = Tenant::of(ledgers.into_iter().filter(is_theirs).collect());
    let Some(Ok(scope)) = of_tenant.map(|tenant| tenant.read_scope(name)) else {
        return Err(Failure::not_found(format!(
            "the tenant `{tenant}` has no such ledger in this directory"
        ))
        .into());
    };
    let report = verify_ledger(subject, scope.ledger(), question, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(serde_json::to_value(verify_report(report?))?)
}

async fn ask(args: &VerifyArgs, against: Option<String>) -> anyhow::Result<Value> {
    let client = Client::to(&args.target)?;
    let bar = progress_bar(0, "verifying");
    let mut report = None;
    let body = against.unwrap_or_default().into_bytes();
    let named = args.witnesses.iter();
    let named: Vec<String> = named
        .map(|key| format!("witness={}", segment(&key.to_string())))
        .collect();
    let path = format!("/v1/verify?{}", named.join("&"));
    let path = path.trim_end_matches('?');
    let answer = client.send("POST", path, Some("text/plain"), body).await?;
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
    report.context("the server stopped before the verification was complete; run it again")
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
            "sources   {}: {} of their numbers missing, {} of which may be deleted; {} repeated, {} restarts",
            count("sources"),
            count("missing"),
            count("may_be_deleted"),
            count("repeats"),
            count("restarts")
        ));
    }
    lines.extend(attested(report));
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
            "verdict   INCOMPLETE: nothing was changed, and {total} event(s) cannot be decrypted: their keys are missing from \
             this vault; restore with the newest vault replica"
        )
    } else if total == 0 {
        "verdict   OK: chain, tree, checkpoint, every payload and every index row are as recorded".to_owned()
    } else {
        format!("verdict   NOT OK: {total} finding(s); copy this directory before you do anything else")
    });
    lines.join("\n")
}

/// Who vouches for the heads besides the ledger's own key, as far as which entry.
fn attested(report: &Value) -> Vec<String> {
    let attested = &report["attested"];
    let rows = |name: &str| attested[name].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let reaches = |rows: &[Value]| rows.iter().filter_map(|row| row["size"].as_u64()).max();
    let (witnessed, anchored) = (rows("witnessed"), rows("anchored"));
    let mut lines: Vec<String> = Vec::new();
    for by in &witnessed {
        let (name, at) = (text(by, "name"), text(by, "at"));
        lines.push(format!(
            "the first {} entries witnessed by {name} at {at}",
            by["size"]
        ));
    }
    for there in &anchored {
        let (target, kind, at) = (
            text(there, "target"),
            text(there, "kind"),
            text(there, "at"),
        );
        lines.push(format!(
            "the first {} entries anchored at {at} with the {kind} `{target}` (as the operator states; --against proves it)",
            there["size"]
        ));
    }
    let unchecked: Vec<String> = rows("unchecked")
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    if !unchecked.is_empty() {
        lines.push(format!(
            "not checked, since --witness did not name their keys: cosignatures by {}",
            unchecked.join(", ")
        ));
    }
    let size = report["size"].as_u64().unwrap_or_default();
    let reached = reaches(&witnessed)
        .max(reaches(&anchored))
        .unwrap_or_default();
    if reached < size {
        lines.push(format!(
            "the last {} entries self-attested: only the ledger's own key signs them",
            size - reached
        ));
    }
    let named = |(at, line)| format!("{}  {line}", if at == 0 { "attested" } else { "        " });
    lines.into_iter().enumerate().map(named).collect()
}
