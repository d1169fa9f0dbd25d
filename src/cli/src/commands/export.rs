//! `trailkeep export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::Client;
use super::out_file::{OutFile, Replacing, is_standard_output, refuse_json_beside};
use super::output::{note, print_json, print_line, progress_bar};
use trailkeep_verify::offline::read_text;

/// How often a job is asked how far it is.
const POLL: Duration = Duration::from_millis(50);

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep export --dir D --out all.zip
  trailkeep export --dir D --out november.zip --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z
  trailkeep export --dir D --out some.zip --seq 17..42 --redact input,output
  trailkeep export --dir D --out chats.zip --action chat.completion --recipient age1...

A bundle is verified offline: `trailkeep bundle verify B.zip --key PUBLIC.pem`. Without --action it is a range: it
proves that nothing between its ends is left out. With --action it is a selection. --from is inclusive, --to
exclusive; both ends of --seq are inclusive. The export is recorded in the ledger.")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// File to write; it appears when complete. `-` is standard output
    #[arg(long, value_name = "B.zip")]
    out: PathBuf,
    #[command(flatten)]
    replacing: Replacing,
    /// Recorded at this moment (RFC 3339) or later
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Recorded before this moment (RFC 3339)
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// Entries from one seq to another, both included
    #[arg(long, value_name = "A..B", conflicts_with_all = ["from", "to"])]
    seq: Option<String>,
    /// Only the events with this action
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// Sections to replace by their digests, such as input,output
    #[arg(long, value_name = "SECTIONS", value_delimiter = ',')]
    redact: Vec<String>,
    /// Encrypt for this age recipient. Repeatable
    #[arg(long, value_name = "age1...")]
    recipient: Vec<String>,
    /// Include the proof that the ledger still begins with this checkpoint
    #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
    against: Vec<PathBuf>,
    /// Print JSON: {"file","proof","range","recorded","counts","export_seq","size","bytes","sha256","encrypted"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ExportArgs) -> anyhow::Result<ExitCode> {
    refuse_json_beside(&args.out, args.json)?;
    let against = args
        .against
        .iter()
        .map(|path| read_text(path))
        .collect::<Result<Vec<_>, _>>()?;
    let question = json!({
        "from": args.from,
        "to": args.to,
        "seq": args.seq,
        "action": args.action,
        "redact": args.redact,
        "recipients": args.recipient,
        "against": against,
    });
    let client = Client::to(&args.target)?;
    let exported = export_to(&client, &question, (&args.out, args.replacing)).await;
    client.close().await?;
    let mut summary = exported?;
    if args.json {
        summary["file"] = json!(args.out);
        print_json(&summary)?;
    } else if is_standard_output(&args.out) {
        note(&describe(&summary, Path::new("standard output")));
    } else {
        print_line(&describe(&summary, &args.out))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for a bundle, waits for it, and puts it where it belongs. Gives what it holds.
pub(super) async fn export_to(
    client: &Client,
    question: &Value,
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<Value> {
    let mut file = OutFile::at(out, replacing)?;
    let body = serde_json::to_vec(question)?;
    let mut job: Value = client
        .send("POST", "/v1/exports", Some("application/json"), body)
        .await?
        .json()
        .await?;
    let id = job["id"]
        .as_str()
        .context("the server's answer names no export")?
        .to_owned();
    let bar = progress_bar(0, "exporting");
    while job["state"] == "running" {
        if let (Some(done), Some(total)) = (
            job["progress"]["done"].as_u64(),
            job["progress"]["total"].as_u64(),
        ) {
            bar.set_length(total);
            bar.set_position(done);
        }
        tokio::time::sleep(POLL).await;
        job = client.get(&format!("/v1/exports/{id}")).await?;
    }
    bar.finish_and_clear();
    if job["state"] != "done" {
        bail!(
            "the export failed: {}",
            job["error"].as_str().unwrap_or("the server gave no reason")
        );
    }
    let answer = client
        .send("GET", &format!("/v1/exports/{id}/file"), None, Vec::new())
        .await?;
    let bytes = answer.write_to(&mut file).await?;
    if job["bytes"].as_u64() != Some(bytes) {
        bail!("the bundle is incomplete: {bytes} bytes arrived; run the export again");
    }
    file.keep()?;
    client
        .send("DELETE", &format!("/v1/exports/{id}"), None, Vec::new())
        .await?
        .text()
        .await?;
    Ok(job)
}

fn describe(summary: &Value, out: &Path) -> String {
    let count = |name: &str| summary["counts"][name].as_u64().unwrap_or_default();
    let what = if summary["proof"] == "range" {
        let range = &summary["range"];
        format!("range, entries {} to {}", range["first"], range["last"])
    } else {
        "selection".to_owned()
    };
    let others = ["disclosed", "expired", "erased", "restricted", "withheld"].map(count);
    let inside = count("entries").saturating_sub(others.iter().sum());
    let [disclosed, expired, erased, restricted, withheld] = others;
    let counts = format!(
        "{} entries = {disclosed} events disclosed + {expired} expired + {erased} erased + {restricted} restricted + \
         {withheld} withheld + {inside} statements inside\n             {} statements outside of the entries explain them",
        count("entries"),
        count("statements").saturating_sub(inside),
    );
    let sealed = if summary["encrypted"] == true {
        "\nencrypted    with age: decrypt with `age -d -i KEY_FILE`"
    } else {
        ""
    };
    format!(
        "bundle       {}\nproof        {what}\ncounts       {counts}\nrecorded     as seq {}\nbytes        {}\nsha256       {}{sealed}",
        out.display(),
        summary["export_seq"],
        summary["bytes"],
        summary["sha256"].as_str().unwrap_or_default(),
    )
}
