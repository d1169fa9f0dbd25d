//! `trailkeep index rebuild`.

use std::process::ExitCode;

use clap::Subcommand;

use super::DirectoryArgs;
use super::output::{events_in_words, print_line, progress_bar};
use trailkeep_core::ops::rebuild_index::rebuild_index;
use trailkeep_store_sqlite::Sqlite;

#[derive(Subcommand)]
pub(super) enum IndexCommand {
    /// Rebuild the look-up index from the payloads, after index.db was lost or damaged
    Rebuild {
        #[command(flatten)]
        directory: DirectoryArgs,
    },
}

pub(super) fn run(command: IndexCommand) -> anyhow::Result<ExitCode> {
    let IndexCommand::Rebuild { directory } = command;
    let bar = progress_bar(0, "indexing");
    let events = rebuild_index(
        &Sqlite,
        &directory.directory(),
        &directory.root_key(),
        &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        },
    )?;
    bar.finish_and_clear();
    print_line(&format!("indexed {}", events_in_words(events)))?;
    Ok(ExitCode::SUCCESS)
}
