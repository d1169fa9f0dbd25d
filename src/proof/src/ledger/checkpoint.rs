//! The checkpoint: the signed head of a ledger (C2SP tlog-checkpoint, without extension lines).
//!
//! ```text
//! audit.example.com/default
//! 1234
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — audit.example.com/default Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

use ed25519_dalek::SigningKey;

use super::merkle::empty_root;
use super::note::{NoteError, SignedNote, VerifierKey, sign};
use crate::ids::{NameError, Origin, RootHash};

/// Size and root of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose head it is.
    pub origin: Origin,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: RootHash,
}

/// Why a checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note, or not signed by this key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not origin, size and root, one a line.
    #[error("not a checkpoint: {0}")]
    Form(&'static str),
    /// The origin is none of ours.
    #[error(transparent)]
    Origin(#[from] NameError),
}

impl Checkpoint {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads the text that is signed. Extension lines are refused.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        use CheckpointError::Form;
        let body = text
            .strip_suffix('\n')
            .ok_or(Form("its last line has no end"))?;
        let lines: Vec<&str> = body.split('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(Form("it must have three lines: origin, size and root"));
        };
        let size =
            parse_decimal(size).ok_or(Form("its size is not a number without leading zeroes"))?;
        let root = RootHash::from_base64(root).ok_or(Form("its root is not 32 bytes in base64"))?;
        if size == 0 && root != empty_root() {
            return Err(Form("an empty ledger has the root of nothing"));
        }
        Ok(Self {
            origin: Origin::parse(origin)?,
            size,
            root,
        })
    }

    /// The signed note. The key's name is the origin.
    pub fn sign(&self, key: &SigningKey) -> String {
        sign(&self.to_text(), self.origin.as_str(), key)
            .expect("an origin and numbers always can be signed")
    }

    /// Reads a signed note and checks its signature; the origin must be the key's name.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin.as_str() != key.name() {
            let (key, signed) = (key.name().to_owned(), checkpoint.origin.to_string());
            return Err(NoteError::OtherOrigin { key, signed }.into());
        }
        note.verify(key)?;
        Ok(checkpoint)
    }

    /// The origin that a signed note claims, to choose the key by; nothing is checked.
    pub fn claimed_origin(note: &str) -> Result<Origin, CheckpointError> {
        Ok(Self::parse(SignedNote::parse(note)?.text())?.origin)
    }
}

/// A decimal number in its one canonical form.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_reads() {
        let root = empty_root();
        let good = format!("a.b/x\n0\n{root}\n");
        assert_eq!(Checkpoint::parse(&good).unwrap().to_text(), good);
        for bad in [
            format!("a.b/x\n0\n{root}"),
            format!("a.b/x\n00\n{root}\n"),
            format!("a.b/x\n+1\n{root}\n"),
            format!("a.b/x\n0\n{root}\nextension\n"),
            format!("a.b/x\n0\n{}\n", RootHash::new([0; 32])),
            format!("a.b/x\n0\n{}\n", root.to_string().trim_end_matches('=')),
            format!("\n0\n{root}\n"),
            format!("a.b/x\n18446744073709551616\n{root}\n"),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn opens_with_its_own_key_only() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let checkpoint = Checkpoint {
            origin: Origin::parse("a.b/x").unwrap(),
            size: 7,
            root: RootHash::new([5; 32]),
        };
        let note = checkpoint.sign(&key);
        let verifier = |name| VerifierKey::from_public(name, &key.verifying_key());
        assert_eq!(Checkpoint::open(&note, &verifier("a.b/x")), Ok(checkpoint));
        assert!(Checkpoint::open(&note, &verifier("a.b/y")).is_err());
        assert!(Checkpoint::open(&note.replace("\n7\n", "\n8\n"), &verifier("a.b/x")).is_err());
    }
}
