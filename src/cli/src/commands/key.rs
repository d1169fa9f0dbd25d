//! `trailkeep key`: the ledger's public key, and the API keys.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

use super::TargetArgs;
use super::client::{ask, ask_text, segment};
use super::output::{Table, note, print_bytes, print_json, print_line};
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
  trailkeep key create --dir D --role writer
  trailkeep key create --dir D --role auditor --expires P90D --json | jq -r .token

docs/access.md lists what each role may do.")]
    Create {
        #[command(flatten)]
        target: TargetArgs,
        /// writer, reader, auditor, privacy or admin
        #[arg(long)]
        role: Role,
        /// Calendar period after which it expires, such as P90D or P1Y [default: never]
        #[arg(long, value_name = "PERIOD")]
        expires: Option<String>,
        /// Print JSON: {"id","token","role","tenant","expires_at"}
        #[arg(long)]
        json: bool,
    },
    /// List the API keys, revoked and expired ones too
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"keys":[{"id","role","tenant","created_at","expires_at","revoked_at"}]}
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

#[derive(Deserialize)]
struct PublicKey {
    pem: String,
    vkey: String,
}

pub(super) async fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Public { target, format } => public(&target, format).await,
        KeyCommand::Create {
            target,
            role,
            expires,
            json,
        } => create(&target, role, expires.as_deref(), json).await,
        KeyCommand::RotateVault { target, json } => super::vault_copy::rotate(&target, json).await,
        KeyCommand::List { target, json } => list(&target, json).await,
        KeyCommand::Revoke { target, id } => revoke(&target, &id).await,
    }
}

async fn public(target: &TargetArgs, format: KeyFormat) -> anyhow::Result<ExitCode> {
    let key: PublicKey = ask(target, "GET", "/v1/key", None).await?;
    match format {
        KeyFormat::Pem => print_bytes(key.pem.as_bytes())?,
        KeyFormat::Vkey => print_line(&key.vkey)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(
    target: &TargetArgs,
    role: Role,
    expires: Option<&str>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let asked = json!({"role": role, "expires": expires});
    let made: Value = ask(target, "POST", "/v1/keys", Some(&asked)).await?;
    if json {
        print_json(&made)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |name: &str| made[name].as_str().unwrap_or_default();
    let end = made["expires_at"].as_str().unwrap_or("never");
    print_line(&format!(
        "id        {}\nrole      {role}\ntenant    {}\nexpires   {end}\ntoken     {}",
        text("id"),
        text("tenant"),
        text("token")
    ))?;
    note("Store the token now: it is shown only once and is not in any file.");
    Ok(ExitCode::SUCCESS)
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let keys: Value = ask(target, "GET", "/v1/keys", None).await?;
    if json {
        print_json(&keys)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["id", "role", "created", "expires", "revoked"]);
    for key in keys["keys"].as_array().into_iter().flatten() {
        let cell = |name: &str| key[name].as_str().unwrap_or("-").to_owned();
        table.add_row(["id", "role", "created_at", "expires_at", "revoked_at"].map(cell));
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn revoke(target: &TargetArgs, id: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/keys/{}", segment(id));
    ask_text(target, "DELETE", &path, None).await?;
    print_line(&format!("revoked {id}"))?;
    Ok(ExitCode::SUCCESS)
}
