//! `trailkeep show` and `checkpoint`.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::TargetArgs;
use super::client::{ask, ask_text, segment};
use super::output::{print_bytes, print_json, print_line};

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

/// An event as the routes show it.
#[derive(Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) id: Option<String>,
    pub(super) seq: u64,
    pub(super) recorded_at: String,
    pub(super) leaf_hash: String,
    pub(super) event: Box<RawValue>,
}

pub(super) async fn show(args: ShowArgs) -> anyhow::Result<ExitCode> {
    let is_seq = !args.id && args.name.bytes().all(|byte| byte.is_ascii_digit());
    let kind = if is_seq { "entries" } else { "events" };
    let path = format!("/v1/{kind}/{}", segment(&args.name));
    let shown: Shown = ask(&args.target, "GET", &path, None).await?;
    if args.json {
        print_json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    let event: serde_json::Value = serde_json::from_str(shown.event.get())?;
    print_line(&format!(
        "seq {}  recorded {}  leaf {}",
        shown.seq, shown.recorded_at, shown.leaf_hash
    ))?;
    print_line(&serde_json::to_string_pretty(&event)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn checkpoint(args: CheckpointArgs) -> anyhow::Result<ExitCode> {
    let note = ask_text(&args.target, "GET", "/v1/checkpoint", None).await?;
    print_bytes(note.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
