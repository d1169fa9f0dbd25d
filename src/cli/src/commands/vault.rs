//! `trailkeep vault`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::TargetArgs;
use super::client::ask;
use super::output::{print_json, print_line};

#[derive(Subcommand)]
pub(super) enum VaultCommand {
    /// Record statements that commit to vault rows without one, for all tenants
    #[command(after_help = "\
Example:  trailkeep vault bind --dir D

`trailkeep verify` counts such rows as `unbound`: an earlier version or a restore wrote them. Review the holds, API keys
and requests first: from then on `verify` treats them as correct.")]
    Bind {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"bound":[{"tenant","rows","statements"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: VaultCommand) -> anyhow::Result<ExitCode> {
    let VaultCommand::Bind { target, json } = command;
    let answer: Value = ask(&target, "POST", "/v1/vault/bind", None).await?;
    if json {
        print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let bound = answer["bound"].as_array();
    let bound = bound.map(Vec::as_slice).unwrap_or_default();
    if bound.is_empty() {
        print_line("Every row of the vault has a statement already.")?;
    }
    for tenant in bound {
        let (name, rows) = (
            tenant["tenant"].as_str().unwrap_or_default(),
            &tenant["rows"],
        );
        print_line(&format!("{name}: {rows} rows committed"))?;
    }
    Ok(ExitCode::SUCCESS)
}
