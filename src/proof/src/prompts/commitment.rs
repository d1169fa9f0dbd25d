//! What a statement says of a version's text without saying its hash: a plain hash can be guessed against.

use sha2::{Digest, Sha256};

use super::PromptName;

/// The commitment to the SHA-256 of a version's text. Whoever is shown the salt checks the text by it.
pub fn commitment(salt: &[u8; 32], name: &PromptName, version: u32, sha256: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"trailkeep/prompt/v1\n");
    hash.update(salt);
    hash.update(name.length());
    hash.update(name.as_str());
    hash.update(version.to_be_bytes());
    hash.update(sha256);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::hex;

    #[test]
    fn each_part_changes_it() {
        let name = |text| PromptName::parse(text).unwrap();
        let refund = name("support/refund");
        let made = commitment(&[1; 32], &refund, 3, &[2; 32]);
        // By Python's hashlib, from the text of docs/format.md.
        assert_eq!(
            hex(&made),
            "a7facc8f538adf2196ddfdca20fae9590cbe1f5cbae4e4d69f559fd6beb6deeb"
        );
        for other in [
            commitment(&[0; 32], &refund, 3, &[2; 32]),
            commitment(&[1; 32], &name("support/refunds"), 3, &[2; 32]),
            commitment(&[1; 32], &refund, 4, &[2; 32]),
            commitment(&[1; 32], &refund, 3, &[3; 32]),
        ] {
            assert_ne!(other, made);
        }
    }
}
