//! The one file that is checked: opened, told apart, read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Checked, check};
use crate::bundle::archive::Source;
use crate::bundle::verify::{Question, Report as BundleReport, verify};
use crate::ledger::note::{NoteError, PublicKey};

/// Largest receipt, checkpoint or key that is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a file could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("can't read {path}: {error}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Too large for what it should be.
    #[error("{path} is too large for a receipt, checkpoint or key", path = .0.display())]
    TooLarge(PathBuf),
    /// Not text.
    #[error("{path} is not text in UTF-8", path = .0.display())]
    NotText(PathBuf),
    /// Not a public key.
    #[error("{path}: {error}", path = .path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: NoteError,
    },
}

/// A bundle's file, read where the verifier asks.
pub struct FileSource(File);

impl FileSource {
    /// Opens the file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        File::open(path)
            .map(Self)
            .map_err(|error| io_error(path, error))
    }
}

impl Source for FileSource {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
}

/// Checks a bundle, receipt or checkpoint. Without a key nothing is verified, and the report says so.
pub fn check_file(
    path: &Path,
    key: Option<&Path>,
    against: Option<&Path>,
) -> Result<Checked, FileError> {
    let Some(key_path) = key else {
        return Ok(Checked::Bundle(Box::new(BundleReport::without_key())));
    };
    let key = PublicKey::parse(&read_text(key_path)?).map_err(|error| FileError::Key {
        path: key_path.to_owned(),
        error,
    })?;
    let against = against.map(read_text).transpose()?;
    if let Some(text) = read_if_text(path)? {
        return Ok(Checked::Text(check(&text, &key, against.as_deref())));
    }
    let source = FileSource::open(path)?;
    let question = Question {
        key: &key,
        against: against.as_deref(),
    };
    let bar = bytes_bar();
    let report = verify(&source, &question, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| io_error(path, error))?;
    Ok(Checked::Bundle(Box::new(report)))
}

/// Reads a small text: a receipt, a checkpoint or a key; `-` is standard input.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = read_small(path)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText(path.to_owned()))
}

/// The text of a receipt or checkpoint; `None` for what can only be a bundle.
fn read_if_text(path: &Path) -> Result<Option<String>, FileError> {
    if path.as_os_str() == "-" {
        return read_text(path).map(Some);
    }
    let bytes = read_small(path)?;
    let is_archive = bytes.starts_with(b"PK")
        || bytes.starts_with(b"age-encryption.org/")
        || bytes.starts_with(b"-----BEGIN AGE");
    if is_archive || bytes.len() as u64 > FILE_BYTES_MAX {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}

/// The file's first bytes: one more than a text may have.
fn read_small(path: &Path) -> Result<Vec<u8>, FileError> {
    let fail = |error| io_error(path, error);
    let file: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(fail)?)
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

fn io_error(path: &Path, error: io::Error) -> FileError {
    FileError::Io {
        path: path.to_owned(),
        error,
    }
}

/// A progress bar on standard error where that is a terminal; otherwise nothing.
fn bytes_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "   verifying [{bar:32}] {bytes}/{total_bytes} ({bytes_per_sec}, {eta} left)",
    );
    let bar = ProgressBar::new(0);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
