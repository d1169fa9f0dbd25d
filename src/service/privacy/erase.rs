//! What an erasure would do with each of a person's events: destroy it now, or keep it until when and why.
//!
//! This decides from what can be read now. Whoever destroys decides again, by the same [`Judge`], under the lock
//! that no hold and no other job can pass.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{ClassNumber, Seq, Tag};
use crate::ledger::event::Facts;
use crate::policy::{
    Applied, Date, Decision, ErasureOutcome, EventTimes, HoldSpan, OnErasureRequest, Policy,
    Verdict, verdict,
};
use crate::privacy::{KeptState, Regime};
use crate::service::Engine;
use crate::service::hold::Holds;
use crate::service::ledger::Ledger;
use crate::service::read::{ReadError, StoredEvent, open_event};
use crate::service::retention::RetentionError;
use crate::service::retention::rules::Rules;
use crate::service::trigger;
use crate::time::UnixMillis;

/// What an erasure does with an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
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
    /// The ground, in the policy's words.
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
    pub events: Vec<(Seq, ClassNumber, Fate)>,
}

impl ErasureScope {
    /// How many events of each class meet the same.
    pub(super) fn counted(&self) -> BTreeMap<(ClassNumber, &Fate), u64> {
        let mut counted = BTreeMap::new();
        for (_, class, fate) in &self.events {
            *counted.entry((*class, fate)).or_default() += 1;
        }
        counted
    }

    /// The events that go at once.
    pub fn destroyed(&self) -> impl Iterator<Item = Seq> {
        self.events
            .iter()
            .filter(|(_, _, fate)| *fate == Fate::Destroy)
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
    engine: &'a Engine,
    ledger: &'a Ledger,
    asked: Asked,
    holds: Holds,
    triggers: BTreeMap<Tag, BTreeMap<String, UnixMillis>>,
    rules: HashMap<ClassNumber, Rules>,
}

impl<'a> Judge<'a> {
    /// Reads what is judged by.
    pub fn new(
        engine: &'a Engine,
        ledger: &'a Ledger,
        asked: Asked,
    ) -> Result<Self, RetentionError> {
        let tag = |record: &str| trigger::record_tag(ledger, record);
        let mut rules = HashMap::new();
        for class in ledger.classes.all() {
            rules.insert(class.number, Rules::of(ledger, &class)?);
        }
        Ok(Self {
            engine,
            ledger,
            asked,
            holds: Holds::load(&engine.keyring, ledger.desk())?.in_force(),
            triggers: trigger::by_record(&engine.keyring, ledger.desk(), tag)?,
            rules,
        })
    }

    /// Decides over events, by opening them.
    pub fn decide(&self, seqs: &[u64]) -> Result<ErasureScope, RetentionError> {
        let mut scope = ErasureScope::default();
        for seq in seqs.iter().copied().map(Seq::new) {
            let event = open_event(self.engine, self.ledger, seq)?;
            let fate = self.fate_of(&event)?;
            scope.events.push((seq, event.entry.class, fate));
        }
        Ok(scope)
    }

    /// What the erasure does with an event.
    pub fn fate_of(&self, event: &StoredEvent) -> Result<Fate, RetentionError> {
        let class = event.entry.class;
        let rules = self.rules.get(&class);
        let rules = rules.ok_or(RetentionError::Class(class.get()))?;
        let sections = event.sections.iter();
        let facts =
            Facts::from_sections(sections.map(|(name, text)| (name.as_str(), text.as_slice())));
        let facts = facts.map_err(|_| RetentionError::Class(class.get()))?;
        let mut times = EventTimes::received(event.entry.recorded_at);
        times.occurred_at = facts.occurred_at.unwrap_or(times.occurred_at);
        if let Some(record) = &facts.record {
            let fired = self.triggers.get(&trigger::record_tag(self.ledger, record));
            times.triggers = fired.cloned().unwrap_or_default();
        }
        let applied = rules.applied_to(Some(&facts.action), &times);
        let again = || Ok::<_, ReadError>(facts.clone());
        let covering = self.holds.covering(&event.entry, &rules.class, again)?;
        let spans: Vec<HoldSpan> = covering.iter().map(|(_, hold)| hold.span()).collect();
        let Asked { at, now, .. } = self.asked;
        let verdict = verdict(&applied, &times, Some(at), &spans, now);
        if verdict.decision == Decision::Destroy {
            return Ok(Fate::Destroy);
        }
        Ok(Fate::Keep(reason(&applied, &times, &verdict, self.asked)))
    }
}

fn reason(applied: &[Applied<'_>], times: &EventTimes, verdict: &Verdict, asked: Asked) -> Reason {
    let until = verdict.destroy_at.moment();
    if verdict.decision == Decision::Held {
        return Reason {
            state: Standing::Hold,
            until,
            ground:
                "a legal hold covers it: nothing that it covers is destroyed until it is lifted"
                    .to_owned(),
            citation: "GDPR Art. 17(3)(e), 18(2)".to_owned(),
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
    let policy = standing.map(|(_, one)| one.policy);
    let ground = policy.map(|policy| {
        let erasure = &policy.erasure;
        let of_law = match asked.regime {
            Regime::Ccpa => erasure.ccpa_ground.as_ref(),
            Regime::Gdpr | Regime::UkGdpr => erasure.gdpr_ground.as_ref(),
        };
        let words = of_law.or(erasure.justification.as_ref());
        words.unwrap_or(&policy.title).clone()
    });
    Reason {
        state: if verdict.erasure == ErasureOutcome::Refuse {
            Standing::Refusal
        } else {
            Standing::Minimum
        },
        until,
        ground: ground.unwrap_or_default(),
        citation: policy.map(Policy::citation).unwrap_or_default(),
    }
}
