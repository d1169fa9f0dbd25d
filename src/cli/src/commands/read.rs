//! `trailkeep show` and `checkpoint`.

use std::process::ExitCode;

use clap::Args;

use super::TargetArgs;
use super::client::{Client, EventName, ask};
use super::output::{print_bytes, print_line};

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep show --dir D 17
  trailkeep show --dir D order-4711 --json | jq .event.output
  trailkeep show --dir D --id 17                    (an id that looks like a number)")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The entry's seq, or the event's id
    #[arg(value_name = "SEQ|ID")]
    name: String,
    /// Read it as an id even if it is a number
    #[arg(long)]
    id: bool,
    /// Print JSON: {"id","seq","recorded_at","leaf_hash","event"}
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CheckpointArgs {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) async fn show(args: ShowArgs) -> anyhow::Result<ExitCode> {
    let name = if args.id {
        EventName::Id(&args.name)
    } else {
        EventName::of(&args.name)
    };
    let shown = ask(&args.target, async |client| client.event(name).await).await?;
    if args.json {
        shown.print_as_it_came()?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = shown.read()?;
    let event: serde_json::Value = serde_json::from_str(shown.event.get())?;
    print_line(&format!(
        "seq {}  recorded {}  leaf {}",
        shown.seq, shown.recorded_at, shown.leaf_hash
    ))?;
    print_line(&serde_json::to_string_pretty(&event)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn checkpoint(args: CheckpointArgs) -> anyhow::Result<ExitCode> {
    let note = ask(&args.target, Client::checkpoint).await?;
    print_bytes(note.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
