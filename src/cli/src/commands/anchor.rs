//! `trailkeep anchor`: heads that are kept outside, and witnesses that cosigned them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{Client, ask, ask_text, ask_through};
use super::output::{Table, print_bytes, print_json, print_line};
use super::settings::{Flags, Settings, start_options};
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
            let size = size.map(|size| format!("?size={size}")).unwrap_or_default();
            let path = format!("/v1/anchors/checkpoint{size}");
            print_bytes(
                ask_text(&plain.target, "GET", &path, None)
                    .await?
                    .as_bytes(),
            )?;
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
    let ran = ask_through(client, "POST", "/v1/anchors/run", None).await?;
    let ran: Value = serde_json::from_str(&ran)?;
    let outcomes = ran["outcomes"].as_array().cloned().unwrap_or_default();
    if plain.json {
        print_json(&ran)?;
    } else if outcomes.is_empty() {
        print_line(
            "no target: only the ledger's own key signs its checkpoints; see docs/operations.md, \"Witnesses and anchors\"",
        )?;
    } else {
        let columns = ["target", "kind", "size", "cosigned_at", "error"];
        print_line(&table(&columns, &outcomes))?;
    }
    let all_have_it = outcomes.iter().all(|outcome| outcome["error"].is_null());
    Ok(if all_have_it {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

async fn list(plain: &Plain) -> anyhow::Result<ExitCode> {
    let status: Value = ask(&plain.target, "GET", "/v1/anchors", None).await?;
    if plain.json {
        print_json(&status)?;
        return Ok(ExitCode::SUCCESS);
    }
    let size = |name: &str| status[name].as_u64();
    let witnessed = size("witnessed_size").map_or_else(
        || "no checkpoint was cosigned by a witness".to_owned(),
        |size| format!("witnessed up to {size}"),
    );
    let entries = size("size").unwrap_or_default();
    print_line(&format!("{entries} entries; {witnessed}"))?;
    if let Some(why) = status["rolled_back"].as_str() {
        print_line(&format!("STOPPED: {why}"))?;
    }
    let targets = status["targets"].as_array().cloned().unwrap_or_default();
    let columns = ["name", "kind", "place", "size", "at", "failed_at", "error"];
    print_line(&table(&columns, &targets))?;
    Ok(ExitCode::SUCCESS)
}

async fn show(plain: &Plain) -> anyhow::Result<ExitCode> {
    let history: Value = ask(&plain.target, "GET", "/v1/anchors/history", None).await?;
    if plain.json {
        print_json(&history)?;
    } else {
        let rows = history["anchored"].as_array().cloned().unwrap_or_default();
        print_line(&table(&["size", "target", "kind", "at"], &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn resume(target: &TargetArgs) -> anyhow::Result<ExitCode> {
    let asked = json!({"tenant": target.tenant, "reviewed_history": true});
    // Only the operator may say so, of whichever tenant.
    let operator = TargetArgs {
        tenant: trailkeep_core::DEFAULT_TENANT.to_owned(),
        ..target.clone()
    };
    let resumed: Value = ask(&operator, "POST", "/v1/anchors/resume", Some(&asked)).await?;
    print_line(if resumed["was_stopped"] == true {
        "the ledger accepts entries again; this was recorded"
    } else {
        "the ledger was not stopped"
    })?;
    Ok(ExitCode::SUCCESS)
}

fn table(columns: &[&str], rows: &[Value]) -> String {
    let mut table = Table::new(columns.iter().map(|column| column.replace('_', " ")));
    for row in rows {
        table.add_row(columns.iter().map(|column| match &row[*column] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }));
    }
    table.to_string()
}
