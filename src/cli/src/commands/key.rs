//! `trailkeep key`: the ledger's public key, and the API keys.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::{note, print_bytes, print_line};
use super::table::{Fit, Table};
use trailkeep_api::keys::{MadeKey, NewKey};
use trailkeep_core::keys::role::Role;

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Print the ledger's public key, for auditors
    Public {
        #[command(flatten)]
        target: TargetArgs,
        /// PEM for openssl, vkey for transparency-log tools
        #[arg(long, value_enum, default_value = "pem")]
        format: KeyFormat,
    },
    /// Create an API key; its token is shown only once
    #[command(after_help = "\
Examples:
  trailkeep key create --dir D --role writer --label checkout --owner team-payments
  trailkeep key create --dir D --role auditor --expires P90D --json | jq -r .token

docs/access.md lists what each role may do.")]
    Create {
        #[command(flatten)]
        target: TargetArgs,
        /// writer, reader, auditor, privacy, operator or admin
        #[arg(long)]
        role: Role,
        /// Calendar period after which it expires, such as P90D or P1Y [default: never]
        #[arg(long, value_name = "PERIOD")]
        expires: Option<String>,
        /// What it is called, such as the application that uses it. It is recorded, and cannot be changed
        #[arg(long, value_name = "NAME")]
        label: Option<String>,
        /// Who answers for it, such as a team. It is recorded, and cannot be changed
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// Print JSON: {"id","token","role","tenant","expires_at","label","owner"}
        #[arg(long)]
        json: bool,
    },
    /// List the API keys, revoked and expired ones too
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"keys":[{"id","role","tenant","created_at","expires_at","revoked_at","last_used_at","label","owner"}]}
        #[arg(long)]
        json: bool,
    },
    /// Re-encrypt the vault under a new epoch key, update the replicas, and destroy the old key
    #[command(after_help = "\
Example:  trailkeep key rotate-vault --dir D

Afterwards no older copy of the vault can be opened, so deleted keys cannot be recovered from one. A rotation runs
automatically within a day of a deletion. If a replica is unreachable, it stops before the old key is destroyed
(exit code 1) and continues automatically, or with this command. Writers are not blocked.")]
    RotateVault {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"epoch","in_progress","copies_pending","due_since","last_ended_at","rows","targets"}
        #[arg(long)]
        json: bool,
    },
    /// Revoke an API key, effective immediately
    #[command(after_help = "Example:  trailkeep key revoke --dir D 4f1c8a90b2d3e6f7")]
    Revoke {
        #[command(flatten)]
        target: TargetArgs,
        /// The key's id, as `key list` shows it: the part after the role in its token
        id: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum KeyFormat {
    /// SPKI in PEM
    Pem,
    /// C2SP verifier key
    Vkey,
}

pub(super) async fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Public { target, format } => public(&target, format).await,
        KeyCommand::Create {
            target,
            role,
            expires,
            label,
            owner,
            json,
        } => {
            let new = NewKey {
                role: role.as_str().to_owned(),
                expires,
                label,
                owner,
            };
            create(&target, &new, json).await
        }
        KeyCommand::RotateVault { target, json } => super::vault_copy::rotate(&target, json).await,
        KeyCommand::List { target, json } => list(&target, json).await,
        KeyCommand::Revoke { target, id } => revoke(&target, &id).await,
    }
}

async fn public(target: &TargetArgs, format: KeyFormat) -> anyhow::Result<ExitCode> {
    let key = ask(target, Client::public_key).await?.read()?;
    match format {
        KeyFormat::Pem => print_bytes(key.pem.as_bytes())?,
        KeyFormat::Vkey => print_line(&key.vkey)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(target: &TargetArgs, new: &NewKey, json: bool) -> anyhow::Result<ExitCode> {
    let made = ask(target, async |client| client.create_key(new).await).await?;
    if json {
        made.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let MadeKey {
        id,
        token,
        tenant,
        expires_at,
        ..
    } = made.read()?;
    let end = expires_at.as_deref().unwrap_or("never");
    let named = [("label", &new.label), ("owner", &new.owner)];
    for (what, name) in named {
        if let Some(name) = name {
            print_line(&format!("{what:<9} {name}"))?;
        }
    }
    print_line(&format!(
        "id        {id}\nrole      {}\ntenant    {tenant}\nexpires   {end}\ntoken     {token}",
        new.role
    ))?;
    note("Store the token now: it is shown only once and is not in any file.");
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let keys = ask(target, Client::keys).await?;
    if json {
        keys.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("id", Fit::Key),
        ("label", Fit::Part),
        ("role", Fit::Part),
        ("last used", Fit::Part),
        ("revoked", Fit::Part),
        ("expires", Fit::Spare),
        ("created", Fit::Spare),
        ("owner", Fit::Spare),
    ]);
    for key in keys.read()?.keys {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.add_row([
            key.id,
            or_dash(key.label),
            key.role.as_str().to_owned(),
            or_dash(key.last_used_at),
            or_dash(key.revoked_at),
            or_dash(key.expires_at),
            key.created_at,
            or_dash(key.owner),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn revoke(target: &TargetArgs, id: &str) -> anyhow::Result<ExitCode> {
    ask(target, async |client| client.revoke_key(id).await).await?;
    print_line(&format!("revoked {id}"))?;
    Ok(ExitCode::SUCCESS)
}
