//! `trailkeep hold`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{ask, segment};
use super::output::{Table, note, print_json, print_line};

#[derive(Subcommand)]
pub(super) enum HoldCommand {
    /// Place a legal hold: nothing that it covers is destroyed until it is lifted
    #[command(after_help = "\
Examples:
  trailkeep hold place --dir D --matter 'Doe v. Acme' --reason 'litigation is anticipated'
  trailkeep hold place --dir D --matter M-17 --reason 'regulator asked' --subject customer-17
  trailkeep hold place --dir D --matter M-18 --reason audit --regime hipaa --from 2026-01-01T00:00:00Z

It covers the events that every given part fits, those too that come later. There is no way past it. What was
destroyed before is told with the statement that covers it. Matter, reason and person stand in the vault alone.")]
    Place {
        #[command(flatten)]
        target: TargetArgs,
        /// Why it is needed
        #[arg(long, value_name = "R")]
        reason: String,
        /// The case that it is for
        #[arg(long, value_name = "M")]
        matter: String,
        /// Events about this person
        #[arg(long, value_name = "S")]
        subject: Option<String>,
        /// Which system the person's id belongs to
        #[arg(long, value_name = "N", requires = "subject")]
        namespace: Option<String>,
        /// Events under this regime
        #[arg(long, value_name = "X")]
        regime: Option<String>,
        /// Events of this action; `*` stands for any text
        #[arg(long, value_name = "A")]
        action: Option<String>,
        /// Recorded at this moment (RFC 3339) or later
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Recorded before this moment (RFC 3339)
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// After this somebody must look whether it is still needed
        #[arg(long, value_name = "PERIOD", default_value = trailkeep_core::hold::REVIEW_EVERY)]
        review: String,
        /// Refuse a hold that covers no event now (exit code 4): a misspelt scope keeps nothing
        #[arg(long)]
        require_match: bool,
        /// Print JSON: {"id","seq","review_at","covers_events","late","already_deleted":[{"statement","class","recorded_before"}]}
        #[arg(long)]
        json: bool,
    },
    /// List the holds, and those that were lifted in the last 30 days
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"holds":[{"id","matter","reason","subject","regime","action","from","to",...}]}
        #[arg(long)]
        json: bool,
    },
    /// Lift a hold: what it kept beyond its time goes with the next run
    Lift {
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
    },
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
        HoldCommand::Lift {
            target,
            id,
            reason,
            json,
        } => {
            let path = format!("/v1/holds/{}/lift", segment(&id));
            let asked = json!({ "reason": reason });
            let hold: Value = ask(&target, "POST", &path, Some(&asked)).await?;
            if json {
                print_json(&hold)?;
            } else {
                print_line(&format!("the hold {id} is lifted"))?;
                note(
                    "What it kept beyond its time goes with the next run: `trailkeep retention preview` shows it.",
                );
            }
            Ok(ExitCode::SUCCESS)
        }
    }
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
            "No event fits its scope now. It is in force, and covers what comes later and fits. `--require-match` refuses such a hold.",
        );
    }
    if placed["other_namespaces"]
        .as_u64()
        .is_some_and(|near| near > 0)
    {
        note(&format!(
            "{} about the same id in another namespace: name it with `--namespace`.",
            match placed["other_namespaces"].as_u64() {
                Some(1) => "1 event is".to_owned(),
                _ => format!("{} events are", placed["other_namespaces"]),
            }
        ));
    }
    if placed["late"].as_u64().is_some_and(|late| late > 0) {
        note(&format!(
            "It came late for {} events: their time was over, and they are kept now.",
            placed["late"]
        ));
    }
    for before in placed["already_deleted"].as_array().into_iter().flatten() {
        note(&format!(
            "It came too late for events of class {} recorded before {}: entry {} says that they went.",
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
        "id", "matter", "reason", "scope", "covers", "placed", "review", "lifted",
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
