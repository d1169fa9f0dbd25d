//! `trailkeep tenant`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};

use super::TargetArgs;
use super::client::{Client, ask};
use super::export::export_to;
use super::out_file::{OutFile, Replacing, refuse_standard_output};
use super::output::{note, period_in_words, print_line};
use super::table::{Fit, Table};
use trailkeep_api::exports::ExportQuestion;
use trailkeep_api::tenants::{ListedTenant, MadeTenant, NewTenant, SettingsChange};

/// On or off.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Subcommand)]
pub(super) enum TenantCommand {
    /// Create a tenant with its own ledger, keys and first API key
    #[command(after_help = "\
Example:  trailkeep tenant create --dir D acme --json | jq -r .token

A name is never reused. Other commands act for a tenant with --tenant acme, or over the network with one of its tokens.")]
    Create {
        #[command(flatten)]
        target: TargetArgs,
        /// 1 to 63 characters of a-z, 0-9 and -, not beginning with -
        name: String,
        /// Print JSON: {"tenant","origin","token","public_key","vkey"}
        #[arg(long)]
        json: bool,
    },
    /// Change a tenant's settings; the tenant's ledger records it
    #[command(after_help = "\
Examples:
  trailkeep tenant set --dir D acme --public-log on
  trailkeep tenant set --dir D acme --read-audit off
  trailkeep tenant set --dir D acme --default-regime soc2 --default-regime gdpr --strict on
  trailkeep tenant set --dir D acme --unknown-regime hipaa
  trailkeep tenant set --dir D acme --keep-requests P24M

A public log serves its checkpoint and tiles (times, sizes and hashes, no payload) to anyone at /v1/log/acme/...
Without the read audit, reads of this tenant's events are no longer recorded (invariant 7).")]
    Set {
        #[command(flatten)]
        target: TargetArgs,
        /// The tenant
        name: String,
        /// Serve checkpoints and tiles to anyone [default of a new tenant: off]
        #[arg(long, value_enum, required_unless_present_any = ["read_audit", "strict", "default_regime", "unknown_regime", "keep_requests"])]
        public_log: Option<Switch>,
        /// Record reads of events [default of a new tenant: on]
        #[arg(long, value_enum)]
        read_audit: Option<Switch>,
        /// Refuse events that lack a field which their policies require, or whose occurred_at is
        /// implausible [default of a new tenant: off, they are accepted and flagged]
        #[arg(long, value_enum)]
        strict: Option<Switch>,
        /// Regime of events that name none. Repeatable; none: back to default-90d
        #[arg(long, value_name = "R")]
        default_regime: Vec<String>,
        /// Regime of telemetry whose `trailkeep.regimes` names one without a policy; none: the default ones
        #[arg(long, value_name = "R")]
        unknown_regime: Option<String>,
        /// How long data subject requests filed from now on keep whom they were about, from their answer or end:
        /// P30D to P6Y [default of a new tenant: P30D]
        #[arg(long, value_name = "PERIOD")]
        keep_requests: Option<String>,
        /// Print JSON: the tenant as `tenant list` shows it
        #[arg(long)]
        json: bool,
    },
    /// Close a tenant: it accepts no more events, and its events expire as their policies say
    #[command(after_help = "\
Example:  trailkeep tenant close --dir D acme --out acme-final.zip

The ledger is closed first and then exported, so that the bundle has the last event. Closing is permanent. Repeat the
command to export again. Reading, exporting and erasing remain possible.")]
    Close {
        #[command(flatten)]
        target: TargetArgs,
        /// The tenant
        name: String,
        /// Bundle of the whole ledger
        #[arg(long, value_name = "B.zip", required_unless_present = "without_export")]
        out: Option<PathBuf>,
        #[command(flatten)]
        replacing: Replacing,
        /// Close without a bundle
        #[arg(long, conflicts_with = "out")]
        without_export: bool,
        /// Print JSON: {"tenant","closed_at","seq","bundle"}
        #[arg(long)]
        json: bool,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"tenants":[{"tenant","origin","size","vkey","closed_at","public_log","read_audit","strict","default_regimes","unknown_regime","keep_requests"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: TenantCommand) -> anyhow::Result<ExitCode> {
    match command {
        TenantCommand::Create { target, name, json } => create(&target, &name, json).await,
        TenantCommand::Set {
            target,
            name,
            public_log,
            read_audit,
            strict,
            default_regime,
            unknown_regime,
            keep_requests,
            json,
        } => {
            let on = |switch: Switch| matches!(switch, Switch::On);
            let change = SettingsChange {
                public_log: public_log.map(on),
                read_audit: read_audit.map(on),
                strict: strict.map(on),
                default_regimes: match default_regime.as_slice() {
                    [] => None,
                    [none] if none == "none" => Some(Vec::new()),
                    _ => Some(default_regime),
                },
                unknown_regime: unknown_regime.map(|regime| {
                    if regime == "none" {
                        String::new()
                    } else {
                        regime
                    }
                }),
                keep_requests,
            };
            set(&target, &name, &change, json).await
        }
        TenantCommand::Close {
            target,
            name,
            out,
            replacing,
            json,
            ..
        } => close(target, &name, (out.as_deref(), replacing), json).await,
        TenantCommand::List { target, json } => list(&target, json).await,
    }
}

async fn create(target: &TargetArgs, name: &str, json: bool) -> anyhow::Result<ExitCode> {
    let new = NewTenant {
        name: name.to_owned(),
    };
    let made = ask(target, async |client| client.create_tenant(&new).await).await?;
    if json {
        made.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let MadeTenant {
        origin,
        token,
        vkey,
        ..
    } = made.read()?;
    print_line(&format!(
        "tenant      {name}\norigin      {origin}\npublic key  {vkey}\nAPI token   {token}"
    ))?;
    note("Store the token now: it is shown only once and is not in any file.");
    Ok(ExitCode::SUCCESS)
}

async fn set(
    target: &TargetArgs,
    name: &str,
    change: &SettingsChange,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let tenant = ask(target, async |client| {
        client.change_tenant(name, change).await
    })
    .await?;
    if json {
        tenant.print()?;
    } else {
        print_line(&table([tenant.read()?]))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn close(
    mut target: TargetArgs,
    name: &str,
    (out, replacing): (Option<&Path>, Replacing),
    json: bool,
) -> anyhow::Result<ExitCode> {
    // Closing is for good: a place that can't be written to is found first.
    if let Some(out) = out {
        refuse_standard_output(out, "the result is printed there: name a file")?;
        drop(OutFile::at(out, replacing)?);
    }
    let closed = ask(&target, async |client| client.close_tenant(name).await).await?;
    let mut bundle = None;
    if let Some(out) = out {
        if target.url.is_some() {
            bail!(
                "{name} is closed; export it with one of its own tokens: trailkeep export --url URL --out {}",
                out.display()
            );
        }
        target.tenant = name.to_owned();
        let question = ExportQuestion::default();
        let exported = ask(&target, async |client| {
            export_to(client, &question, (out, replacing)).await
        });
        let exported = exported.await.with_context(|| {
            format!("{name} is closed, and its export failed: run the command again")
        })?;
        bundle = Some(("bundle", exported.answer.read_as()?));
    }
    if json {
        closed.print_with(bundle)?;
        return Ok(ExitCode::SUCCESS);
    }
    let at = closed.read()?.closed_at;
    print_line(&format!(
        "{name} is closed since {at}: it accepts no more events"
    ))?;
    if let Some(out) = out {
        print_line(&format!("bundle of the whole ledger: {}", out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let tenants = ask(target, Client::tenants).await?;
    if json {
        tenants.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&table(tenants.read()?.tenants))?;
    Ok(ExitCode::SUCCESS)
}

fn table(tenants: impl IntoIterator<Item = ListedTenant>) -> String {
    let mut table = Table::new([
        ("tenant", Fit::Key),
        ("entries", Fit::Part),
        ("closed", Fit::Part),
        ("public log", Fit::Spare),
        ("read audit", Fit::Spare),
        ("strict", Fit::Spare),
        ("default regimes", Fit::Spare),
        ("unknown regime", Fit::Spare),
        ("requests kept", Fit::Spare),
        ("public key", Fit::Spare),
    ]);
    for tenant in tenants {
        let switch = |is_on: bool| (if is_on { "on" } else { "off" }).to_owned();
        table.add_row([
            tenant.tenant,
            tenant.size.to_string(),
            tenant.closed_at.unwrap_or_default(),
            switch(tenant.public_log),
            switch(tenant.read_audit),
            switch(tenant.strict),
            tenant.default_regimes.join(", "),
            tenant.unknown_regime.unwrap_or_default(),
            period_in_words(&tenant.keep_requests),
            tenant.vkey,
        ]);
    }
    table.to_string()
}
