//! `trailkeep doctor`: what an operator should fix, before it is missed.

mod ledger;
mod machine;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::client::{self, Client};
use super::output::{print_json, print_line};
use super::settings::{Flags, Settings, start_options};
use super::{DirectoryArgs, TargetArgs, clock};
use trailkeep_api::anchors::AnchorStatus;
use trailkeep_api::operate::Readiness;
use trailkeep_api::policies::ListedGap;
use trailkeep_api::retention::{AtTime, OverdueEvents};
use trailkeep_api::tenants::ListedTenant;
use trailkeep_api::vault::RotationStatus;
use trailkeep_core::DEFAULT_TENANT;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_verify::exit::Exit;

const DAY_MS: u64 = 86_400_000;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep doctor --dir D
  trailkeep doctor --config /etc/trailkeep/trailkeep.toml --json

It works while a server runs. Exit codes: 0 nothing found, 1 something to fix.")]
pub(super) struct DoctorArgs {
    /// Settings file of `serve`
    #[arg(long, env = "TRAILKEEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Print JSON: {"ok","findings":[{"check","problem","remedy"}]}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    problem: String,
    remedy: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding {
            check,
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }
}

pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(args.config.as_deref(), args.flags)?;
    let now = clock().wall();
    let mut findings = Findings::default();
    findings.modes(settings.directory.path());
    findings.root_key(&settings);
    findings.exposures(&settings);
    findings.disk(&settings);
    findings.policies(&settings, now);
    if let Some(files) = &settings.tls {
        findings.certificate(files, now);
    }
    match ask(&settings).await {
        Ok(asked) => {
            findings.vault(&asked.vault, &asked.ready, now);
            findings.anchors(&asked.anchors, &settings, now);
            for tenant in &asked.tenants {
                findings.overdue(tenant, now);
                findings.regimes(tenant);
            }
        }
        Err(error) => findings.add(
            "directory",
            format!("the data directory cannot be used: {error:#}"),
            "fix that first: replicas, backups and the clock could not be checked",
        ),
    }
    let found = findings.0;
    if args.json {
        print_json(&json!({"ok": found.is_empty(), "findings": found}))?;
    } else if found.is_empty() {
        print_line("nothing found")?;
    } else {
        for finding in &found {
            let Finding {
                check,
                problem,
                remedy,
            } = finding;
            print_line(&format!("{check}: {problem}\n    {remedy}"))?;
        }
    }
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

/// What a server, or the directory itself, says of how it stands.
struct Asked {
    vault: RotationStatus,
    ready: Readiness,
    anchors: AnchorStatus,
    /// Each tenant with what should be deleted, and what its events lack.
    tenants: Vec<AskedTenant>,
}

/// What a tenant's ledger says.
struct AskedTenant {
    name: String,
    overdue: Option<OverdueEvents>,
    gaps: Vec<ListedGap>,
}

async fn ask(settings: &Settings) -> anyhow::Result<Asked> {
    let (root_key_file, root_key_command) = match settings.root_key.clone() {
        RootKeySource::File(path) => (Some(path), None),
        RootKeySource::Command(command) => (None, Some(command)),
        RootKeySource::Environment(_) => (None, None),
    };
    let target = TargetArgs {
        directory: DirectoryArgs {
            dir: settings.directory.path().to_owned(),
            root_key_file,
            root_key_command,
        },
        url: None,
        tenant: DEFAULT_TENANT.to_owned(),
        ledger: None,
        purpose: None,
        token: None,
    };
    let client = Client::to_opening(&target, || {
        let mut options = start_options(false)?;
        options.anchors = settings.anchors()?;
        Ok(options)
    })?;
    let asked = client.closing(async |client| {
        Ok((
            client.vault().await?.read()?,
            client.ready().await?.read()?,
            client.anchors().await?.read()?,
            client.tenants().await?.read()?.tenants,
        ))
    });
    let (vault, ready, anchors, listed) = asked.await?;
    let mut tenants = Vec::new();
    for ListedTenant { tenant: name, .. } in listed {
        let target = TargetArgs {
            tenant: name.clone(),
            ..target.clone()
        };
        let asked = client::ask(&target, async |client| {
            let now = AtTime::default();
            Ok(AskedTenant {
                name,
                overdue: client.retention_preview(&now).await?.read()?.overdue,
                gaps: client.gaps().await?.read()?.gaps,
            })
        });
        tenants.push(asked.await?);
    }
    Ok(Asked {
        vault,
        ready,
        anchors,
        tenants,
    })
}
