//! The answer letter for the data subject.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::commands::TargetArgs;
use crate::commands::client::ask;
use crate::commands::out_file::{OutFile, Replacing, is_standard_output};
use crate::commands::output::print_line;
use trailkeep_api::privacy::AnswerFormat;

/// How a letter is written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Html,
    Text,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep privacy letter --dir D ID                        (read it here)
  trailkeep privacy letter --dir D ID --out answer.html
  trailkeep privacy letter --dir D ID --out answer.txt --format text

The letter says what was asked for, decided, deleted and kept, and names the right to complain and to go to court. It
names the data subject, so each time is recorded as a read. It has no address and no signature: add yours.")]
pub(in crate::commands) struct LetterArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The request
    id: String,
    /// File to write; it appears when complete. `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Form of the letter [default: html in a file, text on standard output]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Format>,
    #[command(flatten)]
    replacing: Replacing,
}

pub(super) async fn letter(args: &LetterArgs) -> anyhow::Result<()> {
    let out: &Path = &args.out;
    let format = match args.format {
        Some(Format::Text) => AnswerFormat::Text,
        None if is_standard_output(out) => AnswerFormat::Text,
        Some(Format::Html) | None => AnswerFormat::Html,
    };
    let mut file = OutFile::at(out, args.replacing)?;
    let written = ask(&args.target, async |client| {
        client
            .letter(&args.id, format)
            .await?
            .write_to(&mut file)
            .await
    });
    written.await?;
    file.keep()?;
    if !is_standard_output(out) {
        print_line(&format!("the letter is in {}", out.display()))?;
    }
    Ok(())
}
