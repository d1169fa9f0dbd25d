//! The certificate that answers a request: what was found, disclosed, destroyed and kept, until when and why, with
//! the ledger's own entries as proof (docs/format.md, "Certificate").
//!
//! It is a JSON text with a detached Ed25519 signature over its exact bytes. It says what this program did, and
//! never that something is erased in the sense of a law.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::day::Day;
use super::due::Regime;
use super::manner::{IdentityKind, Manner};
use super::request::Kind;

/// What `format` says.
pub const FORMAT: &str = "trailkeep/certificate/v1";
/// The bytes that every certificate begins with: nothing else that a ledger's key signs does.
pub const BEGINNING: &str = "{\"format\":\"trailkeep/certificate/v1\"";
/// Bytes of the signature.
pub const SIGNATURE_BYTES: usize = 64;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No event is held about the person.
    NothingHeld,
    /// The person got a copy.
    Disclosed,
    /// All that was held is destroyed.
    Erased,
    /// Some of it is destroyed, the rest is kept.
    Partial,
    /// All of it is kept, and shown to nobody.
    Restricted,
    /// All of it is kept because of legal holds.
    Held,
    /// It was refused on a ground that a policy names.
    Refused,
}

/// How many events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Held about the person when the request was answered.
    pub held: u64,
    /// Disclosed to them.
    pub disclosed: u64,
    /// Destroyed.
    pub destroyed: u64,
    /// Kept; of erasures and restrictions.
    pub kept: u64,
}

/// Which request it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its id.
    pub id: String,
    /// The number that the person was given.
    pub receipt: String,
    /// What was asked for.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Under which law.
    pub regime: Regime,
    /// The day of receipt.
    pub received_on: Day,
    /// The entry that records it.
    pub seq: u64,
    /// Whether somebody checked who asks; absent where the program that wrote it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_checked: Option<bool>,
    /// By what kind of check, or why none was made; absent where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_kind: Option<IdentityKind>,
    /// How it came in; absent where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
}

/// How the requester shows that the request's entry is about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectProof {
    /// As the entry has it, in base64.
    pub commitment: String,
    /// Its salt, in base64; whoever has it can test who the request is about.
    pub salt: String,
}

/// The bundle that a copy was given in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The entry that records the export.
    pub export_seq: u64,
    /// SHA-256 of the file, in hex; none where the server had forgotten it.
    pub sha256: Option<String>,
}

/// Why a copy leaves something out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withholding {
    /// It may be about another person in the same event.
    Others,
    /// It says who of the staff acted.
    Staff,
    /// The person only acted in the event.
    OnlyActed,
    /// The event can't be read, so nobody can tell whom its sections are about.
    Unreadable,
}

/// What a copy leaves out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The reason.
    pub what: Withholding,
    /// Events of which something is left out, or all of `only-acted`.
    pub events: u64,
    /// Names of the sections that are left out in some of them; none: the whole events.
    pub sections: Vec<String>,
    /// The reason in words.
    pub ground: String,
    /// Where it is said; empty where the program knows no rule.
    pub citation: String,
}

/// A backup that may hold what was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its random id; none of one that was made before backups had ids.
    pub id: Option<String>,
    /// When it was brought up to date last before the destruction, RFC 3339.
    pub made_at: String,
    /// When a later run took what was destroyed out of it, RFC 3339; none: not yet, as far as the ledger records.
    pub overwritten_at: Option<String>,
}

/// A registered copy of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Its name as registered.
    pub name: String,
    /// When the key that opened it was destroyed there; none: not yet.
    pub dead_at: Option<String>,
}

/// What was destroyed, where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroyed {
    /// The entry that covers the events.
    pub statement: u64,
    /// Further entries that cover some: those of ledgers which a recovery closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<u64>,
    /// When the stored texts, their index rows and their keys were gone from the data directory.
    pub live_at: String,
    /// The copies of the keys that are registered.
    pub copies: Vec<Copy>,
    /// When the last of them was dead; none: not yet, or there are none.
    pub copies_dead_at: Option<String>,
    /// The backups that were made before and may hold what was destroyed; absent where the program that wrote the
    /// certificate did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<Vec<Backup>>,
}

/// Why events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptState {
    /// A minimum binds: shown to nobody, and destroyed when it ends.
    Restricted,
    /// A legal hold covers them.
    Held,
    /// A policy refuses the request on a ground that it names.
    Refused,
}

/// Events that are kept for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Their retention class.
    pub class: u16,
    /// Its policies, each with its version, such as `hipaa 1`.
    pub policies: Vec<String>,
    /// How many.
    pub events: u64,
    /// Why.
    pub state: KeptState,
    /// Until when, RFC 3339; none where nobody knows it yet.
    pub until: Option<String>,
    /// The ground, in the policy's words.
    pub ground: String,
    /// Where it is said.
    pub citation: String,
}

/// An entry of the ledger, proven and opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proven {
    /// Its receipt: a C2SP tlog-proof.
    pub proof: String,
    /// Its line, in the form of a bundle's statements.jsonl.
    pub says: Box<RawValue>,
}

/// A certificate. Members that this version does not know are left to later ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// [`FORMAT`]; the first member.
    pub format: String,
    /// Whose ledger.
    pub origin: String,
    /// When it was issued, RFC 3339.
    pub issued_at: String,
    /// What wrote it.
    pub software: String,
    /// Which request it answers.
    pub request: Answered,
    /// How the requester shows that it is about them.
    pub subject: SubjectProof,
    /// What came of it.
    pub outcome: Outcome,
    /// How many events.
    pub events: Events,
    /// The bundle of a copy.
    #[serde(default)]
    pub bundle: Option<Bundle>,
    /// What a copy leaves out; absent of other answers, and where the program that wrote it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Vec<Withheld>>,
    /// What was destroyed.
    #[serde(default)]
    pub destroyed: Option<Destroyed>,
    /// What is kept.
    #[serde(default)]
    pub kept: Vec<Kept>,
    /// Whether salts of the events were handed out, in bundles or receipts, so that whoever kept them can still
    /// test guesses; none where the ledger does not say it event by event.
    #[serde(default)]
    pub openings_given: Option<bool>,
    /// What it means and what it does not, in words.
    pub note: String,
    /// The entries that prove it, ascending by seq.
    pub entries: Vec<Proven>,
}

/// A certificate's text and the signature over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The exact bytes.
    pub text: String,
    /// The raw Ed25519 signature, in hex.
    pub signature: String,
}

impl Certificate {
    /// Writes and signs it.
    pub fn sign(&self, key: &SigningKey) -> Signed {
        let mut text = serde_json::to_string(self)
            .expect("a certificate is plain data, which has a JSON form");
        text.push('\n');
        let signature = key.sign(text.as_bytes()).to_bytes();
        Signed {
            text,
            signature: crate::ids::hex(&signature),
        }
    }
}

impl Signed {
    /// The signature's 64 bytes, as the file beside the certificate has them.
    pub fn signature_bytes(&self) -> Option<[u8; SIGNATURE_BYTES]> {
        crate::ids::bytes_from_hex(&self.signature)
    }
}

/// Checks a signature over a certificate's exact bytes, strictly.
pub fn verify_signature(text: &str, signature: &[u8], key: &VerifyingKey) -> bool {
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(text.as_bytes(), &signature).is_ok())
}
