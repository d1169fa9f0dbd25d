//! Identifiers that come from elsewhere than an event's own text. An event holds at most so many characters of one, and no control
//! characters. What does not fit is replaced by its hash: the same identifier gives the same, so that it is found again.

use sha2::{Digest, Sha256};

use super::shape::{Form, Text};
use crate::ids::hex;

/// Characters of the id of an actor or data subject.
pub const ID_CHARACTERS_MAX: usize = 512;
/// Characters of the namespace of an actor or data subject.
pub const NAMESPACE_CHARACTERS_MAX: usize = 128;
/// Characters of a session or conversation.
pub const CONVERSATION_CHARACTERS_MAX: usize = 256;
/// Characters of a target's id.
pub const TARGET_CHARACTERS_MAX: usize = 2048;

/// Whether an event holds an identifier as it is.
pub fn fits(id: &str, max: usize) -> bool {
    let form = Form::Line;
    Text { form, max }.fits(id)
}

/// An identifier as events hold it: itself, or `sha256:` and 64 hexadecimal digits.
pub fn identifier(id: &str, max: usize) -> String {
    if fits(id, max) {
        return id.to_owned();
    }
    if id.is_empty() {
        return "unknown".to_owned();
    }
    format!("sha256:{}", hex(&Sha256::digest(id.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_has_a_hash_of_its_own() {
        let long = "u".repeat(512);
        assert_eq!(identifier(&long, ID_CHARACTERS_MAX), long);
        let ids = [
            format!("{long}a"),
            format!("{long}b"),
            "a\nb".to_owned(),
            "a\u{85}b".to_owned(),
            "a\rb".to_owned(),
        ];
        let replaced: std::collections::BTreeSet<String> = ids
            .iter()
            .map(|id| identifier(id, ID_CHARACTERS_MAX))
            .collect();
        assert_eq!(replaced.len(), ids.len());
        assert!(
            replaced
                .iter()
                .all(|id| id.starts_with("sha256:") && id.len() == 71)
        );
        assert_eq!(
            identifier("a\nb", ID_CHARACTERS_MAX),
            "sha256:7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78"
        );
        assert_eq!(identifier("", ID_CHARACTERS_MAX), "unknown");
    }
}
