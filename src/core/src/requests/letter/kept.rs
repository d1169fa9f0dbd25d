//! What is kept or restricted, until when and why.

use super::{Case, Ending, Part};
use crate::export::date;
use trailkeep_proof::privacy::{Certificate, Ground, Kept, KeptState, Kind, Regime};
use trailkeep_proof::text::{agreeing, counted};
use trailkeep_proof::time::UnixMillis;

/// What the certificate says of events that are kept; none where all are gone, or a copy was asked for.
pub(super) fn part(case: &Case<'_>, certificate: &Certificate) -> Option<Part> {
    if certificate.kept.is_empty() {
        return None;
    }
    if let Ending::Lifted(_, at) = &case.ending {
        return Some(lifted(*at));
    }
    Some(match certificate.request.kind {
        Kind::Restriction => restricted(case, certificate),
        Kind::Access | Kind::Portability | Kind::Erasure => Part {
            heading: "What is kept",
            items: certificate.kept.iter().map(item).collect(),
            after: after(case.regime(), &certificate.kept),
            ..Part::default()
        },
    })
}

/// One row, such as `2 events, until 25 November 2032. Reason: …`.
fn item(row: &Kept) -> String {
    let events = counted(row.events, "event");
    let until = row.until.as_deref().map(day);
    if row.state == KeptState::Held {
        let it = agreeing(row.events, "it", "them");
        let until = until.map_or_else(String::new, |until| {
            format!("; as things stand, on {until}")
        });
        return format!("{events}, until the legal hold that covers {it} is released{until}.");
    }
    let until = until.unwrap_or_else(|| "a date that is not known yet".to_owned());
    let mut said = format!("{events}, until {until}.");
    for (name, value) in [("Reason", &row.ground), ("Stated in", &row.citation)] {
        if !value.is_empty() {
            said = format!("{said} {name}: {value}.");
        }
    }
    said
}

fn after(regime: Regime, kept: &[Kept]) -> Vec<String> {
    let has = |state: KeptState| kept.iter().any(|row| row.state == state);
    let mut said = Vec::new();
    if has(KeptState::Restricted) || has(KeptState::Held) {
        let which = if has(KeptState::Refused) {
            "But for what this answer refuses to delete, the events are restricted meanwhile."
        } else {
            "Meanwhile the events are restricted."
        };
        said.push(format!("{which} {}", what_restricted_means(regime)));
    }
    said.push(
        "When the time of an event is over it is deleted. You need not ask again.".to_owned(),
    );
    said
}

fn restricted(case: &Case<'_>, certificate: &Certificate) -> Part {
    let item = |row: &Kept| format!("{} ({})", counted(row.events, "event"), row.citation);
    let is_kept = case.filed.ground.is_some_and(Ground::keeps_beyond_expiry);
    let expiry = if is_kept {
        "As long as the restriction lasts, no event is deleted because its retention period ends."
    } else {
        "Retention periods go on: an event whose period ends is deleted."
    };
    let lifting = match case.regime() {
        Regime::Gdpr => "You are told before the restriction is lifted (GDPR Art. 18(3)).",
        Regime::UkGdpr => "You are told before the restriction is lifted (UK GDPR Art. 18(3)).",
        Regime::Ccpa => "The restriction lasts until it is lifted.",
    };
    Part {
        heading: "What is restricted",
        items: certificate.kept.iter().map(item).collect(),
        after: vec![
            what_restricted_means(case.regime()),
            format!("Nothing was deleted. {expiry} {lifting}"),
        ],
        ..Part::default()
    }
}

fn lifted(at: UnixMillis) -> Part {
    Part {
        heading: "What this means",
        before: vec![format!(
            "From {} on, this restriction keeps nobody from using the events. The ordinary rules decide how long they are kept.",
            date(at)
        )],
        ..Part::default()
    }
}

fn what_restricted_means(regime: Regime) -> String {
    let law = match regime {
        Regime::Gdpr => " (GDPR Art. 18(2))",
        Regime::UkGdpr => " (UK GDPR Art. 18(2))",
        Regime::Ccpa => "",
    };
    format!(
        "A restricted event stays stored. No search, list or export shows it to anyone who does not state one of these purposes{law}: your \
         consent, legal claims, the rights of another person, an important public interest, the storage itself, or the answer to you. \
         Each such access is recorded. A copy that you ask for still has it."
    )
}

/// A time of a certificate as a day for people; a text that is not a time stays as it is.
fn day(at: &str) -> String {
    UnixMillis::parse_rfc3339(at).map_or_else(|| at.to_owned(), date)
}
