//! `trailkeep hold`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::{events_in_words, note, print_line, renamed};
use super::table::{Fit, Table};
use trailkeep_api::holds::{HeldPerson, HoldLift, ListedHold, NewHold};
use trailkeep_api::keys::KeyName;

#[derive(Subcommand)]
pub(super) enum HoldCommand {
    /// Place a legal hold: no event that it covers is deleted until the hold is released
    #[command(after_help = "\
Examples:
  trailkeep hold place --dir D --matter 'Doe v. Acme' --reason 'litigation is anticipated'
  trailkeep hold place --dir D --matter M-17 --reason 'regulator asked' --subject customer-17
  trailkeep hold place --dir D --matter M-18 --reason audit --regime hipaa --from 2026-01-01

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
        /// Recorded at this time or later: RFC 3339, or a day, which is its start in UTC
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Recorded before this time; a day is excluded whole
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
            let new = NewHold {
                matter,
                reason,
                subject: subject.map(|id| HeldPerson {
                    id,
                    namespace: namespace.unwrap_or_default(),
                }),
                regime,
                action,
                from,
                to,
                review: Some(review),
                require_match,
            };
            place(&target, &new, json).await
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
    let ReleaseArgs {
        target,
        id,
        reason,
        json,
    } = args;
    let why = HoldLift { reason };
    let hold = ask(&target, async |client| client.release_hold(&id, &why).await).await?;
    if json {
        hold.print()?;
    } else {
        print_line(&format!("released hold {id}"))?;
        note(
            "Expired events that it kept are deleted with the next run: `trailkeep retention preview` lists them.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn place(target: &TargetArgs, new: &NewHold, json: bool) -> anyhow::Result<ExitCode> {
    let placed = ask(target, async |client| client.place_hold(new).await).await?;
    if json {
        placed.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let placed = placed.read()?;
    print_line(&format!(
        "hold     {}\nentry    {}\nreview   {}\ncovers   {} now",
        placed.id,
        placed.seq,
        placed.review_at.as_deref().unwrap_or("never"),
        events_in_words(placed.covers_events)
    ))?;
    if placed.covers_events == 0 {
        note(
            "No event matches its scope now. The hold is in force and covers later events that match. `--require-match` refuses such a hold.",
        );
    }
    match placed.other_namespaces {
        None | Some(0) => {}
        Some(1) => note("1 event is about the same id in another namespace: add `--namespace`."),
        Some(near) => note(&format!(
            "{near} events are about the same id in another namespace: add `--namespace`."
        )),
    }
    if placed.late > 0 {
        note(&format!(
            "The hold now keeps {} due for deletion.",
            events_in_words(placed.late)
        ));
    }
    for before in &placed.already_deleted {
        note(&format!(
            "Events of class {} recorded before {} are already deleted, by the statement in entry {}.",
            before.class, before.recorded_before, before.statement
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let holds = ask(target, Client::holds).await?;
    if json {
        holds.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("id", Fit::Key),
        ("matter", Fit::Part),
        ("reason", Fit::Part),
        ("scope", Fit::Part),
        ("covers", Fit::Spare),
        ("placed", Fit::Part),
        ("by", Fit::Spare),
        ("review", Fit::Part),
        ("released", Fit::Spare),
    ]);
    for hold in holds.read()?.holds {
        let scope = scope(&hold);
        let mut review = hold.review_at.unwrap_or_default();
        if hold.review_is_due {
            review.push_str(" (due)");
        }
        table.add_row([
            hold.id,
            hold.matter,
            hold.reason,
            scope,
            hold.covers_events.map(events_in_words).unwrap_or_default(),
            hold.placed_at,
            KeyName::beside(hold.placed_by_name.as_ref(), &hold.placed_by),
            review,
            hold.lifted.map(|lifted| lifted.at).unwrap_or_default(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn scope(hold: &ListedHold) -> String {
    let subject = hold.subject.as_ref().map(|person| {
        let HeldPerson { id, namespace } = person;
        if namespace.is_empty() {
            format!("subject {id}")
        } else {
            format!("subject {id} in namespace {namespace}")
        }
    });
    let others = [
        ("regime", &hold.regime),
        ("action", &hold.action),
        ("from", &hold.from),
        ("to", &hold.to),
    ];
    let others = others
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    let parts: Vec<String> = subject.into_iter().chain(others).collect();
    if parts.is_empty() {
        "everything".to_owned()
    } else {
        parts.join(", ")
    }
}
