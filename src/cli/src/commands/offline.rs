//! `trailkeep receipt`: get one, check one.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::TargetArgs;
use super::client::{EventName, ask};
use super::output::{print_bytes, print_json, print_line};
use trailkeep_proof::bundle::verify::Question;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::note::PublicKey;
use trailkeep_verify::offline::{Checked, check_note, read_text};

#[derive(Subcommand)]
pub(super) enum ReceiptCommand {
    /// Print an event's receipt: the proof that it is in the ledger
    #[command(
        after_help = "Example:  trailkeep receipt get --dir D order-4711 > order-4711.tlog-proof"
    )]
    Get {
        #[command(flatten)]
        target: TargetArgs,
        /// The entry's seq, or the event's id
        #[arg(value_name = "SEQ|ID")]
        name: String,
    },
    /// Check a receipt (or a signed checkpoint) with a public key; no data directory is needed
    #[command(
        after_help = "Example:  trailkeep receipt verify order-4711.tlog-proof --key audit-key.pem"
    )]
    Verify {
        /// The receipt
        file: PathBuf,
        /// The ledger's public key: PEM, or a C2SP verifier key
        #[arg(long, value_name = "PUBLIC.pem")]
        key: PathBuf,
        /// A checkpoint that you kept earlier
        #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
        against: Option<PathBuf>,
        /// A witness that you trust, by its C2SP verifier key: it must have cosigned the checkpoint. Repeatable
        #[arg(long = "witness", value_name = "VKEY", value_parser = WitnessKey::parse)]
        witnesses: Vec<WitnessKey>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: ReceiptCommand) -> anyhow::Result<ExitCode> {
    match command {
        ReceiptCommand::Get { target, name } => {
            let receipt = ask(&target, async |client| {
                client.receipt(EventName::of(&name)).await
            });
            print_bytes(receipt.await?.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        ReceiptCommand::Verify {
            file,
            key,
            against,
            witnesses,
            json,
        } => {
            let key = PublicKey::parse(&read_text(&key)?)
                .with_context(|| format!("{}", key.display()))?;
            let against = against.as_deref().map(read_text).transpose()?;
            let question = Question {
                key: &key,
                against: against.as_deref(),
                witnesses: &witnesses,
            };
            let report = check_note(&file, &question)?;
            if json {
                print_json(&report)?;
            } else {
                print_line(&report.to_string())?;
            }
            Ok(Checked::Text(Box::new(report)).exit().into())
        }
    }
}
