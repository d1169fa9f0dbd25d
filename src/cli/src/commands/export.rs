//! `trailkeep export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::TargetArgs;
use super::client::{Client, Received, ask};
use super::out_file::{OutFile, Replacing, is_standard_output, refuse_json_beside};
use super::output::{note, print_line, progress_bar};
use trailkeep_api::exports::{Export, ExportQuestion, OneOrSeveral};
use trailkeep_proof::bundle::manifest::{Counts, Proof, SeqRange};
use trailkeep_proof::text::{agreeing, counted, size};
use trailkeep_verify::offline::read_text;

/// How often a job is asked how far it is.
const POLL: Duration = Duration::from_millis(50);

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep export --dir D --out all.zip
  trailkeep export --dir D --out november.zip --from 2026-11-01 --to 2026-12-01
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
    /// Recorded at this time or later: RFC 3339, or a day, which is its start in UTC
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Recorded before this time; a day is excluded whole
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
    let question = ExportQuestion {
        from: args.from,
        to: args.to,
        seq: args.seq,
        action: args.action,
        redact: OneOrSeveral::List(args.redact),
        recipients: OneOrSeveral::List(args.recipient),
        against: OneOrSeveral::List(against),
    };
    let exported = ask(&args.target, async |client| {
        export_to(client, &question, (&args.out, args.replacing)).await
    });
    let exported = exported.await?;
    if args.json {
        exported.answer.print_with([("file", json!(args.out))])?;
    } else if is_standard_output(&args.out) {
        note(&describe(&exported.bundle, Path::new("standard output")));
    } else {
        print_line(&describe(&exported.bundle, &args.out))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A bundle that was put where it belongs.
pub(super) struct Exported {
    pub(super) answer: Received<Export>,
    pub(super) bundle: Bundle,
}

/// What a bundle holds.
pub(super) struct Bundle {
    proof: Proof,
    range: Option<SeqRange>,
    counts: Counts,
    export_seq: u64,
    pub(super) bytes: u64,
    sha256: String,
    encrypted: bool,
}

/// Asks for a bundle, waits for it, and puts it where it belongs. Gives what it holds.
pub(super) async fn export_to(
    client: &Client,
    question: &ExportQuestion,
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<Exported> {
    let mut file = OutFile::at(out, replacing)?;
    let mut answer = client.start_export(question).await?;
    let id = answer.read()?.id().to_owned();
    let bar = progress_bar(0, "exporting");
    let bundle = loop {
        match answer.read()? {
            Export::Running { progress, .. } => {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            }
            Export::Failed { error, .. } => bail!("the export failed: {error}"),
            Export::Done {
                proof,
                range,
                counts,
                export_seq,
                bytes,
                sha256,
                encrypted,
                ..
            } => {
                break Bundle {
                    proof,
                    range,
                    counts,
                    export_seq,
                    bytes,
                    sha256,
                    encrypted,
                };
            }
        }
        tokio::time::sleep(POLL).await;
        answer = client.export(&id).await?;
    };
    bar.finish_and_clear();
    let bytes = client.export_file(&id).await?.write_to(&mut file).await?;
    if bundle.bytes != bytes {
        bail!("the bundle is incomplete: {bytes} bytes arrived; run the export again");
    }
    file.keep()?;
    client.remove_export(&id).await?;
    Ok(Exported { answer, bundle })
}

fn describe(bundle: &Bundle, out: &Path) -> String {
    let what = match (bundle.proof, bundle.range) {
        (Proof::Range, Some(range)) => format!("range, entries {} to {}", range.first, range.last),
        (Proof::Range, None) => "range, without entries".to_owned(),
        (Proof::Selection, _) => "selection".to_owned(),
    };
    let Counts {
        entries,
        disclosed,
        statements,
        expired,
        erased,
        restricted,
        withheld,
    } = bundle.counts;
    let inside = entries.saturating_sub(disclosed + expired + erased + restricted + withheld);
    let outside = statements.saturating_sub(inside);
    let counts = format!(
        "{} = {} disclosed + {expired} expired + {erased} erased + {restricted} restricted + {withheld} withheld + {} inside\n             \
         {} outside of the entries {} them",
        counted(entries, "entry"),
        counted(disclosed, "event"),
        counted(inside, "statement"),
        counted(outside, "statement"),
        agreeing(outside, "explains", "explain"),
    );
    let sealed = if bundle.encrypted {
        "\nencrypted    with age: decrypt with `age -d -i KEY_FILE`"
    } else {
        ""
    };
    format!(
        "bundle       {}\nproof        {what}\ncounts       {counts}\nrecorded     as seq {}\nsize         {}\nsha256       {}{sealed}",
        out.display(),
        bundle.export_seq,
        size(bundle.bytes),
        bundle.sha256,
    )
}
