//! A directory as a target: one file a head, and the newest beside them, below the ledger's origin.
//!
//! What stands there is read first: a head that this ledger's key signed and that is no beginning of the ledger shows that
//! it was rolled back, and is not written over.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::AnchorError;
use super::rolled_back::RolledBack;
use crate::ledger::checkpoint::Checkpoint;
use crate::service::Engine;
use crate::service::ledger::{Ledger, Published};
use crate::service::open::read_edge;
use crate::store::directory::sync_directory;

/// The file with the newest head.
const NEWEST: &str = "checkpoint";
/// Whoever compares is somebody else.
const MODE: u32 = 0o644;

/// Puts a head there. `last` is the size that was last put there. On disk when it returns.
pub(super) fn put(
    engine: &Engine,
    ledger: &Ledger,
    published: &Published,
    (target, base): (&str, &Path),
    last: Option<u64>,
) -> Result<(), AnchorError> {
    let bad = |what| Err(AnchorError::Directory(base.to_owned(), what));
    let Ok(there) = base.canonicalize() else {
        return bad("there is no such directory: is its disk mounted?");
    };
    let own = engine.directory.path().canonicalize();
    if own.is_ok_and(|own| there.starts_with(own)) {
        return bad(
            "a head inside of the data directory is kept by nobody else: choose another disk or host",
        );
    }
    let folder = there.join(ledger.record.origin.as_str());
    let newest = folder.join(NEWEST);
    match fs::read_to_string(&newest) {
        Ok(note) => compare(engine, ledger, published, target, (&newest, &note))?,
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(AnchorError::io(&newest)(error));
        }
        Err(_) if last.is_some() => {
            return bad(
                "the heads that were put here have gone: is its disk mounted? a new place gets a new name in the settings",
            );
        }
        Err(_) => {}
    }
    fs::create_dir_all(&folder).map_err(AnchorError::io(&folder))?;
    let head = &published.head;
    let numbered = format!("{NEWEST}.{}", head.size);
    for name in [numbered.as_str(), NEWEST] {
        write_durably(&folder, name, &head.note)?;
    }
    Ok(())
}

/// What stands there must be a beginning of the ledger.
fn compare(
    engine: &Engine,
    ledger: &Ledger,
    published: &Published,
    target: &str,
    (path, note): (&Path, &str),
) -> Result<(), AnchorError> {
    let foreign = |_| {
        let what = "it holds a head that this ledger's key did not sign: choose another directory";
        AnchorError::Directory(path.to_owned(), what)
    };
    let kept = Checkpoint::open(note, &ledger.verifier).map_err(foreign)?;
    let here = published.head.size;
    if kept.size > here {
        let found = RolledBack::larger(target, kept.size, here, engine.clock.wall());
        return Err(AnchorError::RolledBack(Box::new(found)));
    }
    let root = if kept.size == here {
        published.head.root
    } else {
        read_edge(&engine.ledgers, ledger.record.number, kept.size)?.root()
    };
    if root != kept.root {
        let found = RolledBack::other(target, kept.size, here, engine.clock.wall());
        return Err(AnchorError::RolledBack(Box::new(found)));
    }
    Ok(())
}

/// Written under another name, synced, renamed, and the directory synced.
fn write_durably(folder: &Path, name: &str, text: &str) -> Result<(), AnchorError> {
    let path = folder.join(name);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(fs::Permissions::from_mode(MODE))
        .tempfile_in(folder)
        .map_err(AnchorError::io(folder))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(AnchorError::io(&path))?;
    file.persist(&path)
        .map_err(|error| AnchorError::io(&path)(error.error))?;
    Ok(sync_directory(folder)?)
}
