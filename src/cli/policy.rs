//! `trailkeep policy`: the rules, without a data directory.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use serde_json::{Value, json};

use super::clock;
use super::exit;
use super::output::{print_bytes, print_json, print_line};
use crate::policy::lint;
use crate::policy::{Applied, EventTimes, HoldSpan, Policy, PolicySet};
use crate::service::classes::policies_of;
use crate::service::explain::{Question, explain, force_word};
use crate::service::policies::load;
use crate::time::UnixMillis;

/// Where policies are beside the shipped ones.
#[derive(Args)]
pub(super) struct PolicyArgs {
    /// Directory with policies (*.toml) in the place of shipped ones or beside them
    #[arg(long, env = "TRAILKEEP_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Check policy files: form, sense, and that no law is lowered
    #[command(after_help = "\
Example:  trailkeep policy check policies/*.toml

Each finding has its line and a remedy. Exit code 0: nothing found; 1: findings.")]
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON: {"files":[{"file","id","findings":[{"line","rule","problem","remedy"}]}]}
        #[arg(long)]
        json: bool,
    },
    /// List the policies in force
    List {
        #[command(flatten)]
        policies: PolicyArgs,
        /// Print JSON: {"policies":[{"id","version","title","regimes","keep_at_least","keep_force","delete_after","clock","review_by","sha256"}]}
        #[arg(long)]
        json: bool,
    },
    /// Print a policy's file
    #[command(after_help = "Example:  trailkeep policy show hipaa > policies/hipaa.toml")]
    Show {
        #[command(flatten)]
        policies: PolicyArgs,
        /// The policy's id, or one of its regimes
        id: String,
    },
    /// Say until when an event of some regimes is kept, when it goes, and why; no data directory is needed
    #[command(after_help = "\
Examples:
  trailkeep policy explain --regime hipaa --regime gdpr-minimal --recorded-at 2024-11-24T10:00:00Z
  trailkeep policy explain --regime hipaa --recorded-at 2024-11-24T10:00:00Z --erasure-requested-at 2026-11-24T00:00:00Z
  trailkeep policy explain --regime sox --recorded-at 2026-06-30T00:00:00Z --trigger audit_concluded=2027-03-15T00:00:00Z

Dates are UTC; open means that something must happen first, or that it never comes.")]
    Explain(ExplainArgs),
}

#[derive(Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    policies: PolicyArgs,
    /// Regime of the event; may be given several times [default: the policy default-90d]
    #[arg(long, value_name = "R")]
    regime: Vec<String>,
    /// When the server received it (RFC 3339)
    #[arg(long, value_name = "T")]
    recorded_at: String,
    /// When it happened by its producer's clock [default: when it was received]
    #[arg(long, value_name = "T")]
    occurred_at: Option<String>,
    /// Its action, for policies with special cases
    #[arg(long, value_name = "A", default_value = "")]
    action: String,
    /// When its erasure was asked for
    #[arg(long, value_name = "T")]
    erasure_requested_at: Option<String>,
    /// A legal hold from one moment to another; `FROM..` while it is not lifted. May be given several times
    #[arg(long, value_name = "FROM..TO")]
    hold: Vec<String>,
    /// Something that happened to its record; may be given several times
    #[arg(long, value_name = "NAME=T")]
    trigger: Vec<String>,
    /// The moment to judge at [default: the request, else now]
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// Print JSON: {"keep_until","expires_at","destroy_at","decision","erasure","reasons","conflicts"}; null is open
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Check { files, json } => check(&files, json),
        PolicyCommand::List { policies, json } => list(&load(policies.policies.as_deref())?, json),
        PolicyCommand::Show { policies, id } => {
            let set = load(policies.policies.as_deref())?;
            print_bytes(named(&set, &id)?.text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Explain(args) => explain_policies(&args),
    }
}

fn named<'a>(set: &'a PolicySet, regime: &str) -> anyhow::Result<&'a Arc<Policy>> {
    let known = || set.regimes().join(", ");
    set.of_regime(regime).with_context(|| {
        format!(
            "no policy is of the regime `{regime}`; there are: {}",
            known()
        )
    })
}

fn check(files: &[PathBuf], json: bool) -> anyhow::Result<ExitCode> {
    let mut answers = Vec::new();
    let mut found = 0;
    for file in files {
        let name = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("can't read {name}"))?;
        let checked = lint::check(&text);
        let (id, findings) = match &checked {
            Ok(policy) => (Some(policy.id.as_str()), [].as_slice()),
            Err(findings) => (None, findings.as_slice()),
        };
        found += findings.len();
        answers.push(json!({"file": file, "id": id, "findings": findings}));
        if json {
            continue;
        }
        match checked {
            Ok(policy) => print_line(&format!(
                "{name}: {} version {}: no finding",
                policy.id, policy.version
            ))?,
            Err(findings) => {
                for finding in findings {
                    let lint::Finding {
                        line,
                        rule,
                        problem,
                        remedy,
                    } = finding;
                    print_line(&format!(
                        "{name}:{line}: {problem}\n  remedy: {remedy} [{rule}]"
                    ))?;
                }
            }
        }
    }
    if json {
        print_json(&json!({ "files": answers }))?;
    }
    Ok(if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FAILED)
    })
}

fn list(set: &PolicySet, json: bool) -> anyhow::Result<ExitCode> {
    let rows: Vec<Value> = set.iter().map(|policy| row(policy)).collect();
    if json {
        print_json(&json!({ "policies": rows }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "policy",
        "version",
        "keep at least",
        "force",
        "goes after",
        "from",
        "review by",
    ]);
    for row in &rows {
        let cell = |name: &str| {
            row[name]
                .as_str()
                .map_or_else(|| row[name].to_string(), str::to_owned)
        };
        table.add_row(
            [
                "id",
                "version",
                "keep_at_least",
                "keep_force",
                "delete_after",
                "clock",
                "review_by",
            ]
            .map(cell),
        );
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn row(policy: &Policy) -> Value {
    let regimes: Vec<&String> = std::iter::once(&policy.id).chain(&policy.regimes).collect();
    json!({
        "id": policy.id,
        "version": policy.version,
        "title": policy.title,
        "regimes": regimes,
        "keep_at_least": policy.figures.keep_at_least.to_string(),
        "keep_force": force_word(policy.keep_force),
        "delete_after": policy.figures.delete_after.map(|after| after.to_string()),
        "clock": policy.figures.clock.to_string(),
        "review_by": policy.review_by.map(|day| day.to_string()),
        "sha256": policy.sha256,
    })
}

fn explain_policies(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let set = load(args.policies.policies.as_deref())?;
    let recorded_at = moment("--recorded-at", &args.recorded_at)?;
    let optional = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| moment(name, text)).transpose()
    };
    let mut times = EventTimes::received(recorded_at);
    times.occurred_at = optional("--occurred-at", &args.occurred_at)?.unwrap_or(recorded_at);
    for trigger in &args.trigger {
        let (name, at) = trigger
            .split_once('=')
            .with_context(|| format!("--trigger {trigger}: write NAME=T"))?;
        times
            .triggers
            .insert(name.to_owned(), moment("--trigger", at)?);
    }
    let holds = args.hold.iter().map(|hold| hold_span(hold));
    let holds = holds.collect::<anyhow::Result<Vec<_>>>()?;
    let erasure_requested_at = optional("--erasure-requested-at", &args.erasure_requested_at)?;
    let at = optional("--at", &args.at)?.or(erasure_requested_at);
    let policies = policies_of(&set, &[], &args.regime, &args.action)?;
    let applied: Vec<Applied<'_>> = policies
        .iter()
        .map(|policy| Applied::to(policy, &args.action, recorded_at))
        .collect();
    let answer = explain(&Question {
        applied: &applied,
        times: &times,
        erasure_requested_at,
        holds: &holds,
        at: at.unwrap_or_else(|| clock().wall()),
    });
    if args.json {
        print_json(&answer)?;
    } else {
        print_line(&describe(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn moment(name: &str, text: &str) -> anyhow::Result<UnixMillis> {
    let moment = UnixMillis::parse_rfc3339(text);
    moment.with_context(|| {
        format!("{name} {text}: write an RFC 3339 time such as 2026-11-24T00:00:00Z")
    })
}

fn hold_span(text: &str) -> anyhow::Result<HoldSpan> {
    let Some((from, to)) = text.split_once("..") else {
        bail!("--hold {text}: write FROM..TO, or FROM.. while it is not lifted");
    };
    let to = if to.is_empty() {
        None
    } else {
        Some(moment("--hold", to)?)
    };
    Ok(HoldSpan {
        from: moment("--hold", from)?,
        to,
    })
}

/// The verdict for people.
pub(super) fn describe(answer: &Value) -> String {
    let date = |value: &Value| value.as_str().unwrap_or("open").to_owned();
    let mut lines = vec![
        format!(
            "decision    {}",
            answer["decision"].as_str().unwrap_or_default()
        ),
        format!("keep until  {}", date(&answer["keep_until"])),
        format!("expires at  {}", date(&answer["expires_at"])),
        format!("destroy at  {}", date(&answer["destroy_at"])),
    ];
    let outcome = answer["erasure"]["outcome"].as_str().unwrap_or_default();
    let until = match (outcome, &answer["erasure"]["until"]) {
        ("honour", _) => String::new(),
        (_, until) => format!(" until {}", date(until)),
    };
    lines.push(format!("on request  {outcome}{until}"));
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["policy", "figure", "force", "date", "citation"]);
    for reason in answer["reasons"].as_array().into_iter().flatten() {
        let text = |name: &str| reason[name].as_str().unwrap_or_default().to_owned();
        table.add_row([
            text("policy"),
            text("figure"),
            text("force"),
            date(&reason["date"]),
            text("citation"),
        ]);
    }
    lines.push(table.to_string());
    for conflict in answer["conflicts"].as_array().into_iter().flatten() {
        lines.push(format!(
            "conflict    {}",
            conflict["detail"].as_str().unwrap_or_default()
        ));
    }
    lines.join("\n")
}
