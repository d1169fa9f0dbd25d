//! What goes wrong with a file, with its path.

use std::path::{Path, PathBuf};

/// Why a file or a directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is missing.
    #[error("{path} is missing: {hint}", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// Another process has the directory.
    #[error("another trailkeep process has locked {path}: stop it, or let this command reach it through its socket", path = .0.display())]
    Locked(PathBuf),
    /// Every user of the machine can replace the directory's files.
    #[error(
        "{path} has mode {mode:04o}: every user of this machine can replace the files in it; run `chmod 700 {path}`, or \
         name a directory inside it",
        path = .path.display()
    )]
    OpenToAll {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file system said no.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Names the file in an error of the system.
pub fn io_error(path: &Path, error: std::io::Error) -> FileError {
    FileError::Io {
        path: path.to_owned(),
        error,
    }
}
