//! `trailkeep retention`.

use std::process::ExitCode;

use clap::Subcommand;

use super::TargetArgs;
use super::client::{Client, EventName, ask};
use super::output::{events_in_words, note, print_line};
use super::table::{Fit, Table};
use trailkeep_api::retention::{AtTime, ClassPreview, OverdueEvents, Reviewed};
use trailkeep_api::triggers::{ListedTrigger, NewTrigger};
use trailkeep_proof::text::{agreeing, counted};

#[derive(Subcommand)]
pub(super) enum RetentionCommand {
    /// Preview what a run would delete, by class and month; nothing changes
    #[command(after_help = "\
Examples:
  trailkeep retention preview --dir D
  trailkeep retention preview --dir D --as-of 2027-01-01 --json")]
    Preview {
        #[command(flatten)]
        target: TargetArgs,
        /// Evaluate at this time (RFC 3339 or a day) [default: now]
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
        /// Evaluate at this time (RFC 3339 or a day) [default: now]
        #[arg(long, value_name = "T")]
        at: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fire a retention trigger for a record
    #[command(after_help = "\
Example:  trailkeep retention trigger audit_concluded --dir D --record audit-2026 --at 2027-03-15

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
        /// Time of the trigger (RFC 3339, or a day: its start in UTC)
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
        } => preview(&target, as_of, json).await,
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
        } => explain(&target, &event, at, json).await,
        RetentionCommand::Trigger {
            target,
            name,
            record,
            at,
            json,
        } => {
            let new = NewTrigger { name, record, at };
            let fired = ask(&target, async |client| client.fire(&new).await).await?;
            if json {
                fired.print()?;
            } else {
                let ListedTrigger { at, seq, .. } = fired.read()?;
                let NewTrigger { name, record, .. } = new;
                print_line(&format!("{name} of {record} at {at}: entry {seq}"))?;
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
    let reviewed = Reviewed { reviewed_holds };
    let answer = ask(target, async |client| {
        client.resume_deletions(&reviewed).await
    })
    .await?;
    if json {
        answer.print()?;
    } else if answer.read()?.was_paused {
        print_line("deletions resumed; this was recorded")?;
    } else {
        print_line("deletions were not paused; nothing was changed")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn preview(target: &TargetArgs, at: Option<String>, json: bool) -> anyhow::Result<ExitCode> {
    let at = AtTime { at };
    let answer = ask(target, async |client| client.retention_preview(&at).await).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let preview = answer.read()?;
    print_line(&table(&preview.classes).to_string())?;
    print_line(&format!(
        "as of {}: {} would be deleted, {} {} held",
        preview.as_of,
        counted(preview.destroyed, "event"),
        preview.held,
        agreeing(preview.held, "is", "are")
    ))?;
    if let Some(OverdueEvents {
        events,
        since: Some(since),
    }) = preview.overdue
    {
        print_line(&format!(
            "{} {} overdue for deletion, the oldest since {since}: `trailkeep retention run` deletes what is overdue",
            counted(events, "event"),
            agreeing(events, "is", "are")
        ))?;
    }
    if !preview.held_requests.is_empty() {
        let requests = preview.held_requests.len() as u64;
        print_line(&format!(
            "{} {} events until closed or due: {}",
            counted(requests, "open data subject request"),
            agreeing(requests, "keeps", "keep"),
            preview.held_requests.join(", ")
        ))?;
    }
    for waits in preview.awaiting_trigger {
        let review = if waits.review {
            ", for over two years: review whether that is still needed"
        } else {
            ""
        };
        print_line(&format!(
            "{} of {} {} for a trigger of the record, or for the period after it; the oldest since {}{review}",
            counted(waits.events, "event"),
            waits.policies.join(" + "),
            agreeing(waits.events, "waits", "wait"),
            waits.oldest_recorded_at.unwrap_or_default()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What would be deleted, by class and month, and what is held.
fn table(classes: &[ClassPreview]) -> Table {
    let mut table = Table::new([
        ("class", Fit::Part),
        ("policies", Fit::Key),
        ("month", Fit::Part),
        ("deleted", Fit::Part),
        ("held", Fit::Part),
    ]);
    for class in classes {
        let head = [class.class.to_string(), class.policies.join(" + ")];
        let mut add = |month: &str, deleted: String, held: String| {
            let [number, policies] = head.clone();
            table.add_row([number, policies, month.to_owned(), deleted, held]);
        };
        for (month, events) in &class.months {
            add(month, events.to_string(), String::new());
        }
        for (what, events) in [("requested", class.requested), ("released", class.released)] {
            if events != 0 {
                add(what, events.to_string(), String::new());
            }
        }
        if class.held != 0 {
            add("", String::new(), class.held.to_string());
        }
    }
    table
}

async fn destroy(target: &TargetArgs, confirm_clock: bool, json: bool) -> anyhow::Result<ExitCode> {
    let client = Client::to_confirming(target, confirm_clock)?;
    let answer = client.closing(Client::run_retention).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = answer.read()?;
    print_line(&format!(
        "{} deleted, {} held",
        events_in_words(report.destroyed),
        report.held
    ))?;
    for statement in report.statements {
        print_line(&format!("stated in entry {statement}"))?;
    }
    if report.purge_pending {
        note(
            "Old pages may remain in a database's WAL, because another process reads it. The purge is retried.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn explain(
    target: &TargetArgs,
    event: &str,
    at: Option<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let (name, at) = (EventName::of(event), AtTime { at });
    let answer = ask(target, async |client| client.explain(name, &at).await).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let said = answer.read()?;
    print_line(&format!(
        "entry {} of {}, class {}: {}",
        said.seq, said.recorded_at, said.class, said.state
    ))?;
    if let Some(by) = said.by {
        print_line(&format!("entry {by} says so"))?;
    }
    let Some(verdict) = said.verdict else {
        return Ok(ExitCode::SUCCESS);
    };
    print_line(&super::policy::describe(&verdict, said.note.as_deref()))?;
    if let Some(holds) = said.holds.filter(|holds| !holds.is_empty()) {
        print_line(&format!("held by {}", holds.join(" + ")))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn triggers(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let triggers = ask(target, Client::triggers).await?;
    if json {
        triggers.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("record", Fit::Key),
        ("trigger", Fit::Key),
        ("time", Fit::Part),
        ("entry", Fit::Spare),
    ]);
    for trigger in triggers.read()?.triggers {
        let seq = trigger.seq.to_string();
        table.add_row([trigger.record, trigger.name, trigger.at, seq]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}
