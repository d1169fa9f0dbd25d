//! `trailkeep policy`: the rules, without a data directory.

mod explain;

pub(super) use explain::describe;
use explain::periods;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::{print_bytes, print_json, print_line};
use super::table::{Fit, Table};
use crate::commands::failure::Failure;
use trailkeep_core::govern::policies::load;
use trailkeep_policy::lint;
use trailkeep_policy::{Policy, PolicySet};
use trailkeep_verify::exit::Exit;

/// Where policies are beside the shipped ones.
#[derive(Args)]
pub(super) struct PolicyArgs {
    /// Directory with policies (*.toml) that replace shipped ones or add to them
    #[arg(long, env = "TRAILKEEP_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Check policy files: form, consistency, and that no statutory period is weakened
    #[command(after_help = "\
Example:  trailkeep policy check policies/*.toml

Each finding has its line and a remedy. Exit codes: 0 no finding, 1 findings.")]
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
        /// Print JSON: {"policies":[{"id","version","title","regimes","keep_at_least","keep_force","delete_after","delete_force","clock","on_erasure_request","review_by","sha256"}]}
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
    /// Explain until when an event of given regimes is kept, when it is deleted, and why; needs no data directory
    #[command(after_help = "\
Examples:
  trailkeep policy explain --regime hipaa --regime gdpr-minimal --recorded-at 2024-11-24
  trailkeep policy explain --regime hipaa --recorded-at 2024-11-24 --erasure-requested-at 2026-11-24
  trailkeep policy explain --regime sox --recorded-at 2026-06-30 --trigger audit_concluded=2027-03-15

Dates are UTC. `open` means that a trigger must fire first, or that there is no such date. Exit code 4: a regime has no
policy, or there are more regimes than an event may have; such an event would be refused.")]
    Explain(explain::ExplainArgs),
    /// List fields that policies require and recorded events lack
    #[command(after_help = "\
Examples:
  trailkeep policy gaps --dir D
  trailkeep policy gaps --url https://audit.example.com --json

An event that lacks a field is accepted and flagged in its section `received`, unless the tenant is strict
(`trailkeep tenant set T --strict on`). The numbers count all events ever recorded.")]
    Gaps {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"gaps":[{"policy","what","events","first_seq","last_seq"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Check { files, json } => check(&files, json),
        PolicyCommand::List { policies, json } => list(&load(policies.policies.as_deref())?, json),
        PolicyCommand::Show { policies, id } => {
            let set = load(policies.policies.as_deref())?;
            print_bytes(named(&set, &id)?.text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Explain(args) => explain::run(&args),
        PolicyCommand::Gaps { target, json } => gaps(&target, json).await,
    }
}

fn named<'a>(set: &'a PolicySet, regime: &str) -> Result<&'a Arc<Policy>, Failure> {
    let found = set.known(regime);
    found.map_err(|unknown| Failure::not_found(unknown.to_string()))
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
        Exit::Failed.into()
    })
}

/// A policy as it is listed.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    version: u32,
    title: &'a str,
    regimes: Vec<&'a String>,
    keep_at_least: String,
    keep_force: String,
    delete_after: Option<String>,
    delete_force: String,
    clock: String,
    on_erasure_request: String,
    review_by: Option<String>,
    sha256: &'a str,
}

impl<'a> Row<'a> {
    fn of(policy: &'a Policy) -> Self {
        Self {
            id: &policy.id,
            version: policy.version,
            title: &policy.title,
            regimes: std::iter::once(&policy.id).chain(&policy.regimes).collect(),
            keep_at_least: policy.figures.keep_at_least.to_string(),
            keep_force: policy.keep_force.to_string(),
            delete_after: policy.figures.delete_after.map(|after| after.to_string()),
            delete_force: policy.delete_force.to_string(),
            clock: policy.figures.clock.to_string(),
            on_erasure_request: policy.erasure.request.to_string(),
            review_by: policy.review_by.map(|day| day.to_string()),
            sha256: &policy.sha256,
        }
    }
}

fn list(set: &PolicySet, json: bool) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row<'_>> = set.iter().map(|policy| Row::of(policy)).collect();
    if json {
        print_json(&json!({ "policies": rows }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("policy", Fit::Key),
        ("version", Fit::Spare),
        ("keep at least", Fit::Part),
        ("force", Fit::Part),
        ("delete after", Fit::Part),
        ("from", Fit::Spare),
        ("on request", Fit::Spare),
        ("review by", Fit::Spare),
    ]);
    for row in rows {
        table.add_row([
            row.id.to_owned(),
            row.version.to_string(),
            periods(&row.keep_at_least),
            row.keep_force,
            periods(&row.delete_after.unwrap_or_default()),
            row.clock,
            row.on_erasure_request,
            row.review_by.unwrap_or_default(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn gaps(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let answer = ask(target, Client::gaps).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("policy", Fit::Key),
        ("what", Fit::Part),
        ("events", Fit::Part),
        ("first seq", Fit::Spare),
        ("last seq", Fit::Spare),
    ]);
    for gap in answer.read()?.gaps {
        table.add_row([
            gap.policy,
            gap.what,
            gap.events.to_string(),
            gap.first_seq.to_string(),
            gap.last_seq.to_string(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}
