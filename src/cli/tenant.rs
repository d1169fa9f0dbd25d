//! `trailkeep tenant`.

use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::ask;
use super::output::{note, print_json, print_line};

#[derive(Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant with a ledger, keys and a first API key of its own
    #[command(after_help = "\
Example:  trailkeep tenant create --dir D acme --json | jq -r .token

A name is never given twice. Other commands act for a tenant with --tenant acme, or over the network with
one of its tokens.")]
    Create {
        #[command(flatten)]
        target: TargetArgs,
        /// 1 to 63 characters of a-z, 0-9 and -, not beginning with -
        name: String,
        /// Print JSON: {"tenant","origin","token","public_key","vkey"}
        #[arg(long)]
        json: bool,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"tenants":[{"tenant","origin","size","vkey"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: TenantCommand) -> anyhow::Result<ExitCode> {
    match command {
        TenantCommand::Create { target, name, json } => create(&target, &name, json).await,
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
    note("Keep the token now: it is shown this once and is in no file.");
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let tenants: Value = ask(target, "GET", "/v1/tenants", None).await?;
    if json {
        print_json(&tenants)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["tenant", "entries", "public key"]);
    for tenant in tenants["tenants"].as_array().into_iter().flatten() {
        let text = |name: &str| tenant[name].as_str().unwrap_or_default().to_owned();
        table.add_row([text("tenant"), tenant["size"].to_string(), text("vkey")]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}
