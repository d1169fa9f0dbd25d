//! A directory as a target: one file a head, and the newest beside them, below the ledger's origin.
//!
//! What stands there is read first: a head that this ledger's key signed and that is no beginning of the ledger shows that
//! it was rolled back, and is not written over.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use crate::anchor::{AnchorError, Anchors};
use crate::journal::Journal;
use crate::tenant::ledger::read_edge;
use crate::tenant::ledger::{Ledger, Published};
use crate::tenant::rolled_back::RolledBack;
use trailkeep_files::Folder;
use trailkeep_ports::StoredCheckpoint;
use trailkeep_proof::ledger::checkpoint::Checkpoint;

/// The file with the newest head.
const NEWEST: &str = "checkpoint";

/// Puts a head there. `last` is the size that was last put there. On disk when it returns.
pub(super) fn put(
    anchors: &Anchors,
    ledger: &Ledger,
    published: &Published,
    (target, base): (&str, &Path),
    last: Option<u64>,
) -> Result<(), AnchorError> {
    let bad = |what| Err(AnchorError::Directory(base.to_owned(), what));
    let Ok(there) = base.canonicalize() else {
        return bad("the directory does not exist: check that its disk is mounted");
    };
    let own = anchors.own_directory.canonicalize();
    if own.is_ok_and(|own| there.starts_with(own)) {
        return bad(
            "the directory is inside the data directory, so the checkpoint is not kept elsewhere: choose another disk or host",
        );
    }
    let origin = Path::new(ledger.record.origin.as_str());
    let newest = there.join(origin).join(NEWEST);
    match read_newest(&there, origin).map_err(AnchorError::io(&newest))? {
        Some(note) => compare(
            &anchors.journal,
            ledger,
            published,
            target,
            (&newest, &note),
        )?,
        None if last.is_some() => {
            return bad(
                "the checkpoints that were written here are missing: check that its disk is mounted; give a new place a new name in the settings",
            );
        }
        None => {}
    }
    write_head(&there, origin, &published.head).map_err(AnchorError::io(&newest))
}

/// The newest head that stands there. Whoever owns the directory may put a link into it: none is followed.
fn read_newest(base: &Path, origin: &Path) -> io::Result<Option<String>> {
    let mut folder = Folder::open(base)?;
    for part in origin {
        match folder.subfolder(part)? {
            Some(next) => folder = next,
            None => return Ok(None),
        }
    }
    let note = folder.read(OsStr::new(NEWEST))?;
    let text = note.map(|note| String::from_utf8(note).map_err(io::Error::other));
    text.transpose()
}

/// Puts a head there under its number and as the newest: each under another name first, synced, renamed.
fn write_head(base: &Path, origin: &Path, head: &StoredCheckpoint) -> io::Result<()> {
    let mut folder = Folder::open(base)?;
    for part in origin {
        folder = folder.make_public_subfolder(part)?;
    }
    let numbered = format!("{NEWEST}.{}", head.size);
    for name in [numbered.as_str(), NEWEST] {
        let mut file = folder.begin(OsStr::new(name))?;
        file.fill(&mut head.note.as_bytes())?;
        // Whoever compares is somebody else.
        file.set_public()?;
        file.replace()?;
    }
    Ok(())
}

/// What stands there must be a beginning of the ledger.
fn compare(
    journal: &Journal,
    ledger: &Ledger,
    published: &Published,
    target: &str,
    (path, note): (&Path, &str),
) -> Result<(), AnchorError> {
    let foreign = |_| {
        let what =
            "it has a checkpoint that this ledger's key did not sign: choose another directory";
        AnchorError::Directory(path.to_owned(), what)
    };
    let kept = Checkpoint::open(note, &ledger.verifier).map_err(foreign)?;
    let here = published.head.size;
    if kept.size > here {
        let found = RolledBack::larger(target, kept.size, here, journal.clock.wall());
        return Err(AnchorError::RolledBack(Box::new(found)));
    }
    let root = if kept.size == here {
        published.head.root
    } else {
        read_edge(&journal.ledgers, ledger.record.number, kept.size)?.root()
    };
    if root != kept.root {
        let found = RolledBack::other(target, kept.size, here, journal.clock.wall());
        return Err(AnchorError::RolledBack(Box::new(found)));
    }
    Ok(())
}
