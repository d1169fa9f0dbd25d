//! `trailkeep show`, `query` and `checkpoint`.

use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::TargetArgs;
use super::client::{Client, ask, ask_text, segment};
use super::output::{print_bytes, print_json, print_line};
use crate::service::query::PAGE_EVENTS_MAX;

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
    /// Take it as an id even if it is a number
    #[arg(long)]
    id: bool,
    /// Print JSON: {"id","seq","recorded_at","leaf_hash","event"}
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep query --dir D --action chat.completion --limit 20
  trailkeep query --dir D --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --json

Times are when the event was recorded; --from is inclusive, --to exclusive. Oldest first.")]
pub(super) struct QueryArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Recorded at this moment (RFC 3339) or later
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Recorded before this moment (RFC 3339)
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// With this action
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// At most so many events
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Go on where `next_cursor` of the last answer says
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
    /// Print JSON: {"events","next_cursor"}
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CheckpointArgs {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize, Deserialize)]
struct Shown {
    id: Option<String>,
    seq: u64,
    recorded_at: String,
    leaf_hash: String,
    event: Box<RawValue>,
}

#[derive(Default, Serialize, Deserialize)]
struct Page {
    events: Vec<Shown>,
    next_cursor: Option<String>,
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

pub(super) async fn query(args: QueryArgs) -> anyhow::Result<ExitCode> {
    let client = Client::to(&args.target)?;
    let page = collect(&client, &args).await;
    client.close().await?;
    let page = page?;
    if args.json {
        print_json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["seq", "recorded", "action", "outcome", "actor", "id"]);
    for shown in &page.events {
        let event: serde_json::Value = serde_json::from_str(shown.event.get())?;
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(|v| v.as_str())
                .unwrap_or_default()
                .to_owned()
        };
        table.add_row([
            shown.seq.to_string(),
            shown.recorded_at.clone(),
            text("/action"),
            text("/outcome"),
            text("/actor/id"),
            shown.id.clone().unwrap_or_default(),
        ]);
    }
    print_line(&table.to_string())?;
    match &page.next_cursor {
        Some(cursor) => print_line(&format!(
            "{} events; more with --cursor {cursor}",
            page.events.len()
        ))?,
        None => print_line(&format!("{} events", page.events.len()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Pages until there are as many events as were asked for.
async fn collect(client: &Client, args: &QueryArgs) -> anyhow::Result<Page> {
    let mut page = Page {
        events: Vec::new(),
        next_cursor: args.cursor.clone(),
    };
    loop {
        let limit = (args.limit - page.events.len().min(args.limit)).clamp(1, PAGE_EVENTS_MAX);
        let mut path = format!("/v1/events?limit={limit}");
        let parameters = [
            ("from", &args.from),
            ("to", &args.to),
            ("action", &args.action),
            ("cursor", &page.next_cursor),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                path.extend(["&", name, "=", &segment(value)]);
            }
        }
        let next: Page = client.get(&path).await?;
        page.events.extend(next.events);
        page.next_cursor = next.next_cursor;
        if page.next_cursor.is_none() || page.events.len() >= args.limit {
            return Ok(page);
        }
    }
}

pub(super) async fn checkpoint(args: CheckpointArgs) -> anyhow::Result<ExitCode> {
    let note = ask_text(&args.target, "GET", "/v1/checkpoint", None).await?;
    print_bytes(note.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
