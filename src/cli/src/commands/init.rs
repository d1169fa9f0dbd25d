//! `trailkeep init`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output::{note, print_json, print_line};
use super::{DirectoryArgs, clock};
use trailkeep_core::ops::init::init;
use trailkeep_proof::ids::LogName;
use trailkeep_store_sqlite::Sqlite;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep init --dir /var/lib/trailkeep --name audit.example.com
  trailkeep init --dir D --json | jq -r .token")]
pub(super) struct InitArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Public name of the log: a host name that you own; it cannot be changed later
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    name: String,
    /// Print JSON: {"dir","origin","token","public_key"}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let directory = args.directory.directory();
    let made = init(
        &Sqlite,
        &directory,
        &LogName::new(&args.name)?,
        &args.directory.root_key(),
        &clock(),
    )?;
    let dir = directory.path().display().to_string();
    if args.json {
        print_json(&json!({
            "dir": dir,
            "origin": made.origin.as_str(),
            "token": *made.token,
            "public_key": made.public_key_pem,
            "vkey": made.verifier.to_string(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!(
        "Created {dir}\n\n  origin      {}\n  public key  {}\n  API token   {}\n",
        made.origin, made.verifier, *made.token
    ))?;
    note("Store the token now: it is shown only once and is not in any file.");
    note("There is one copy of the key vault; losing it loses every payload. Add a replica:");
    note(&format!(
        "  trailkeep vault-replica add --dir {dir} DIRECTORY-ON-ANOTHER-DISK"
    ));
    if directory.root_key().exists() {
        note(
            "The root key is in the data directory: move it elsewhere before production (docs/operations.md).",
        );
    }
    let key = args.directory.root_key_file.as_ref();
    let key = key.map(|path| format!(" --root-key-file {}", path.display()));
    note(&format!(
        "\nNext:  trailkeep serve --dir {dir}{}",
        key.unwrap_or_default()
    ));
    Ok(ExitCode::SUCCESS)
}
