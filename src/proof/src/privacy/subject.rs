//! The commitment by which a request's entry is about a person without naming them.

use sha2::{Digest, Sha256};

use crate::ids::{Origin, SubjectCommitment, SubjectSalt};

/// SHA-256("trailkeep/subject/v1\n" || u16 length of origin || origin || u16 length of request id || request id ||
/// salt (32) || u16 length of namespace || namespace || u16 length of id || id): docs/format.md, "Certificate".
///
/// The salt is random and stands in the requester's certificate alone; without it no guess can be tested.
/// Namespace and id are at most 65,535 bytes by the event schema.
pub fn commit_to_subject(
    origin: &Origin,
    request: &str,
    salt: &SubjectSalt,
    namespace: &str,
    id: &str,
) -> SubjectCommitment {
    let mut hash = Sha256::new_with_prefix(b"trailkeep/subject/v1\n");
    add_text(&mut hash, origin.as_str());
    add_text(&mut hash, request);
    hash.update(salt.as_bytes());
    add_text(&mut hash, namespace);
    add_text(&mut hash, id);
    SubjectCommitment::new(hash.finalize().into())
}

fn add_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u16).to_be_bytes());
    hash.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_person_request_ledger_or_salt_is_another_commitment() {
        let origin = Origin::parse("audit.example.com/default").unwrap();
        let other = Origin::parse("audit.example.com/other").unwrap();
        let salt = SubjectSalt::new([7; 32]);
        let first = commit_to_subject(&origin, "r1", &salt, "crm", "u-1");
        assert_eq!(
            first,
            commit_to_subject(&origin, "r1", &salt, "crm", "u-1"),
            "the same again"
        );
        for changed in [
            commit_to_subject(&other, "r1", &salt, "crm", "u-1"),
            commit_to_subject(&origin, "r2", &salt, "crm", "u-1"),
            commit_to_subject(&origin, "r1", &SubjectSalt::new([8; 32]), "crm", "u-1"),
            commit_to_subject(&origin, "r1", &salt, "", "crmu-1"),
            commit_to_subject(&origin, "r1", &salt, "crm", "u-2"),
        ] {
            assert_ne!(first, changed);
        }
    }

    /// Computed by another program from the text of docs/format.md.
    #[test]
    fn the_commitment_is_the_documented_one() {
        let origin = Origin::parse("audit.example.com/default").unwrap();
        let salt = SubjectSalt::new(std::array::from_fn(|place| place as u8));
        let found = commit_to_subject(
            &origin,
            "00112233445566778899aabbccddeeff",
            &salt,
            "crm",
            "Ada",
        );
        assert_eq!(
            found.to_string(),
            "RzhQEqTVbpmBG6QkVayBVzZ5ViduGEvs/HFMsKNfZ7o="
        );
    }
}
