//! The numbers and names that must not be mixed up, each a type of its own.
//!
//! A value in hand is valid: what can be wrong is refused by the constructor.

mod names;

use std::fmt::{self, Write as _};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

pub use names::{LogName, NameError, Origin, TenantName};

/// Position of an entry in its ledger, from 0, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// Largest sequence number: rows carry ledger and seq in one 63-bit integer, 40 bits of it seq.
    pub const MAX: Self = Self((1 << 40) - 1);

    /// The sequence number `value`.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Retention class number, assigned by a system entry of the ledger; 0 belongs to genesis and
/// system entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassNumber(u16);

impl ClassNumber {
    /// The class of genesis and system entries: none.
    pub const NONE: Self = Self(0);

    /// The class numbered `value`.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Number of a ledger inside of one data directory, from 1. It never leaves the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerNumber(u32);

impl LedgerNumber {
    /// The ledger numbered `value`.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The bytes of exactly so many lower-case hex digits.
pub fn bytes_from_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hex(&bytes) == digits).then_some(bytes)
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

macro_rules! hash_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 bytes.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Reads 32 bytes; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads canonical, padded base64 of 32 bytes.
            pub fn from_base64(text: &str) -> Option<Self> {
                // Three bytes for four characters, padding included.
                let mut bytes = [0; 33];
                let count = BASE64.decode_slice(text, &mut bytes).ok()?;
                Self::from_slice(bytes.get(..count)?)
            }
        }

        /// Canonical base64, the form of C2SP checkpoints and proofs.
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 44];
                let written = BASE64.encode_slice(self.0, &mut text);
                let text = written.ok().and_then(|length| text.get(..length));
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                formatter.write_str(text.ok_or(fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }
    };
}

hash_type! {
    /// SHA-256(0x00 || entry), the leaf of an entry in the tree and its link in the chain.
    LeafHash
}
hash_type! {
    /// Hash of any node of the tree, a leaf's included (RFC 6962 section 2.1).
    TreeHash
}
hash_type! {
    /// Root of a tree of some size: MTH(D[n]) of RFC 6962 section 2.1.
    RootHash
}
hash_type! {
    /// Salted hash in an entry that binds it to its payload (docs/format.md, "Commitment").
    Commitment
}
hash_type! {
    /// SHA-256(section salt || section bytes).
    SectionDigest
}
hash_type! {
    /// Salt of one section: whoever has it and the section's digest can test guesses of its text.
    SectionSalt
}

hash_type! {
    /// Salted hash of whom a privacy request is about (docs/format.md, "Certificate").
    SubjectCommitment
}
hash_type! {
    /// Its salt: whoever has it can test who the request is about. In the requester's certificate alone.
    SubjectSalt
}

impl LeafHash {
    /// What the entry with seq 0 has as `prev`.
    pub const ZERO: Self = Self([0; 32]);
}

impl From<LeafHash> for TreeHash {
    fn from(leaf: LeafHash) -> Self {
        Self(leaf.0)
    }
}

impl From<TreeHash> for RootHash {
    fn from(node: TreeHash) -> Self {
        Self(node.0)
    }
}

impl From<RootHash> for TreeHash {
    fn from(root: RootHash) -> Self {
        Self(root.0)
    }
}

macro_rules! opaque_type {
    ($(#[$meta:meta])* $name:ident, $size:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $size]);

        impl $name {
            /// Wraps the bytes.
            pub const fn new(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }

            /// Reads the bytes; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        /// Never the bytes: they stand for a person or a value that a person wrote.
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

opaque_type! {
    /// Keyed hash of a value that events are looked up by (docs/format.md, "Tags"). Looked up, never shown.
    Tag, 16
}
opaque_type! {
    /// Random number that stands for a person in the ledger's files; the vault leads from the
    /// person's tag to it.
    PersonReference, 16
}
opaque_type! {
    /// What an index row is found by: a [`Tag`], or a [`PersonReference`] where the value is a person.
    LookupKey, 16
}

impl From<Tag> for LookupKey {
    fn from(tag: Tag) -> Self {
        Self(tag.0)
    }
}

impl From<PersonReference> for LookupKey {
    fn from(reference: PersonReference) -> Self {
        Self(reference.0)
    }
}

/// Number of a value that events of one ledger share: a part of their texts that is stored once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueNumber(u64);

impl ValueNumber {
    /// The largest: 2^40 - 1, as of a seq.
    pub const MAX: Self = Self(Seq::MAX.get());

    /// The value numbered `value`.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ValueNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Random number of a data key. It stands in the payloads that the key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// The key numbered `value`.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}
