//! Legal holds: nothing that one covers is destroyed until it is lifted, by no path (invariant 6).
//!
//! A hold's matter, reason and person stand in the vault alone, sealed, and go 30 days after it was lifted. The
//! ledger's entry names the hold by its random id.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Engine;
use super::append::{AppendError, append_changing};
use super::classes::Class;
use super::keyring::{KeyError, Keyring};
use super::records::{self, Record};
use super::rows::{Changes, STATED_HERE};
use super::tenant::{ActiveRecord, Tenant};
use trailkeep_crypto::secret::random_bytes;
use trailkeep_policy::{ActionPattern, CalendarPeriod, HoldSpan};
use trailkeep_proof::ids::{Seq, hex};
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::{Facts, Person};
use trailkeep_proof::time::UnixMillis;

/// How long what a lifted hold was about is still known.
const REMEMBERED_MS: u64 = 30 * 86_400_000;
/// Characters of a matter or reason.
const TEXT_CHARACTERS_MAX: usize = 1_000;
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
    const KIND: &'static str = "hold";
    const WHAT: &'static str = "a hold";
}

/// A hold that is to be placed.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// The matter or case.
    pub matter: String,
    /// Why.
    pub reason: String,
    /// What it is to cover; the regime as any of its names.
    pub scope: HoldScope,
    /// ISO 8601 period.
    pub review_every: String,
}

/// Why a hold was not placed or lifted.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// A part of it is wrong.
    #[error("{0}")]
    Wrong(String),
    /// There is none with this id.
    #[error("hold not found: `trailkeep hold list` shows the holds")]
    NotFound,
    /// It was to cover something; how to go on.
    #[error("the hold was not placed, because it covers no event and a match is required: {0}")]
    CoversNothing(String),
    /// It was lifted.
    #[error("the hold was released at {0}: place another one")]
    Lifted(UnixMillis),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
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
                .map(|lifted| UnixMillis::new(lifted.at_ms)),
        }
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
        regime.as_ref().is_none_or(is_under)
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
    pub(super) fn load(keyring: &Keyring, tenant: ActiveRecord<'_>) -> Result<Self, KeyError> {
        records::all(keyring, tenant.record()).map(Self)
    }

    /// The same of a running tenant.
    pub fn of(engine: &Engine, tenant: &Tenant) -> Result<Self, KeyError> {
        Self::load(&engine.keyring, tenant.active_record())
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

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The holds with their ids, by id.
    pub fn iter(&self) -> impl Iterator<Item = &(String, Hold)> {
        self.0.iter()
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

/// Checks a hold that is to be placed. It is of no effect yet.
pub(super) fn prepare(engine: &Engine, new: NewHold, by: &str) -> Result<Hold, HoldError> {
    let new = checked(engine, new)?;
    Ok(Hold {
        matter: new.matter,
        reason: new.reason,
        scope: new.scope,
        review_every: new.review_every,
        placed_at_ms: engine.clock.wall().get(),
        placed_by: by.to_owned(),
        placed_seq: STATED_HERE,
        lifted: None,
    })
}

/// Places a hold that was prepared; recorded first. Gives its id. From here on nothing that it covers is destroyed, but
/// for what a job that began before is destroying: `retention` must be held, so that none is being decided.
pub(super) fn place(
    engine: &Engine,
    tenant: &Tenant,
    mut hold: Hold,
) -> Result<(String, Hold), HoldError> {
    let id = hex(&random_bytes::<8>().map_err(KeyError::from)?);
    let by = &hold.placed_by;
    let said = json!({
        "id": id,
        "by": by,
        "filters": names_of_filters(&hold.scope),
        "review_at": hold.review_at().map(|moment| moment.to_string()),
    });
    let said = (SystemAction::HoldPlace, &said);
    hold.placed_seq = record(engine, tenant, said, (&id, &hold))?.get();
    Ok((id, hold))
}

/// Lifts a hold; recorded first.
pub(super) fn lift(
    engine: &Engine,
    tenant: &Tenant,
    id: &str,
    reason: &str,
    by: &str,
) -> Result<Hold, HoldError> {
    let reason = text("reason", reason)?;
    let holds = Holds::of(engine, tenant)?;
    let known = holds.iter().find(|(known, _)| known == id);
    let (_, mut hold) = known.cloned().ok_or(HoldError::NotFound)?;
    if let Some(lifted) = hold.lifted {
        return Err(HoldError::Lifted(UnixMillis::new(lifted.at_ms)));
    }
    let at_ms = engine.clock.wall().get();
    let said = json!({"id": id, "by": by});
    let lifted = Lifted {
        at_ms,
        by: by.to_owned(),
        reason,
        seq: STATED_HERE,
    };
    hold.lifted = Some(lifted.clone());
    let seq = record(engine, tenant, (SystemAction::HoldLift, &said), (id, &hold))?.get();
    hold.lifted = Some(Lifted { seq, ..lifted });
    Ok(hold)
}

/// Lifts a hold in a vault that lacks its lifting; `false` where it does not know the hold.
pub(super) fn take_over_lift(
    keyring: &Keyring,
    tenant: ActiveRecord<'_>,
    id: &str,
    (seq, at_ms, by): (u64, u64, &str),
) -> Result<bool, KeyError> {
    let holds = Holds::load(keyring, tenant)?;
    let Some((_, hold)) = holds.iter().find(|(known, _)| known == id) else {
        return Ok(false);
    };
    let lifted = Lifted {
        at_ms,
        by: by.to_owned(),
        reason: "taken over from the ledger by a restore; the reason is lost".to_owned(),
        seq,
    };
    let hold = Hold {
        lifted: Some(lifted),
        ..hold.clone()
    };
    records::put(keyring, tenant.record(), id, &hold)?;
    Ok(true)
}

/// Keeps the holds of a ledger that was closed with the one that continues it.
pub(super) fn carry_over(
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

/// Forgets what holds were about that were lifted long enough ago.
pub(super) fn forget_lifted(engine: &Engine, tenant: &Tenant) -> Result<(), KeyError> {
    let now = engine.clock.wall();
    for (id, hold) in Holds::of(engine, tenant)?.iter() {
        let is_over = |lifted: &Lifted| lifted.at_ms.saturating_add(REMEMBERED_MS) <= now.get();
        if hold.lifted.as_ref().is_some_and(is_over) {
            let active = tenant.active_record().record();
            records::remove::<Hold>(&engine.keyring, active, id)?;
        }
    }
    Ok(())
}

fn checked(engine: &Engine, mut new: NewHold) -> Result<NewHold, HoldError> {
    new.matter = text("matter", &new.matter)?;
    new.reason = text("reason", &new.reason)?;
    let action = new.scope.action.as_deref();
    if action.is_some_and(|pattern| ActionPattern::new(pattern).is_none()) {
        return Err(HoldError::Wrong(
            "`action` must be an action such as `chat.completion`; `*` matches any characters"
                .to_owned(),
        ));
    }
    if CalendarPeriod::parse(&new.review_every).map_or(true, CalendarPeriod::is_none) {
        return Err(HoldError::Wrong(format!(
            "the review period `{}` is not valid: write one such as P6M",
            new.review_every
        )));
    }
    let scope = &mut new.scope;
    if let Some(regime) = &mut scope.regime {
        let policy = engine.policies.of_regime(regime);
        let policy = policy.ok_or_else(|| {
            HoldError::Wrong(format!(
                "regime `{regime}` is not known: `trailkeep policy list` shows the regimes"
            ))
        })?;
        regime.clone_from(&policy.id);
    }
    if scope
        .subject
        .as_ref()
        .is_some_and(|subject| subject.id.is_empty())
    {
        return Err(HoldError::Wrong("the subject's id is empty".to_owned()));
    }
    if let Some(subject) = &mut scope.subject {
        let Person { namespace, id } = Person::asked(&subject.id, &subject.namespace);
        *subject = HeldPerson { id, namespace };
    }
    if let (Some(from), Some(to)) = (scope.from_ms, scope.to_ms)
        && from >= to
    {
        return Err(HoldError::Wrong(
            "`from` must be before `to`: the hold would cover nothing".to_owned(),
        ));
    }
    Ok(new)
}

fn text(name: &str, value: &str) -> Result<String, HoldError> {
    let length = value.trim().chars().count();
    if (1..=TEXT_CHARACTERS_MAX).contains(&length) {
        return Ok(value.trim().to_owned());
    }
    Err(HoldError::Wrong(format!(
        "the {name} must have 1 to {TEXT_CHARACTERS_MAX} characters: the review of the hold needs it"
    )))
}

fn names_of_filters(scope: &HoldScope) -> Vec<&'static str> {
    let names = [
        scope.subject.as_ref().map(|_| "subject"),
        scope.regime.as_ref().map(|_| "regime"),
        scope.action.as_ref().map(|_| "action"),
        scope.from_ms.map(|_| "from"),
        scope.to_ms.map(|_| "to"),
    ];
    names.into_iter().flatten().collect()
}

fn record(
    engine: &Engine,
    tenant: &Tenant,
    (action, said): (SystemAction, &serde_json::Value),
    (id, hold): (&str, &Hold),
) -> Result<Seq, HoldError> {
    let mut changes = Changes::default();
    let active = tenant.active_record().record();
    changes.put(&engine.keyring, active, id, hold)?;
    let said = said.to_string();
    let sections: [(&str, &[u8]); 2] = [("action", action.section()), ("hold", said.as_bytes())];
    append_changing(engine, tenant.active(), &sections, changes)
        .map_err(|error| HoldError::Record(Box::new(error)))
}
