//! `trailkeep access`.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::{print_json, print_line};
use super::table::{Fit, Table};
use trailkeep_api::access::{AccessQuestion, ListedAccess};
use trailkeep_api::keys::KeyName;
use trailkeep_core::query::PAGE_EVENTS_MAX;

/// Columns of a time to the second, shortened.
const TO_THE_SECOND: usize = 20;
/// Columns of most routes and actions.
const ROUTE: usize = 36;

#[derive(Subcommand)]
pub(super) enum AccessCommand {
    /// List reads, exports, and what was done with keys and tenants
    #[command(after_help = "\
Examples:
  trailkeep access list --dir D
  trailkeep access list --dir D --from 2026-11-01 --json

Times are those of recording. --from is inclusive, --to exclusive. Oldest first.")]
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Recorded at this time or later: RFC 3339, or a day, which is its start in UTC
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Recorded before this time; a day is excluded whole
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
    let question = AccessQuestion {
        from,
        to,
        start: Some(0),
        limit: Some(PAGE_EVENTS_MAX),
    };
    let accesses = ask(&target, async |client| collect(client, question).await).await?;
    if json {
        print_json(&json!({ "accesses": accesses }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("seq", Fit::Key),
        ("recorded", Fit::AtLeast(TO_THE_SECOND)),
        ("by", Fit::Part),
        ("what", Fit::AtLeast(ROUTE)),
        ("events", Fit::Spare),
        ("times", Fit::Spare),
        ("purpose", Fit::Part),
    ]);
    for access in &accesses {
        let access = ListedAccess::deserialize(access)?;
        let said = access.said();
        let what = match said.route {
            Some(route) => format!("read {route}"),
            None => access.action,
        };
        table.add_row([
            access.seq.to_string(),
            access.recorded_at,
            KeyName::beside(access.by_name.as_ref(), &text(&said.by)),
            what,
            text(said.events.as_ref().unwrap_or(&said.entries)),
            text(&said.count),
            text(&said.purpose),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Accesses of a page, whole.
#[derive(Deserialize)]
struct Page {
    accesses: Vec<Value>,
    next_start: Option<u64>,
}

async fn collect(client: &Client, mut question: AccessQuestion) -> anyhow::Result<Vec<Value>> {
    let mut accesses = Vec::new();
    loop {
        let page: Page = client.accesses(&question).await?.read_as()?;
        accesses.extend(page.accesses);
        if page.next_start.is_none() {
            return Ok(accesses);
        }
        question.start = page.next_start;
    }
}
