//! The entry: the public, fixed-size record of an event (docs/format.md, "Entry").

use sha2::{Digest, Sha256};

use crate::ids::{ClassNumber, Commitment, LeafHash, Seq};
use crate::time::UnixMillis;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 84;

/// An entry as it stands in the ledger.
pub type EntryBytes = [u8; ENTRY_BYTES];

const VERSION: u8 = 1;

/// What an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// The first entry: names the ledger and its key.
    Genesis = 0,
    /// An application's event.
    Event = 1,
    /// What the store did: policies, classes, holds, erasures, exports, reads.
    System = 2,
}

/// An entry, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it records.
    pub kind: EntryKind,
    /// Retention class; none for genesis and system entries.
    pub class: ClassNumber,
    /// Its place in the ledger.
    pub seq: Seq,
    /// The server's clock at recording, never before the entry before.
    pub recorded_at: UnixMillis,
    /// Leaf hash of the entry before; zero for the first.
    pub prev: LeafHash,
    /// Binds it to its payload.
    pub commitment: Commitment,
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not 84 bytes.
    #[error("an entry has {ENTRY_BYTES} bytes, this has {0}")]
    Length(usize),
    /// Not version 1.
    #[error("unknown entry version {0}")]
    Version(u8),
    /// Not a kind that is known.
    #[error("unknown entry kind {0}")]
    Kind(u8),
    /// A class where none may be, or none where one must be.
    #[error("class {class} does not go with kind {kind}")]
    Class {
        /// The kind's number.
        kind: u8,
        /// The class's number.
        class: u16,
    },
    /// Only the first entry is the genesis, and it links to nothing.
    #[error(
        "the genesis must be the entry with seq 0 and link to nothing, and no other entry may be one"
    )]
    Genesis,
}

impl Entry {
    /// The 84 bytes.
    pub fn encode(&self) -> EntryBytes {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[0] = VERSION;
        bytes[1] = self.kind as u8;
        bytes[2..4].copy_from_slice(&self.class.get().to_be_bytes());
        bytes[4..12].copy_from_slice(&self.seq.get().to_be_bytes());
        bytes[12..20].copy_from_slice(&self.recorded_at.get().to_be_bytes());
        bytes[20..52].copy_from_slice(self.prev.as_bytes());
        bytes[52..84].copy_from_slice(self.commitment.as_bytes());
        bytes
    }

    /// Reads an entry; what it says by itself must be consistent.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let bytes: &EntryBytes = bytes
            .try_into()
            .map_err(|_| EntryError::Length(bytes.len()))?;
        if bytes[0] != VERSION {
            return Err(EntryError::Version(bytes[0]));
        }
        let kind = match bytes[1] {
            0 => EntryKind::Genesis,
            1 => EntryKind::Event,
            2 => EntryKind::System,
            other => return Err(EntryError::Kind(other)),
        };
        let number = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        let hash = |at: usize| {
            let mut word = [0; 32];
            word.copy_from_slice(&bytes[at..at + 32]);
            word
        };
        let entry = Self {
            kind,
            class: ClassNumber::new(u16::from_be_bytes([bytes[2], bytes[3]])),
            seq: Seq::new(number(4)),
            recorded_at: UnixMillis::new(number(12)),
            prev: LeafHash::new(hash(20)),
            commitment: Commitment::new(hash(52)),
        };
        if (entry.class == ClassNumber::NONE) == (kind == EntryKind::Event) {
            return Err(EntryError::Class {
                kind: kind as u8,
                class: entry.class.get(),
            });
        }
        let is_first = entry.seq.get() == 0;
        if is_first != (kind == EntryKind::Genesis) || (is_first && entry.prev != LeafHash::ZERO) {
            return Err(EntryError::Genesis);
        }
        Ok(entry)
    }
}

/// SHA-256(0x00 || entry): the entry's leaf (RFC 6962 section 2.1) and its link in the chain.
pub fn leaf_hash(entry: &EntryBytes) -> LeafHash {
    LeafHash::new(
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            kind: EntryKind::Event,
            class: ClassNumber::new(0x0102),
            seq: Seq::new(0x0304),
            recorded_at: UnixMillis::new(0x0506),
            prev: LeafHash::new([7; 32]),
            commitment: Commitment::new([8; 32]),
        }
    }

    #[test]
    fn layout_is_fixed() {
        let bytes = entry().encode();
        assert_eq!(bytes[..4], [1, 1, 1, 2]);
        assert_eq!(bytes[4..12], [0, 0, 0, 0, 0, 0, 3, 4]);
        assert_eq!(bytes[12..20], [0, 0, 0, 0, 0, 0, 5, 6]);
        assert_eq!((&bytes[20..52], &bytes[52..]), (&[7; 32][..], &[8; 32][..]));
        assert_eq!(Entry::decode(&bytes), Ok(entry()));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let refused = |change: fn(&mut EntryBytes)| {
            let mut bytes = entry().encode();
            change(&mut bytes);
            Entry::decode(&bytes).unwrap_err()
        };
        assert_eq!(Entry::decode(&[1; 83]), Err(EntryError::Length(83)));
        assert_eq!(refused(|bytes| bytes[0] = 2), EntryError::Version(2));
        assert_eq!(refused(|bytes| bytes[1] = 3), EntryError::Kind(3));
        assert_eq!(
            refused(|bytes| bytes[1] = 2),
            EntryError::Class {
                kind: 2,
                class: 0x0102
            }
        );
        assert_eq!(
            refused(|bytes| bytes[2..4].fill(0)),
            EntryError::Class { kind: 1, class: 0 }
        );
        assert_eq!(refused(|bytes| bytes[4..12].fill(0)), EntryError::Genesis);
        assert_eq!(refused(|bytes| bytes[1..4].fill(0)), EntryError::Genesis);
    }
}
