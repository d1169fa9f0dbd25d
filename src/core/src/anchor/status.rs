//! What is anchored where: for lists, for readiness, and for who checks.

use crate::anchor::{AnchorError, Anchors};
use crate::journal::Journal;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::time::UnixMillis;

/// A target, as it is listed.
#[derive(Clone, Debug)]
pub struct AnchorTargetStatus {
    /// Its name.
    pub name: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: &'static str,
    /// Its place; shown to the operator only.
    pub place: Option<String>,
    /// A witness's verifier key.
    pub key: Option<String>,
    /// Entries of its checkpoint.
    pub size: Option<u64>,
    /// When it got that checkpoint (RFC 3339, UTC).
    pub at: Option<String>,
    /// Why sending the newest checkpoint failed.
    pub error: Option<String>,
    /// Time of the first failure since the last success.
    pub failed_at: Option<String>,
}

/// Where checkpoints of a ledger are kept.
#[derive(Clone, Debug)]
pub struct AnchorStatus {
    /// Entries of the ledger.
    pub size: u64,
    /// Entries of the newest checkpoint that a witness cosigned.
    pub witnessed_size: Option<u64>,
    /// Why the ledger refuses entries, if a target has a later checkpoint (rollback detected).
    pub rolled_back: Option<String>,
    /// The targets.
    pub targets: Vec<AnchorTargetStatus>,
}

/// A checkpoint at a target.
#[derive(Clone, Debug)]
pub struct Anchored {
    /// Entries of the checkpoint.
    pub size: u64,
    /// Name of the target.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// When it was sent there (RFC 3339, UTC).
    pub at: String,
}

/// How it stands with the targets of a ledger.
pub fn status(
    anchors: &Anchors,
    ledger: &Ledger,
    is_operator: bool,
) -> Result<AnchorStatus, AnchorError> {
    let number = ledger.record.number;
    let known = anchors.journal.ledgers.last_anchorings(number)?;
    let targets = anchors.targets().iter();
    let targets = targets.filter(|target| target.is_for(&ledger.record.tenant));
    let targets = targets.map(|target| {
        let last = known.iter().find(|row| row.target == target.name);
        let failed = anchors.states.of(ledger, &target.name).failed;
        let (error, failed_at) = failed.unzip();
        AnchorTargetStatus {
            name: target.name.clone(),
            kind: target.place.kind(),
            place: is_operator.then(|| target.place.shown()),
            key: target.witness().map(ToString::to_string),
            size: last.map(|row| row.size),
            at: last.map(|row| row.at.to_string()),
            error,
            failed_at: failed_at.map(|moment: UnixMillis| moment.to_string()),
        }
    });
    Ok(AnchorStatus {
        size: ledger.published().head.size,
        witnessed_size: anchors
            .journal
            .ledgers
            .newest_cosigned(number, 0)?
            .map(|head| head.size),
        rolled_back: ledger.rolled_back().map(|found| found.to_string()),
        targets: targets.collect(),
    })
}

/// What was given to whom, newest first, heads of at most `up_to` entries.
pub fn history(
    journal: &Journal,
    ledger: &Ledger,
    up_to: u64,
    limit: u32,
) -> Result<Vec<Anchored>, AnchorError> {
    let rows = journal
        .ledgers
        .anchorings(ledger.record.number, up_to, limit)?;
    let rows = rows.into_iter().map(|row| Anchored {
        size: row.size,
        target: row.target,
        kind: row.kind,
        at: row.at.to_string(),
    });
    Ok(rows.collect())
}

/// The note of an anchored head: of that size; else the newest that a witness cosigned, else the newest.
pub fn anchored_note(
    journal: &Journal,
    ledger: &Ledger,
    size: Option<u64>,
) -> Result<Option<String>, AnchorError> {
    let number = ledger.record.number;
    let head = match size {
        Some(size) => journal.ledgers.anchored_at(number, size)?,
        None => match journal.ledgers.newest_cosigned(number, 0)? {
            None => journal.ledgers.newest_anchored(number, 0)?,
            cosigned => cosigned,
        },
    };
    Ok(head.map(|head| head.note))
}

/// How many of how many open ledgers take no entry, since a target has seen more of them.
pub fn stopped(journal: &Journal) -> (usize, usize) {
    let tenants = journal.tenants();
    let stopped = tenants
        .iter()
        .filter(|tenant| tenant.active().rolled_back().is_some());
    (stopped.count(), tenants.len())
}
