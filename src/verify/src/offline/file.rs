//! The one file that is checked: opened, told apart, read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::folder::FolderSource;
use super::kind::{TextKind, kind_of};
use super::{CertificateReport, Checked, Report as NoteReport, check};
use trailkeep_proof::bundle::archive::Source;
use trailkeep_proof::bundle::verify::{Question, Report as BundleReport, verify, verify_folder};
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::note::{NoteError, PublicKey};
use trailkeep_proof::privacy;

/// Largest certificate, receipt, checkpoint or key that is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a file could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("can't read {path}: {error}{remedy}", path = .path.display(), remedy = remedy(error))]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Too large for what it should be.
    #[error("{path} is too large for a certificate, receipt, checkpoint or key", path = .0.display())]
    TooLarge(PathBuf),
    /// Not text.
    #[error("{path} is not text in UTF-8", path = .0.display())]
    NotText(PathBuf),
    /// Nothing that is verified.
    #[error("{path} is neither a bundle nor a certificate, receipt or checkpoint: it is {1}", path = .0.display())]
    Other(PathBuf, &'static str),
    /// Not a public key.
    #[error("{path}: {error}", path = .path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: NoteError,
    },
}

/// What to do about what the system said, where that is known.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => ": check the path",
        io::ErrorKind::PermissionDenied => ": run it as a user who may read the file",
        _ => "",
    }
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

/// What a verifier has besides the file.
#[derive(Clone, Copy, Default)]
pub struct FileQuestion<'a> {
    /// File of the ledger's public key.
    pub key: Option<&'a Path>,
    /// File of a head that somebody kept.
    pub against: Option<&'a Path>,
    /// Witnesses that must have cosigned the head.
    pub witnesses: &'a [WitnessKey],
}

/// Checks a bundle, certificate, receipt or checkpoint. Without a key nothing is verified, and the report says so.
pub fn check_file(path: &Path, question: &FileQuestion<'_>) -> Result<Checked, FileError> {
    let Some(key_path) = question.key else {
        return Ok(Checked::Bundle(Box::new(BundleReport::without_key())));
    };
    let key = PublicKey::parse(&read_text(key_path)?).map_err(|error| FileError::Key {
        path: key_path.to_owned(),
        error,
    })?;
    let against = question.against.map(read_text).transpose()?;
    let asked = Question {
        key: &key,
        against: against.as_deref(),
        witnesses: question.witnesses,
    };
    if path.is_dir() {
        return check_folder(path, &asked);
    }
    if let Some(text) = read_if_text(path)? {
        return match kind_of(&text) {
            TextKind::Certificate => {
                let question = CertificateQuestion {
                    key: key_path,
                    signature: None,
                    subject: None,
                };
                let report = check_certificate(path, &question)?;
                Ok(Checked::Certificate(Box::new(report)))
            }
            TextKind::Note => Ok(Checked::Text(Box::new(check(&text, &asked)))),
            TextKind::Other(what) => Err(FileError::Other(path.to_owned(), what)),
        };
    }
    let source = FileSource::open(path)?;
    let report = with_bar(|tell| verify(&source, &asked, tell));
    let report = report.map_err(|error| io_error(path, error))?;
    Ok(Checked::Bundle(Box::new(report)))
}

/// Checks an unpacked bundle.
fn check_folder(path: &Path, question: &Question<'_>) -> Result<Checked, FileError> {
    let folder = FolderSource::open(path).map_err(|error| io_error(path, error))?;
    if !folder.is_of_bundle() {
        let what = "a folder without a member of a bundle: name the bundle's file, or the folder that it was unpacked into";
        return Err(FileError::Other(path.to_owned(), what));
    }
    let report = with_bar(|tell| verify_folder(&folder, question, tell));
    let report = report.map_err(|error| io_error(path, error))?;
    Ok(Checked::Bundle(Box::new(report)))
}

/// Checks a receipt or a checkpoint.
pub fn check_note(path: &Path, question: &Question<'_>) -> Result<NoteReport, FileError> {
    let text = read_text(path)?;
    match kind_of(&text) {
        TextKind::Note => Ok(check(&text, question)),
        TextKind::Certificate => {
            let what = "a certificate: use `trailkeep certificate verify`";
            Err(FileError::Other(path.to_owned(), what))
        }
        TextKind::Other(what) => Err(FileError::Other(path.to_owned(), what)),
    }
}

fn with_bar<T>(read: impl FnOnce(&mut dyn FnMut(u64, u64)) -> T) -> T {
    let bar = bytes_bar();
    let read = read(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    read
}

/// What is asked of a certificate's file.
pub struct CertificateQuestion<'a> {
    /// File of the ledger's public key.
    pub key: &'a Path,
    /// File of the signature; beside the certificate, with `.sig` behind its name, unless said.
    pub signature: Option<&'a Path>,
    /// Namespace and id of the person whom it is to be about.
    pub subject: Option<(&'a str, &'a str)>,
}

/// Checks a certificate and the signature beside it.
pub fn check_certificate(
    path: &Path,
    question: &CertificateQuestion<'_>,
) -> Result<CertificateReport, FileError> {
    let key = PublicKey::parse(&read_text(question.key)?).map_err(|error| FileError::Key {
        path: question.key.to_owned(),
        error,
    })?;
    let text = read_text(path)?;
    if let TextKind::Other(what) = kind_of(&text) {
        return Err(FileError::Other(path.to_owned(), what));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    let signature = read_small(question.signature.unwrap_or(Path::new(&beside)))?;
    let question = privacy::check::Question {
        signature: &signature,
        key: &key,
        subject: question.subject,
    };
    Ok(privacy::check::check(&text, &question))
}

/// Reads a small text: a certificate, a receipt, a checkpoint or a key; `-` is standard input.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = read_small(path)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText(path.to_owned()))
}

/// The text of a certificate, receipt or checkpoint; `None` for what can only be a bundle.
fn read_if_text(path: &Path) -> Result<Option<String>, FileError> {
    if path.as_os_str() == "-" {
        return read_text(path).map(Some);
    }
    let bytes = read_small(path)?;
    let is_archive = bytes.starts_with(b"PK")
        || bytes.starts_with(b"age-encryption.org/")
        || bytes.starts_with(b"-----BEGIN AGE");
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        let what = "text in UTF-16, as some programs save it: get the file again, as it was sent";
        return Err(FileError::Other(path.to_owned(), what));
    }
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
