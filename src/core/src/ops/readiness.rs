//! Whether the server can do its work now, and if not, why: for `/readyz`, which anybody may ask. So no reason names a
//! path, a tenant or a key.

use crate::anchor;
use crate::govern::{Custody, rotation};
use crate::tenant::hold::Holds;
use trailkeep_proof::text::{counted, size};

/// Begins the note of a deletion that waits for a reader outside.
pub const WAITING: &str = "waiting";

/// Whether events are accepted, and what an operator should check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it is ready.
    pub ready: bool,
    /// Why it is not ready, each with its remedy.
    pub reasons: Vec<String>,
    /// Problems that do not stop the server and should be fixed.
    pub notes: Vec<String>,
}

/// Looks at the disk, the writer, the clock and the vault.
pub fn readiness(custody: &Custody) -> Readiness {
    let mut reasons = Vec::new();
    if custody.journal.disk.is_below_reserve() {
        let reserve = custody.journal.disk.reserve_bytes();
        reasons.push(format!(
            "disk: less than the reserve of {} is free, so appends are refused: free space",
            size(reserve)
        ));
    }
    if custody.journal.writer.failure().is_some() {
        reasons.push("writer: it failed, and the process ends: restart the server".to_owned());
    }
    if let Err(jump) = custody.journal.believed_now() {
        reasons.push(format!("clock: {jump}"));
    }
    let mut notes = Vec::new();
    if let Some(file) = custody.journal.outside.file() {
        notes.push(format!(
            "{WAITING}: a deletion is incomplete, because another program has a read transaction on {file}: stop that \
             program (a database browser, a replicator), and the deletion continues automatically"
        ));
    }
    notes.extend(held_requests(custody));
    match anchor::status::stopped(&custody.journal) {
        (0, _) => {}
        (stopped, all) => {
            let what = format!(
                "rolled_back: rollback detected in {stopped} of {all} ledgers, which refuse entries: `trailkeep anchor list` \
                 shows the cause, docs/operations.md, \"Rolled back\", the remedy"
            );
            // The others go on.
            let list = if stopped == all {
                &mut reasons
            } else {
                &mut notes
            };
            list.push(what);
        }
    }
    match rotation::status(custody) {
        Err(error) => {
            tracing::error!(%error, "the vault cannot be read");
            reasons.push("vault: it cannot be read: see the log for the cause".to_owned());
        }
        Ok(status) if status.copies_pending => reasons.push(
            "copies_pending: a rotation waits for an unreachable vault replica, which may still open deleted payloads: \
             restore it, or remove it with `trailkeep vault-replica remove`"
                .to_owned(),
        ),
        Ok(status) if status.targets.iter().any(|target| target.error.is_some()) => notes.push(
            "copies: a vault replica is unreachable, so there is one copy of new keys: `trailkeep vault-replica list` shows the cause"
                .to_owned(),
        ),
        Ok(_) => {}
    }
    Readiness {
        ready: reasons.is_empty(),
        reasons,
        notes,
    }
}

/// Which open data subject requests keep events from being deleted. What can't be read is said elsewhere.
fn held_requests(custody: &Custody) -> Option<String> {
    let journal = &custody.journal;
    let now = journal.clock.wall();
    let mut ids = Vec::new();
    for tenant in journal.tenants() {
        let holds = Holds::of(&journal.keyring, &tenant).ok()?;
        ids.extend(holds.in_force_at(now).requests());
    }
    (!ids.is_empty()).then(|| {
        format!(
            "requests: events are kept from deletion for {}: {}: answer and close each",
            counted(ids.len() as u64, "open data subject request"),
            ids.join(", ")
        )
    })
}
