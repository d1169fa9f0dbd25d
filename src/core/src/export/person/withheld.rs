//! What a person's copy leaves out, counted by reason: the page, the portable file and the certificate say it.

use std::collections::{BTreeMap, BTreeSet};

use crate::export::html::grouped;
use crate::export::person::PersonScope;
use trailkeep_proof::privacy::{Regime, Withheld, Withholding};
use trailkeep_proof::text::agreeing;

/// Sections of one event that a copy leaves out, each with the reason.
pub(in crate::export) type OfEvent = Vec<(Withholding, String)>;

/// What was left out so far.
#[derive(Debug, Default)]
pub(in crate::export) struct Tally {
    by_reason: BTreeMap<Withholding, (u64, BTreeSet<String>)>,
}

impl Tally {
    /// Takes what one event leaves out.
    pub(in crate::export) fn add(&mut self, event: OfEvent) {
        let reasons: BTreeSet<Withholding> = event.iter().map(|(reason, _)| *reason).collect();
        for reason in reasons {
            self.by_reason.entry(reason).or_default().0 += 1;
        }
        for (reason, section) in event {
            self.by_reason.entry(reason).or_default().1.insert(section);
        }
    }

    /// All of it, with the events in which the person only acted and that are not in the copy.
    pub(in crate::export) fn rows(&self, person: &PersonScope, only_acted: u64) -> Vec<Withheld> {
        let mut rows: Vec<Withheld> = self
            .by_reason
            .iter()
            .map(|(what, (events, sections))| {
                let sections = sections.iter().cloned().collect();
                row(*what, *events, sections, person.regime)
            })
            .collect();
        if only_acted > 0 {
            let what = Withholding::OnlyActed;
            rows.push(row(what, only_acted, Vec::new(), person.regime));
        }
        rows
    }
}

fn row(what: Withholding, events: u64, sections: Vec<String>, regime: Regime) -> Withheld {
    let others = match regime {
        Regime::Gdpr => "GDPR Art. 15(4)",
        Regime::UkGdpr => "UK GDPR Art. 15(4)",
        Regime::Ccpa => "Cal. Civ. Code 1798.145(k)",
    };
    let (ground, citation) = match (what, regime) {
        (Withholding::Others, _) => ("it may be about other people in the same events", others),
        (Withholding::Staff, Regime::Gdpr) => (
            "it names the member of staff who acted",
            "GDPR Art. 15(4); CJEU C-579/21",
        ),
        (Withholding::Staff, _) => ("it names the member of staff who acted", others),
        (Withholding::OnlyActed, _) => (
            "the data subject is only the actor in these events: they are about someone else or about no one",
            others,
        ),
        (Withholding::Unreadable, _) => (
            "the events cannot be read, so it is unknown whom they are about",
            "",
        ),
    };
    Withheld {
        what,
        events,
        sections,
        ground: ground.to_owned(),
        citation: citation.to_owned(),
    }
}

/// What is left out of a copy of so many events, as sentences for the data subject.
pub(crate) fn in_words(row: &Withheld, held: u64) -> String {
    let events = grouped(row.events);
    let of_held = match held {
        1 => "the only event".to_owned(),
        _ => format!("{events} of the {} events", grouped(held)),
    };
    let noun = agreeing(row.events, "event", "events");
    let mut said = match row.what {
        Withholding::Others => format!(
            "Data that may be about other people, in {of_held}. The events themselves are listed, and what you wrote in them \
             yourself is shown where the record says that you wrote it."
        ),
        Withholding::Staff => {
            format!("Which member of the staff acted, in {of_held}. Time and purpose are shown.")
        }
        Withholding::OnlyActed => format!(
            "{events} more {noun} in which you are only the actor: about someone else, or about no one."
        ),
        Withholding::Unreadable => format!("The content of {of_held}: our program cannot read it."),
    };
    if !row.sections.is_empty() {
        said = format!(
            "{said} Left out there, if it applies: {}.",
            row.sections.join(", ")
        );
    }
    if !row.citation.is_empty() {
        said = format!("{said} Ground: {}.", row.citation);
    }
    said
}

/// Joins what several copies of one request leave out.
pub fn join_withheld(parts: impl Iterator<Item = Withheld>) -> Vec<Withheld> {
    let mut joined: BTreeMap<Withholding, Withheld> = BTreeMap::new();
    for part in parts {
        match joined.get_mut(&part.what) {
            Some(known) => {
                known.events += part.events;
                known.sections.extend(part.sections);
                known.sections.sort_unstable();
                known.sections.dedup();
            }
            None => {
                joined.insert(part.what, part);
            }
        }
    }
    joined.into_values().collect()
}
