//! What a name stands for, and whether it may be used.

use std::io;

use rustix::fs::{FileType, Stat};

/// Why a file is not used: what its name stands for is not a file of this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    #[error(
        "it is a symbolic link, which is not followed: remove it, or replace it with the file itself"
    )]
    Link,
    /// Something else that is not a regular file.
    #[error("it is {0}, not a regular file; it was not changed: remove it")]
    Kind(&'static str),
    /// A file with more than one name.
    #[error(
        "it has {0} names (hard links), so a change here would change another file; it was not changed: remove the other \
         names, or replace it with a copy"
    )]
    Names(u64),
    /// A file of somebody else.
    #[error(
        "it belongs to user {0}, who neither runs this program nor owns the directory; it was not changed: \
         remove it, or change its owner"
    )]
    Owner(u32),
}

impl From<NotOurs> for io::Error {
    fn from(reason: NotOurs) -> Self {
        Self::new(io::ErrorKind::InvalidInput, reason)
    }
}

/// A regular file.
pub(super) fn check_regular(stat: &Stat) -> Result<(), NotOurs> {
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => return Err(NotOurs::Link),
        FileType::Directory => "a directory",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something else",
    };
    Err(NotOurs::Kind(what))
}

/// A regular file with one name, of whoever runs this, of the directory's owner, or of root.
pub(super) fn check_own(stat: &Stat, directory_owner: u32) -> Result<(), NotOurs> {
    check_regular(stat)?;
    #[allow(
        clippy::useless_conversion,
        reason = "other systems count names in fewer bits"
    )]
    let names = u64::from(stat.st_nlink);
    if names > 1 {
        return Err(NotOurs::Names(names));
    }
    let owner = stat.st_uid;
    let user = rustix::process::geteuid().as_raw();
    if owner != user && owner != directory_owner && owner != 0 {
        return Err(NotOurs::Owner(owner));
    }
    Ok(())
}
