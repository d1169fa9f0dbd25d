//! The offline verifier: a file, a public key obtained elsewhere, and nothing else. No network, no secret.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use trailkeep::ledger::note::PublicKey;
use trailkeep::offline::{FILE_BYTES_MAX, check};

/// Verify a Trailkeep receipt or signed checkpoint, offline.
#[derive(Parser)]
#[command(
    name = "trailkeep-verify",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  trailkeep-verify receipt.tlog-proof --key audit-key.pem
  trailkeep-verify checkpoint.txt --key audit-key.pem --against checkpoint-of-last-month.txt --json

Get the key from somebody else than the one whose ledger you check, or compare its fingerprint with them.
Exit codes: 0 verified, 1 a file could not be read, 2 usage, 3 not verified."
)]
struct Args {
    /// Receipt or checkpoint, or - for standard input
    file: PathBuf,
    /// The ledger's public key: PEM, or a C2SP verifier key
    #[arg(long, value_name = "PUBLIC.pem")]
    key: PathBuf,
    /// A checkpoint that you kept earlier
    #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
    against: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "trailkeep-verify: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<bool> {
    let key =
        PublicKey::parse(&read(&args.key)?).with_context(|| format!("{}", args.key.display()))?;
    let against = args.against.as_deref().map(read).transpose()?;
    let report = check(&read(&args.file)?, &key, against.as_deref());
    let text = if args.json {
        serde_json::to_string(&report)?
    } else {
        report.to_string()
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(report.verified)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("can't open {}", path.display()))?)
    };
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(|| format!("can't read {}", path.display()))?;
    Ok(text)
}
