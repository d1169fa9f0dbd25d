//! Cosignatures of witnesses: C2SP tlog-cosignature, `cosignature/v1` (Ed25519, signature type 0x04).
//!
//! A witness signs `cosignature/v1\ntime N\n` and the checkpoint's text: at that time it had seen no larger head of this
//! ledger, and this one continues all that it saw before. The line stands in the checkpoint's note beside the ledger's own.

use std::fmt;

use ed25519_dalek::{SIGNATURE_LENGTH, Signature, VerifyingKey};

use super::note::{
    NoteError, SignatureLine, SignedNote, key_id, parse_signature, parse_verifier_key,
    signature_line, verifier_key_text,
};
use crate::time::UnixMillis;

/// Ed25519 over a time and a checkpoint's text.
const COSIGNATURE: u8 = 0x04;
/// Bytes of the time that stands before the signature.
const TIME_BYTES: usize = 8;

/// A witness's public key: a C2SP verifier key of the type 0x04.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// Why a cosignature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// Not a signed note, or not a key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The witness did not cosign.
    #[error(
        "the checkpoint has no cosignature by {name} with key id {id:08x}: the witness did not sign it, or signed with another key"
    )]
    Absent {
        /// The witness's name.
        name: String,
        /// The key's id.
        id: u32,
    },
    /// The cosignature is wrong.
    #[error("the cosignature by {0} is wrong: the checkpoint was changed, or the signature was")]
    Wrong(String),
    /// Not a time and a signature.
    #[error("the cosignature by {0} is not a time and a signature of 64 bytes")]
    Form(String),
}

impl WitnessKey {
    /// The witness key of a public key under a name, which must have no white space and no `+`.
    pub fn from_public(name: &str, key: &VerifyingKey) -> Self {
        Self {
            name: name.to_owned(),
            id: key_id(name, COSIGNATURE, key),
            key: *key,
        }
    }

    /// Reads `name+id+base64`; the id must be the key's own, the type 0x04.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = parse_verifier_key(text.trim(), COSIGNATURE)?.ok_or(
            NoteError::VerifierKey("a witness's key is of the type 0x04 (cosignature/v1)"),
        )?;
        Ok(Self { name, id, key })
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a line claims to be by this key.
    pub fn is_claimed_by(&self, line: &SignatureLine<'_>) -> bool {
        line.name == self.name && line.id == self.id
    }

    /// When the witness cosigned a checkpoint: of several lines the latest, and all of them must be right.
    pub fn verify(&self, note: &SignedNote<'_>) -> Result<UnixMillis, CosignatureError> {
        let lines = note.signatures().iter();
        let times = lines
            .filter(|line| self.is_claimed_by(line))
            .map(|line| self.verify_line(note.text(), line))
            .collect::<Result<Vec<_>, _>>()?;
        let absent = || CosignatureError::Absent {
            name: self.name.clone(),
            id: self.id,
        };
        times.into_iter().max().ok_or_else(absent)
    }

    fn verify_line(
        &self,
        text: &str,
        line: &SignatureLine<'_>,
    ) -> Result<UnixMillis, CosignatureError> {
        let form = || CosignatureError::Form(self.name.clone());
        let (time, signature) = line
            .signature
            .split_first_chunk::<TIME_BYTES>()
            .filter(|(_, signature)| signature.len() == SIGNATURE_LENGTH)
            .ok_or_else(form)?;
        let seconds = u64::from_be_bytes(*time);
        let moment = seconds.checked_mul(1_000).map(UnixMillis::new);
        let moment = moment
            .filter(|moment| seconds > 0 && *moment <= UnixMillis::MAX)
            .ok_or_else(form)?;
        let signature = Signature::from_slice(signature).map_err(|_| form())?;
        self.key
            .verify_strict(signed_text(seconds, text).as_bytes(), &signature)
            .map_err(|_| CosignatureError::Wrong(self.name.clone()))?;
        Ok(moment)
    }

    /// The lines of a witness's answer that are by this key, checked against the checkpoint's note that it was sent, and
    /// when it cosigned. Lines by other keys are left out: nobody here can check them.
    pub fn accept(
        &self,
        note: &str,
        answer: &str,
    ) -> Result<(String, UnixMillis), CosignatureError> {
        let whole = format!("{note}{answer}");
        let whole = SignedNote::parse(&whole)?;
        let moment = self.verify(&whole)?;
        let lines = whole.signatures().iter();
        let own = lines
            .filter(|line| self.is_claimed_by(line))
            .map(|line| signature_line(line.name, line.id, &line.signature))
            .collect();
        Ok((own, moment))
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&verifier_key_text(&self.name, COSIGNATURE, &self.key))
    }
}

/// What a witness signs.
fn signed_text(seconds: u64, checkpoint: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{checkpoint}")
}

/// A note with more signature lines. Of a key that has signed it already the first line stays: the earlier time says more.
pub fn with_lines(note: &str, lines: &str) -> String {
    let mut whole = note.to_owned();
    for line in lines.lines() {
        let Some(new) = parse_signature(line) else {
            continue;
        };
        let known = note.lines().filter_map(parse_signature);
        let mut known = known.map(|known| (known.name, known.id));
        if !known.any(|known| known == (new.name, new.id)) {
            whole.push_str(line);
            whole.push('\n');
        }
    }
    whole
}

#[cfg(test)]
pub(super) mod tests;
