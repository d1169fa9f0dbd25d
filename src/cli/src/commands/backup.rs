//! `trailkeep backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::TargetArgs;
use super::client::ask;
use super::failure::Failure;
use super::out_file::refuse_standard_output;
use super::output::{note, print_line};
use trailkeep_api::backup::NewBackup;
use trailkeep_proof::text::counted;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep backup --dir D --out /mnt/backup/trailkeep      (again: only what is new)
  trailkeep verify --dir /mnt/backup/trailkeep --root-key-file D/root.key
  trailkeep restore --from /mnt/backup/trailkeep --to NEW

It runs while the server runs. Nothing is deleted while it runs. Payloads that were deleted before are removed from
the backup, too. The root key is not in the backup.")]
pub(super) struct BackupArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// An empty directory, or an earlier backup of the same data directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print JSON: {"out","new_entries","new_payloads","gone_payloads","made_at","ledgers":[{"origin","size"}],"epoch"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: BackupArgs) -> anyhow::Result<ExitCode> {
    if args.target.url.is_some() {
        return Err(Failure::usage(
            "a backup runs on the server's machine: use --dir there, not --url",
        )
        .into());
    }
    refuse_standard_output(&args.out, "a backup is a directory: name one")?;
    let new = NewBackup {
        out: std::path::absolute(&args.out)?,
    };
    let made = ask(&args.target, async |client| client.backup(&new).await).await?;
    if args.json {
        made.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let made = made.read()?;
    for ledger in &made.ledgers {
        print_line(&format!(
            "{}  {}",
            ledger.origin,
            counted(ledger.size, "entry")
        ))?;
    }
    print_line(&format!(
        "{}: {} new entries, {} payloads deleted since",
        made.out, made.new_entries, made.gone_payloads
    ))?;
    note("The root key is not in the backup. Without the root key the backup cannot be read.");
    Ok(ExitCode::SUCCESS)
}
