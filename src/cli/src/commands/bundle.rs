//! `trailkeep bundle`: look at a bundle, verify it. No data directory is needed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::failure::Failure;
use super::output::{print_bytes, print_json, print_line};
use super::table::{Fit, Table};
use trailkeep_proof::bundle::archive::Archive;
use trailkeep_proof::bundle::manifest::Manifest;
use trailkeep_proof::bundle::member;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::text::size;
use trailkeep_verify::exit::Exit;
use trailkeep_verify::offline::{Checked, FileQuestion, FileSource, check_file};

#[derive(Subcommand)]
pub(super) enum BundleCommand {
    /// Verify a bundle with a public key from a trusted source
    #[command(after_help = "\
Examples:
  trailkeep bundle verify B.zip --key audit-key.pem
  trailkeep bundle verify B.zip --key audit-key.pem --against checkpoint-of-last-month.txt --json
  trailkeep bundle verify B.zip --key audit-key.pem --witness witness.example.com/1+4e4ba1e0+BK...

Exit codes: 0 authentic, 1 a file could not be read, 2 no key was given, 3 not authentic.
The separate program `trailkeep-verify` does the same; an auditor needs nothing else.")]
    Verify {
        /// The bundle
        #[arg(value_name = "B.zip")]
        file: PathBuf,
        /// The ledger's public key: PEM, or a C2SP verifier key. Without it nothing is verified
        #[arg(long, value_name = "PUBLIC.pem")]
        key: Option<PathBuf>,
        /// A checkpoint that you kept earlier
        #[arg(long, value_name = "OLD_CHECKPOINT_FILE")]
        against: Option<PathBuf>,
        /// A witness that you trust, by its C2SP verifier key: it must have cosigned the checkpoint. Repeatable
        #[arg(long = "witness", value_name = "VKEY", value_parser = WitnessKey::parse)]
        witnesses: Vec<WitnessKey>,
        /// Print JSON: {"authentic","complete","counts","signed_only","findings",...}
        #[arg(long)]
        json: bool,
    },
    /// Show a bundle's manifest or one of its files, without verifying
    #[command(after_help = "\
Examples:
  trailkeep bundle show B.zip
  trailkeep bundle show B.zip --member events.jsonl | jq .")]
    Show {
        /// The bundle
        #[arg(value_name = "B.zip")]
        file: PathBuf,
        /// Print this file of the bundle unchanged
        #[arg(long, value_name = "NAME", conflicts_with = "json")]
        member: Option<String>,
        /// Print JSON: {"manifest","members":[{"name","bytes"}]}
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: BundleCommand) -> anyhow::Result<ExitCode> {
    match command {
        BundleCommand::Verify {
            file,
            key,
            against,
            witnesses,
            json,
        } => {
            let question = FileQuestion {
                key: key.as_deref(),
                against: against.as_deref(),
                witnesses: &witnesses,
            };
            verify(&file, &question, json)
        }
        BundleCommand::Show { file, member, json } => show(&file, member.as_deref(), json),
    }
}

fn verify(file: &Path, question: &FileQuestion<'_>, json: bool) -> anyhow::Result<ExitCode> {
    let checked = check_file(file, question)?;
    if !matches!(checked, Checked::Bundle(_)) {
        return Err(Failure::usage(format!(
            "{} is not a bundle: use `trailkeep receipt verify` for receipts and checkpoints, `trailkeep certificate verify` for certificates",
            file.display()
        ))
        .into());
    }
    if json {
        print_json(&checked)?;
    } else {
        print_line(&checked.to_string())?;
    }
    Ok(match question.key {
        None => Exit::Usage.into(),
        Some(_) => checked.exit().into(),
    })
}

fn show(file: &Path, name: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let source = FileSource::open(file)?;
    let archive = Archive::open(&source).with_context(|| file.display().to_string())?;
    if let Some(name) = name {
        let mut reader = archive
            .reader(name)
            .with_context(|| format!("{} has no {name}", file.display()))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match std::io::Read::read(&mut reader, &mut buffer)? {
                0 => return Ok(ExitCode::SUCCESS),
                count => print_bytes(&buffer[..count])?,
            }
        }
    }
    let text = archive.read_small(member::MANIFEST).with_context(|| {
        format!(
            "{} has no manifest.json: it is not a bundle",
            file.display()
        )
    })??;
    let text = String::from_utf8(text).context("manifest.json is not UTF-8")?;
    let manifest = Manifest::parse(&text)
        .map_err(anyhow::Error::msg)
        .context("manifest.json")?;
    if json {
        let members: Vec<_> = archive
            .members()
            .iter()
            .map(|member| serde_json::json!({"name": member.name, "bytes": member.size_bytes}))
            .collect();
        print_json(&serde_json::json!({"manifest": manifest, "members": members}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([("member", Fit::Key), ("size", Fit::Part)]);
    for member in archive.members() {
        table.add_row([member.name.clone(), size(member.size_bytes)]);
    }
    print_line(&serde_json::to_string_pretty(&manifest)?)?;
    print_line(&table.to_string())?;
    print_line("Not verified: use `trailkeep bundle verify` with the ledger's key.")?;
    Ok(ExitCode::SUCCESS)
}
