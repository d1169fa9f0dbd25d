//! `trailkeep anchor`: heads that are kept outside, and witnesses that cosigned them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::{print_bytes, print_line};
use super::settings::{Flags, Settings, start_options};
use super::table::{Fit, Table};
use trailkeep_api::anchors::{CheckpointQuestion, HistoryReviewed};
use trailkeep_proof::text::counted;
use trailkeep_verify::exit::Exit;

#[derive(Subcommand)]
pub(super) enum AnchorCommand {
    /// Send the newest checkpoint to all targets now
    #[command(after_help = "\
Example:  trailkeep anchor run --dir D --config /etc/trailkeep/trailkeep.toml

The targets are the sections [[anchor]] of the settings. A running server sends checkpoints automatically. Exit code 1: a
target did not take the checkpoint.")]
    Run {
        #[command(flatten)]
        plain: Plain,
        /// Settings file, needed where no server runs
        #[arg(long, env = "TRAILKEEP_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// List the targets and the newest checkpoint of each
    #[command(after_help = "Example:  trailkeep anchor list --dir D")]
    List(Plain),
    /// Show which checkpoints were sent where, or one of them with its cosignatures
    #[command(after_help = "\
Examples:
  trailkeep anchor show --dir D
  trailkeep anchor show --dir D --checkpoint > witnessed-checkpoint.txt
  trailkeep anchor show --dir D --size 1200 > checkpoint-1200.txt

A checkpoint that you keep proves later that the ledger still begins with it: `verify --against`, `bundle verify --against`.")]
    Show {
        #[command(flatten)]
        plain: Plain,
        /// Print the newest checkpoint that a witness cosigned, else the newest that was sent
        #[arg(long, conflicts_with = "json")]
        checkpoint: bool,
        /// Print the checkpoint of this size
        #[arg(long, value_name = "ENTRIES", conflicts_with = "json")]
        size: Option<u64>,
    },
    /// Resume a ledger that stopped because a target holds a later checkpoint, after you found the target wrong
    #[command(after_help = "\
Example:  trailkeep anchor resume --dir D --tenant default --reviewed-history

Remove the target from the settings first. If entries are really missing, restore the newest files instead:
docs/operations.md, \"Rolled back\". The command is recorded.")]
    Resume {
        #[command(flatten)]
        target: TargetArgs,
        /// Confirm that you checked whether entries are missing
        #[arg(long, required = true)]
        reviewed_history: bool,
    },
}

#[derive(Args)]
pub(super) struct Plain {
    #[command(flatten)]
    target: TargetArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: AnchorCommand) -> anyhow::Result<ExitCode> {
    match command {
        AnchorCommand::Run { plain, config } => run_now(&plain, config.as_deref()).await,
        AnchorCommand::List(plain) => list(&plain).await,
        AnchorCommand::Show {
            plain,
            checkpoint,
            size,
        } if checkpoint || size.is_some() => {
            let question = CheckpointQuestion { size };
            let asked = ask(&plain.target, async |client| {
                client.anchored_checkpoint(&question).await
            });
            print_bytes(asked.await?.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        AnchorCommand::Show { plain, .. } => show(&plain).await,
        AnchorCommand::Resume { target, .. } => resume(&target).await,
    }
}

async fn run_now(plain: &Plain, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let client = Client::to_opening(&plain.target, || {
        let mut options = start_options(false)?;
        if config.is_some() {
            options.anchors = Settings::read(config, Flags::default())?.anchors()?;
        }
        Ok(options)
    })?;
    let ran = client.closing(Client::run_anchors).await?;
    let outcomes = ran.read()?.outcomes;
    let all_have_it = outcomes.iter().all(|outcome| outcome.error.is_none());
    if plain.json {
        ran.print()?;
    } else if outcomes.is_empty() {
        print_line(
            "no target: only the ledger's own key signs its checkpoints; see docs/operations.md, \"Witnesses and anchors\"",
        )?;
    } else {
        let mut table = Table::new([
            ("target", Fit::Key),
            ("kind", Fit::Spare),
            ("size", Fit::Part),
            ("cosigned at", Fit::Part),
            ("error", Fit::Part),
        ]);
        for outcome in outcomes {
            table.add_row([
                outcome.target,
                outcome.kind,
                outcome.size.to_string(),
                or_dash(outcome.cosigned_at),
                or_dash(outcome.error),
            ]);
        }
        print_line(&table.to_string())?;
    }
    Ok(if all_have_it {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

async fn list(plain: &Plain) -> anyhow::Result<ExitCode> {
    let answer = ask(&plain.target, Client::anchors).await?;
    if plain.json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let status = answer.read()?;
    let witnessed = status.witnessed_size.map_or_else(
        || "no checkpoint was cosigned by a witness".to_owned(),
        |size| format!("witnessed up to {size}"),
    );
    print_line(&format!("{}; {witnessed}", counted(status.size, "entry")))?;
    if let Some(why) = status.rolled_back {
        print_line(&format!("STOPPED: {why}"))?;
    }
    let mut table = Table::new([
        ("name", Fit::Key),
        ("kind", Fit::Spare),
        ("place", Fit::Part),
        ("size", Fit::Part),
        ("at", Fit::Part),
        ("failed at", Fit::Spare),
        ("error", Fit::Part),
    ]);
    for target in status.targets {
        table.add_row([
            target.name,
            target.kind,
            or_dash(target.place),
            or_dash(target.size),
            or_dash(target.at),
            or_dash(target.failed_at),
            or_dash(target.error),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn show(plain: &Plain) -> anyhow::Result<ExitCode> {
    let history = ask(&plain.target, Client::anchor_history).await?;
    if plain.json {
        history.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("size", Fit::Part),
        ("target", Fit::Key),
        ("kind", Fit::Spare),
        ("at", Fit::Part),
    ]);
    for row in history.read()?.anchored {
        table.add_row([row.size.to_string(), row.target, row.kind, row.at]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn resume(target: &TargetArgs) -> anyhow::Result<ExitCode> {
    let reviewed = HistoryReviewed {
        tenant: target.tenant.clone(),
        reviewed_history: true,
    };
    // Only the operator may say so, of whichever tenant.
    let operator = TargetArgs {
        tenant: trailkeep_core::DEFAULT_TENANT.to_owned(),
        ..target.clone()
    };
    let resumed = ask(&operator, async |client| {
        client.resume_ledger(&reviewed).await
    });
    print_line(if resumed.await?.read()?.was_stopped {
        "the ledger accepts entries again; this was recorded"
    } else {
        "the ledger was not stopped"
    })?;
    Ok(ExitCode::SUCCESS)
}

fn or_dash(cell: Option<impl ToString>) -> String {
    cell.map_or_else(|| "-".to_owned(), |cell| cell.to_string())
}
