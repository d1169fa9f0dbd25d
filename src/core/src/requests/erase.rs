//! What an erasure would do with each of a person's events: destroy it now, or keep it until when and why.
//!
//! This decides from what can be read now. Whoever destroys decides again, by the same [`Judge`], under the lock
//! that no hold and no other job can pass.

use std::collections::{BTreeMap, HashMap};

use crate::destroy::DeletionError;
use crate::journal::Journal;
use crate::journal::read::{ReadError, StoredEvent, open_event};
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
use crate::tenant::rules::UnknownPolicies;
use crate::tenant::rules::{Rules, StoredFacts};
use crate::tenant::trigger;
use trailkeep_policy::{
    Applied, Case, Date, Decision, ErasureOutcome, Force, HoldSpan, OnErasureRequest, Verdict,
    verdict,
};
use trailkeep_proof::ids::{ClassNumber, Seq, Tag};
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::privacy::{KeptState, Regime};
use trailkeep_proof::time::UnixMillis;

/// What is said of an event that a hold keeps.
const HOLD: &str = "a legal hold covers it: it is not deleted until the hold is released";

/// What an erasure does with an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventDecision {
    /// It goes at once.
    Destroy,
    /// It stays.
    Keep(Reason),
}

/// Why an event stays, and until when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// By what.
    pub state: Standing,
    /// Until when; none where nobody knows it yet.
    pub until: Option<UnixMillis>,
    /// The ground in the policy's words, which may be a note of yours: for whoever decides, never for the data subject.
    pub note: String,
    /// The same for the data subject, whose signed answer has it.
    pub ground: String,
    /// Where it is said.
    pub citation: String,
}

impl Reason {
    /// When the event is to be looked at again; none: with every run, since a hold may be lifted any time.
    pub(super) fn due(&self) -> Option<UnixMillis> {
        self.until.filter(|_| self.state != Standing::Hold)
    }
}

/// What stands against an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A legal hold.
    Hold,
    /// A minimum: it is shown to nobody until that ends.
    Minimum,
    /// A policy that refuses.
    Refusal,
}

impl Standing {
    /// What a certificate calls it.
    pub const fn kept_state(self) -> KeptState {
        match self {
            Self::Hold => KeptState::Held,
            Self::Minimum => KeptState::Restricted,
            Self::Refusal => KeptState::Refused,
        }
    }
}

/// An erasure's scope, event by event, as it was decided at a moment.
#[derive(Clone, Debug, Default)]
pub struct ErasureScope {
    /// Each event with its class and what becomes of it, ascending by seq.
    pub events: Vec<(Seq, ClassNumber, EventDecision)>,
}

impl ErasureScope {
    /// How many events of each class meet the same.
    pub(super) fn counted(&self) -> BTreeMap<(ClassNumber, &EventDecision), u64> {
        let mut counted = BTreeMap::new();
        for (_, class, deletion) in &self.events {
            *counted.entry((*class, deletion)).or_default() += 1;
        }
        counted
    }

    /// The events that go at once.
    pub fn destroyed(&self) -> impl Iterator<Item = Seq> {
        self.events
            .iter()
            .filter(|(_, _, deletion)| *deletion == EventDecision::Destroy)
            .map(|(seq, _, _)| *seq)
    }
}

/// When an erasure was asked for, under which law, and the moment to judge at.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// When it was asked for.
    pub at: UnixMillis,
    /// Under which law.
    pub regime: Regime,
    /// The moment to judge at.
    pub now: UnixMillis,
}

/// Judges events by the holds, triggers and policies of a ledger, as they stand when it is made.
pub struct Judge<'a> {
    journal: &'a Journal,
    ledger: &'a Ledger,
    asked: Asked,
    holds: Holds,
    triggers: BTreeMap<Tag, BTreeMap<String, UnixMillis>>,
    rules: HashMap<ClassNumber, Rules>,
}

impl<'a> Judge<'a> {
    /// Reads what is judged by.
    pub fn new(
        journal: &'a Journal,
        ledger: &'a Ledger,
        asked: Asked,
    ) -> Result<Self, DeletionError> {
        let tag = |record: &str| trigger::record_tag(ledger, record);
        let mut rules = HashMap::new();
        for class in ledger.classes.all() {
            rules.insert(class.number, Rules::of(ledger, &class)?);
        }
        Ok(Self {
            journal,
            ledger,
            asked,
            holds: Holds::load(&journal.keyring, ledger.active_record())?
                .in_force_at(asked.now)
                .against_erasure(),
            triggers: trigger::by_record(&journal.keyring, ledger.active_record(), tag)?,
            rules,
        })
    }

    /// Decides over events, by opening them.
    pub fn decide(&self, seqs: &[u64]) -> Result<ErasureScope, DeletionError> {
        let mut scope = ErasureScope::default();
        for seq in seqs.iter().copied().map(Seq::new) {
            let event = open_event(self.journal, self.ledger, seq)?;
            let deletion = self.decision_of(&event)?;
            scope.events.push((seq, event.entry.class, deletion));
        }
        Ok(scope)
    }

    /// What the erasure does with an event.
    pub fn decision_of(&self, event: &StoredEvent) -> Result<EventDecision, DeletionError> {
        let class = event.entry.class;
        let rules = self.rules.get(&class);
        let rules = rules.ok_or(UnknownPolicies(class.get()))?;
        let sections = event.sections.iter();
        let facts =
            Facts::from_sections(sections.map(|(name, text)| (name.as_str(), text.as_slice())));
        let facts = facts.map_err(|_| UnknownPolicies(class.get()))?;
        let record = facts.record.as_deref();
        let fired =
            record.and_then(|record| self.triggers.get(&trigger::record_tag(self.ledger, record)));
        let again = || Ok::<_, ReadError>(facts.clone());
        let covering = self.holds.covering(&event.entry, &rules.class, again)?;
        let spans: Vec<HoldSpan> = covering.iter().map(|(_, hold)| hold.span()).collect();
        let stored = StoredFacts {
            recorded_at: event.entry.recorded_at,
            triggers: fired,
            erasure_requested_at: Some(self.asked.at),
            holds: &spans,
        };
        Ok(rules.judge(&stored, |case| {
            let verdict = verdict(case, self.asked.now);
            if verdict.decision == Decision::Destroy {
                EventDecision::Destroy
            } else {
                EventDecision::Keep(reason(case, &verdict, self.asked.regime))
            }
        }))
    }
}

fn reason(case: &Case<'_>, verdict: &Verdict, regime: Regime) -> Reason {
    let Case { applied, times, .. } = *case;
    let until = verdict.destroy_at.moment();
    if verdict.decision == Decision::Held {
        return Reason {
            state: Standing::Hold,
            until,
            note: HOLD.to_owned(),
            ground: HOLD.to_owned(),
            // A hold states none, and none is asserted for it.
            citation: String::new(),
        };
    }
    // The policy whose minimum ends last says why.
    let standing = applied
        .iter()
        .filter(|one| {
            one.on_erasure_request() != OnErasureRequest::Honour || one.has_binding_minimum()
        })
        .filter_map(|one| Some((one.keep_until(times)?, one)))
        .max_by_key(|(date, _): &(Date, _)| *date);
    let state = if verdict.erasure == ErasureOutcome::Refuse {
        Standing::Refusal
    } else {
        Standing::Minimum
    };
    let (note, ground) =
        standing.map_or_else(Default::default, |(_, one)| grounds_of(one, state, regime));
    Reason {
        state,
        until,
        note,
        ground,
        citation: standing
            .map(|(_, one)| one.policy.citation())
            .unwrap_or_default(),
    }
}

/// The ground that a policy gives, for whoever decides and for the data subject.
///
/// Policies hold the notes of those who wrote them ("not met", "NOT 17(3)(b)"). The data subject is told which rule keeps the
/// events and by whose force, and a legal ground only where the policy gives nothing but the ground itself.
fn grounds_of(one: &Applied<'_>, state: Standing, regime: Regime) -> (String, String) {
    let policy = one.policy;
    let erasure = &policy.erasure;
    let (law, of_law) = match regime {
        Regime::Ccpa => ("", erasure.ccpa_ground.as_ref()),
        Regime::Gdpr | Regime::UkGdpr => ("GDPR Art. ", erasure.gdpr_ground.as_ref()),
    };
    let note = of_law
        .or(erasure.justification.as_ref())
        .unwrap_or(&policy.title);
    let why = match (state, one.figure_force()) {
        (Standing::Refusal, _) => "this policy refuses requests for erasure",
        (_, Force::Law) => "a statute or regulation sets a minimum period",
        (_, Force::Contract) => "a minimum period applies under a contract",
        (_, Force::Guidance | Force::Custom | Force::None) => "the controller set a minimum period",
    };
    let mut ground = format!("{}: {why}", policy.title);
    if let Some(reference) = of_law.filter(|text| is_reference(text)) {
        ground = format!("{ground}; ground: {law}{reference}");
    }
    (note.clone(), ground)
}

/// Whether a text is nothing but the places of a law, such as `17(3)(b)` or `Cal. Civ. Code 1798.145(e), 1798.105(d)(8)`.
fn is_reference(text: &str) -> bool {
    let rest = ["Cal. Civ. Code ", "11 CCR "]
        .iter()
        .find_map(|law| text.strip_prefix(law))
        .unwrap_or(text);
    let is_place = |place: &str| {
        let place = place.trim();
        let digits = place.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let is_paragraph = |part: &str| {
            let inner = part.strip_suffix(')').unwrap_or_default();
            !inner.is_empty()
                && inner.len() <= 2
                && inner.chars().all(|c| c.is_ascii_alphanumeric())
        };
        let mut paragraphs = digits.split('(');
        !place.is_empty() && paragraphs.next() == Some("") && paragraphs.all(is_paragraph)
    };
    rest.split(',').all(is_place)
}

#[cfg(test)]
mod tests {
    use super::is_reference;

    #[test]
    fn only_a_bare_reference_is_a_ground_for_the_data_subject() {
        for ground in [
            "17(3)(b)",
            "17(1)",
            "Cal. Civ. Code 1798.145(c)(1), 1798.105(d)(8)",
            "11 CCR 7101(a),(c), 7022(e)",
        ] {
            assert!(is_reference(ground), "{ground}");
        }
        for note in [
            "",
            "17(1)(a) not met; 17(3)(e). NOT 17(3)(b)",
            "17(3)(b) with 5(2); 17(3)(e)",
            "n/a (agency records)",
            "our counsel says 17(3)(e)",
            "17(3)(e) counsel (see memo)",
        ] {
            assert!(!is_reference(note), "{note}");
        }
    }
}
