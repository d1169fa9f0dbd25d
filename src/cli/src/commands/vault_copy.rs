//! `trailkeep vault-replica`, and `trailkeep key rotate-vault`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{ask, segment};
use super::failure::Failure;
use super::follow::follow;
use super::output::{Table, note, print_json, print_line};
use trailkeep_verify::exit::Exit;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct VaultReplicaArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Read every replica back and decrypt each key in it (as `vault-replica check`)
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<VaultReplicaCommand>,
}

#[derive(Subcommand)]
enum VaultReplicaCommand {
    /// Register a replica: a directory on another disk or host, or a command
    #[command(after_help = "\
Examples:
  trailkeep vault-replica add --dir D /mnt/other-disk/trailkeep-vault
  trailkeep vault-replica add --dir D --command '/usr/local/bin/keep-vault-copy'

The vault is written there now, at most a minute after new keys, and at every rotation. A command is run by
/bin/sh with TRAILKEEP_COPY=put (it gets the replica on standard input), get (it prints the replica) or remove;
docs/operations.md has the form and an example.")]
    Add {
        #[command(flatten)]
        target: TargetArgs,
        /// An empty directory; it is created if its parent exists
        #[arg(value_name = "DIRECTORY", required_unless_present = "command")]
        directory: Option<PathBuf>,
        /// A shell command instead of a directory
        #[arg(long, value_name = "COMMAND", conflicts_with = "directory")]
        command: Option<String>,
        /// Print JSON: the replica as `list` shows it
        #[arg(long)]
        json: bool,
    },
    /// List the replicas, and whether each is current
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"targets":[{"id","kind","place","is_current","same_disk","copied_at","error","failed_at"}]}
        #[arg(long)]
        json: bool,
    },
    /// Remove a replica; its file is overwritten and deleted if it is reachable
    #[command(after_help = "Example:  trailkeep vault-replica remove --dir D 4f1c8a90b2d3e6f7")]
    Remove {
        #[command(flatten)]
        target: TargetArgs,
        /// The replica's id, as `list` shows it
        id: String,
    },
    /// Read every replica back and decrypt each key in it
    Check {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON, as `list`
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: VaultReplicaArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(VaultReplicaCommand::Add {
            target,
            directory,
            command,
            json,
        }) => add(&target, directory, command, json).await,
        Some(VaultReplicaCommand::List { target, json }) => list(&target, json).await,
        Some(VaultReplicaCommand::Remove { target, id }) => remove(&target, &id).await,
        Some(VaultReplicaCommand::Check { target, json }) => check(&target, json).await,
        None if args.check => check(&args.target, args.json).await,
        None => Err(Failure::usage(
            "no subcommand; use add, list, remove or check (`trailkeep vault-replica --help`)",
        )
        .into()),
    }
}

async fn add(
    target: &TargetArgs,
    directory: Option<PathBuf>,
    command: Option<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let directory = match directory {
        // Over the network it is a path of that machine.
        Some(path) if target.url.is_none() => Some(std::path::absolute(path)?),
        other => other,
    };
    let mut asked = serde_json::Map::new();
    if let Some(path) = directory {
        asked.insert("directory".to_owned(), json!(path));
    }
    if let Some(command) = command {
        asked.insert("command".to_owned(), json!(command));
    }
    let asked = Value::Object(asked);
    let added: Value = ask(target, "POST", "/v1/vault/copies", Some(&asked)).await?;
    if json {
        print_json(&added)?;
        return Ok(ExitCode::SUCCESS);
    }
    let id = added["id"].as_str().unwrap_or_default();
    print_line(&format!(
        "added {id}: the replica was read back and can be opened"
    ))?;
    if added["same_disk"] == true {
        note(
            "It is on the same disk as the data directory: one disk failure loses both. Add one on another disk.",
        );
    }
    note("The root key opens it: keep the root key somewhere else.");
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let listed: Value = ask(target, "GET", "/v1/vault/copies", None).await?;
    if json {
        print_json(&listed)?;
    } else if listed["targets"].as_array().is_some_and(Vec::is_empty) {
        print_line(
            "no replica: there is one copy of the key vault; losing it loses every payload. Add one with `trailkeep vault-replica add`",
        )?;
    } else {
        print_line(&table(&listed["targets"]))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let checked: Value = ask(target, "POST", "/v1/vault/copies/check", None).await?;
    let targets = checked["targets"].as_array();
    let all_open = targets.is_some_and(|all| all.iter().all(|one| one["error"].is_null()));
    if json {
        print_json(&checked)?;
    } else {
        print_line(&table(&checked["targets"]))?;
    }
    if targets.is_some_and(Vec::is_empty) {
        bail!("no replica is registered. Add one with `trailkeep vault-replica add`");
    }
    Ok(if all_open {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

async fn remove(target: &TargetArgs, id: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/vault/copies/{}", segment(id));
    let removed: Value = ask(target, "DELETE", &path, None).await?;
    if let Some(error) = removed["error"].as_str() {
        print_line(&format!(
            "removed {id}; its replica was not destroyed: {error}"
        ))?;
        note(
            "Destroy the replica there by hand: it opens with the root key, whatever is deleted here later.",
        );
    } else {
        print_line(&format!(
            "removed {id}; the replica there was overwritten and deleted"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `trailkeep key rotate-vault`.
pub(super) async fn rotate(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let status = follow(target, "/v1/vault/rotate", None, "re-encrypting").await?;
    let pending = status["copies_pending"].as_bool().unwrap_or_default();
    if json {
        print_json(&status)?;
    } else if pending {
        print_line(&table(&status["targets"]))?;
        note(
            "The vault is re-encrypted, but a replica is unreachable: the old epoch key is destroyed only when every replica \
             is current. Restore it, or remove it with `trailkeep vault-replica remove`; then the rotation continues.",
        );
    } else {
        print_line(&format!(
            "rotated: epoch {}, {} keys re-encrypted, the old epoch key is destroyed here and at {} replica(s)",
            status["epoch"],
            status["rows"],
            status["targets"].as_array().map_or(0, Vec::len)
        ))?;
    }
    Ok(if pending {
        Exit::Failed.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn table(targets: &Value) -> String {
    let mut table = Table::new(["id", "kind", "place", "current", "copied", "error"]);
    for target in targets.as_array().into_iter().flatten() {
        let text = |name: &str| target[name].as_str().unwrap_or("-").to_owned();
        let current = if target["is_current"] == true {
            "yes"
        } else {
            "no"
        };
        table.add_row([
            text("id"),
            text("kind"),
            text("place"),
            current.to_owned(),
            text("copied_at"),
            text("error"),
        ]);
    }
    table.to_string()
}
