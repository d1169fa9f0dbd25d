//! `trailkeep verify`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use super::client::{self, Received};
use super::failure::Failure;
use super::output::{print_line, progress_bar};
use super::{TargetArgs, clock};
use trailkeep_api::verify::{Attested, Finding, VerifyReport};
use trailkeep_core::audit::{Question, Subject, verify as verify_ledger};
use trailkeep_core::ops::backup::open_backup;
use trailkeep_core::ops::open::Files;
use trailkeep_core::tenant::Tenant;
use trailkeep_files::FileError;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::text::counted;
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
    let found = report.read()?;
    if args.json {
        report.print()?;
    } else {
        print_line(&describe(&found))?;
    }
    Ok(match verdict(&found) {
        _ if found.ok => ExitCode::SUCCESS,
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

fn verdict(report: &VerifyReport) -> Verdict {
    let all_listed = report.findings_total == report.findings.len() as u64;
    let is_key = |finding: &Finding| finding.rule == "key-missing";
    if all_listed && report.findings.iter().all(is_key) {
        Verdict::KeysMissing
    } else {
        Verdict::Tampered
    }
}

/// Opens the files without starting a writer, so that a damaged ledger can be looked at; if a server has
/// them, asks the server.
async fn verify_here(
    args: &VerifyArgs,
    against: Option<String>,
) -> anyhow::Result<Received<VerifyReport>> {
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
        Err(trailkeep_core::ops::open::OpenError::Store(StoreError::File(FileError::Locked(
            _,
        )))) => {
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
) -> anyhow::Result<Received<VerifyReport>> {
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
    Received::made(&verify_report(report?))
}

async fn ask(args: &VerifyArgs, against: Option<String>) -> anyhow::Result<Received<VerifyReport>> {
    let witnesses: Vec<String> = args.witnesses.iter().map(ToString::to_string).collect();
    client::ask(&args.target, async |client| {
        client.verify(&witnesses, against).await
    })
    .await
}

fn describe(report: &VerifyReport) -> String {
    let mut lines = vec![
        format!("ledger    {}", report.origin),
        format!(
            "entries   {} (size {}, root {})",
            report.entries, report.size, report.root
        ),
        format!(
            "events    {}: {} intact, {} expired, {} erased, {} restricted, {} damaged",
            report.events,
            report.intact,
            report.expired,
            report.erased,
            report.restricted,
            report.damaged
        ),
    ];
    let sources = report.sources;
    if sources.sources > 0 {
        lines.push(format!(
            "sources   {}: {} of their numbers missing, {} of which may be deleted; {} repeated, {} restarts",
            sources.sources, sources.missing, sources.may_be_deleted, sources.repeats, sources.restarts
        ));
    }
    lines.extend(attested(report));
    for Finding { seq, rule, detail } in &report.findings {
        let place = seq.map_or_else(|| "ledger".to_owned(), |seq| format!("seq {seq}"));
        lines.push(format!("  {place:>10}  {rule}: {detail}"));
    }
    let (total, listed) = (report.findings_total, report.findings.len() as u64);
    if total > listed {
        lines.push(format!("  and {} more", total - listed));
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
fn attested(report: &VerifyReport) -> Vec<String> {
    let Attested {
        anchored,
        witnessed,
        unchecked,
        ..
    } = &report.attested;
    let mut lines: Vec<String> = Vec::new();
    for by in witnessed {
        lines.push(format!(
            "the first {} witnessed by {} at {}",
            counted(by.size, "entry"),
            by.name,
            by.at
        ));
    }
    for there in anchored {
        lines.push(format!(
            "the first {} anchored at {} with the {} `{}` (as the operator states; --against proves it)",
            counted(there.size, "entry"),
            there.at,
            there.kind,
            there.target
        ));
    }
    if !unchecked.is_empty() {
        lines.push(format!(
            "not checked, since --witness did not name their keys: cosignatures by {}",
            unchecked.join(", ")
        ));
    }
    let sizes = witnessed.iter().map(|by| by.size);
    let sizes = sizes.chain(anchored.iter().map(|there| there.size));
    let reached = sizes.max().unwrap_or_default();
    if reached < report.size {
        lines.push(format!(
            "the last {} self-attested: only the ledger's own key signs them",
            counted(report.size - reached, "entry")
        ));
    }
    let named = |(at, line)| format!("{}  {line}", if at == 0 { "attested" } else { "        " });
    lines.into_iter().enumerate().map(named).collect()
}
