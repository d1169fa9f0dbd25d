//! `trailkeep tenant`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{Client, ask, segment};
use super::export::export_to;
use super::out_file::{OutFile, Replacing, refuse_standard_output};
use super::output::{Table, note, print_json, print_line};

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

A public log serves its checkpoint and tiles (times, sizes and hashes, no payload) to anyone at /v1/log/acme/...
Without the read audit, reads of this tenant's events are no longer recorded (invariant 7).")]
    Set {
        #[command(flatten)]
        target: TargetArgs,
        /// The tenant
        name: String,
        /// Serve checkpoints and tiles to anyone [default of a new tenant: off]
        #[arg(long, value_enum, required_unless_present_any = ["read_audit", "strict", "default_regime", "unknown_regime"])]
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
        /// Print JSON: {"tenants":[{"tenant","origin","size","vkey","closed_at","public_log","read_audit","strict","default_regimes","unknown_regime"}]}
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
            json,
        } => {
            let switches = [
                ("public_log", public_log),
                ("read_audit", read_audit),
                ("strict", strict),
            ];
            let regimes = (default_regime.as_slice(), unknown_regime.as_deref());
            set(&target, &name, switches, regimes, json).await
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
    let asked = json!({ "name": name });
    let made: Value = ask(target, "POST", "/v1/tenants", Some(&asked)).await?;
    if json {
        print_json(&made)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |name: &str| made[name].as_str().unwrap_or_default();
    print_line(&format!(
        "tenant      {name}\norigin      {}\npublic key  {}\nAPI token   {}",
        text("origin"),
        text("vkey"),
        text("token")
    ))?;
    note("Store the token now: it is shown only once and is not in any file.");
    Ok(ExitCode::SUCCESS)
}

async fn set(
    target: &TargetArgs,
    name: &str,
    switches: [(&str, Option<Switch>); 3],
    (default_regimes, unknown_regime): (&[String], Option<&str>),
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut asked = serde_json::Map::new();
    for (name, switch) in switches {
        if let Some(switch) = switch {
            asked.insert(name.to_owned(), json!(matches!(switch, Switch::On)));
        }
    }
    match default_regimes {
        [] => {}
        [none] if none == "none" => {
            asked.insert("default_regimes".to_owned(), json!([]));
        }
        regimes => {
            asked.insert("default_regimes".to_owned(), json!(regimes));
        }
    }
    if let Some(regime) = unknown_regime {
        let regime = if regime == "none" { "" } else { regime };
        asked.insert("unknown_regime".to_owned(), regime.into());
    }
    let path = format!("/v1/tenants/{}", segment(name));
    let tenant: Value = ask(target, "PATCH", &path, Some(&Value::Object(asked))).await?;
    if json {
        print_json(&tenant)?;
    } else {
        print_line(&table([&tenant].into_iter()))?;
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
    let path = format!("/v1/tenants/{}/close", segment(name));
    let mut closed: Value = ask(&target, "POST", &path, Some(&json!({}))).await?;
    if let Some(out) = out {
        if target.url.is_some() {
            bail!(
                "{name} is closed; export it with one of its own tokens: trailkeep export --url URL --out {}",
                out.display()
            );
        }
        target.tenant = name.to_owned();
        let client = Client::to(&target)?;
        let bundle = export_to(&client, &json!({}), (out, replacing)).await;
        client.close().await?;
        closed["bundle"] = bundle.with_context(|| {
            format!("{name} is closed, and its export failed: run the command again")
        })?;
    }
    if json {
        print_json(&closed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let at = closed["closed_at"].as_str().unwrap_or_default();
    print_line(&format!(
        "{name} is closed since {at}: it accepts no more events"
    ))?;
    if let Some(out) = out {
        print_line(&format!("bundle of the whole ledger: {}", out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let tenants: Value = ask(target, "GET", "/v1/tenants", None).await?;
    if json {
        print_json(&tenants)?;
        return Ok(ExitCode::SUCCESS);
    }
    let tenants = tenants["tenants"].as_array();
    print_line(&table(tenants.into_iter().flatten()))?;
    Ok(ExitCode::SUCCESS)
}

fn table<'a>(tenants: impl Iterator<Item = &'a Value>) -> String {
    let mut table = Table::new([
        "tenant",
        "entries",
        "closed",
        "public log",
        "read audit",
        "strict",
        "default regimes",
        "unknown regime",
        "public key",
    ]);
    for tenant in tenants {
        let text = |name: &str| tenant[name].as_str().unwrap_or_default().to_owned();
        let switch = |name: &str| (if tenant[name] == true { "on" } else { "off" }).to_owned();
        let regimes = tenant["default_regimes"].as_array();
        let regimes: Vec<&str> = regimes
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        table.add_row([
            text("tenant"),
            tenant["size"].to_string(),
            text("closed_at"),
            switch("public_log"),
            switch("read_audit"),
            switch("strict"),
            regimes.join(", "),
            text("unknown_regime"),
            text("vkey"),
        ]);
    }
    table.to_string()
}
