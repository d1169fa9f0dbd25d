//! The words of a certificate: what its answer means and what it does not. It never says more than is true of that answer.

use super::certificate::{Certificate, Destroyed, Outcome};
use super::request::Kind;

const COPY: &str = "The copy holds the events that are recorded under exactly this identifier and namespace in this ledger, but for what \
`withheld` lists. What other systems hold, and what the ledger may hold under other identifiers or another spelling, is not in it.";

const NOTHING_HELD: &str = "When this was answered the ledger held no event under exactly this identifier and namespace, compared \
character by character. For this answer nothing was disclosed or destroyed. What other systems hold, and what the ledger may hold under other identifiers or \
another spelling, is not covered.";

const DELETED: &str = "Trailkeep deleted the stored payloads and destroyed the keys that its own vault held for them.";

const NO_REPLICAS: &str = "No replica of the vault was registered.";

const REPLICAS: &str = "In the registered replicas of the vault the keys are destroyed at the time that `copies` gives; until then they open \
there.";

const NO_BACKUPS: &str = "The program knows of no backup that holds them.";

const BACKUPS: &str = "The backups that `backups` lists were made before and may hold them, until the time at which they were overwritten.";

const BEYOND: &str = "Backups, snapshots and copies that the program does not know of, and exports and receipts with openings that were given \
out before, are beyond it. What remains of a destroyed event is its entry: number, time of recording, retention class, and a salted hash whose salt \
is destroyed. Whether this is erasure in law is the controller's judgement.";

const KEPT: &str = "What `kept` lists was not destroyed.";

const NOTHING_DESTROYED: &str = "Nothing was destroyed. `kept` lists what stays, until when and why; whether that reason holds in law is the \
controller's judgement.";

const RESTRICTED: &str = "Nothing was destroyed. The events are kept and shown to nobody who does not state a purpose, until the restriction \
is lifted. Their retention periods go on meanwhile.";

/// The note of a certificate whose other members are set.
pub fn note_of(certificate: &Certificate) -> String {
    let is_copy = matches!(certificate.request.kind, Kind::Access | Kind::Portability);
    match (certificate.outcome, &certificate.destroyed) {
        (Outcome::NothingHeld, _) => NOTHING_HELD.to_owned(),
        _ if is_copy => COPY.to_owned(),
        (_, Some(destroyed)) => of_a_destruction(destroyed, certificate.events.kept > 0),
        (_, None) if certificate.request.kind == Kind::Restriction => RESTRICTED.to_owned(),
        (_, None) => NOTHING_DESTROYED.to_owned(),
    }
}

fn of_a_destruction(destroyed: &Destroyed, is_some_kept: bool) -> String {
    let replicas = if destroyed.copies.is_empty() {
        NO_REPLICAS
    } else {
        REPLICAS
    };
    let is_backed_up = destroyed
        .backups
        .as_ref()
        .is_some_and(|backups| !backups.is_empty());
    let backups = if is_backed_up { BACKUPS } else { NO_BACKUPS };
    let mut sentences = vec![DELETED, replicas, backups, BEYOND];
    sentences.extend(is_some_kept.then_some(KEPT));
    sentences.join(" ")
}
