//! `trailkeep hold`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{ask, segment};
use super::output::{Table, note, print_json, print_line, renamed};

#[derive(Subcommand)]
pub(super) enum HoldCommand {
    /// Place a legal hold: no event that it covers is deleted until the hold is released
    #[command(after_help = "\
Examples:
  trailkeep hold place --dir D --matter 'Doe v. Acme' --reason 'litigation is anticipated'
  trailkeep hold place --dir D --matter M-17 --reason 'regulator asked' --subject customer-17
  trailkeep hold place --dir D --matter M-18 --reason audit --regime hipaa --from 2026-01-01T00:00:00Z

A hold covers the events that match all given filters, later ones too. Nothing overrides it. The answer lists the
statements by which events were deleted that it may have covered. Matter, reason and data subject are kept in the vault
only.")]
    Place {
        #[command(flatten)]
        target: TargetArgs,
        /// Reason for the hold
        #[arg(long, value_name = "R")]
        reason: String,
        /// Matter or case that it belongs to
        #[arg(long, value_name = "M")]
        matter: String,
        /// Events about this data subject
        #[arg(long, value_name = "S")]
        subject: Option<String>,
        /// Namespace of the data subject's id
        #[arg(long, value_name = "N", requires = "subject")]
        namespace: Option<String>,
        /// Events under this regime
        #[arg(long, value_name = "X")]
        regime: Option<String>,
        /// Events with this action; `*` matches any characters
        #[arg(long, value_name = "A")]
        action: Option<String>,
        /// Recorded at this moment (RFC 3339) or later
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Recorded before this moment (RFC 3339)
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// Period after which the hold is due for review
        #[arg(long, value_name = "PERIOD", default_value = trailkeep_core::tenant::hold::REVIEW_EVERY)]
        review: String,
        /// Refuse a hold that covers no event now (exit code 4), such as one with a misspelt scope
        #[arg(long)]
        require_match: bool,
        /// Print JSON: {"id","seq","review_at","covers_events","late","already_deleted":[{"statement","class","recorded_before"}]}
        #[arg(long)]
        json: bool,
    },
    /// List the holds, with those released in the last 30 days
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"holds":[{"id","matter","reason","subject","regime","action","from","to",...}]}
        #[arg(long)]
        json: bool,
    },
    /// Release a hold: expired events that it kept are deleted with the next run
    Release(ReleaseArgs),
    /// The old name of `hold release`
    #[command(hide = true)]
    Lift(ReleaseArgs),
}

#[derive(Args)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The hold's id
    id: String,
    /// Why it is no longer needed
    #[arg(long, value_name = "R")]
    reason: String,
    /// Print JSON: the hold as `hold list` shows it
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: HoldCommand) -> anyhow::Result<ExitCode> {
    match command {
        HoldCommand::Place {
            target,
            reason,
            matter,
            subject,
            namespace,
            regime,
            action,
            from,
            to,
            review,
            require_match,
            json,
        } => {
            let subject =
                subject.map(|id| json!({"id": id, "namespace": namespace.unwrap_or_default()}));
            let asked = json!({
                "matter": matter, "reason": reason, "subject": subject, "regime": regime,
                "action": action, "from": from, "to": to, "review": review,
                "require_match": require_match,
            });
            place(&target, &asked, json).await
        }
        HoldCommand::List { target, json } => list(&target, json).await,
        HoldCommand::Release(args) => release(args).await,
        HoldCommand::Lift(args) => {
            renamed("hold lift", "hold release");
            release(args).await
        }
    }
}

async fn release(args: ReleaseArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/holds/{}/lift", segment(&args.id));
    let asked = json!({ "reason": args.reason });
    let hold: Value = ask(&args.target, "POST", &path, Some(&asked)).await?;
    if args.json {
        print_json(&hold)?;
    } else {
        print_line(&format!("released hold {}", args.id))?;
        note(
            "Expired events that it kept are deleted with the next run: `trailkeep retention preview` lists them.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn place(target: &TargetArgs, asked: &Value, json: bool) -> anyhow::Result<ExitCode> {
    let placed: Value = ask(target, "POST", "/v1/holds", Some(asked)).await?;
    if json {
        print_json(&placed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let review = placed["review_at"].as_str().unwrap_or("never");
    print_line(&format!(
        "hold     {}\nentry    {}\nreview   {review}\ncovers   {} now",
        placed["id"].as_str().unwrap_or_default(),
        placed["seq"],
        events(&placed["covers_events"])
    ))?;
    if placed["covers_events"] == 0 {
        note(
            "No event matches its scope now. The hold is in force and covers later events that match. `--require-match` refuses such a hold.",
        );
    }
    if placed["other_namespaces"]
        .as_u64()
        .is_some_and(|near| near > 0)
    {
        note(&format!(
            "{} about the same id in another namespace: add `--namespace`.",
            match placed["other_namespaces"].as_u64() {
                Some(1) => "1 event is".to_owned(),
                _ => format!("{} events are", placed["other_namespaces"]),
            }
        ));
    }
    if placed["late"].as_u64().is_some_and(|late| late > 0) {
        note(&format!(
            "{} events were due for deletion; the hold keeps them now.",
            placed["late"]
        ));
    }
    for before in placed["already_deleted"].as_array().into_iter().flatten() {
        note(&format!(
            "Events of class {} recorded before {} are already deleted, by the statement in entry {}.",
            before["class"],
            before["recorded_before"].as_str().unwrap_or_default(),
            before["statement"]
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let holds: Value = ask(target, "GET", "/v1/holds", None).await?;
    if json {
        print_json(&holds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        "id", "matter", "reason", "scope", "covers", "placed", "review", "released",
    ]);
    for hold in holds["holds"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let review = if hold["review_is_due"] == true {
            format!("{} (due)", text(&hold["review_at"]))
        } else {
            text(&hold["review_at"])
        };
        table.add_row([
            text(&hold["id"]),
            text(&hold["matter"]),
            text(&hold["reason"]),
            scope(hold),
            match &hold["covers_events"] {
                Value::Null => String::new(),
                number => events(number),
            },
            text(&hold["placed_at"]),
            review,
            text(&hold["lifted"]["at"]),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// A number of events in words.
fn events(number: &Value) -> String {
    if *number == 1 {
        "1 event".to_owned()
    } else {
        format!("{number} events")
    }
}

fn scope(hold: &Value) -> String {
    let part = |name: &str| Some(format!("{name} {}", hold[name].as_str()?));
    let namespace = match hold["subject"]["namespace"].as_str().unwrap_or_default() {
        "" => String::new(),
        namespace => format!(" in namespace {namespace}"),
    };
    let subject = hold["subject"]["id"]
        .as_str()
        .map(|id| format!("subject {id}{namespace}"));
    let parts: Vec<String> = subject
        .into_iter()
        .chain(
            ["regime", "action", "from", "to"]
                .into_iter()
                .filter_map(part),
        )
        .collect();
    if parts.is_empty() {
        "everything".to_owned()
    } else {
        parts.join(", ")
    }
}
