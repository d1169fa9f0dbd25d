//! A directory as a copy target: another disk, or a mounted file system of another host.

use std::fs::{self, DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{CopyError, Snapshot};
use crate::store::files::{destroy_file, destroy_leftovers, replace_file};

/// Says whose copies a directory takes. A disk that is not mounted has no such file: nothing is written then.
const MARKER: &str = "trailkeep-copy.json";

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
pub(in crate::service) fn files_of(path: &Path) -> (PathBuf, PathBuf) {
    (path.join("vault.db"), path.join("epoch.key"))
}

/// Takes a directory into use. One that holds anything that is not this vault's is refused.
pub(super) fn prepare(path: &Path, directory: &str, target: &str) -> Result<(), CopyError> {
    let failed = |error| CopyError::io(path, error);
    if !path.is_dir() {
        DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    }
    let known = read_marker(path)?;
    if known
        .as_ref()
        .is_some_and(|known| known.directory != directory)
    {
        return Err(CopyError::TakenDirectory(path.to_owned()));
    }
    let (vault, keys) = files_of(path);
    if known.is_none() && (vault.exists() || keys.exists()) {
        return Err(CopyError::TakenDirectory(path.to_owned()));
    }
    let marker = serde_json::to_vec(&Marker::of(directory, target))
        .expect("strings always have a JSON form");
    Ok(replace_file(&path.join(MARKER), &mut marker.as_slice())?)
}

/// Puts a copy there and reads it back.
pub(super) fn put(
    path: &Path,
    directory: &str,
    target: &str,
    copy: &Snapshot,
) -> Result<(), CopyError> {
    if read_marker(path)? != Some(Marker::of(directory, target)) {
        return Err(CopyError::NotThere(path.to_owned()));
    }
    let (vault, keys) = files_of(path);
    // The keys come first: during a rotation the file has both, and opens the old vault and the new one.
    put_keys(path, &copy.epoch_key)?;
    replace_file(&vault, &mut copy.open()?)?;
    if hash_of(&vault)? != copy.sha256 || fs::read(&keys).ok().as_ref() != Some(&copy.epoch_key) {
        return Err(CopyError::Damaged("it reads back as something else"));
    }
    Ok(())
}

/// Puts the epoch keys there, if they are not the same; the old ones are overwritten.
fn put_keys(path: &Path, epoch_key: &[u8]) -> Result<(), CopyError> {
    let (_, keys) = files_of(path);
    destroy_leftovers(&keys)?;
    if fs::read(&keys).is_ok_and(|there| there == epoch_key) {
        return Ok(());
    }
    Ok(replace_file(&keys, &mut &*epoch_key)?)
}

/// Overwrites and removes what is there of ours.
pub(super) fn destroy(path: &Path, directory: &str, target: &str) -> Result<(), CopyError> {
    if read_marker(path)? != Some(Marker::of(directory, target)) {
        return Err(CopyError::NotThere(path.to_owned()));
    }
    let (vault, keys) = files_of(path);
    for file in [&keys, &vault] {
        destroy_leftovers(file)?;
        destroy_file(file)?;
    }
    Ok(destroy_file(&path.join(MARKER))?)
}

fn read_marker(path: &Path) -> Result<Option<Marker>, CopyError> {
    match fs::read(path.join(MARKER)) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CopyError::io(path, error)),
    }
}

/// SHA-256 of a file.
pub(super) fn hash_of(path: &Path) -> Result<[u8; 32], CopyError> {
    let failed = |error| CopyError::io(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..read]);
    }
}
