//! `trailkeep restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::output::{note, print_json, print_line, progress_bar};
use super::settings::start_options;
use super::{DirectoryArgs, clock};
use trailkeep_core::restore::{RestoreRequest, Restored, record_restore, restore};
use trailkeep_store_sqlite::directory::DataDirectory;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep restore --from /mnt/backup/trailkeep --to D --root-key-file /safe/root.key
  trailkeep restore --from /mnt/backup/trailkeep --vault-copy /mnt/other-disk/trailkeep-vault --to D
  trailkeep restore --from OLD --vault-copy NEWEST --to D --continue

Take the newest copy of the vault: it has every key, no revoked API key and the holds. Where it saw more of a ledger
than the backup has, the ledger is older: with --continue it is closed where the backup ends, and the next one
(origin NAME/TENANT.2) goes on. Nothing is destroyed afterwards until `trailkeep retention resume --reviewed-holds`.")]
pub(super) struct RestoreArgs {
    /// The backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The data directory that is made: absent, or empty but for root.key
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// A copy of the vault: a copy target's directory, or a file that a command was given [default: the backup's own]
    #[arg(long, value_name = "DIR|FILE")]
    vault_copy: Option<PathBuf>,
    /// Close each ledger where the backup ends, and begin the next one
    #[arg(long = "continue")]
    continue_older: bool,
    /// File with the root key [default: root.key in the directory that is made]
    #[arg(long, env = "TRAILKEEP_ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: Option<PathBuf>,
    /// Command that prints the root key, such as a KMS's client
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
        from: DataDirectory::new(args.from),
        to: directory.directory(),
        vault_copy: args.vault_copy,
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
        record_restore(request.to, &request.root_key, options, &mut restored)?;
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
            None => format!("{}  {} entries", ledger.origin, ledger.size),
            Some(next) => format!(
                "{}  {} entries, closed; {} that the vault saw are lost; {next} goes on",
                ledger.origin, ledger.size, ledger.lost
            ),
        });
    }
    lines.push(format!("{} events can be read", restored.events));
    if restored.keys_missing > 0 {
        lines.push(format!(
            "{} events can't: their keys are in no copy that was given; `verify` lists them as key-missing",
            restored.keys_missing
        ));
    }
    for lacked in &restored.vault_lacked {
        let (origin, seq, action) = (&lacked.origin, lacked.seq, &lacked.action);
        let what = if lacked.taken_over {
            "taken over from its statement"
        } else {
            "lost: review what it was about, and do it again"
        };
        lines.push(format!("{origin}  seq {seq} {action}: {what}"));
    }
    lines.join("\n")
}

fn say_what_is_next(restored: &Restored, continued: bool) {
    if let Some(error) = &restored.not_recorded {
        note(&format!("The restore is no entry of the ledger: {error}"));
    }
    if !continued {
        note(
            "If anything was recorded after the backup, somebody may hold a later receipt or checkpoint: then remove this",
        );
        note(
            "directory and restore with --continue, so that the ledger never says two things about one entry.",
        );
    }
    note(
        "Nothing is destroyed until the holds were reviewed: trailkeep retention resume --reviewed-holds",
    );
}
