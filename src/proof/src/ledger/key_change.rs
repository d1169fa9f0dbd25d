//! A ledger's key change: a C2SP signed note in which the old key and the new one vouch for each other
//! (docs/format.md, "Key change").
//!
//! ```text
//! trailkeep/key/v1
//! <origin>
//! <old verifier key>
//! <new verifier key>
//! <size of the ledger>
//! <its root>
//!
//! — <origin> <signature by the old key>
//! — <origin> <signature by the new key>
//! ```

use super::checkpoint::parse_decimal;
use super::note::{NoteError, SignedNote, VerifierKey};
use crate::ids::{Origin, RootHash};

const FIRST_LINE: &str = "trailkeep/key/v1";

/// From one key to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key until then.
    pub old: VerifierKey,
    /// The key from then on.
    pub new: VerifierKey,
    /// Size of the ledger at the change.
    pub size: u64,
    /// Its root.
    pub root: RootHash,
}

/// Why a key change was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyChangeError {
    /// Not a signed note, or not signed by both keys.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not the six lines.
    #[error("not a key change: {0}")]
    Form(&'static str),
    /// Of another ledger.
    #[error("it is a key change of {0}")]
    OtherOrigin(String),
}

impl KeyChange {
    /// Reads a note and checks both signatures.
    pub fn open(note: &str, origin: &Origin) -> Result<Self, KeyChangeError> {
        use KeyChangeError::Form;
        let note = SignedNote::parse(note)?;
        let lines: Vec<&str> = note.text().split('\n').collect();
        let [FIRST_LINE, named, old, new, size, root, ""] = lines[..] else {
            return Err(Form("it must have six lines"));
        };
        if named != origin.as_str() {
            return Err(KeyChangeError::OtherOrigin(named.to_owned()));
        }
        let change = Self {
            old: VerifierKey::parse(old)?,
            new: VerifierKey::parse(new)?,
            size: parse_decimal(size).ok_or(Form("its size is not a number"))?,
            root: RootHash::from_base64(root).ok_or(Form("its root is not 32 bytes in base64"))?,
        };
        if change.old.name() != named || change.new.name() != named {
            return Err(Form("its keys are those of another ledger"));
        }
        note.verify(&change.old)?;
        note.verify(&change.new)?;
        Ok(change)
    }

    /// Reads a file of notes, each beginning with its first line.
    pub fn open_all(text: &str, origin: &Origin) -> Result<Vec<Self>, KeyChangeError> {
        let mut starts: Vec<usize> = text
            .match_indices(FIRST_LINE)
            .map(|(at, _)| at)
            .filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
            .collect();
        if starts.first().copied().unwrap_or(text.len()) != 0 {
            return Err(KeyChangeError::Form("there is data before it"));
        }
        starts.push(text.len());
        let notes = starts.windows(2).map(|ends| &text[ends[0]..ends[1]]);
        notes.map(|note| Self::open(note, origin)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::note::sign;
    use ed25519_dalek::SigningKey;

    fn keys() -> [SigningKey; 2] {
        [1, 2].map(|byte| SigningKey::from_bytes(&[byte; 32]))
    }

    fn note(signers: &[SigningKey]) -> String {
        let [old, new] = keys().map(|key| VerifierKey::from_public("a.b/x", &key.verifying_key()));
        let root = RootHash::new([7; 32]);
        let text = format!("{FIRST_LINE}\na.b/x\n{old}\n{new}\n5\n{root}\n");
        let mut signed = text.clone() + "\n";
        for key in signers {
            let one = sign(&text, "a.b/x", key).unwrap();
            signed += &one[text.len() + 1..];
        }
        signed
    }

    #[test]
    fn both_keys_must_sign() {
        let origin = Origin::parse("a.b/x").unwrap();
        let [old, new] = keys();
        let whole = note(&[old.clone(), new.clone()]);
        let twice = whole.repeat(2);
        assert_eq!(KeyChange::open_all(&twice, &origin).unwrap().len(), 2);
        assert_eq!(KeyChange::open_all("", &origin).unwrap(), []);
        assert!(KeyChange::open(&note(&[old]), &origin).is_err());
        assert!(KeyChange::open(&note(&[new]), &origin).is_err());
        assert!(KeyChange::open(&whole.replace("\n5\n", "\n6\n"), &origin).is_err());
        assert!(KeyChange::open(&whole, &Origin::parse("a.b/y").unwrap()).is_err());
        assert!(KeyChange::open_all(&format!("x\n{whole}"), &origin).is_err());
    }
}
