//! `trailkeep retention`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{Client, ask, segment};
use super::output::{Table, note, print_json, print_line};

#[derive(Subcommand)]
pub(super) enum RetentionCommand {
    /// Preview what a run would delete, by class and month; nothing changes
    #[command(after_help = "\
Examples:
  trailkeep retention preview --dir D
  trailkeep retention preview --dir D --as-of 2027-01-01T02:00:00Z --json")]
    Preview {
        #[command(flatten)]
        target: TargetArgs,
        /// Evaluate at this time (RFC 3339) [default: now]
        #[arg(long, value_name = "T")]
        as_of: Option<String>,
        /// Print JSON: {"as_of","destroyed","requested","held","overdue","classes":[...],"awaiting_trigger":[...]}
        #[arg(long)]
        json: bool,
    },
    /// Delete events that are due and not under a hold; the server does this daily
    #[command(after_help = "\
Example:  trailkeep retention run --dir D

A tombstone is recorded in the ledger before anything is deleted. An interrupted run continues at the next start.
Running it again changes nothing.")]
    Run {
        #[command(flatten)]
        target: TargetArgs,
        /// Confirm that the clock is right after more than 31 days without activity; recorded. Only with --dir
        #[arg(long)]
        confirm_clock: bool,
        /// Print JSON: {"tenant","destroyed","held","statements":[seq],"purge_pending"}
        #[arg(long)]
        json: bool,
    },
    /// Explain why an event is kept, until when and by which citation, or why it was deleted
    #[command(after_help = "\
Examples:
  trailkeep retention explain --dir D 4711
  trailkeep retention explain --dir D order-4711 --json

A number is a seq; anything else is an event's id.")]
    Explain {
        #[command(flatten)]
        target: TargetArgs,
        /// Seq or id of the event
        #[arg(value_name = "SEQ|ID")]
        event: String,
        /// Evaluate at this time (RFC 3339) [default: now]
        #[arg(long, value_name = "T")]
        at: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fire a retention trigger for a record
    #[command(after_help = "\
Example:  trailkeep retention trigger audit_concluded --dir D --record audit-2026 --at 2027-03-15T00:00:00Z

Events name their record in `retention.record`. A trigger starts the retention clock of all events of its record. Until
it fires they are kept; `retention preview` lists them.")]
    Trigger {
        #[command(flatten)]
        target: TargetArgs,
        /// Name of the trigger, as in the policies
        name: String,
        /// The record
        #[arg(long, value_name = "R")]
        record: String,
        /// Time of the trigger (RFC 3339)
        #[arg(long, value_name = "T")]
        at: String,
        /// Print JSON: {"name","record","at","fired_at","by","seq"}
        #[arg(long)]
        json: bool,
    },
    /// Resume deletions after a restore, once you have reviewed the holds; it is recorded
    #[command(after_help = "\
Example:  trailkeep retention resume --dir D --reviewed-holds

After a restore nothing expires and nothing is erased, because holds that were placed after the vault replica was written
are missing. Place them again first.")]
    Resume {
        #[command(flatten)]
        target: TargetArgs,
        /// Confirm that you reviewed the holds and none is missing
        #[arg(long, required = true)]
        reviewed_holds: bool,
        /// Print JSON: {"was_paused"}
        #[arg(long)]
        json: bool,
    },
    /// List the fired triggers
    Triggers {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"triggers":[{"name","record","at","fired_at","by","seq"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: RetentionCommand) -> anyhow::Result<ExitCode> {
    match command {
        RetentionCommand::Preview {
            target,
            as_of,
            json,
        } => preview(&target, as_of.as_deref(), json).await,
        RetentionCommand::Run {
            target,
            confirm_clock,
            json,
        } => destroy(&target, confirm_clock, json).await,
        RetentionCommand::Explain {
            target,
            event,
            at,
            json,
        } => explain(&target, &event, at.as_deref(), json).await,
        RetentionCommand::Trigger {
            target,
            name,
            record,
            at,
            json,
        } => {
            let asked = json!({"name": name, "record": record, "at": at});
            let fired: Value = ask(&target, "POST", "/v1/triggers", Some(&asked)).await?;
            if json {
                print_json(&fired)?;
            } else {
                print_line(&format!(
                    "{name} of {record} at {}: entry {}",
                    fired["at"].as_str().unwrap_or_default(),
                    fired["seq"]
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        RetentionCommand::Resume {
            target,
            reviewed_holds,
            json,
        } => resume(&target, reviewed_holds, json).await,
        RetentionCommand::Triggers { target, json } => triggers(&target, json).await,
    }
}

async fn resume(target: &TargetArgs, reviewed_holds: bool, json: bool) -> anyhow::Result<ExitCode> {
    let asked = json!({ "reviewed_holds": reviewed_holds });
    let answer: Value = ask(target, "POST", "/v1/retention/resume", Some(&asked)).await?;
    if json {
        print_json(&answer)?;
    } else if answer["was_paused"] == true {
        print_line("deletions resumed; this was recorded")?;
    } else {
        print_line("deletions were not paused; nothing was changed")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn with_time(path: &str, time: Option<&str>) -> String {
    time.map_or_else(
        || path.to_owned(),
        |time| format!("{path}?at={}", segment(time)),
    )
}

async fn preview(target: &TargetArgs, as_of: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let path = with_time("/v1/retention/preview", as_of);
    let preview: Value = ask(target, "GET", &path, None).await?;
    if json {
        print_json(&preview)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["class", "policies", "month", "deleted", "held"]);
    for class in preview["classes"].as_array().into_iter().flatten() {
        let policies = words(&class["policies"]);
        let number = class["class"].to_string();
        for (month, events) in class["months"].as_object().into_iter().flatten() {
            let row = [&number, &policies, month, &events.to_string(), ""];
            table.add_row(row.map(str::to_owned));
        }
        if class["requested"] != 0 {
            let requested = class["requested"].to_string();
            table.add_row([&number, &policies, "requested", &requested, ""].map(str::to_owned));
        }
        if class["released"] != 0 {
            let released = class["released"].to_string();
            table.add_row([&number, &policies, "released", &released, ""].map(str::to_owned));
        }
        if class["held"] != 0 {
            let held = class["held"].to_string();
            table.add_row([&number, &policies, "", "", &held].map(str::to_owned));
        }
    }
    print_line(&table.to_string())?;
    print_line(&format!(
        "as of {}: {} events would be deleted, {} are held",
        preview["as_of"].as_str().unwrap_or_default(),
        preview["destroyed"],
        preview["held"]
    ))?;
    if let Some(since) = preview["overdue"]["since"].as_str() {
        print_line(&format!(
            "{} events are overdue for deletion, the oldest since {since}: `trailkeep retention run` deletes them",
            preview["overdue"]["events"]
        ))?;
    }
    for waits in preview["awaiting_trigger"].as_array().into_iter().flatten() {
        let review = if waits["review"] == true {
            ", for over two years: review whether they are still needed"
        } else {
            ""
        };
        print_line(&format!(
            "{} events of {} wait for a trigger of their record, or for the period after it; the oldest since {}{review}",
            waits["events"],
            words(&waits["policies"]),
            waits["oldest_recorded_at"].as_str().unwrap_or_default()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn words(list: &Value) -> String {
    let words: Vec<&str> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    words.join(" + ")
}

async fn destroy(target: &TargetArgs, confirm_clock: bool, json: bool) -> anyhow::Result<ExitCode> {
    let client = Client::to_confirming(target, confirm_clock)?;
    let answer = async {
        let path = "/v1/retention/run";
        client
            .send("POST", path, None, Vec::new())
            .await?
            .json()
            .await
    };
    let answer: anyhow::Result<Value> = answer.await;
    client.close().await?;
    let report = answer?;
    if json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!(
        "{} events deleted, {} held",
        report["destroyed"], report["held"]
    ))?;
    for statement in report["statements"].as_array().into_iter().flatten() {
        print_line(&format!("stated in entry {statement}"))?;
    }
    if report["purge_pending"] == true {
        note(
            "Old pages may remain in a database's WAL, because another process reads it. The purge is retried.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn explain(
    target: &TargetArgs,
    event: &str,
    at: Option<&str>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let path = if event.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("/v1/entries/{event}/retention")
    } else {
        format!("/v1/events/{}/retention", segment(event))
    };
    let said: Value = ask(target, "GET", &with_time(&path, at), None).await?;
    if json {
        print_json(&said)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |name: &str| said[name].as_str().unwrap_or("open").to_owned();
    print_line(&format!(
        "entry {} of {}, class {}: {}",
        said["seq"],
        text("recorded_at"),
        said["class"],
        text("state")
    ))?;
    if let Some(by) = said["by"].as_u64() {
        print_line(&format!("entry {by} says so"))?;
    }
    if said["decision"].is_null() {
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&super::policy::describe(&said))?;
    if let Some(holds) = said["holds"].as_array().filter(|holds| !holds.is_empty()) {
        print_line(&format!("held by {}", words(&json!(holds))))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn triggers(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let triggers: Value = ask(target, "GET", "/v1/triggers", None).await?;
    if json {
        print_json(&triggers)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["record", "trigger", "time", "entry"]);
    for trigger in triggers["triggers"].as_array().into_iter().flatten() {
        let text = |name: &str| trigger[name].as_str().unwrap_or_default().to_owned();
        table.add_row([
            text("record"),
            text("name"),
            text("at"),
            trigger["seq"].to_string(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}
