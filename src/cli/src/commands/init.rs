//! `trailkeep init`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output::{note, print_json, print_line};
use super::{DirectoryArgs, clock};
use trailkeep_core::init::init;
use trailkeep_proof::ids::LogName;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep init --dir /var/lib/trailkeep --name audit.example.com
  trailkeep init --dir D --json | jq -r .token")]
pub(super) struct InitArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Name of the log for the world: a host name that is yours; it can't be changed later
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    name: String,
    /// Print JSON: {"dir","origin","token","public_key"}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let directory = args.directory.directory();
    let made = init(
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
        "Made {dir}\n\n  origin      {}\n  public key  {}\n  API token   {}\n",
        made.origin, made.verifier, *made.token
    ))?;
    note("Keep the token now: it is shown this once and is in no file.");
    note(
        "Without a copy target the vault stands once, and no payload can be read again if it is lost:",
    );
    note(&format!(
        "  trailkeep vault-copy add --dir {dir} DIRECTORY-ON-ANOTHER-DISK"
    ));
    note(
        "The root key stands beside it: before production keep it elsewhere (docs/operations.md).",
    );
    note(&format!("\nNext:  trailkeep serve --dir {dir}"));
    Ok(ExitCode::SUCCESS)
}
