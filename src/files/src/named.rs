//! Files that an operator names to be read: a root key, a certificate, settings, policies.
//!
//! Links are followed: Kubernetes and certbot put links in the place of the files that they renew. What the descriptor
//! stands for is looked at then.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, open};
use zeroize::Zeroizing;

use super::kind::{NotOurs, check_regular};

/// Opens a regular file; a named pipe does not hold it up.
pub fn open_named(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(open(path, flags, Mode::empty())?);
    match check_regular(&fstat(&file)?) {
        Err(NotOurs::Kind(what)) => {
            let what = format!("it is {what} and not a regular file");
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
        checked => Ok(checked.map(|()| file)?),
    }
}

/// Opens it and reads it whole.
pub fn read_named(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read_whole(open_named(path)?)
}

/// Reads a file whole; the bytes are wiped after use.
pub fn read_whole(mut file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len();
    // Room for all of it, so that no part stays behind in memory where the buffer grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads it whole, as text.
pub fn read_named_text(path: &Path) -> io::Result<String> {
    io::read_to_string(open_named(path)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_only_regular_files_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("key"), "text").unwrap();
        symlink("key", at("link")).unwrap();
        assert_eq!(read_named_text(&at("link")).unwrap(), "text");
        assert_eq!(read_named(&at("key")).unwrap().as_slice(), b"text");

        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        symlink("/dev/null", at("device")).unwrap();
        for (name, said) in [
            ("pipe", "named pipe"),
            ("device", "device"),
            ("", "directory"),
        ] {
            let error = read_named(&at(name)).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
    }
}
