//! The ledger's own entries: what they state is what the tables say.

use super::Findings;
use super::event::{Stored, Walk};
use crate::seal::payload::OpenedEvent;
use crate::store::CoverCause;

impl Walk<'_> {
    /// The statements of the ledger's beginning and of its classes say what the tables say.
    /// Whether it states a class, and whether it states something else for other entries.
    pub(super) fn check_statement(
        &self,
        row: &Stored,
        opened: &OpenedEvent,
        findings: &mut Findings,
    ) -> (bool, bool) {
        let section = |name: &str| {
            opened
                .sections
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, bytes)| bytes)
        };
        let seq = row.seq.get();
        if seq == 0 {
            let ledger = section("ledger")
                .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok());
            let says = |name: &str| {
                ledger
                    .as_ref()
                    .and_then(|ledger| ledger.get(name)?.as_str())
                    .unwrap_or_default()
            };
            let vkey = self.keys.map(|keys| {
                let public = keys.signing.verifying_key();
                crate::ledger::note::VerifierKey::from_public(self.record.origin.as_str(), &public)
                    .to_string()
            });
            let fits = says("format") == "trailkeep/ledger/v1"
                && says("origin") == self.record.origin.as_str()
                && vkey.is_none_or(|vkey| vkey == says("vkey"));
            if !fits {
                findings.add(
                    seq,
                    "genesis",
                    "the genesis names another format, origin or key",
                );
            }
        }
        let kind = kind_of(&section);
        let stored = self.statements.get(&row.seq);
        let may_be_open = |open: bool| !open || kind.is_some_and(|kind| kind != "policy");
        if kind != stored.map(|(kind, _)| kind.as_str())
            || !stored.is_none_or(|(_, open)| may_be_open(*open))
        {
            let detail = "the table of statements and the ledger's entry differ";
            findings.add(seq, "statement", detail);
        }
        let defined = self.classes.iter().find(|class| class.statement == row.seq);
        let stated = section("class").map(Vec::as_slice);
        if stated != defined.map(|class| class.definition.as_bytes()) {
            findings.add(
                seq,
                "class",
                "the class table and the ledger's statement differ",
            );
        } else if let Some(class) = defined {
            let number = serde_json::from_str::<serde_json::Value>(&class.definition).ok();
            let number = number.and_then(|definition| definition.get("number")?.as_u64());
            if number != Some(u64::from(class.number.get())) {
                findings.add(
                    seq,
                    "class",
                    "the class table gives the class another number than its statement",
                );
            }
        }
        (stated.is_some(), kind.is_some())
    }
}

/// The kind of a statement by its sections, as the table of statements has it; none where it states nothing for others.
fn kind_of<'a>(section: &impl Fn(&str) -> Option<&'a Vec<u8>>) -> Option<&'static str> {
    if section("policy").is_some() {
        return Some("policy");
    }
    if section("expiry").is_some() {
        return Some("expiry");
    }
    let covers: serde_json::Value = serde_json::from_slice(section("covers")?).ok()?;
    let cause = covers.get("cause")?.as_str()?;
    let known = [CoverCause::Request, CoverCause::Trigger];
    known
        .into_iter()
        .find(|known| known.as_str() == cause)
        .map(CoverCause::kind)
}
