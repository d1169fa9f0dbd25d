//! `trailkeep access`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{Client, segment};
use super::output::{Table, print_json, print_line};
use trailkeep_core::query::PAGE_EVENTS_MAX;

#[derive(Subcommand)]
pub(super) enum AccessCommand {
    /// List reads, exports, and what was done with keys and tenants
    #[command(after_help = "\
Examples:
  trailkeep access list --dir D
  trailkeep access list --dir D --from 2026-11-01T00:00:00Z --json

Times are those of recording. --from is inclusive, --to exclusive. Oldest first.")]
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Recorded at this moment (RFC 3339) or later
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Recorded before this moment (RFC 3339)
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// Print JSON: {"accesses":[{"seq","recorded_at","action","detail"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: AccessCommand) -> anyhow::Result<ExitCode> {
    let AccessCommand::List {
        target,
        from,
        to,
        json,
    } = command;
    let client = Client::to(&target)?;
    let accesses = collect(&client, from.as_deref(), to.as_deref()).await;
    client.close().await?;
    let accesses = accesses?;
    if json {
        print_json(&json!({ "accesses": accesses }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        "seq", "recorded", "by", "what", "events", "times", "purpose",
    ]);
    for access in &accesses {
        let detail = &access["detail"];
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let action = text(&access["action"]);
        let what = detail["route"]
            .as_str()
            .map_or(action, |route| format!("read {route}"));
        table.add_row([
            text(&access["seq"]),
            text(&access["recorded_at"]),
            text(&detail["by"]),
            what,
            text(detail.get("events").unwrap_or(&detail["entries"])),
            text(&detail["count"]),
            text(&detail["purpose"]),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn collect(
    client: &Client,
    from: Option<&str>,
    to: Option<&str>,
) -> anyhow::Result<Vec<Value>> {
    let mut accesses = Vec::new();
    let mut start = Value::from(0);
    loop {
        let mut path = format!("/v1/access?limit={PAGE_EVENTS_MAX}&start={start}");
        for (name, value) in [("from", from), ("to", to)] {
            if let Some(value) = value {
                path.extend(["&", name, "=", &segment(value)]);
            }
        }
        let mut page: Value = client.get(&path).await?;
        if let Some(more) = page["accesses"].as_array_mut() {
            accesses.append(more);
        }
        start = page["next_start"].take();
        if start.is_null() {
            return Ok(accesses);
        }
    }
}
