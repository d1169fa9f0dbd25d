//! `trailkeep policy explain`: what the policies say of an event that nobody recorded.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::PolicyArgs;
use crate::commands::client::Received;
use crate::commands::clock;
use crate::commands::failure::Failure;
use crate::commands::output::{period_in_words, print_line};
use crate::commands::table::{Fit, Table};
use trailkeep_api::retention::Verdict;
use trailkeep_core::govern::policies::load;
use trailkeep_core::journal::class::policies_of;
use trailkeep_core::tenant::explain::explain;
use trailkeep_policy::ingest::is_past_maximum;
use trailkeep_policy::{
    Applied, CalendarPeriod, Case, EventTimes, HoldSpan, class_key, define_class,
};
use trailkeep_proof::time::UnixMillis;

#[derive(Args)]
pub(in crate::commands) struct ExplainArgs {
    #[command(flatten)]
    policies: PolicyArgs,
    /// Regime of the event. Repeatable [default: the policy default-90d]
    #[arg(long, value_name = "R")]
    regime: Vec<String>,
    /// When the server received it (RFC 3339 or a day)
    #[arg(long, value_name = "T")]
    recorded_at: String,
    /// When it happened by the producer's clock: decides whether it is accepted. Periods count from receipt
    #[arg(long, value_name = "T")]
    occurred_at: Option<String>,
    /// Action of the event, for policies with special cases
    #[arg(long, value_name = "A", default_value = "")]
    action: String,
    /// When its erasure was requested
    #[arg(long, value_name = "T")]
    erasure_requested_at: Option<String>,
    /// A legal hold, FROM..TO, or `FROM..` if it is not released. Repeatable
    #[arg(long, value_name = "FROM..TO")]
    hold: Vec<String>,
    /// Retention trigger of its record, NAME=TIME. Repeatable
    #[arg(long, value_name = "NAME=T")]
    trigger: Vec<String>,
    /// Evaluate at this time (RFC 3339 or a day) [default: the request, else now]
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// Print JSON: {"keep_until","expires_at","destroy_at","decision","erasure","reasons","conflicts"}; null: not known yet
    #[arg(long)]
    json: bool,
}

/// What becomes of an event that is older than its policies let it become.
const NOT_TAKEN: &str =
    "such an event is refused (already_past_maximum): by its `occurred_at` its maximum is over";

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let set = load(args.policies.policies.as_deref())?;
    let recorded_at = moment("--recorded-at", &args.recorded_at)?;
    let optional = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| moment(name, text)).transpose()
    };
    let mut times = EventTimes::received(recorded_at);
    let occurred_at = optional("--occurred-at", &args.occurred_at)?;
    let holds = args.hold.iter().map(|hold| hold_span(hold));
    let holds = holds.collect::<anyhow::Result<Vec<_>>>()?;
    let erasure_requested_at = optional("--erasure-requested-at", &args.erasure_requested_at)?;
    let at = optional("--at", &args.at)?.or(erasure_requested_at);
    let policies = policies_of(&set, &[], &args.regime, &args.action)
        .map_err(|error| Failure::refused(error.to_string()))?;
    let applied: Vec<Applied<'_>> = policies
        .iter()
        .map(|policy| Applied::to(policy, &args.action, recorded_at))
        .collect();
    times.triggers = triggers(&args.trigger, &applied)?;
    // The class that such an event would have, so that the dates are those of a run.
    let class = define_class(1, class_key(&applied, &args.action), &applied);
    let case = Case {
        applied: &applied,
        times: &times,
        class_after: class
            .after
            .and_then(|after| CalendarPeriod::parse(&after).ok()),
        erasure_requested_at,
        holds: &holds,
    };
    let explained = explain(&case, at.unwrap_or_else(|| clock().wall()));
    let is_late = occurred_at.is_some_and(|moment| is_past_maximum(&applied, moment, recorded_at));
    let verdict = trailkeep_server::verdict(explained);
    let note = is_late.then_some(NOT_TAKEN);
    if args.json {
        let more = note.map(|note| ("note", Value::from(note)));
        Received::<Verdict>::made(&verdict)?.print_with(more)?;
    } else {
        print_line(&describe(&verdict, note))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn moment(name: &str, text: &str) -> Result<UnixMillis, Failure> {
    let moment = UnixMillis::parse_asked(text);
    moment.ok_or_else(|| {
        Failure::usage(format!(
            "{name} {text}: write a day such as 2026-11-24, which is its start in UTC, or an RFC 3339 time such as 2026-11-24T09:30:00Z"
        ))
    })
}

fn hold_span(text: &str) -> anyhow::Result<HoldSpan> {
    let Some((from, to)) = text.split_once("..") else {
        return Err(Failure::usage(format!(
            "--hold {text}: write FROM..TO, or FROM.. if it is not released"
        ))
        .into());
    };
    let to = if to.is_empty() {
        None
    } else {
        Some(moment("--hold", to)?)
    };
    let from = moment("--hold", from)?;
    if to.is_some_and(|to| to <= from) {
        return Err(Failure::usage(format!("--hold {text}: the end is before the start")).into());
    }
    Ok(HoldSpan { from, to })
}

/// What happened to the record: of what a policy here waits for, each once.
fn triggers(
    texts: &[String],
    applied: &[Applied<'_>],
) -> anyhow::Result<BTreeMap<String, UnixMillis>> {
    let mut known: Vec<&str> = applied.iter().flat_map(Applied::triggers).collect();
    known.sort_unstable();
    known.dedup();
    let mut triggers = BTreeMap::new();
    for text in texts {
        let (name, at) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--trigger {text}: write NAME=T")))?;
        if !known.contains(&name) {
            let names = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(Failure::usage(format!(
                "--trigger {name}: no policy of this event has this trigger; its triggers are: {names}"
            ))
            .into());
        }
        let before = triggers.insert(name.to_owned(), moment("--trigger", at)?);
        if before.is_some() {
            return Err(Failure::usage(format!("--trigger {name} is given twice")).into());
        }
    }
    Ok(triggers)
}

/// A text with its periods in words.
pub(super) fn periods(text: &str) -> String {
    let words = text.split(' ').map(period_in_words);
    words.collect::<Vec<_>>().join(" ")
}

/// The verdict for people.
pub(in crate::commands) fn describe(verdict: &Verdict, note: Option<&str>) -> String {
    let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "open".to_owned());
    let mut lines = vec![
        format!("decision    {}", verdict.decision),
        format!("keep until  {}", date(&verdict.keep_until)),
        format!("expires at  {}", date(&verdict.expires_at)),
        format!("destroy at  {}", date(&verdict.destroy_at)),
    ];
    let outcome = &verdict.erasure.outcome;
    let until = if outcome == "honour" {
        String::new()
    } else {
        format!(" until {}", date(&verdict.erasure.until))
    };
    lines.push(format!("on request  {outcome}{until}"));
    if let Some(note) = note {
        lines.push(format!("note        {note}"));
    }
    let mut table = Table::new([
        ("policy", Fit::Key),
        ("figure", Fit::Part),
        ("force", Fit::Part),
        ("date", Fit::Part),
        ("citation", Fit::Spare),
    ]);
    for reason in &verdict.reasons {
        let when = date(&reason.date);
        table.add_row([
            &reason.policy,
            &periods(&reason.figure),
            &reason.force,
            &when,
            &reason.citation,
        ]);
    }
    lines.push(table.to_string());
    for conflict in &verdict.conflicts {
        lines.push(format!("conflict    {}", conflict.detail));
    }
    lines.join("\n")
}
