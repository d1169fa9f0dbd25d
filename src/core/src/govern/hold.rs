//! Placing and releasing legal holds, each recorded first.

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::rows::{Changes, STATED_HERE};
use crate::tenant::hold::{HeldPerson, Hold, HoldScope, Holds, Lifted};
use crate::tenant::{ActiveRecord, Tenant};
use trailkeep_crypto::secret::random_bytes;
use trailkeep_policy::{ActionPattern, CalendarPeriod};
use trailkeep_proof::ids::{Seq, hex};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::system::{HoldLiftSection, HoldSection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// How long what a lifted hold was about is still known.
const REMEMBERED_MS: u64 = 30 * 86_400_000;

/// Characters of a matter or reason.
const TEXT_CHARACTERS_MAX: usize = 1_000;

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

/// Checks a hold that is to be placed. It is of no effect yet.
pub(crate) fn prepare(journal: &Journal, new: NewHold, by: &str) -> Result<Hold, HoldError> {
    let new = checked(journal, new)?;
    Ok(Hold {
        matter: new.matter,
        reason: new.reason,
        scope: new.scope,
        review_every: new.review_every,
        placed_at_ms: journal.clock.wall().get(),
        placed_by: by.to_owned(),
        placed_seq: STATED_HERE,
        lifted: None,
        request: None,
        until_ms: None,
        spares: Vec::new(),
    })
}

/// Places a hold that was prepared; recorded first. Gives its id. From here on nothing that it covers is destroyed, but
/// for what a job that began before is destroying: the decision lock must be held, so that none is being decided.
pub(crate) fn place(
    journal: &Journal,
    tenant: &Tenant,
    mut hold: Hold,
) -> Result<(String, Hold), HoldError> {
    let id = hex(&random_bytes::<8>().map_err(KeyError::from)?);
    let placed = HoldSection {
        id: id.clone(),
        by: hold.placed_by.clone(),
        filters: names_of_filters(&hold.scope),
        review_at: hold.review_at().map(|moment| moment.to_string()),
        request: hold.request.clone(),
        until: hold
            .until_ms
            .map(|until| UnixMillis::new(until).to_string()),
        spares: hold.spares.clone(),
    };
    let event = SystemEvent::HoldPlace { hold: placed };
    hold.placed_seq = record(journal, tenant, &event, (&id, &hold))?.get();
    Ok((id, hold))
}

/// Lifts a hold; recorded first.
pub(crate) fn lift(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    reason: &str,
    by: &str,
) -> Result<Hold, HoldError> {
    let reason = text("reason", reason)?;
    let holds = Holds::of(&journal.keyring, tenant)?;
    let known = holds.iter().find(|(known, _)| known == id);
    let (_, mut hold) = known.cloned().ok_or(HoldError::NotFound)?;
    if let Some(lifted) = hold.lifted {
        return Err(HoldError::Lifted(UnixMillis::new(lifted.at_ms)));
    }
    let at_ms = journal.clock.wall().get();
    let event = SystemEvent::HoldLift {
        hold: HoldLiftSection {
            id: id.to_owned(),
            by: by.to_owned(),
        },
    };
    let lifted = Lifted {
        at_ms,
        by: by.to_owned(),
        reason,
        seq: STATED_HERE,
    };
    hold.lifted = Some(lifted.clone());
    let seq = record(journal, tenant, &event, (id, &hold))?.get();
    hold.lifted = Some(Lifted { seq, ..lifted });
    Ok(hold)
}

/// Lifts a hold in a vault that lacks its lifting; `false` where it does not know the hold.
pub(crate) fn take_over_lift(
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

/// Forgets what holds were about that were lifted long enough ago.
pub(crate) fn forget_lifted(journal: &Journal, tenant: &Tenant) -> Result<(), KeyError> {
    let now = journal.clock.wall();
    for (id, hold) in Holds::of(&journal.keyring, tenant)?.iter() {
        let is_over = |lifted: &Lifted| lifted.at_ms.saturating_add(REMEMBERED_MS) <= now.get();
        if hold.lifted.as_ref().is_some_and(is_over) {
            let active = tenant.active_record().record();
            records::remove::<Hold>(&journal.keyring, active, id)?;
        }
    }
    Ok(())
}

fn checked(journal: &Journal, mut new: NewHold) -> Result<NewHold, HoldError> {
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
        let policy = journal.policies.known(regime);
        let policy = policy.map_err(|unknown| HoldError::Wrong(unknown.to_string()))?;
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

fn names_of_filters(scope: &HoldScope) -> Vec<String> {
    let names = [
        scope.subject.as_ref().map(|_| "subject"),
        scope.regime.as_ref().map(|_| "regime"),
        scope.action.as_ref().map(|_| "action"),
        scope.from_ms.map(|_| "from"),
        scope.to_ms.map(|_| "to"),
    ];
    names.into_iter().flatten().map(str::to_owned).collect()
}

fn record(
    journal: &Journal,
    tenant: &Tenant,
    event: &SystemEvent,
    (id, hold): (&str, &Hold),
) -> Result<Seq, HoldError> {
    let mut changes = Changes::default();
    let active = tenant.active_record().record();
    changes.put(&journal.keyring, active, id, hold)?;
    append_changing(journal, tenant.active(), event, changes)
        .map_err(|error| HoldError::Record(Box::new(error)))
}
