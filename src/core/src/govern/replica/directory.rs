//! A directory as a copy target: another disk, or a mounted file system of another host.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::govern::replica::{CopyError, Snapshot};
use trailkeep_files::directory::{foreign_name, make_private_folder};
use trailkeep_files::private::replace_file;
use trailkeep_files::{Folder, NewFile};

/// Says whose copies a directory takes. A disk that is not mounted has no such file: nothing is written then.
const MARKER: &str = "trailkeep-copy.json";
const VAULT: &str = "vault.db";
const KEYS: &str = "epoch.key";

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Marker {
    format: String,
    directory: String,
    target: String,
}

impl Marker {
    fn of(directory: &str, target: &str) -> Self {
        Self {
            format: "trailkeep/copy-target/v1".to_owned(),
            directory: directory.to_owned(),
            target: target.to_owned(),
        }
    }
}

/// Files of a copy in a directory: `vault.db` and `epoch.key`, as in a data directory.
pub(crate) fn files_of(path: &Path) -> (PathBuf, PathBuf) {
    (path.join(VAULT), path.join(KEYS))
}

/// A target's directory, kept open while it is used: all its files are reached through the one descriptor, so that nobody
/// who can write to it leads the server elsewhere.
struct Replica {
    folder: Folder,
    path: PathBuf,
}

impl Replica {
    fn open(path: &Path) -> Result<Self, CopyError> {
        Ok(Self {
            folder: Folder::open(path).map_err(|error| CopyError::io(path, error))?,
            path: path.to_owned(),
        })
    }

    /// The directory of a target, if it is still the one that was registered.
    fn of(path: &Path, marker: &Marker) -> Result<Self, CopyError> {
        let replica = match Self::open(path) {
            Err(CopyError::Store(_)) if !path.is_dir() => {
                return Err(CopyError::NotThere(path.to_owned()));
            }
            opened => opened?,
        };
        if replica.marker()?.as_ref() != Some(marker) {
            return Err(CopyError::NotThere(path.to_owned()));
        }
        Ok(replica)
    }

    fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&Folder, &OsStr) -> io::Result<T>,
    ) -> Result<T, CopyError> {
        let done = work(&self.folder, OsStr::new(name));
        done.map_err(|error| CopyError::io(&self.path.join(name), error))
    }

    fn marker(&self) -> Result<Option<Marker>, CopyError> {
        let text = self.with(MARKER, Folder::read)?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Puts a file in its place; the old one is overwritten and removed.
    fn replace(&self, name: &str, source: &mut dyn Read) -> Result<(), CopyError> {
        self.with(name, |folder, name| {
            folder.destroy_leftovers(name)?;
            let mut new = folder.begin(name)?;
            new.fill(source)?;
            NewFile::replace_and_destroy(new)
        })
    }

    fn destroy(&self, name: &str) -> Result<(), CopyError> {
        self.with(name, |folder, name| {
            folder.destroy_leftovers(name)?;
            folder.destroy(name)
        })
    }
}

/// Takes a directory into use. One that holds anything that is not this vault's is refused.
pub(super) fn prepare(path: &Path, directory: &str, target: &str) -> Result<(), CopyError> {
    if !path.is_dir() {
        make_private_folder(path).map_err(|error| CopyError::io(path, error))?;
    }
    let replica = Replica::open(path)?;
    let known = replica.marker()?;
    let is_other = known
        .as_ref()
        .is_some_and(|known| known.directory != directory);
    let is_taken = |name| replica.with(name, |folder, name| Ok(folder.look(name)?.is_some()));
    if is_other || (known.is_none() && (is_taken(VAULT)? || is_taken(KEYS)?)) {
        return Err(CopyError::TakenDirectory(path.to_owned()));
    }
    if let Some(found) = foreign_name(path, &[MARKER, VAULT, KEYS])? {
        return Err(CopyError::NotEmpty(path.to_owned(), found));
    }
    let marker = serde_json::to_vec(&Marker::of(directory, target))
        .expect("strings always have a JSON form");
    replica.replace(MARKER, &mut marker.as_slice())
}

/// Puts a copy there and reads it back.
pub(super) fn put(
    path: &Path,
    directory: &str,
    target: &str,
    copy: &Snapshot,
) -> Result<(), CopyError> {
    let replica = Replica::of(path, &Marker::of(directory, target))?;
    // The keys come first: during a rotation the file has both, and opens the old vault and the new one.
    replica.with(KEYS, Folder::destroy_leftovers)?;
    if replica.with(KEYS, Folder::read)?.as_ref() != Some(&copy.epoch_key) {
        replica.replace(KEYS, &mut copy.epoch_key.as_slice())?;
    }
    replica.replace(VAULT, &mut copy.open()?)?;
    let mut vault = replica.with(VAULT, Folder::open_to_read)?;
    let sha256 = hash_of(&mut vault).map_err(|error| CopyError::io(&path.join(VAULT), error))?;
    if sha256 != copy.sha256 || replica.with(KEYS, Folder::read)?.as_ref() != Some(&copy.epoch_key)
    {
        return Err(CopyError::Damaged("it reads back as something else"));
    }
    Ok(())
}

/// Reads a copy: its vault goes into a private file. Gives the text of `epoch.key`.
pub(super) fn get(path: &Path, vault: &Path) -> Result<Vec<u8>, CopyError> {
    let replica = Replica::open(path)?;
    let there = replica.with(VAULT, Folder::open_to_read)?;
    replace_file(vault, &mut &there)?;
    let missing = || CopyError::Damaged("it has no epoch.key");
    replica.with(KEYS, Folder::read)?.ok_or_else(missing)
}

/// Overwrites and removes what is there of ours.
pub(super) fn destroy(path: &Path, directory: &str, target: &str) -> Result<(), CopyError> {
    let replica = Replica::of(path, &Marker::of(directory, target))?;
    for name in [KEYS, VAULT, MARKER] {
        replica.destroy(name)?;
    }
    Ok(())
}

/// SHA-256 of a file.
pub(super) fn hash_of(file: &mut File) -> io::Result<[u8; 32]> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..read]);
    }
}
