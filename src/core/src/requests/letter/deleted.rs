//! What was deleted, where and when, and what remains.

use super::lead::was;
use super::{Part, issued};
use trailkeep_proof::privacy::certificate::Backup;
use trailkeep_proof::privacy::{Certificate, Destroyed};
use trailkeep_proof::text::counted;

const REMAINS: &str = "What remains of a deleted event is its entry in the log: its number, the time of recording, its retention class, and a \
salted hash whose salt was destroyed. Nobody can read the content from it.";

const BEYOND: &str = "Backups, snapshots and copies that the program does not know of, and exports and receipts that were given out before, \
were not reached. This answer covers this log and no other system.";

/// What the certificate says of a deletion; none where nothing was deleted.
pub(super) fn part(certificate: &Certificate) -> Option<Part> {
    let destroyed = certificate.destroyed.as_ref()?;
    let first = format!(
        "{} deleted on {}: the stored content was removed, and the keys that could open it were destroyed in the key vault of this log.",
        was(certificate.events.destroyed),
        issued(&destroyed.live_at)
    );
    let backups = destroyed.backups.as_deref();
    let mut before = vec![format!("{first} {}", replicas(destroyed))];
    before.extend(backups.map(|backups| match backups.len() {
        0 => "The program knows of no backup that holds what was deleted.".to_owned(),
        number => format!(
            "The program knows of {} made before, which may hold what was deleted:",
            counted(number as u64, "backup")
        ),
    }));
    Some(Part {
        heading: "What was deleted",
        before,
        items: backups.unwrap_or_default().iter().map(backup).collect(),
        after: vec![REMAINS.to_owned(), BEYOND.to_owned()],
    })
}

/// Whether the keys are gone from the replicas of the vault too.
fn replicas(destroyed: &Destroyed) -> String {
    let replicas = counted(destroyed.copies.len() as u64, "registered replica");
    match (destroyed.copies.len(), &destroyed.copies_dead_at) {
        (0, _) => "No replica of that vault was registered.".to_owned(),
        (_, Some(at)) => format!(
            "In {replicas} of that vault they were destroyed on {}.",
            issued(at)
        ),
        (_, None) => format!(
            "In {replicas} of that vault they are not destroyed yet, and open the content there until then. The certificate, fetched \
             again, gives the time."
        ),
    }
}

fn backup(backup: &Backup) -> String {
    let made = issued(&backup.made_at);
    match &backup.overwritten_at {
        Some(at) => format!("of {made}: a later run took it out on {}", issued(at)),
        None => format!("of {made}: not overwritten yet, as far as the log records"),
    }
}
