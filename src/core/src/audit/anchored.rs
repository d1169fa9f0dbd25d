//! Heads that were given outside: each must be a beginning of this ledger, each cosignature right. What they say of the
//! ledger is as good as those who keep them: [`Attested`] says who does.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Findings, Question, Subject};
use trailkeep_ports::{AnchoredHead, LedgerRecord, StoreError};
use trailkeep_proof::ids::RootHash;
use trailkeep_proof::ledger::attestation::{Attestation, Level};
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::cosignature::{CosignatureError, WitnessKey};
use trailkeep_proof::ledger::note::{SignedNote, VerifierKey};

/// Heads of one read.
const HEADS_PER_READ: u32 = 1_000;

/// A target that has a head.
#[derive(Clone, Debug)]
pub struct AnchoredAt {
    /// Its name.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// Entries of the checkpoint.
    pub size: u64,
    /// When it was given there (RFC 3339, UTC); the operator's word.
    pub at: String,
}

/// A witness that cosigned a head.
#[derive(Clone, Debug)]
pub struct WitnessedBy {
    /// Its name.
    pub name: String,
    /// Its verifier key.
    pub key: String,
    /// Entries of the checkpoint.
    pub size: u64,
    /// When it cosigned, by its own clock (RFC 3339, UTC).
    pub at: String,
}

/// What the ledger's entries rest on, besides its own key.
#[derive(Clone, Debug, Default)]
pub struct Attested {
    /// The best of what there is.
    pub level: Level,
    /// The newest head of each target.
    pub anchored: Vec<AnchoredAt>,
    /// The newest head of each named witness.
    pub witnessed: Vec<WitnessedBy>,
    /// Witnesses beside whose cosignatures nobody named a key: not checked.
    pub unchecked: Vec<String>,
}

/// Sizes of the heads that were given outside.
pub(super) fn sizes(
    subject: Subject<'_>,
    record: &LedgerRecord,
) -> Result<BTreeSet<u64>, StoreError> {
    let mut sizes = BTreeSet::new();
    each_head(subject, record, |head| {
        sizes.insert(head.size);
    })?;
    Ok(sizes)
}

/// Checks the heads, whose sizes the walk gave the roots at.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    (size, verifier): (u64, &VerifierKey),
    roots: &BTreeMap<u64, RootHash>,
    question: &Question<'_>,
    findings: &mut Findings,
) -> Result<Attested, StoreError> {
    let mut attested = Attested::default();
    let mut newest: BTreeMap<String, WitnessedBy> = BTreeMap::new();
    each_head(subject, record, |head| {
        // A server that runs may have given away a later one since.
        if head.size > size {
            return;
        }
        if let Err(detail) = check_head(&head, verifier, roots.get(&head.size)) {
            findings.add(None, "anchored", detail);
            return;
        }
        let Ok(note) = SignedNote::parse(&head.note) else {
            return;
        };
        for key in question.witnesses {
            match witnessed_by(key, &note, head.size) {
                Ok(by) => _ = newest.insert(by.key.clone(), by),
                Err(CosignatureError::Absent { .. }) => {}
                Err(error) => {
                    let detail = format!("the checkpoint of {} entries: {error}", head.size);
                    findings.add(None, "cosignature", detail);
                }
            }
        }
        let own = std::slice::from_ref(verifier);
        for name in Attestation::of(&note, own, question.witnesses).0.unchecked {
            if !attested.unchecked.contains(&name) {
                attested.unchecked.push(name);
            }
        }
    })?;
    attested.witnessed = newest.into_values().collect();
    let given = subject.ledgers.last_anchorings(record.number)?;
    let given = given.into_iter().map(|row| AnchoredAt {
        target: row.target,
        kind: row.kind,
        size: row.size,
        at: row.at.to_short_rfc3339(),
    });
    attested.anchored = given.collect();
    attested.level = match (attested.witnessed.is_empty(), attested.anchored.is_empty()) {
        (false, _) => Level::Witnessed,
        (true, false) => Level::Anchored,
        (true, true) => Level::SelfAttested,
    };
    Ok(attested)
}

fn witnessed_by(
    key: &WitnessKey,
    note: &SignedNote<'_>,
    size: u64,
) -> Result<WitnessedBy, CosignatureError> {
    Ok(WitnessedBy {
        at: key.verify(note)?.to_short_rfc3339(),
        name: key.name().to_owned(),
        key: key.to_string(),
        size,
    })
}

fn check_head(
    head: &AnchoredHead,
    verifier: &VerifierKey,
    root: Option<&RootHash>,
) -> Result<(), String> {
    let size = head.size;
    let signed = Checkpoint::open(&head.note, verifier)
        .map_err(|error| format!("the anchored checkpoint of {size} entries: {error}"))?;
    if signed.size != size || Some(&signed.root) != root {
        return Err(format!(
            "the first {size} entries do not match the anchored checkpoint"
        ));
    }
    Ok(())
}

fn each_head(
    subject: Subject<'_>,
    record: &LedgerRecord,
    mut look: impl FnMut(AnchoredHead),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let heads = subject
            .ledgers
            .anchored_after(record.number, after, HEADS_PER_READ)?;
        let Some(last) = heads.last() else {
            return Ok(());
        };
        after = last.size;
        heads.into_iter().for_each(&mut look);
    }
}
