//! What a volume holds by itself.

use std::ffi::OsStr;

/// Names in lower case that file systems, their tools and desktops make in a directory that somebody calls empty.
const NAMES: &[&str] = &[
    "lost+found",
    ".snapshot",
    ".snapshots",
    ".snap",
    ".zfs",
    ".trash",
    ".trashes",
    ".trashcan",
    ".glusterfs",
    ".ds_store",
    ".fseventsd",
    ".spotlight-v100",
    ".temporaryitems",
    ".documentrevisions-v100",
    ".volumeicon.icns",
    ".directory",
    "system volume information",
    "$recycle.bin",
    "recycler",
    "thumbs.db",
    "desktop.ini",
    "@eadir",
    "#recycle",
    "#snapshot",
    "aquota.user",
    "aquota.group",
];
/// How such names begin where a number or another name follows.
const BEGINNINGS: &[&str] = &[".trash-", "._", ".nfs0"];

/// Whether a name is one that a volume holds by itself: it does not count where a directory must be empty.
pub fn is_of_the_volume(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    NAMES.contains(&name.as_str()) || BEGINNINGS.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_put_there() {
        for name in [
            "lost+found",
            ".snapshot",
            ".snapshots",
            ".Trash-1000",
            ".DS_Store",
            "._.DS_Store",
            "System Volume Information",
            ".nfs00000000012",
        ] {
            assert!(is_of_the_volume(OsStr::new(name)), "{name}");
        }
        for name in [
            "ledger.db",
            ".hidden",
            "snapshots",
            "lost",
            ".nfsrc",
            "root.key",
        ] {
            assert!(!is_of_the_volume(OsStr::new(name)), "{name}");
        }
    }
}
