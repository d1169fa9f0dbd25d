//! The commitment: a salted hash that binds an entry to its sections and says nothing without the salt
//! (docs/format.md, "Commitment").

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::ids::{Commitment, Origin, SectionDigest, SectionSalt};

/// Bytes that a section usually takes in the message: its name with its length, and its digest.
const SECTION_BYTES: usize = 48;

/// Why sections can't be committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// Names must be distinct and ascend by their bytes.
    #[error("section names must be distinct and in ascending byte order")]
    Order,
    /// A length does not fit its field.
    #[error(
        "an origin or section name is longer than 65,535 bytes, or there are more sections than that"
    )]
    Length,
}

/// The salts of an event's sections. The event's salt is taken in once, for all of them.
pub struct SectionSalts(Hmac<Sha256>);

impl SectionSalts {
    /// The salts that come from an event's salt.
    pub fn new(event_salt: &[u8; 32]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(event_salt);
        Self(mac.expect("HMAC takes keys of any length"))
    }

    /// Salt of one section: HMAC-SHA256(event salt, section name).
    pub fn of(&self, name: &str) -> SectionSalt {
        let mut mac = self.0.clone();
        mac.update(name.as_bytes());
        SectionSalt::new(mac.finalize().into_bytes().into())
    }
}

/// SHA-256(section salt || section bytes).
pub fn section_digest(salt: &SectionSalt, section: &[u8]) -> SectionDigest {
    SectionDigest::new(
        Sha256::new()
            .chain_update(salt.as_bytes())
            .chain_update(section)
            .finalize()
            .into(),
    )
}

/// The commitment over named digests, which come in ascending byte order of their names.
pub fn commit<'a>(
    origin: &Origin,
    digests: impl IntoIterator<Item = (&'a str, SectionDigest)>,
) -> Result<Commitment, CommitmentError> {
    let length = |length: usize| {
        u16::try_from(length)
            .map(u16::to_be_bytes)
            .map_err(|_| CommitmentError::Length)
    };
    let digests = digests.into_iter();
    let sections = digests.size_hint().0;
    let mut message = Vec::with_capacity(64 + origin.as_str().len() + sections * SECTION_BYTES);
    message.extend_from_slice(b"trailkeep/commitment/v1\n");
    message.extend(length(origin.as_str().len())?);
    message.extend_from_slice(origin.as_str().as_bytes());
    let count_at = message.len();
    message.extend([0, 0]);
    let mut count = 0;
    let mut last: Option<&str> = None;
    for (name, digest) in digests {
        if last.is_some_and(|last| last.as_bytes() >= name.as_bytes()) {
            return Err(CommitmentError::Order);
        }
        last = Some(name);
        count += 1;
        message.extend(length(name.len())?);
        message.extend_from_slice(name.as_bytes());
        message.extend_from_slice(digest.as_bytes());
    }
    message[count_at..count_at + 2].copy_from_slice(&length(count)?);
    Ok(Commitment::new(Sha256::digest(&message).into()))
}

/// The commitment over disclosed sections.
pub fn commitment_of<'a>(
    origin: &Origin,
    event_salt: &[u8; 32],
    sections: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Commitment, CommitmentError> {
    let salts = SectionSalts::new(event_salt);
    let digests = sections
        .into_iter()
        .map(|(name, bytes)| (name, section_digest(&salts.of(name), bytes)));
    commit(origin, digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_stands_for_its_section() {
        let origin = Origin::parse("audit.example.com/default").unwrap();
        let sections: [(&str, &[u8]); 2] = [("action", b"\"a\""), ("id", b"\"b\"")];
        let whole = commitment_of(&origin, &[1; 32], sections).unwrap();
        let salts = SectionSalts::new(&[1; 32]);
        let digests = sections.map(|(name, bytes)| (name, section_digest(&salts.of(name), bytes)));
        assert_eq!(commit(&origin, digests), Ok(whole));
        assert_ne!(commitment_of(&origin, &[2; 32], sections).unwrap(), whole);
        assert_eq!(
            commitment_of(&origin, &[1; 32], [sections[1], sections[0]]),
            Err(CommitmentError::Order)
        );
        assert_eq!(
            commitment_of(&origin, &[1; 32], [sections[1], sections[1]]),
            Err(CommitmentError::Order)
        );
    }
}
