//! `trailkeep restore`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::output::{note, print_json, print_line, progress_bar};
use super::settings::start_options;
use super::{DirectoryArgs, clock};
use trailkeep_core::ops::restore::{RestoreRequest, Restored, record_restore, restore};
use trailkeep_files::directory::DataDirectory;
use trailkeep_proof::text::{agreeing, counted};
use trailkeep_store_sqlite::Sqlite;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep restore --from /mnt/backup/trailkeep --to D --root-key-file /safe/root.key
  trailkeep restore --from /mnt/backup/trailkeep --vault-replica /mnt/other-disk/trailkeep-vault --to D
  trailkeep restore --from OLD --vault-replica NEWEST --to D --continue

Use the newest vault replica: it has every key, no revoked API key and all holds. If it knows later entries than the
backup, the backup's ledger is outdated: --continue supersedes it at the backup's last entry and creates its successor
(origin NAME/TENANT.2). Nothing is deleted afterwards until `trailkeep retention resume --reviewed-holds`.")]
pub(super) struct RestoreArgs {
    /// The backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Data directory to create: absent, or empty except for root.key
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Vault replica: a target's directory, or the file that a command received [default: the backup's own]
    #[arg(long, alias = "vault-copy", value_name = "DIR|FILE")]
    vault_replica: Option<PathBuf>,
    /// Supersede each ledger where the backup ends, and create its successor
    #[arg(long = "continue")]
    continue_older: bool,
    /// File with the root key [default: root.key in the created directory]
    #[arg(long, env = "TRAILKEEP_ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: Option<PathBuf>,
    /// Command that prints the root key, such as a KMS client
    #[arg(
        long,
        env = "TRAILKEEP_ROOT_KEY_COMMAND",
        value_name = "COMMAND",
        conflicts_with = "root_key_file"
    )]
    root_key_command: Option<String>,
    /// Print JSON: {"ledgers":[{"origin","size","seen","lost","continued_by"}],"events","keys_missing","not_recorded"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let directory = DirectoryArgs {
        dir: args.to,
        root_key_file: args.root_key_file,
        root_key_command: args.root_key_command,
    };
    let request = RestoreRequest {
        storage: Arc::new(Sqlite),
        from: DataDirectory::new(args.from),
        to: directory.directory(),
        vault_copy: args.vault_replica,
        root_key: directory.root_key(),
        continue_older: args.continue_older,
    };
    let options = start_options(false)?;
    let restored = trailkeep_core::blocking(move || -> anyhow::Result<Restored> {
        let bar = progress_bar(0, "restoring");
        let outcome = restore(&request, &clock(), &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let mut restored = outcome?;
        record_restore(
            request.storage,
            request.to,
            &request.root_key,
            options,
            &mut restored,
        )?;
        Ok(restored)
    });
    let restored = restored.await?;
    if args.json {
        print_json(&restored)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&describe(&restored))?;
    say_what_is_next(&restored, args.continue_older);
    Ok(ExitCode::SUCCESS)
}

fn describe(restored: &Restored) -> String {
    let mut lines = Vec::new();
    for ledger in &restored.ledgers {
        lines.push(match &ledger.continued_by {
            None => format!("{}  {}", ledger.origin, counted(ledger.size, "entry")),
            Some(next) => format!(
                "{}  {}, superseded; {} that the vault knows {} lost; {next} continues",
                ledger.origin,
                counted(ledger.size, "entry"),
                counted(ledger.lost, "entry"),
                agreeing(ledger.lost, "is", "are")
            ),
        });
    }
    lines.push(format!(
        "{} {} readable",
        counted(restored.events, "event"),
        agreeing(restored.events, "is", "are")
    ));
    if restored.keys_missing > 0 {
        lines.push(format!(
            "{} {} not readable: no given replica has the keys; `verify` lists them as key-missing",
            counted(restored.keys_missing, "event"),
            agreeing(restored.keys_missing, "is", "are")
        ));
    }
    for lacked in &restored.vault_lacked {
        let (origin, seq, action) = (&lacked.origin, lacked.seq, &lacked.action);
        let what = if lacked.taken_over {
            "restored from its statement"
        } else {
            "lost: find out what it was about, and repeat it"
        };
        lines.push(format!("{origin}  seq {seq} {action}: {what}"));
    }
    lines.join("\n")
}

fn say_what_is_next(restored: &Restored, continued: bool) {
    if let Some(error) = &restored.not_recorded {
        note(&format!(
            "The restore is not recorded in the ledger: {error}"
        ));
    }
    if !continued {
        note(
            "If anything was recorded after the backup, someone may have a later receipt or checkpoint. Then remove this",
        );
        note(
            "directory and restore with --continue, so that no ledger has two versions of one entry.",
        );
    }
    note(
        "Nothing is deleted until you have reviewed the holds: trailkeep retention resume --reviewed-holds",
    );
}
