//! `trailkeep vault`.

use std::process::ExitCode;

use clap::Subcommand;

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::print_line;
use trailkeep_api::vault::Bound;
use trailkeep_proof::text::counted;

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
    let answer = ask(&target, Client::bind).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let bound = answer.read()?.bound;
    if bound.is_empty() {
        print_line("Every row of the vault has a statement already.")?;
    }
    for Bound { tenant, rows, .. } in bound {
        print_line(&format!("{tenant}: {} committed", counted(rows, "row")))?;
    }
    Ok(ExitCode::SUCCESS)
}
