//! What was asked for and what was decided, each in a sentence or two.

use super::{Case, Ending};
use crate::export::date;
use trailkeep_proof::privacy::{Certificate, Ended, Kind, Outcome, Regime};
use trailkeep_proof::text::{agreeing, counted};
use trailkeep_proof::time::UnixMillis;

/// What a request asks for, with the right that it uses.
pub(super) fn asked_for(kind: Kind, regime: Regime) -> String {
    let what = match kind {
        Kind::Access => "a copy of what is recorded about you",
        Kind::Portability => "a copy of what is recorded about you, for another program",
        Kind::Erasure => "the deletion of what is recorded about you",
        Kind::Restriction => "the restriction of what is recorded about you",
    };
    let of_gdpr = match kind {
        Kind::Access => "GDPR Art. 15",
        Kind::Portability => "GDPR Art. 20",
        Kind::Erasure => "GDPR Art. 17",
        Kind::Restriction => "GDPR Art. 18",
    };
    let right = match (regime, kind) {
        (Regime::Gdpr, _) => of_gdpr.to_owned(),
        (Regime::UkGdpr, _) => format!("UK {of_gdpr}"),
        (Regime::Ccpa, Kind::Access) => "Cal. Civ. Code 1798.110".to_owned(),
        (Regime::Ccpa, Kind::Portability) => "Cal. Civ. Code 1798.130(a)(3)(B)(iii)".to_owned(),
        (Regime::Ccpa, Kind::Erasure) => "Cal. Civ. Code 1798.105".to_owned(),
        (Regime::Ccpa, Kind::Restriction) => "Cal. Civ. Code 1798.121".to_owned(),
    };
    format!("{what} ({right})")
}

/// What was decided.
pub(super) fn lead(case: &Case<'_>) -> String {
    match &case.ending {
        Ending::Unanswered(ended, _) => unanswered(*ended, case.regime()),
        Ending::Answered(certificate, at) => answered(case, certificate, *at),
        Ending::AnsweredAgain(certificate, at) => {
            let first = case.filed.answered.as_ref();
            let first = first.map_or(*at, |first| UnixMillis::new(first.at_ms));
            answered_again(certificate, first)
        }
        Ending::Lifted(certificate, at) => format!(
            "The restriction of {} that you asked for ended on {}.",
            counted(certificate.events.kept, "event"),
            date(*at)
        ),
    }
}

fn unanswered(ended: Ended, regime: Regime) -> String {
    let controller = match regime {
        Regime::Gdpr => "the controller for whom the data is processed (GDPR Art. 28(3)(e))",
        Regime::UkGdpr => "the controller for whom the data is processed (UK GDPR Art. 28(3)(e))",
        Regime::Ccpa => "the business for which the data is processed",
    };
    match ended {
        Ended::Withdrawn => {
            "No action was taken on your request, because you withdrew it.".to_owned()
        }
        Ended::IdentityNotShown => {
            "No action was taken on your request, because it was not established that you are the person whom it is about. \
             You may ask again."
                .to_owned()
        }
        Ended::Forwarded => {
            format!("Your request was passed on to {controller}, who answers it.")
        }
    }
}

fn answered(case: &Case<'_>, certificate: &Certificate, at: UnixMillis) -> String {
    let numbers = certificate.events;
    let kept = counted(numbers.kept, "event");
    let is_restriction = certificate.request.kind == Kind::Restriction;
    let (is, has) = match numbers.kept {
        1 => ("is", "has"),
        _ => ("are", "have"),
    };
    match certificate.outcome {
        Outcome::NothingHeld => format!(
            "On {} this log held no event under exactly this identifier{}, compared character by character. For this answer nothing \
             was disclosed or deleted. What this log may hold under another identifier or another spelling is not covered: if you \
             are known under another one, ask for it too.",
            date(at),
            if case.about.namespace.is_empty() {
                ""
            } else {
                " and namespace"
            }
        ),
        Outcome::Disclosed => format!(
            "Your copy has {}: all that this log records under exactly this identifier, but for what is named below as left out.",
            counted(numbers.disclosed, "event")
        ),
        Outcome::Erased => format!(
            "All that this log held about you under this identifier was deleted: {}.",
            counted(numbers.destroyed, "event")
        ),
        Outcome::Partial => format!(
            "Your request was carried out in part. Of {} that this log held about you, {} deleted and {kept} {is} kept.",
            counted(numbers.held, "event"),
            was(numbers.destroyed),
        ),
        Outcome::Restricted if is_restriction => {
            format!("{kept} about you {has} been restricted as you asked.")
        }
        Outcome::Restricted => format!(
            "Nothing was deleted yet. {kept} about you {is} kept for a time, and restricted meanwhile."
        ),
        Outcome::Held => {
            format!("Nothing was deleted yet. {kept} about you {is} kept because of a legal hold.")
        }
        Outcome::Refused => {
            format!("Your request was refused. {kept} about you {is} kept.")
        }
    }
}

fn answered_again(certificate: &Certificate, first: UnixMillis) -> String {
    let first = date(first);
    match certificate.events.destroyed {
        0 => format!(
            "The first answer, of {first}, said that events about you are kept. Their time is over, and this log holds none of \
             them any more."
        ),
        destroyed => format!(
            "The first answer, of {first}, said that events about you are kept. Now {} deleted too, and none is kept any more.",
            was(destroyed)
        ),
    }
}

/// `1 event was`, `2 events were`.
pub(super) fn was(events: u64) -> String {
    let verb = agreeing(events, "was", "were");
    format!("{} {verb}", counted(events, "event"))
}
