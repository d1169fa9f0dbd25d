//! SHA256SUMS: the form that `sha256sum -c` reads, and its signature.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::ids::hex;

/// SHA-256 of a member, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The member.
    pub name: String,
    /// Its digest.
    pub sha256: [u8; 32],
}

/// Writes the list, ascending by name.
pub fn format(mut sums: Vec<Sum>) -> String {
    sums.sort_by(|one, other| one.name.cmp(&other.name));
    let lines = sums
        .iter()
        .map(|sum| format!("{}  {}\n", hex(&sum.sha256), sum.name));
    lines.collect()
}

/// Reads the list; `None` unless every line has the one form and the names ascend.
pub fn parse(text: &str) -> Option<Vec<Sum>> {
    let lines = text.strip_suffix('\n')?.split('\n');
    let sums = lines.map(parse_line).collect::<Option<Vec<_>>>()?;
    sums.is_sorted_by(|one, other| one.name < other.name)
        .then_some(sums)
}

fn parse_line(line: &str) -> Option<Sum> {
    let (digits, name) = line.split_once("  ")?;
    let mut sha256 = [0; 32];
    for (byte, pair) in sha256.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hex(&sha256) == digits && !name.is_empty()).then(|| Sum {
        name: name.to_owned(),
        sha256,
    })
}

/// The raw signature over the list.
pub fn sign(list: &str, key: &SigningKey) -> [u8; 64] {
    key.sign(list.as_bytes()).to_bytes()
}

/// Checks the raw signature over the list, strictly.
pub fn verify(list: &[u8], signature: &[u8], key: &VerifyingKey) -> bool {
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(list, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_list_reads() {
        let sum = |name: &str| Sum {
            name: name.to_owned(),
            sha256: [0xAB; 32],
        };
        let text = format(vec![sum("b"), sum("a")]);
        assert_eq!(parse(&text).unwrap(), [sum("a"), sum("b")]);
        let digits = "ab".repeat(32);
        for bad in [
            String::new(),
            format!("{digits}  a"),
            format!("{digits} a\n"),
            format!("{digits}  \n"),
            format!("{}  a\n", digits.to_uppercase()),
            format!("{}  a\n", &digits[2..]),
            format!("{digits}ab  a\n"),
            format!("{digits}  b\n{digits}  a\n"),
            format!("{digits}  a\n{digits}  a\n"),
            format!("{digits}  a\n\n"),
            format!("+{}  a\n", &digits[1..]),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
