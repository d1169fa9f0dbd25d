//! Legal holds: nothing that one covers is destroyed until it is lifted, by no path (invariant 6).
//!
//! A hold's matter, reason and person stand in the vault alone, sealed, and go 30 days after it was lifted. The
//! ledger's entry names the hold by its random id.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::classes::Class;
use crate::tenant::{ActiveRecord, Tenant};
use trailkeep_policy::{ActionPattern, CalendarPeriod, HoldSpan};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::{Facts, Person};
use trailkeep_proof::time::UnixMillis;

/// A review is due after this, unless said otherwise: there is no figure in EU law, so somebody must look.
pub const REVIEW_EVERY: &str = "P6M";

/// What a hold covers: all that every given part fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldScope {
    /// Events about this data subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<HeldPerson>,
    /// Events under this regime's policy, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regime: Option<String>,
    /// Events with this action; `*` matches any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Recorded at this moment or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Recorded before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
}

/// A data subject in a hold's scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldPerson {
    /// The identifier.
    pub id: String,
    /// Which system it belongs to; empty for the tenant's own.
    #[serde(default)]
    pub namespace: String,
}

/// A hold, as the vault keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The matter or case.
    pub matter: String,
    /// Why.
    pub reason: String,
    /// What it covers.
    pub scope: HoldScope,
    /// ISO 8601 period after which somebody must look whether it is still needed.
    pub review_every: String,
    /// When it was placed.
    pub placed_at_ms: u64,
    /// Id of the API key that placed it, or `local`.
    pub placed_by: String,
    /// The entry that records it.
    pub placed_seq: u64,
    /// Its end.
    pub lifted: Option<Lifted>,
    /// The data subject request that implies it, by the request's id; none of a hold that somebody placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When the server releases it, in milliseconds since 1970; none: only an officer releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Ids of policies whose events it leaves alone: those with a maximum of law, of a hold that no duty requires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spares: Vec<String>,
}

/// The release of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// When.
    pub at_ms: u64,
    /// Id of the API key, or `local`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The entry that records it.
    pub seq: u64,
}

impl Record for Hold {
    const KIND: &'static str = crate::keys::rows::HOLD;
    const WHAT: &'static str = "a hold";
}

impl Hold {
    /// When it is due for review.
    pub fn review_at(&self) -> Option<UnixMillis> {
        let every = CalendarPeriod::parse(&self.review_every).ok()?;
        every.after(UnixMillis::new(self.placed_at_ms))
    }

    /// The time during which it holds.
    pub fn span(&self) -> HoldSpan {
        HoldSpan {
            from: UnixMillis::new(self.placed_at_ms),
            to: self
                .lifted
                .as_ref()
                .map(|lifted| lifted.at_ms)
                .into_iter()
                .chain(self.until_ms)
                .min()
                .map(UnixMillis::new),
        }
    }

    /// Whether an open request for a copy implies it, and nothing else asks for it.
    const fn is_for_a_copy(&self) -> bool {
        self.request.is_some() && self.until_ms.is_some()
    }

    /// Whether it may cover an event, as far as its entry and class say.
    fn may_cover(&self, entry: &Entry, class: &Class) -> bool {
        let HoldScope {
            regime,
            from_ms,
            to_ms,
            ..
        } = &self.scope;
        let recorded = entry.recorded_at.get();
        let is_under = |regime: &String| {
            let policies = &class.definition.key.policies;
            policies.iter().any(|policy| policy.id == *regime)
        };
        !self.spares.iter().any(is_under)
            && regime.as_ref().is_none_or(is_under)
            && from_ms.is_none_or(|from| recorded >= from)
            && to_ms.is_none_or(|to| recorded < to)
    }

    /// Whether its entry and class say all that it asks.
    const fn needs_text(&self) -> bool {
        self.scope.subject.is_some() || self.scope.action.is_some()
    }

    fn covers_text(&self, facts: &Facts) -> bool {
        let HoldScope {
            subject, action, ..
        } = &self.scope;
        let is_about = |held: &HeldPerson| {
            let is_them =
                |person: &Person| person.id == held.id && person.namespace == held.namespace;
            facts.subjects.iter().any(is_them)
        };
        // A pattern that none is, which is refused when a hold is placed, would cover all rather than nothing.
        let fits = |pattern: &String| {
            ActionPattern::new(pattern).is_none_or(|pattern| pattern.matches(&facts.action))
        };
        subject.as_ref().is_none_or(is_about) && action.as_ref().is_none_or(fits)
    }
}

/// The holds of a tenant, to test events against.
#[derive(Clone, Debug, Default)]
pub struct Holds(Vec<(String, Hold)>);

impl Holds {
    /// All holds that the vault knows, the lifted ones included.
    pub(crate) fn load(keyring: &Keyring, tenant: ActiveRecord<'_>) -> Result<Self, KeyError> {
        records::all(keyring, tenant.record()).map(Self)
    }

    /// The same of a running tenant.
    pub fn of(keyring: &Keyring, tenant: &Tenant) -> Result<Self, KeyError> {
        Self::load(keyring, tenant.active_record())
    }

    /// One hold alone.
    pub fn from_one(id: &str, hold: &Hold) -> Self {
        Self(vec![(id.to_owned(), hold.clone())])
    }

    /// Those that hold now, and those that were lifted after a moment.
    #[must_use]
    pub fn in_force_after(mut self, moment: UnixMillis) -> Self {
        self.0.retain(|(_, hold)| {
            hold.lifted
                .as_ref()
                .is_none_or(|lifted| lifted.at_ms > moment.get())
        });
        self
    }

    /// Those that hold now.
    #[must_use]
    pub fn in_force(self) -> Self {
        self.in_force_after(UnixMillis::new(u64::MAX))
    }

    /// Those that hold at a moment, with the ends that are known now.
    #[must_use]
    pub fn in_force_at(self, moment: UnixMillis) -> Self {
        let mut holds = self.in_force();
        let is_over = |until: u64| until <= moment.get();
        holds
            .0
            .retain(|(_, hold)| !hold.until_ms.is_some_and(is_over));
        holds
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The holds with their ids, by id.
    pub fn iter(&self) -> impl Iterator<Item = &(String, Hold)> {
        self.0.iter()
    }

    /// Those that stand against an erasure which somebody ordered: not those that a request for a copy implies. They keep
    /// events from expiring; whoever orders the erasure has answered for the copy, or drops it.
    #[must_use]
    pub fn against_erasure(mut self) -> Self {
        self.0.retain(|(_, hold)| !hold.is_for_a_copy());
        self
    }

    /// Ids of the data subject requests that imply some of them.
    pub fn requests(&self) -> Vec<String> {
        let ids = self.0.iter().filter_map(|(_, hold)| hold.request.clone());
        ids.collect()
    }

    /// Those that cover an event. Its text is asked for only where a hold's scope needs it.
    pub fn covering<'a, E>(
        &'a self,
        entry: &Entry,
        class: &Class,
        facts: impl FnOnce() -> Result<Facts, E>,
    ) -> Result<Vec<&'a (String, Hold)>, E> {
        let mut may: Vec<&(String, Hold)> = self
            .0
            .iter()
            .filter(|(_, hold)| hold.may_cover(entry, class))
            .collect();
        if may.iter().any(|(_, hold)| hold.needs_text()) {
            let facts = facts()?;
            may.retain(|(_, hold)| hold.covers_text(&facts));
        }
        Ok(may)
    }
}

/// Keeps the holds of a ledger that was closed with the one that continues it.
pub(crate) fn carry_over(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    for (id, hold) in Holds::load(keyring, from)?.iter() {
        records::put(keyring, to.record(), id, hold)?;
        records::move_away::<Hold>(keyring, from.record(), id)?;
    }
    Ok(())
}
