//! Files that hold secrets and are replaced or destroyed: the old bytes are overwritten before the name is removed.
//!
//! Each is reached through its directory's descriptor ([`crate::Folder`]): a link in a directory that others can write
//! to leads nowhere. How far a medium really overwrites is its own affair: docs/threat-model.md, "Copies".

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::{FileError, NewFile, folder_of, io_error};

/// Makes a new file for its owner alone; what stood there is destroyed first.
pub fn new_private_file(path: &Path) -> Result<File, FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.destroy(name)?;
        folder.create(name)
    })
}

/// Overwrites a file in its place, syncs that, and removes it. A file that is not there is destroyed already.
pub fn destroy_file(path: &Path) -> Result<(), FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.destroy(name)
    })
}

/// Puts a file in the place of an older one: written beside it, synced, renamed; then the older one is overwritten
/// and removed. After a crash the old one or the new one stands there whole; what is left beside it is destroyed by
/// the next replacement, or by [`destroy_leftovers`].
pub fn replace_file(path: &Path, source: &mut dyn Read) -> Result<(), FileError> {
    take_place(path, put_beside(path, source)?)
}

/// The first half of a replacement: the new file stands beside the old one, whole and synced.
pub fn put_beside(path: &Path, source: &mut dyn Read) -> Result<NewFile, FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.destroy_leftovers(name)?;
        let mut new = folder.begin(name)?;
        new.fill(source)?;
        new.file().sync_all()?;
        Ok(new)
    })
}

/// The second half: the file beside takes the place of `path`, and the old one is overwritten and removed.
pub fn take_place(path: &Path, new: NewFile) -> Result<(), FileError> {
    named(path, || new.replace_and_destroy())
}

/// Destroys what a replacement that was interrupted left beside a file.
pub fn destroy_leftovers(path: &Path) -> Result<(), FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.destroy_leftovers(name)
    })
}

/// Writes a whole small file for its owner alone: under a temporary name, synced, renamed, the directory synced.
/// After it returns, a crash leaves the new file; before, the old one or none.
pub fn write_private_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        let mut new = folder.begin(name)?;
        new.fill(&mut &*bytes)?;
        new.replace()
    })
}

/// Reads a whole file of the program's, not through a link; none where there is none.
pub fn read_file(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.read(name)
    })
}

/// The same of a file that the program will replace or destroy: it must be ours, with one name.
pub fn read_own_file(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.check_own(name)?;
        folder.read(name)
    })
}

/// Opens a file of the program's to be read, not through a link.
pub fn open_file(path: &Path) -> Result<File, FileError> {
    named(path, || {
        let (folder, name) = folder_of(path)?;
        folder.open_to_read(name)
    })
}

fn named<T>(path: &Path, work: impl FnOnce() -> io::Result<T>) -> Result<T, FileError> {
    work().map_err(|error| io_error(path, error))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, hard_link};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::NotOurs;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn reason(error: &FileError) -> NotOurs {
        let FileError::Io { error, .. } = error else {
            panic!("{error}");
        };
        let reason = error.get_ref().and_then(|inner| inner.downcast_ref());
        *reason.unwrap_or_else(|| panic!("{error}"))
    }

    #[test]
    fn a_replacement_leaves_one_file_and_overwrites_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epoch.key");
        replace_file(&path, &mut &b"first"[..]).unwrap();
        // An open descriptor shows what becomes of the old bytes.
        let mut witness = File::open(&path).unwrap();
        // What an interrupted replacement left, of this version and of 0.1.0.
        for left in ["new", "old", "00112233445566ff.tmp"] {
            fs::write(folder.path().join(format!("epoch.key.{left}")), b"left").unwrap();
        }
        replace_file(&path, &mut &b"second one"[..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second one");
        let mut old = Vec::new();
        witness.read_to_end(&mut old).unwrap();
        assert_eq!(old, [0; 5]);
        assert_eq!(names(folder.path()), ["epoch.key"]);
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600);
    }

    /// A crash of 0.1.0 between its hard link and its renaming.
    #[test]
    fn a_second_name_of_the_file_itself_is_removed_and_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epoch.key");
        fs::write(&path, b"the only key").unwrap();
        hard_link(&path, folder.path().join("epoch.key.old")).unwrap();
        destroy_leftovers(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the only key");
        assert_eq!(names(folder.path()), ["epoch.key"]);
    }

    #[test]
    fn links_and_other_kinds_are_neither_written_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("vault.db"));
        fs::write(&victim, b"precious").unwrap();
        let untouched = || assert_eq!(fs::read(&victim).unwrap(), b"precious");

        symlink(&victim, &path).unwrap();
        assert_eq!(reason(&destroy_file(&path).unwrap_err()), NotOurs::Link);
        assert_eq!(reason(&new_private_file(&path).unwrap_err()), NotOurs::Link);
        assert_eq!(reason(&read_file(&path).unwrap_err()), NotOurs::Link);
        let replaced = replace_file(&path, &mut &b"new"[..]);
        assert_eq!(reason(&replaced.unwrap_err()), NotOurs::Link);
        untouched();
        fs::remove_file(&path).unwrap();

        hard_link(&victim, &path).unwrap();
        assert_eq!(reason(&destroy_file(&path).unwrap_err()), NotOurs::Names(2));
        let replaced = replace_file(&path, &mut &b"new"[..]);
        assert_eq!(reason(&replaced.unwrap_err()), NotOurs::Names(2));
        untouched();
        fs::remove_file(&path).unwrap();

        let read_and_write = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, read_and_write).unwrap();
        let kind = NotOurs::Kind("a named pipe");
        assert_eq!(reason(&destroy_file(&path).unwrap_err()), kind);
        assert_eq!(reason(&read_file(&path).unwrap_err()), kind);
        fs::remove_file(&path).unwrap();

        // Names that were guessed: links there are not followed, and stand in nobody's way.
        for left in ["new", "old", "00112233445566ff.tmp"] {
            symlink(&victim, folder.path().join(format!("vault.db.{left}"))).unwrap();
        }
        replace_file(&path, &mut &b"new"[..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        untouched();

        // A second name of somebody else's file is not overwritten as a leftover, and is said.
        fs::remove_file(folder.path().join("vault.db.old")).unwrap();
        hard_link(&victim, folder.path().join("vault.db.old")).unwrap();
        let said = destroy_leftovers(&path).unwrap_err().to_string();
        assert!(said.contains("vault.db.old: it has 2 names"), "{said}");
        untouched();
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return; // Only root can give a file away.
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        fs::write(&path, b"planted").unwrap();
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        let refused = destroy_file(&path).unwrap_err();
        assert_eq!(reason(&refused), NotOurs::Owner(12_345));
        assert_eq!(fs::read(&path).unwrap(), b"planted");
        // In a directory of that user it may be: an operator who is root looks after it.
        std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
        destroy_file(&path).unwrap();
    }
}
