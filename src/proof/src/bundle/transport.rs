//! What mail programs and archivers do to a file on its way, and how it is undone to see whether that is all.
//!
//! A file that was changed so is not accepted: what was signed is other bytes. But it is told apart from one that somebody
//! changed, and only if undoing the named change verifies completely.

use serde::Serialize;

/// A change of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Every LF became CR LF.
    Crlf,
    /// A byte order mark was put in front.
    ByteOrderMark,
    /// The last line end is missing.
    NoLastLineEnd,
    /// Files that a system puts beside others stand among the members.
    JunkMembers,
    /// The archive has extra fields or a folder around all members, as other programs write them.
    PackedAgain,
}

impl Change {
    /// What happened, and what to do.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Crlf => {
                "line ends were changed to CRLF in transit: ask the sender for the file as a packed attachment"
            }
            Self::ByteOrderMark => {
                "a byte order mark was added in transit: save the original file again"
            }
            Self::NoLastLineEnd => {
                "the last line end was lost in transit: copy the whole file, not its text"
            }
            Self::JunkMembers => {
                "files such as .DS_Store, ._NAME, __MACOSX/, Thumbs.db or desktop.ini were added: ask for the file as it was exported"
            }
            Self::PackedAgain => {
                "the archive was unpacked and packed again by another program: ask for the file as it was exported"
            }
        }
    }
}

/// The verdict on such a file.
pub const DAMAGED: &str = "DAMAGED IN TRANSIT, NOT VERIFIED: get the file again, unchanged";

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A text as it may have been before the changes that can be seen in it, and these changes. The whole text as it is now does
/// not stand among them.
pub fn undo(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<Change>)> {
    let mut changes = Vec::new();
    let mut text = bytes.to_vec();
    if let Some(rest) = text.strip_prefix(MARK) {
        text = rest.to_vec();
        changes.push(Change::ByteOrderMark);
    }
    if let Some(plain) = without_crlf(&text) {
        text = plain;
        changes.push(Change::Crlf);
    }
    let mut undone = Vec::new();
    if !changes.is_empty() {
        undone.push((text.clone(), changes.clone()));
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
        changes.push(Change::NoLastLineEnd);
        undone.push((text, changes));
    }
    undone
}

/// The text with LF where each line ends with CR LF; `None` where one does not, or there is no line.
fn without_crlf(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain: Vec<u8> = Vec::with_capacity(text.len());
    let mut found = false;
    for byte in text {
        if *byte == b'\n' {
            if plain.pop() != Some(b'\r') {
                return None;
            }
            found = true;
        }
        plain.push(*byte);
    }
    found.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_seen_is_undone() {
        let one = |bytes: &[u8]| undo(bytes).into_iter().next();
        assert_eq!(one(b"a\nb\n"), None);
        assert_eq!(one(b"a\r\nb\n"), None, "not every line");
        let crlf = (b"a\nb\n".to_vec(), vec![Change::Crlf]);
        assert_eq!(one(b"a\r\nb\r\n"), Some(crlf));
        let marked = vec![Change::ByteOrderMark, Change::Crlf];
        assert_eq!(one(b"\xEF\xBB\xBFa\r\n"), Some((b"a\n".to_vec(), marked)));
        let cut = (b"a\nb\n".to_vec(), vec![Change::NoLastLineEnd]);
        assert_eq!(one(b"a\nb"), Some(cut));
        assert_eq!(undo(b"a\r\nb").len(), 2);
        assert_eq!(one(b""), None);
    }
}
