//! The ledger's own entries: what they state is what the tables say.

use serde_json::Value;

use crate::audit::Findings;
use crate::audit::event::Stretch;
use crate::audit::read::Read;
use crate::audit::rows::StatedRows;
use crate::audit::shown::Shown;
use crate::audit::walk::Stored;
use crate::keys::rows;
use trailkeep_crypto::payload::OpenedEvent;
use trailkeep_ports::{DeletionBasis, RESTRICTS};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::note::VerifierKey;

impl Stretch<'_> {
    /// What the ledger's own entries state is what the tables say. Counts those that state something.
    pub(super) fn check_statement(
        &self,
        row: &Stored,
        opened: &OpenedEvent,
        read: &mut Read,
        findings: &mut Findings,
    ) {
        let section = |name: &str| {
            opened
                .sections
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, bytes)| bytes)
        };
        let seq = row.seq.get();
        if seq == 0 && !self.fits_genesis(section("ledger")) {
            findings.add(
                seq,
                "genesis",
                "the genesis names another format, origin or key",
            );
        }
        self.check_read(row.seq, section, read, findings);
        let kind = kind_of(&section);
        let stored = self.walk.statements.get(&row.seq);
        let may_be_open = |open: bool| !open || kind.is_some_and(|kind| kind != "policy");
        if kind != stored.map(|(kind, _)| kind.as_str())
            || !stored.is_none_or(|(_, open)| may_be_open(*open))
        {
            let detail = "the table of statements and the ledger's entry differ";
            findings.add(seq, "statement", detail);
        }
        let defined = self
            .walk
            .classes
            .iter()
            .find(|class| class.statement == row.seq);
        let stated = section("class").map(Vec::as_slice);
        if stated != defined.map(|class| class.definition.as_bytes()) {
            findings.add(
                seq,
                "class",
                "the class table and the ledger's statement differ",
            );
        } else if let Some(class) = defined {
            let number = serde_json::from_str::<Value>(&class.definition).ok();
            let number = number.and_then(|definition| definition.get("number")?.as_u64());
            if number != Some(u64::from(class.number.get())) {
                findings.add(
                    seq,
                    "class",
                    "the class table gives the class another number than its statement",
                );
            }
        }
        if let Some(bytes) = section("lift") {
            self.check_lift(row.seq, bytes, findings);
            read.lifts += 1;
        }
        if let Some(bytes) = section(rows::SECTION) {
            read_rows(row.seq, bytes, read, findings);
        }
        read.classes += usize::from(stated.is_some());
        read.statements += usize::from(kind.is_some());
    }

    /// Whether the first entry names this format, this ledger and its key.
    fn fits_genesis(&self, section: Option<&Vec<u8>>) -> bool {
        let ledger = section.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let says = |name: &str| {
            ledger
                .as_ref()
                .and_then(|ledger| ledger.get(name)?.as_str())
                .unwrap_or_default()
        };
        let origin = self.walk.record.origin.as_str();
        let vkey = self
            .walk
            .keys
            .map(|keys| VerifierKey::from_public(origin, &keys.signing.verifying_key()));
        says("format") == "trailkeep/ledger/v1"
            && says("origin") == origin
            && vkey.is_none_or(|vkey| vkey.to_string() == says("vkey"))
    }

    /// An entry that records a read.
    fn check_read<'b>(
        &self,
        seq: Seq,
        section: impl Fn(&str) -> Option<&'b Vec<u8>>,
        read: &mut Read,
        findings: &mut Findings,
    ) {
        let shows = ["access", "export"].into_iter().find_map(&section);
        self.walk.reads.check_entry(seq, shows, findings);
        let access = section("access");
        read.shown
            .extend(access.and_then(|access| Shown::of(seq, access)));
    }

    fn check_lift(&self, seq: Seq, section: &[u8], findings: &mut Findings) {
        let lift = serde_json::from_slice::<Value>(section).ok();
        let restriction = lift.and_then(|lift| lift.get("restricts")?.as_u64());
        if !restriction.is_some_and(|by| self.cover.is_lifted_by(Seq::new(by), seq)) {
            let detail = "it lifts a restriction, but the table does not show that";
            findings.add(seq.get(), "restriction", detail);
        }
    }
}

/// What a statement changes in the vault.
fn read_rows(seq: Seq, section: &[u8], read: &mut Read, findings: &mut Findings) {
    match serde_json::from_slice::<StatedRows>(section) {
        Ok(stated) => read.rows.push((seq, stated.rows)),
        Err(_) => findings.add(seq.get(), "row", "its section `row` is malformed"),
    }
}

/// The kind of a statement by its sections, as the table of statements has it; none where it states nothing for others.
pub(super) fn kind_of<B: AsRef<[u8]>>(
    section: &impl Fn(&str) -> Option<B>,
) -> Option<&'static str> {
    if section("policy").is_some() {
        return Some("policy");
    }
    if section("expiry").is_some() {
        return Some("expiry");
    }
    let Some(covers) = section("covers") else {
        return section("restricts").map(|_| RESTRICTS);
    };
    let covers: serde_json::Value = serde_json::from_slice(covers.as_ref()).ok()?;
    let cause = covers.get("cause")?.as_str()?;
    let known = [DeletionBasis::Request, DeletionBasis::Trigger];
    known
        .into_iter()
        .find(|known| known.as_str() == cause)
        .map(DeletionBasis::kind)
}
