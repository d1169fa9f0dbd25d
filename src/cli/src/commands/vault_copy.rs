//! `trailkeep vault-replica`, and `trailkeep key rotate-vault`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::TargetArgs;
use super::client::{Client, ask};
use super::failure::Failure;
use super::output::{note, print_line};
use super::table::{Fit, Table};
use trailkeep_api::vault::{NewTarget, TargetStatus};
use trailkeep_proof::text::counted;
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
    let new = NewTarget { directory, command };
    let added = ask(target, async |client| client.add_replica(&new).await).await?;
    if json {
        added.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let added = added.read()?;
    print_line(&format!(
        "added {}: the replica was read back and can be opened",
        added.id
    ))?;
    if added.same_disk {
        note(
            "It is on the same disk as the data directory: one disk failure loses both. Add one on another disk.",
        );
    }
    note("The root key opens it: keep the root key somewhere else.");
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let listed = ask(target, Client::replicas).await?;
    if json {
        listed.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let targets = listed.read()?.targets;
    if targets.is_empty() {
        print_line(
            "no replica: there is one copy of the key vault; losing it loses every payload. Add one with `trailkeep vault-replica add`",
        )?;
    } else {
        print_line(&table(targets))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let checked = ask(target, Client::check_replicas).await?;
    let targets = checked.read()?.targets;
    let is_none = targets.is_empty();
    let all_open = targets.iter().all(|one| one.error.is_none());
    if json {
        checked.print()?;
    } else {
        print_line(&table(targets))?;
    }
    if is_none {
        bail!("no replica is registered. Add one with `trailkeep vault-replica add`");
    }
    Ok(if all_open {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

async fn remove(target: &TargetArgs, id: &str) -> anyhow::Result<ExitCode> {
    let removed = ask(target, async |client| client.remove_replica(id).await);
    if let Some(error) = removed.await?.read()?.error {
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
    let answer = ask(target, Client::rotate).await?;
    let status = answer.read()?;
    let pending = status.copies_pending;
    if json {
        answer.print()?;
    } else if pending {
        print_line(&table(status.targets))?;
        note(
            "The vault is re-encrypted, but a replica is unreachable: the old epoch key is destroyed only when every replica \
             is current. Restore it, or remove it with `trailkeep vault-replica remove`; then the rotation continues.",
        );
    } else {
        print_line(&format!(
            "rotated: epoch {}, {} re-encrypted, the old epoch key is destroyed here and at {}",
            status.epoch,
            counted(status.rows.unwrap_or_default(), "key"),
            counted(status.targets.len() as u64, "replica")
        ))?;
    }
    Ok(if pending {
        Exit::Failed.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn table(targets: Vec<TargetStatus>) -> String {
    let mut table = Table::new([
        ("id", Fit::Key),
        ("kind", Fit::Spare),
        ("place", Fit::Part),
        ("current", Fit::Part),
        ("copied", Fit::Part),
        ("error", Fit::Part),
    ]);
    for target in targets {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let current = if target.is_current { "yes" } else { "no" };
        table.add_row([
            target.id,
            target.kind,
            target.place,
            current.to_owned(),
            or_dash(target.copied_at),
            or_dash(target.error),
        ]);
    }
    table.to_string()
}
