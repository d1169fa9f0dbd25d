//! The offline verifier: a file, a public key obtained elsewhere, and nothing else. No network, no secret.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::text;
use trailkeep_verify::exit::{ErrorReport, Exit};
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
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            return report(Exit::Usage, error.to_string().trim_end(), true);
        }
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            }
            .into();
        }
    };
    match run(&args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = match error.downcast_ref() {
                Some(FileError::Other(..)) => Exit::Usage,
                _ => Exit::Failed,
            };
            report(exit, &format!("{error:#}"), args.json)
        }
    }
}

/// Says on standard error why the program failed, in JSON where a program reads, and gives its exit code.
fn report(exit: Exit, detail: &str, json: bool) -> ExitCode {
    let message = if json {
        ErrorReport::new(exit, detail).to_json()
    } else {
        format!("trailkeep-verify: {detail}")
    };
    let _ = writeln!(std::io::stderr(), "{}", text::block(&message));
    exit.into()
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
