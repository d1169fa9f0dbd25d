//! The offline verifier: a file, a public key obtained elsewhere, and nothing else. No network, no secret.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::text;
use trailkeep_verify::exit::Exit;
use trailkeep_verify::offline::{FileError, FileQuestion, check_file};

/// Verify a Trailkeep bundle, receipt or signed checkpoint, offline.
#[derive(Parser)]
#[command(
    name = "trailkeep-verify",
    version,
    max_term_width = 100,
    after_help = format!("\
Examples:
  trailkeep-verify bundle.zip --key audit-key.pem
  trailkeep-verify bundle.zip --key audit-key.pem --against checkpoint-of-last-month.txt --json
  trailkeep-verify bundle.zip --key audit-key.pem --witness witness.example.com/1+4e4ba1e0+BK...
  trailkeep-verify receipt.tlog-proof --key audit-key.pem
  trailkeep-verify certificate.json --key audit-key.pem

Get the key from someone other than the ledger's operator, or compare its fingerprint with theirs.
`trailkeep certificate verify --subject S` also tells whether a certificate is about that data subject.
Decrypt an encrypted bundle first with `age -d -i KEY_FILE`.
{}", Exit::help())
)]
struct Args {
    /// Bundle (or the folder that it was unpacked into), receipt, checkpoint, or certificate with its signature beside it (certificate.json.sig)
    file: PathBuf,
    /// The ledger's public key: PEM, or a C2SP verifier key. Without it nothing is verified
    #[arg(long, value_name = "PUBLIC.pem")]
    key: Option<PathBuf>,
    /// A checkpoint that you kept earlier
    #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
    against: Option<PathBuf>,
    /// A witness that you trust, by its C2SP verifier key (cosignature/v1): it must have cosigned the checkpoint. Repeatable
    #[arg(long = "witness", value_name = "VKEY", value_parser = WitnessKey::parse)]
    witnesses: Vec<WitnessKey>,
    /// Print JSON; for a bundle {"authentic","complete","counts","signed_only","findings",...}
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let message = format!("trailkeep-verify: {error:#}");
            let _ = writeln!(std::io::stderr(), "{}", text::block(&message));
            match error.downcast_ref() {
                Some(FileError::Other(..)) => Exit::Usage.into(),
                _ => Exit::Failed.into(),
            }
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Exit> {
    let question = FileQuestion {
        key: args.key.as_deref(),
        against: args.against.as_deref(),
        witnesses: &args.witnesses,
    };
    let checked = check_file(&args.file, &question)?;
    // Values in the report are the file's own words: no character of them may steer the reader's screen.
    let printed = if args.json {
        serde_json::to_string(&checked)?
    } else {
        checked.to_string()
    };
    writeln!(std::io::stdout(), "{}", text::block(&printed))?;
    Ok(match &args.key {
        None => Exit::Usage,
        Some(_) => checked.exit(),
    })
}
