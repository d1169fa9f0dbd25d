//! `trailkeep prompt`: the registry of prompts.

mod change;
mod files;
mod reference;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use self::reference::{Labelling, Reference, VersionOf};
use super::TargetArgs;
use trailkeep_api::prompts::Unit;

#[derive(Subcommand)]
pub(super) enum PromptCommand {
    /// Register the files of a folder: a new version of each that differs from the newest one
    #[command(after_help = "\
Examples:
  trailkeep prompt sync prompts --dir D
  trailkeep prompt sync prompts --git --url https://audit.example.com --token TOKEN
  trailkeep prompt sync prompts --dry-run

The file `prompts/support/refund.md` is the prompt `support/refund`: its path in the folder, without the file ending. Files whose names
begin with a dot are passed over. No label moves: `trailkeep prompt label` does that. `--git` notes the commit of each file,
and refuses a file that differs from it.")]
    Sync {
        #[command(flatten)]
        target: TargetArgs,
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Note the commit of each file
        #[arg(long)]
        git: bool,
        /// Show what would be registered, and register nothing
        #[arg(long)]
        dry_run: bool,
        /// Print JSON: {"registered":[{"name","version","sha256","seq","path"}],"unchanged","dry_run"}
        #[arg(long)]
        json: bool,
    },
    /// Compare the files of a folder with the newest versions (exit code 1: they differ)
    #[command(after_help = "\
Examples:
  trailkeep prompt check prompts --dir D
  trailkeep prompt check prompts --partial

A difference is a file that has another text than the newest version, a file that is not registered, and a prompt that is served and has
no file. `--partial` leaves out the last.")]
    Check {
        #[command(flatten)]
        target: TargetArgs,
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Other prompts may be registered that have no file here
        #[arg(long)]
        partial: bool,
        /// Print JSON: {"same","differences":[{"name","what","path","version"}]}
        #[arg(long)]
        json: bool,
    },
    /// Print the text that a label stands for, or a version
    #[command(after_help = "\
Examples:
  trailkeep prompt show support/refund --dir D
  trailkeep prompt show support/refund@staging
  trailkeep prompt show support/refund/3 --json
  trailkeep prompt show support/refund --unit conversation-17

Without a label it is `production`. `@latest` is the newest version that is served. A version by its number is shown also when it is
withdrawn. The text is printed byte for byte.")]
    Show {
        #[command(flatten)]
        target: TargetArgs,
        /// NAME, NAME@LABEL or NAME/VERSION
        #[arg(value_name = "PROMPT")]
        prompt: Reference,
        /// Unit of an experiment, such as the id of a conversation
        #[arg(long, value_name = "U")]
        unit: Option<String>,
        /// Print JSON: {"name","version","label","sha256","size","text","experiment":{"seq","unit","bucket","weight","note"}}
        #[arg(long)]
        json: bool,
    },
    /// Compare two versions of a prompt
    #[command(after_help = "\
Examples:
  trailkeep prompt diff support/refund --dir D
  trailkeep prompt diff support/refund 2 3
  trailkeep prompt diff support/refund production staging")]
    Diff {
        #[command(flatten)]
        target: TargetArgs,
        /// The prompt
        name: String,
        /// The old version: a number or a label
        #[arg(default_value = trailkeep_proof::prompts::PRODUCTION)]
        old: String,
        /// The new version: a number or a label
        #[arg(default_value = trailkeep_proof::prompts::LATEST)]
        new: String,
    },
    /// List the prompts with what their labels stand for
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"prompts":[{"name","versions","newest","newest_sha256","latest","labels":[{"label","move","to","from",...}]}]}
        #[arg(long)]
        json: bool,
    },
    /// Move a label to a version, or to several with their weights
    #[command(after_help = "\
Examples:
  trailkeep prompt label support/refund production=3 --dir D --reason 'passed the evals'
  trailkeep prompt label support/refund production=3,4:1000
  trailkeep prompt label support/refund production=3:9000,4:1000 --unit subject

Weights are ten-thousandths and sum to 10,000. One version may stand without a weight: it gets what the others leave. A
change of weights keeps the experiment, so only units of the share that moves get another version.")]
    Label {
        #[command(flatten)]
        target: TargetArgs,
        /// The prompt
        name: String,
        /// LABEL=VERSION[:WEIGHT][,VERSION:WEIGHT]
        #[arg(value_name = "LABEL=VERSION")]
        label: Labelling,
        /// Which field of an event is the unit [default: what it was, or conversation]
        #[arg(long, value_name = "FIELD")]
        unit: Option<UnitName>,
        /// Why
        #[arg(long, value_name = "R")]
        reason: Option<String>,
        /// Print JSON: {"name","label","move","to","from","unit","experiment","rollback","moved":{"at","by","reason","seq","ledger"}}
        #[arg(long)]
        json: bool,
    },
    /// List the versions of a prompt and the moves of its labels
    History {
        #[command(flatten)]
        target: TargetArgs,
        /// The prompt
        name: String,
        /// Print JSON: {"name","versions":[{"version","sha256","state","labels","registered",...}],"moves":[{"label","to","from","moved",...}]}
        #[arg(long)]
        json: bool,
    },
    /// Move a label back to what it stood for before; done twice, it is undone
    #[command(after_help = "\
Examples:
  trailkeep prompt rollback support/refund --dir D --reason 'wrong answers about refunds'
  trailkeep prompt rollback support/refund --to 2 --reason 'version 3 promised refunds'

A rollback to a version that once was in force is never refused, unless its text was erased. A withdrawn version is served again.
Applications may serve the old text from their caches for up to 60 s.")]
    Rollback {
        #[command(flatten)]
        target: TargetArgs,
        /// The prompt
        name: String,
        /// The label
        #[arg(long, value_name = "L", default_value = trailkeep_proof::prompts::PRODUCTION)]
        label: String,
        /// A version that once was in force under the label [default: what it stood for before]
        #[arg(long, value_name = "VERSION")]
        to: Option<u32>,
        /// Why
        #[arg(long, value_name = "R")]
        reason: String,
        /// Print JSON: as `prompt label`, with "cache_seconds"
        #[arg(long)]
        json: bool,
    },
    /// Withdraw a version: it is no longer served, and its text stays
    #[command(after_help = "\
Example:
  trailkeep prompt withdraw support/refund/3 --dir D --reason 'it promised refunds'

A version that a label stands for is refused: roll the label back first.")]
    Withdraw(EndArgs),
    /// Erase a version: its text and its SHA-256 are destroyed
    #[command(after_help = "\
Example:
  trailkeep prompt erase support/refund/3 --dir D --reason 'it names a customer' --yes

The path and the reason it was registered for go with it. Its number stays taken, and its entries stay. Replicas of the vault can no longer open it after the next
rotation, within 24 hours. Backups made before hold it until they are deleted. A version that a label stands for is refused.")]
    Erase {
        #[command(flatten)]
        end: EndArgs,
        /// Erase without asking
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(super) struct EndArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The version: NAME/VERSION
    #[arg(value_name = "NAME/VERSION")]
    version: VersionOf,
    /// Why
    #[arg(long, value_name = "R")]
    reason: String,
    /// Print JSON: {"name","version","id","sha256","size","state","labels","registered","withdrawn","erased"}
    #[arg(long)]
    json: bool,
}

/// A field of an event that is the unit of an experiment.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum UnitName {
    Conversation,
    Subject,
    Session,
}

impl From<UnitName> for Unit {
    fn from(name: UnitName) -> Self {
        match name {
            UnitName::Conversation => Self::Conversation,
            UnitName::Subject => Self::Subject,
            UnitName::Session => Self::Session,
        }
    }
}

pub(super) async fn run(command: PromptCommand) -> anyhow::Result<ExitCode> {
    match command {
        PromptCommand::Sync {
            target,
            folder,
            git,
            dry_run,
            json,
        } => files::sync(&target, &folder, (git, dry_run), json).await,
        PromptCommand::Check {
            target,
            folder,
            partial,
            json,
        } => files::check(&target, &folder, partial, json).await,
        PromptCommand::Show {
            target,
            prompt,
            unit,
            json,
        } => show::show(&target, &prompt, unit, json).await,
        PromptCommand::Diff {
            target,
            name,
            old,
            new,
        } => show::diff(&target, &name, (&old, &new)).await,
        PromptCommand::List { target, json } => show::list(&target, json).await,
        PromptCommand::History { target, name, json } => show::history(&target, &name, json).await,
        PromptCommand::Label {
            target,
            name,
            label,
            unit,
            reason,
            json,
        } => change::label(&target, &name, label, (unit, reason), json).await,
        PromptCommand::Rollback {
            target,
            name,
            label,
            to,
            reason,
            json,
        } => change::roll_back(&target, &name, (label, to, reason), json).await,
        PromptCommand::Withdraw(args) => change::withdraw(args).await,
        PromptCommand::Erase { end, yes } => change::erase(end, yes).await,
    }
}
