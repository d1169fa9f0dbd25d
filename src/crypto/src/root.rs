//! The root key: read from a file, the environment, or what a command prints.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::secret::RootKey;
use trailkeep_files::named::{open_named, read_whole};

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKeySource {
    /// A file of mode 0600.
    File(PathBuf),
    /// An environment variable's value.
    Environment(&'static str),
    /// The output of a shell command, such as a KMS's client.
    Command(String),
}

/// Why there is no root key. No message holds any part of a key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// No such file.
    #[error(
        "no root key at {0}: restore the file, or name another source (TRAILKEEP_ROOT_KEY_FILE, TRAILKEEP_ROOT_KEY or TRAILKEEP_ROOT_KEY_COMMAND)"
    )]
    Missing(PathBuf),
    /// Others may read it.
    #[error("{path} has mode {mode:04o}: others can read the root key; run `chmod 600 {path}`", path = .path.display())]
    Mode {
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read.
    #[error("can't read the root key from {path}: {error}", path = .path.display())]
    Io {
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The variable is not set.
    #[error(
        "the environment variable {0} is not set: it must hold the root key, 32 bytes in base64"
    )]
    Unset(&'static str),
    /// The command did not run or failed.
    #[error(
        "the root key command failed ({0}); run it by hand to see why: it must print 32 bytes in base64"
    )]
    Command(String),
    /// What came is no key.
    #[error("the output of {0} is not a root key: it must be 32 bytes in base64 (44 characters)")]
    Malformed(String),
}

impl RootKeySource {
    pub fn load(&self) -> Result<RootKey, RootKeyError> {
        match self {
            Self::File(path) => parse(&read_private_file(path)?, &path.display().to_string()),
            Self::Environment(name) => {
                let text = std::env::var(name).map_err(|_| RootKeyError::Unset(name))?;
                parse(&Zeroizing::new(text.into_bytes()), name)
            }
            Self::Command(command) => parse(&run(command)?, "the root key command"),
        }
    }
}

/// The text that a root key file holds.
pub fn to_text(key: &RootKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", BASE64.encode(key.expose())))
}

fn read_private_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => RootKeyError::Missing(path.to_owned()),
        _ => RootKeyError::Io {
            path: path.to_owned(),
            error,
        },
    };
    let file = open_named(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(RootKeyError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    read_whole(file).map_err(failed)
}

fn run(command: &str) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    let output = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| RootKeyError::Command(error.to_string()))?;
    let text = Zeroizing::new(output.stdout);
    if output.status.success() {
        Ok(text)
    } else {
        Err(RootKeyError::Command(output.status.to_string()))
    }
}

fn parse(text: &[u8], source: &str) -> Result<RootKey, RootKeyError> {
    let malformed = || RootKeyError::Malformed(source.to_owned());
    let bytes = BASE64
        .decode(text.trim_ascii())
        .map(Zeroizing::new)
        .map_err(|_| malformed())?;
    RootKey::from_slice(&bytes).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        let source = RootKeySource::File(path.clone());
        assert!(matches!(source.load(), Err(RootKeyError::Missing(_))));

        fs::write(&path, &*to_text(&RootKey::new([5; 32]))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            source.load(),
            Err(RootKeyError::Mode { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(source.load().unwrap().expose(), &[5; 32]);

        // A link is followed, and what it leads to is looked at.
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let linked = RootKeySource::File(link);
        assert_eq!(linked.load().unwrap().expose(), &[5; 32]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(linked.load(), Err(RootKeyError::Mode { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        let refused = RootKeySource::File(pipe).load();
        assert!(matches!(refused, Err(RootKeyError::Io { .. })));

        fs::write(&path, "short").unwrap();
        assert!(matches!(source.load(), Err(RootKeyError::Malformed(_))));
    }

    #[test]
    fn a_command_prints_it() {
        let text = to_text(&RootKey::new([6; 32]));
        let source = RootKeySource::Command(format!("echo {}", text.trim()));
        assert_eq!(source.load().unwrap().expose(), &[6; 32]);
        assert!(matches!(
            RootKeySource::Command("exit 3".into()).load(),
            Err(RootKeyError::Command(_))
        ));
    }
}
