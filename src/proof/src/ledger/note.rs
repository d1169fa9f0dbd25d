//! C2SP signed notes with Ed25519 (signature type 0x01), and the public keys that check them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePublicKey, spki::der::pem::LineEnding};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::ids::Origin;

/// Largest note that is read.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// Most signatures of a note; the specification asks for 16 at least.
const SIGNATURES_MAX: usize = 100;
/// Ed25519 over a note's text.
const ED25519: u8 = 0x01;

/// Why a note or a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the form of a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// No signature by the key that was given.
    #[error(
        "the note has no signature by {name} with key id {id:08x}: it was signed by another key"
    )]
    OtherKey {
        /// The key's name.
        name: String,
        /// The key's id.
        id: u32,
    },
    /// The signature is wrong.
    #[error("the signature by {0} is wrong: the text was changed, or the signature was")]
    Signature(String),
    /// A text that can't be signed: it has no final line end, or control characters.
    #[error("this text can't be signed as a note")]
    Text,
    /// Not a verifier key.
    #[error("not a verifier key: {0}")]
    VerifierKey(&'static str),
    /// Not a public key in PEM.
    #[error("not an Ed25519 public key in PEM (SPKI), nor a C2SP verifier key")]
    PublicKey,
    /// A verifier key of another ledger.
    #[error("the key is that of {key}, this was signed by {signed}")]
    OtherOrigin {
        /// The key's name.
        key: String,
        /// The origin that was read.
        signed: String,
    },
}

/// A C2SP verifier key: a name and an Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The verifier key of a public key under a name, which must have no white space and no `+`.
    pub fn from_public(name: &str, key: &VerifyingKey) -> Self {
        Self {
            name: name.to_owned(),
            id: key_id(name, ED25519, key),
            key: *key,
        }
    }

    /// Reads `name+id+base64`; the id must be the key's own.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        use NoteError::VerifierKey as Refused;
        let (name, id, key) = parse_verifier_key(text, ED25519)?
            .ok_or(Refused("its key is not of the type Ed25519"))?;
        Ok(Self { name, id, key })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    pub fn public(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether a line claims to be by this key.
    pub fn is_claimed_by(&self, line: &SignatureLine<'_>) -> bool {
        line.name == self.name && line.id == self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&verifier_key_text(&self.name, ED25519, &self.key))
    }
}

/// Reads `name+id+base64` of a key of this signature type: name, id and key. `None` where it is of another type.
pub(super) fn parse_verifier_key(
    text: &str,
    kind: u8,
) -> Result<Option<(String, u32, VerifyingKey)>, NoteError> {
    use NoteError::VerifierKey as Refused;
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Refused("it must be name+id+key"));
    };
    if !is_key_name(name) {
        return Err(Refused("its name is empty or has white space"));
    }
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if id.len() != 8 || !id.bytes().all(is_hex) {
        return Err(Refused("its id must be 8 lower-case hex digits"));
    }
    let bytes = BASE64
        .decode(key)
        .map_err(|_| Refused("its key is not base64"))?;
    let Some((_, public)) = bytes.split_first().filter(|(found, _)| **found == kind) else {
        return Ok(None);
    };
    let public: [u8; 32] = public
        .try_into()
        .map_err(|_| Refused("its key is not 32 bytes"))?;
    let key = VerifyingKey::from_bytes(&public)
        .map_err(|_| Refused("its key is not a point of the curve"))?;
    let own_id = key_id(name, kind, &key);
    if format!("{own_id:08x}") == id {
        Ok(Some((name.to_owned(), own_id, key)))
    } else {
        Err(Refused("its id does not match its key"))
    }
}

/// `name+id+base64` of a key of this signature type.
pub(super) fn verifier_key_text(name: &str, kind: u8, key: &VerifyingKey) -> String {
    let typed = [&[kind][..], key.as_bytes()].concat();
    let id = key_id(name, kind, key);
    format!("{name}+{id:08x}+{}", BASE64.encode(typed))
}

/// A public key that somebody was given, in either of its two forms.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// A bare key from a PEM file: it checks notes of any name.
    Bare(VerifyingKey),
    /// A verifier key: its name must be that of the note.
    Named(VerifierKey),
}

impl PublicKey {
    /// Reads a PEM file or a verifier key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.trim();
        if text.starts_with("-----BEGIN") {
            // The PEM reader wants its line end.
            let key = VerifyingKey::from_public_key_pem(&format!("{text}\n"))
                .map_err(|_| NoteError::PublicKey)?;
            return Ok(Self::Bare(key));
        }
        if text.contains('+') {
            VerifierKey::parse(text).map(Self::Named)
        } else {
            Err(NoteError::PublicKey)
        }
    }

    /// The verifier key for a ledger's notes.
    pub fn verifier_for(&self, origin: &Origin) -> Result<VerifierKey, NoteError> {
        match self {
            Self::Bare(key) => Ok(VerifierKey::from_public(origin.as_str(), key)),
            Self::Named(verifier) if verifier.name == origin.as_str() => Ok(verifier.clone()),
            Self::Named(verifier) => Err(NoteError::OtherOrigin {
                key: verifier.name.clone(),
                signed: origin.to_string(),
            }),
        }
    }
}

/// The PEM file (SPKI, RFC 8410) of a public key.
pub fn public_key_pem(key: &VerifyingKey) -> String {
    key.to_public_key_pem(LineEnding::LF)
        .expect("an Ed25519 public key always has an SPKI form")
}

/// A note and its signature lines, read and not yet checked.
#[derive(Clone, Debug)]
pub struct SignedNote<'a> {
    text: &'a str,
    signatures: Vec<SignatureLine<'a>>,
}

/// A signature line, read and not yet checked.
#[derive(Clone, Debug)]
pub struct SignatureLine<'a> {
    /// Whose it claims to be.
    pub name: &'a str,
    /// The id of the key that it claims.
    pub id: u32,
    /// What stands behind the id.
    pub signature: Vec<u8>,
}

impl<'a> SignedNote<'a> {
    /// Reads a note: text, an empty line, signature lines.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        use NoteError::Form;
        if note.len() > NOTE_BYTES_MAX {
            return Err(Form("it is too large"));
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(Form("it has control characters"));
        }
        let at = note
            .rfind("\n\n")
            .ok_or(Form("it has no empty line before its signatures"))?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(Form("its last line has no end"))?;
        let signatures = lines
            .split('\n')
            .map(parse_signature)
            .collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(Form("a signature line is malformed"))?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(Form("it has too many signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The text, with its final line end.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The signature lines, in their order.
    pub fn signatures(&self) -> &[SignatureLine<'a>] {
        &self.signatures
    }

    /// Checks the signature by a key. Signatures by other keys are ignored.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut found = false;
        for line in self
            .signatures
            .iter()
            .filter(|line| key.is_claimed_by(line))
        {
            let wrong = || NoteError::Signature(key.name.clone());
            let signature = Signature::from_slice(&line.signature).map_err(|_| wrong())?;
            // Strict: with small-order keys one signature would do for several texts.
            key.key
                .verify_strict(self.text.as_bytes(), &signature)
                .map_err(|_| wrong())?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(NoteError::OtherKey {
                name: key.name.clone(),
                id: key.id,
            })
        }
    }
}

/// Signs a text, which ends with a line end, as a note.
pub fn sign(text: &str, name: &str, key: &SigningKey) -> Result<String, NoteError> {
    if !text.ends_with('\n')
        || text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
        || !is_key_name(name)
    {
        return Err(NoteError::Text);
    }
    let id = key_id(name, ED25519, &key.verifying_key());
    let signature = key.sign(text.as_bytes()).to_bytes();
    Ok(format!("{text}\n{}", signature_line(name, id, &signature)))
}

/// A signature line, with its line end.
pub(super) fn signature_line(name: &str, id: u32, signature: &[u8]) -> String {
    let bytes = [&id.to_be_bytes()[..], signature].concat();
    format!("\u{2014} {name} {}\n", BASE64.encode(bytes))
}

pub(super) fn parse_signature(line: &str) -> Option<SignatureLine<'_>> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = BASE64.decode(signature).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    let fits = is_key_name(name) && !signature.is_empty();
    fits.then(|| SignatureLine {
        name,
        id: u32::from_be_bytes(*id),
        signature: signature.to_vec(),
    })
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

/// The id of a key of this signature type: the first 4 bytes of a hash of name, type and key.
pub(super) fn key_id(name: &str, kind: u8, key: &VerifyingKey) -> u32 {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind])
        .chain_update(key.as_bytes())
        .finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[9; 32])
    }

    #[test]
    fn the_specification_s_verifier_key_reads() {
        let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        assert_eq!(VerifierKey::parse(text).unwrap().to_string(), text);
        for bad in [
            "",
            "example.com/foo",
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k=",
        ] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_signed_text_verifies_and_a_changed_one_does_not() {
        let note = sign("a\n\nb\n", "example.com/x", &key()).unwrap();
        let verifier = VerifierKey::from_public("example.com/x", &key().verifying_key());
        let read = SignedNote::parse(&note).unwrap();
        assert_eq!(read.text(), "a\n\nb\n");
        read.verify(&verifier).unwrap();

        let other = VerifierKey::from_public("example.com/y", &key().verifying_key());
        assert!(matches!(
            read.verify(&other),
            Err(NoteError::OtherKey { .. })
        ));
        let changed = note.replace("a\n", "c\n");
        assert!(matches!(
            SignedNote::parse(&changed).unwrap().verify(&verifier),
            Err(NoteError::Signature(_))
        ));
        for length in 0..note.len() {
            let cut = std::str::from_utf8(&note.as_bytes()[..length]);
            let accepted = cut
                .ok()
                .and_then(|cut| SignedNote::parse(cut).ok())
                .map(|cut| cut.verify(&verifier));
            assert!(!matches!(accepted, Some(Ok(()))), "cut at {length}");
        }
    }

    #[test]
    fn both_forms_of_a_public_key_read() {
        let origin = Origin::parse("example.com/x").unwrap();
        let expected = VerifierKey::from_public("example.com/x", &key().verifying_key());
        for text in [public_key_pem(&key().verifying_key()), expected.to_string()] {
            assert_eq!(
                PublicKey::parse(&text).unwrap().verifier_for(&origin),
                Ok(expected.clone())
            );
        }
        let other = Origin::parse("example.com/y").unwrap();
        assert!(
            PublicKey::parse(&expected.to_string())
                .unwrap()
                .verifier_for(&other)
                .is_err()
        );
        assert!(
            PublicKey::parse("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
                .is_err()
        );
    }
}
