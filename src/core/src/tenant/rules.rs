//! The rules of a class: its policies as they were stated when its events came, and their later versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tenant::classes::Class;
use crate::tenant::ledger::Ledger;
use trailkeep_policy::later::{are_of_receipt, with_later};
use trailkeep_policy::resolve::destroyed_at;
use trailkeep_policy::{
    Applied, CalendarPeriod, Case, Date, EventTimes, HoldSpan, Policy, applied_to_class, cutoff,
};
use trailkeep_proof::time::UnixMillis;

/// A class is stated in a way that this program can't follow.
#[derive(Debug, thiserror::Error)]
#[error("retention class {0} names policies that are not in the ledger: run `trailkeep verify`")]
pub struct UnknownPolicies(pub(crate) u16);

/// What the policies say of the events of one class.
pub(crate) struct Rules {
    pub(crate) class: Arc<Class>,
    stated: Vec<Arc<Policy>>,
    versions: Vec<Arc<Policy>>,
    by_class: bool,
}

impl Rules {
    /// The rules of a class of a ledger.
    pub(crate) fn of(ledger: &Ledger, class: &Arc<Class>) -> Result<Self, UnknownPolicies> {
        let classes = &ledger.classes;
        let named = class.definition.key.policies.iter();
        let stated = named.map(|named| classes.policy(&named.sha256));
        let stated: Option<Vec<Arc<Policy>>> = stated.map(|stated| Some(stated?.policy)).collect();
        let mut rules = Self {
            class: Arc::clone(class),
            stated: stated.ok_or(UnknownPolicies(class.number.get()))?,
            // What a superseded ledger holds follows the laws that the tenant states today.
            versions: if ledger.is_superseded() {
                let mut versions = classes.policies();
                versions.extend(ledger.recorder().classes.policies());
                versions
            } else {
                classes.policies()
            },
            by_class: false,
        };
        // Asked once here, so that what follows need not ask.
        let applied = rules.applied();
        let applied = applied.ok_or(UnknownPolicies(class.number.get()))?;
        rules.by_class = class.after.is_some() && are_of_receipt(&applied, &rules.versions());
        Ok(rules)
    }

    fn applied(&self) -> Option<Vec<Applied<'_>>> {
        applied_to_class(&self.class.definition.key, |named| {
            let found = self
                .stated
                .iter()
                .find(|policy| policy.sha256 == named.sha256);
            found.map(|policy| &**policy)
        })
    }

    fn versions(&self) -> Vec<&Policy> {
        self.versions.iter().map(|policy| &**policy).collect()
    }

    /// Whether its events go together, by one statement up to a time of receipt. Otherwise each has a date of its own:
    /// a trigger of its record starts a clock, or may, or a later law brought one.
    pub(crate) const fn goes_by_class(&self) -> bool {
        self.by_class
    }

    /// Whether its events are kept until something happens to their records.
    pub(crate) fn waits_for_a_trigger(&self) -> bool {
        let facts = StoredFacts {
            recorded_at: UnixMillis::new(0),
            triggers: None,
            erasure_requested_at: None,
            holds: &[],
        };
        !self.goes_by_class()
            && self.judge(&facts, |case| {
                let mut waits = case.applied.iter();
                waits.any(|one| !one.waits_for(case.times).is_empty())
                    && destroyed_at(case.applied, case.times, None) == Date::Open
            })
    }

    /// The period that the class states, where its events go together.
    fn class_after(&self) -> Option<CalendarPeriod> {
        self.class.after.filter(|_| self.by_class)
    }

    /// Up to which time of receipt the events are destroyed at a moment to whose records nothing happened; none where none
    /// are.
    pub(crate) fn recorded_before(&self, now: UnixMillis) -> Option<UnixMillis> {
        let applied = self.applied()?;
        cutoff::recorded_before(&applied, &self.versions(), self.class_after(), now)
    }

    /// Looks at all that decides over a stored event of the class. It counts from its receipt,
    /// whatever its producer says of when it occurred.
    pub(crate) fn judge<T>(&self, facts: &StoredFacts<'_>, look: impl FnOnce(&Case<'_>) -> T) -> T {
        let mut times = EventTimes::received(facts.recorded_at);
        times.triggers = facts.triggers.cloned().unwrap_or_default();
        let applied = self.applied().unwrap_or_default();
        let applied = with_later(&applied, &self.versions(), &times);
        look(&Case {
            applied: &applied,
            times: &times,
            class_after: self.class_after(),
            erasure_requested_at: facts.erasure_requested_at,
            holds: facts.holds,
        })
    }
}

/// What is known of a stored event beside its class.
pub(crate) struct StoredFacts<'a> {
    /// When it was recorded.
    pub(crate) recorded_at: UnixMillis,
    /// What happened to its record, by name; none where it names no record or nothing happened.
    pub(crate) triggers: Option<&'a BTreeMap<String, UnixMillis>>,
    /// When its erasure was asked for.
    pub(crate) erasure_requested_at: Option<UnixMillis>,
    /// Holds that cover it.
    pub(crate) holds: &'a [HoldSpan],
}
