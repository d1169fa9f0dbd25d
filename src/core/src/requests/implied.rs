//! Holds that requests imply: what somebody asked a copy of does not expire before the answer, and what somebody wants kept
//! does not expire at all. Each is a hold like any other, with a statement, so that every path that deletes meets it.

use crate::govern::hold;
use crate::govern::hold::HoldError;
use crate::journal::Journal;
use crate::keys::keyring::KeyError;
use crate::requests::PrivacyError;
use crate::requests::filed::{About, Filed};
use crate::tenant::Tenant;
use crate::tenant::hold::{HeldPerson, Hold, HoldScope, Holds, REVIEW_EVERY};
use trailkeep_policy::Force;
use trailkeep_proof::privacy::{Day, Kind, Request};
use trailkeep_proof::time::UnixMillis;

/// Places the hold of a request for a copy whose requester is identified. It ends at the due date, and leaves alone what a
/// law says must go. Placed twice, it changes nothing. No deletion may be decided meanwhile.
pub(super) fn hold_for_copy(
    journal: &Journal,
    tenant: &Tenant,
    (filed, about): (&Filed, &About),
    by: &str,
) -> Result<(), PrivacyError> {
    let request = &filed.request;
    let is_copy = matches!(request.kind, Kind::Access | Kind::Portability);
    let now = journal.clock.wall();
    let Some(deadline) = request.deadline().filter(|_| is_copy) else {
        return Ok(());
    };
    if !filed.is_identity_checked(about) || deadline.due.is_over(now) {
        return Ok(());
    }
    let days = deadline.due.days_after(Day::of(now)).max(1);
    let hold = Hold {
        reason: "an open request for a copy: it is answered with what is held today".to_owned(),
        review_every: format!("P{days}D"),
        until_ms: Some(end_of(deadline.due)),
        spares: with_a_maximum_of_law(journal),
        ..implied(journal, request, about, by)
    };
    place(journal, tenant, hold)
}

/// Places the hold of a restriction whose data subject wants the data kept (GDPR Art. 18(1)(b) and (c)). It ends with the
/// restriction.
pub(super) fn hold_for_restriction(
    journal: &Journal,
    tenant: &Tenant,
    (filed, about): (&Filed, &About),
    by: &str,
) -> Result<(), PrivacyError> {
    let Some(ground) = filed.ground.filter(|ground| ground.keeps_beyond_expiry()) else {
        return Ok(());
    };
    let hold = Hold {
        reason: format!(
            "restriction on the ground of GDPR Art. {}: the data subject wants the data kept",
            ground.article()
        ),
        ..implied(journal, &filed.request, about, by)
    };
    place(journal, tenant, hold)
}

/// The hold of a request after its due date moved; none where it has none.
pub(super) fn extended(
    journal: &Journal,
    tenant: &Tenant,
    request: &Request,
) -> Result<Option<(String, Hold)>, KeyError> {
    let Some((id, mut hold)) = find(journal, tenant, &request.id)? else {
        return Ok(None);
    };
    let Some(deadline) = request.deadline().filter(|_| hold.until_ms.is_some()) else {
        return Ok(None);
    };
    hold.until_ms = Some(end_of(deadline.due));
    Ok(Some((id, hold)))
}

/// Releases the hold of a request that is over. Without one it changes nothing.
pub(super) fn release(
    journal: &Journal,
    tenant: &Tenant,
    request: &str,
    by: &str,
) -> Result<(), PrivacyError> {
    match find(journal, tenant, request)? {
        Some((id, _)) => lift(journal, tenant, &id, "the request is closed", by),
        None => Ok(()),
    }
}

/// Releases the holds whose time is over, before anything is decided.
pub(crate) fn release_over(
    journal: &Journal,
    tenant: &Tenant,
    now: UnixMillis,
) -> Result<(), PrivacyError> {
    for (id, hold) in Holds::of(&journal.keyring, tenant)?.in_force().iter() {
        if hold.until_ms.is_some_and(|until| until <= now.get()) {
            let why = "the due date of the request is over";
            lift(journal, tenant, id, why, "trailkeep")?;
        }
    }
    Ok(())
}

fn implied(journal: &Journal, request: &Request, about: &About, by: &str) -> Hold {
    Hold {
        matter: format!("data subject request {}", request.receipt),
        reason: String::new(),
        scope: HoldScope {
            subject: Some(HeldPerson {
                id: about.id.clone(),
                namespace: about.namespace.clone(),
            }),
            ..HoldScope::default()
        },
        review_every: REVIEW_EVERY.to_owned(),
        placed_at_ms: journal.clock.wall().get(),
        placed_by: by.to_owned(),
        placed_seq: crate::keys::rows::STATED_HERE,
        lifted: None,
        request: Some(request.id.clone()),
        until_ms: None,
        spares: Vec::new(),
    }
}

fn place(journal: &Journal, tenant: &Tenant, new: Hold) -> Result<(), PrivacyError> {
    let request = new.request.as_deref().unwrap_or_default();
    if find(journal, tenant, request)?.is_none() {
        hold::place(journal, tenant, new).map_err(error)?;
    }
    Ok(())
}

fn lift(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    why: &str,
    by: &str,
) -> Result<(), PrivacyError> {
    match hold::lift(journal, tenant, id, why, by) {
        Ok(_) | Err(HoldError::Lifted(_)) => Ok(()),
        Err(failed) => Err(error(failed)),
    }
}

fn find(
    journal: &Journal,
    tenant: &Tenant,
    request: &str,
) -> Result<Option<(String, Hold)>, KeyError> {
    let holds = Holds::of(&journal.keyring, tenant)?.in_force();
    let mut holds = holds.iter();
    let found = holds.find(|(_, hold)| hold.request.as_deref() == Some(request));
    Ok(found.cloned())
}

/// The moment at which a day is over.
fn end_of(day: Day) -> u64 {
    day.plus_days(1).start().get()
}

fn with_a_maximum_of_law(journal: &Journal) -> Vec<String> {
    let policies = journal.policies.iter();
    let of_law = policies.filter(|policy| policy.delete_force == Force::Law);
    let mut ids: Vec<String> = of_law.map(|policy| policy.id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn error(error: HoldError) -> PrivacyError {
    match error {
        HoldError::Record(error) => PrivacyError::Record(error),
        HoldError::Key(error) => PrivacyError::Key(error),
        error => PrivacyError::Hold(Box::new(error)),
    }
}
