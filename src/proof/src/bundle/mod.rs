//! The bundle: a signed export that proves itself offline. Its form (docs/format.md, "Bundle") and its
//! verification; pure, so that it can be read by somebody who audits us. It reads from a
//! [`Source`](archive::Source), which is a file or bytes in memory, and streams: what is held in memory
//! does not grow with the number of events.

pub mod archive;
pub mod line;
pub mod manifest;
pub mod proofs;
pub mod sources;
pub mod sums;
pub mod table;
pub mod tombstone;
pub mod transport;
mod usual;
pub mod verify;

/// Names of the members.
pub mod member {
    /// What this is, and how to verify it.
    pub const README: &str = "README.txt";
    /// What was asked and what there is.
    pub const MANIFEST: &str = "manifest.json";
    /// The public entries.
    pub const ENTRIES: &str = "entries.bin";
    /// The disclosed events.
    pub const EVENTS: &str = "events.jsonl";
    /// The genesis and system events.
    pub const STATEMENTS: &str = "statements.jsonl";
    /// Their entries.
    pub const STATEMENT_ENTRIES: &str = "statements-entries.bin";
    /// The events that are not disclosed, and why.
    pub const DISPOSITIONS: &str = "dispositions.jsonl";
    /// The entries before and after the range.
    pub const BOUNDARY: &str = "boundary.bin";
    /// Inclusion and consistency paths.
    pub const PROOFS: &str = "proofs.json";
    /// The signed head that holds all of it.
    pub const CHECKPOINT: &str = "checkpoint";
    /// The ledger's key changes.
    pub const KEYS: &str = "keys.txt";
    /// The public key in PEM.
    pub const PUBLIC_KEY_PEM: &str = "public-key.pem";
    /// The public key as a C2SP verifier key.
    pub const PUBLIC_KEY_VKEY: &str = "public-key.vkey";
    /// The events for a spreadsheet.
    pub const TABLE: &str = "events.csv";
    /// The summary for a reader.
    pub const REPORT: &str = "report.html";
    /// The page for the person whose access request it answers.
    pub const PERSON: &str = "person.html";
    /// SHA-256 of every other member.
    pub const SUMS: &str = "SHA256SUMS";
    /// The signature over them.
    pub const SUMS_SIGNATURE: &str = "SHA256SUMS.sig";

    /// Members of every bundle.
    pub const ALWAYS: &[&str] = &[
        README,
        MANIFEST,
        ENTRIES,
        EVENTS,
        STATEMENTS,
        STATEMENT_ENTRIES,
        PROOFS,
        CHECKPOINT,
        KEYS,
        PUBLIC_KEY_PEM,
        PUBLIC_KEY_VKEY,
        TABLE,
        REPORT,
        SUMS,
        SUMS_SIGNATURE,
    ];
    /// Members that a range has, and that are empty in a selection.
    pub const OF_A_RANGE: &[&str] = &[DISPOSITIONS, BOUNDARY];
    /// Members that some bundles have.
    pub const SOMETIMES: &[&str] = &[PERSON];
    /// Members that the signature vouches for and nothing proves.
    pub const ONLY_SIGNED: &[&str] = &[MANIFEST, README, TABLE, PERSON, REPORT];

    /// Most bytes of a member, inflated; none for those that are read as a stream.
    pub fn bytes_max(name: &str) -> Option<u64> {
        match name {
            MANIFEST | README => Some(16 << 20),
            CHECKPOINT | PUBLIC_KEY_PEM | PUBLIC_KEY_VKEY | SUMS => Some(64 << 10),
            SUMS_SIGNATURE => Some(64),
            BOUNDARY => Some(2 * 86),
            KEYS => Some(1 << 20),
            _ => None,
        }
    }
}
