//! The register of requests: each step is an entry of the ledger before it holds.

use std::sync::Arc;

use crate::export::PersonsEvents;
use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::keyring::KeyError;
use crate::keys::rows::{Changes, STATED_HERE};
use crate::requests::Requests;
use crate::requests::fetch::Fetch;
use crate::requests::filed::{About, Filed, Held};
use crate::requests::near::Near;
use crate::requests::new_request::{
    NewRequest, TEXT_BYTES_MAX, check_kind, takes_ground, verified_by,
};
use crate::requests::view::{ShownRequest, ShownSubject};
use crate::requests::{PrivacyError, copy, filed, implied, near};
use crate::tenant::Tenant;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_proof::ids::{Origin, Seq, SubjectSalt, hex};
use trailkeep_proof::privacy::Request;
use trailkeep_proof::privacy::{Closed, Day, Ended, IdentityKind, commit_to_subject};
use trailkeep_proof::system::{
    FormerEntry, RequestEnd, RequestExtension, RequestIdentity, RequestName, RequestReceipt,
    SystemEvent,
};
use trailkeep_proof::time::UnixMillis;

/// Crockford's base32: nothing in it can be taken for something else.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Files a request. Where it is identified and asks for a copy, that is begun.
pub fn receive(
    requests: &Arc<Requests>,
    tenant: &Tenant,
    new: &NewRequest,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    let now = requests.journal.clock.wall();
    let today = Day::of(now);
    new.check(today)?;
    if new.ground.is_none() && takes_ground(new.kind, new.regime) {
        return Err(PrivacyError::NoGround);
    }
    let salt = SubjectSalt::new(random_bytes()?);
    let id = hex(&random_bytes::<16>()?);
    let verified_by = verified_by(new.identity_verified_by.as_deref(), new.identity_kind);
    let request = Request::received(
        (id.clone(), receipt_number()?),
        (new.kind, new.regime),
        new.received_on.unwrap_or(today),
        verified_by.as_ref().map(|_| today),
    );
    let near = Near::find(&requests.journal, tenant, &new.subject)?.show(
        &requests.journal,
        tenant,
        ("POST", "/v1/privacy/requests"),
        (&id, by, None),
    )?;
    let mut about = About {
        namespace: new.subject.namespace.clone(),
        id: new.subject.id.clone(),
        reference: new.reference.clone(),
        identity_verified_by: verified_by,
        not_the_same_person: None,
        extended_because: None,
        shown_because: new.show_others.clone(),
        include_acted: new.include_acted,
        show_others: new.show_others.is_some(),
        show_staff: new.show_staff,
        salt: salt.to_string(),
        certificate: None,
    };
    let origin = &tenant.active_record().record().origin;
    let mut filed = Filed::new(tenant, request, &about)?;
    filed.ground = new.ground;
    filed.ticket.manner = new.manner;
    if let Some(verified_by) = &about.identity_verified_by {
        filed.ticket = filed.ticket.identified(verified_by, new.identity_kind);
    }
    let receipt = received(&filed, origin, Some((&about, &salt)), by);
    {
        let _no_run_decides = requests.journal.locks.decision();
        implied::hold_for_copy(&requests.journal, tenant, (&filed, &about), by)?;
    }
    if filed.request.check_open().is_ok() {
        find_held(&requests.journal, tenant, &mut filed, &about)?;
    }
    let event = SystemEvent::PrivacyReceive { request: receipt };
    filed.seq = record(&requests.journal, tenant, &event, &filed)?.get();
    let reason = new.not_the_same_person.as_deref();
    near::distinguish(
        &requests.journal,
        tenant,
        (&mut filed, &mut about),
        (reason, by),
    )?;
    copy::begin_or_later(requests, tenant, &filed, &about, by);
    let mut shown = ShownRequest::of(&filed, Some(&about), now);
    shown.near = near;
    Ok(shown)
}

/// Gives each request an entry that was filed in a ledger which a recovery closed, and that is still to be answered: what
/// answers it proves from one ledger.
pub(crate) fn record_carried(journal: &Journal, tenant: &Tenant) -> Result<(), PrivacyError> {
    if tenant.superseded().is_empty() {
        return Ok(());
    }
    let _one = journal.locks.requests();
    for mut filed in filed::all(journal, tenant)? {
        if !filed.is_unrecorded {
            continue;
        }
        // Of one that was answered a month ago nobody knows any more who asked; what stayed waits still.
        let about = filed
            .knows_whom()
            .then(|| filed.about(tenant))
            .transpose()?;
        let salt = about.as_ref().map(About::salt).transpose()?;
        let subject = about.as_ref().zip(salt.as_ref());
        let former = filed.former.last().map(|former| FormerEntry {
            ledger: former.ledger.clone(),
            seq: former.seq,
        });
        let origin = &tenant.active_record().record().origin;
        let request = RequestReceipt {
            former,
            ..received(&filed, origin, subject, "trailkeep")
        };
        filed.seq = STATED_HERE;
        filed.is_unrecorded = false;
        let event = SystemEvent::PrivacyReceive { request };
        record(journal, tenant, &event, &filed)?;
    }
    Ok(())
}

/// What the entry of a request says of it, where it is filed and where it goes on.
fn received(
    filed: &Filed,
    origin: &Origin,
    subject: Option<(&About, &SubjectSalt)>,
    by: &str,
) -> RequestReceipt {
    let (request, ticket) = (&filed.request, filed.ticket);
    let identified = request.identified_on().is_some();
    let about = subject.map(|(about, _)| about);
    let commitment = |(about, salt): (&About, &SubjectSalt)| {
        let (namespace, id) = (&about.namespace, &about.id);
        commit_to_subject(origin, &request.id, salt, namespace, id).to_string()
    };
    RequestReceipt {
        name: named(request),
        regime: request.regime,
        received_on: request.received_on,
        subject: subject.map(commitment),
        identity_checked: filed.identity_checked(about).filter(|_| identified),
        identity_kind: ticket.identity_kind,
        identified,
        manner: ticket.manner,
        former: None,
        ground: filed.ground,
        by: by.to_owned(),
    }
}

/// Somebody established who asks: it can be answered from here on.
pub fn identify(
    requests: &Arc<Requests>,
    tenant: &Tenant,
    id: &str,
    (text, kind): (Option<&str>, Option<IdentityKind>),
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    let verified_by = verified_by(text, kind).unwrap_or_default();
    if verified_by.trim().is_empty() || verified_by.len() > TEXT_BYTES_MAX {
        return Err(PrivacyError::Malformed(
            "`verified_by` must say how the identity was verified, in 1 to 1,024 bytes, or `kind` by which kind of check",
        ));
    }
    check_kind(text, kind)?;
    let no_run_decides = requests.journal.locks.decision();
    let one = requests.journal.locks.requests();
    let now = requests.journal.clock.wall();
    let mut filed = filed::find(&requests.journal, tenant, id)?;
    filed.request.identify(Day::of(now))?;
    let mut about = filed.about(tenant)?;
    filed.ticket = filed.ticket.identified(&verified_by, kind);
    about.identity_verified_by = Some(verified_by);
    filed.set_about(tenant, &about)?;
    let held = (&filed, &about);
    implied::hold_for_copy(&requests.journal, tenant, held, by)?;
    let identity = RequestIdentity {
        name: named(&filed.request),
        identity_checked: filed.ticket.identity_checked,
        identity_kind: kind,
        by: by.to_owned(),
    };
    find_held(&requests.journal, tenant, &mut filed, &about)?;
    let event = SystemEvent::PrivacyIdentify { request: identity };
    record(&requests.journal, tenant, &event, &filed)?;
    drop(one);
    drop(no_run_decides);
    copy::begin_or_later(requests, tenant, &filed, &about, by);
    Ok(ShownRequest::of(&filed, Some(&about), now))
}

/// Takes more time for a request, once, while the first period runs, with a reason.
pub fn extend(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    reason: &str,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    if reason.trim().is_empty() || reason.len() > TEXT_BYTES_MAX {
        return Err(PrivacyError::Malformed(
            "`reason` must say why more time is needed, in 1 to 1,024 bytes: the data subject is told it (GDPR Art. 12(3))",
        ));
    }
    let _one = journal.locks.requests();
    let now = journal.clock.wall();
    let mut filed = filed::find(journal, tenant, id)?;
    filed.request.extend(now)?;
    let mut about = filed.about(tenant)?;
    about.extended_because = Some(reason.to_owned());
    filed.set_about(tenant, &about)?;
    let event = SystemEvent::PrivacyExtend {
        request: RequestExtension {
            name: named(&filed.request),
            due: filed.request.deadline().map(|last| last.due),
            by: by.to_owned(),
        },
    };
    let mut changes = Changes::default();
    let active = tenant.active_record().record();
    if let Some((id, hold)) = implied::extended(journal, tenant, &filed.request)? {
        changes.put(&journal.keyring, active, &id, &hold)?;
    }
    record_with(journal, tenant, &event, (&filed, changes))?;
    Ok(ShownRequest::of(&filed, Some(&about), now))
}

/// Ends a request without an answer.
pub fn end(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    ended: Ended,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    let _one = journal.locks.requests();
    let now = journal.clock.wall();
    let mut filed = filed::find(journal, tenant, id)?;
    filed.request.end(now, ended)?;
    let event = SystemEvent::PrivacyEnd {
        request: RequestEnd {
            name: named(&filed.request),
            decision: ended,
            by: by.to_owned(),
        },
    };
    record(journal, tenant, &event, &filed)?;
    implied::release(journal, tenant, id, by)?;
    let about = filed.about(tenant).ok();
    Ok(ShownRequest::of(&filed, about.as_ref(), now))
}

/// All requests, those due first; closed ones behind, the newest first. They name nobody but by reference.
pub fn list(journal: &Journal, tenant: &Tenant) -> Result<Vec<ShownRequest>, PrivacyError> {
    let now = journal.clock.wall();
    let mut rows = filed::all(journal, tenant)?;
    rows.sort_by_key(|filed| {
        let closed = filed.request.closed().map(Closed::at);
        let due = filed.request.deadline().map(|last| last.due);
        (closed.is_some(), std::cmp::Reverse(closed), due, filed.seq)
    });
    let shown = rows.iter().map(|filed| {
        let about = filed.about(tenant).ok();
        ShownRequest::of(filed, about.as_ref(), now)
    });
    Ok(shown.collect())
}

/// How many requests are not closed, and how many of them are overdue.
pub fn counts(journal: &Journal, tenant: &Tenant) -> Result<(u64, u64), PrivacyError> {
    let now = journal.clock.wall();
    let rows = filed::all(journal, tenant)?;
    let open = rows.iter().filter(|filed| filed.request.closed().is_none());
    let overdue = rows.iter().filter(|filed| filed.request.is_overdue(now));
    Ok((open.count() as u64, overdue.count() as u64))
}

/// One request, without whom it is about.
pub fn one(journal: &Journal, tenant: &Tenant, id: &str) -> Result<ShownRequest, PrivacyError> {
    let filed = filed::find(journal, tenant, id)?;
    let about = filed.about(tenant).ok();
    let now = journal.clock.wall();
    Ok(ShownRequest::of(&filed, about.as_ref(), now))
}

/// One request with whom it is about, which is recorded as a read.
pub fn show(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    (by, purpose): (&str, Option<&str>),
) -> Result<ShownRequest, PrivacyError> {
    let filed = filed::find(journal, tenant, id)?;
    let about = filed.about(tenant).ok();
    let mut shown = ShownRequest::of(&filed, about.as_ref(), journal.clock.wall());
    if let Some(about) = &about {
        Fetch::Request.record(journal, tenant, (id, about), (by, purpose))?;
        shown.subject = Some(ShownSubject::of(about));
        let route = ("GET", "/v1/privacy/requests/{id}");
        let near = Near::find(journal, tenant, &about.person())?;
        shown.near = near.show(journal, tenant, route, (id, by, purpose))?;
    }
    Ok(shown)
}

/// Forgets whom the requests were about whose time is over after their answer or end. Gives how many; the vault's log is to be
/// emptied then.
pub fn forget_answered(
    journal: &Journal,
    tenant: &Tenant,
    now: UnixMillis,
) -> Result<usize, KeyError> {
    let mut forgotten = 0;
    let _one = journal.locks.requests();
    for mut filed in filed::all(journal, tenant)? {
        // What is kept for years after the answer does not keep who asked.
        let answered = filed.answered.as_ref();
        let answered = answered.map(|first| UnixMillis::new(first.at_ms));
        let closed = filed.request.closed().map(Closed::at);
        let due = answered
            .or(closed)
            .and_then(|over| filed.keep.due_after(over));
        if filed.knows_whom() && due.is_some_and(|due| due <= now) {
            filed.forget(Day::of(now));
            filed::keep(journal, tenant, &filed)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// What every entry about a request says of it.
pub(super) fn named(request: &Request) -> RequestName {
    RequestName {
        id: request.id.clone(),
        receipt: request.receipt.clone(),
        kind: request.kind,
    }
}

/// Appends the entry of a step, with the request's row as it is from there on.
pub(super) fn record(
    journal: &Journal,
    tenant: &Tenant,
    event: &SystemEvent,
    filed: &Filed,
) -> Result<Seq, AppendError> {
    record_with(journal, tenant, event, (filed, Changes::default()))
}

/// The same, with further rows that it changes.
fn record_with(
    journal: &Journal,
    tenant: &Tenant,
    event: &SystemEvent,
    (filed, mut changes): (&Filed, Changes),
) -> Result<Seq, AppendError> {
    let active = tenant.active_record().record();
    changes.put(&journal.keyring, active, &filed.request.id, filed)?;
    append_changing(journal, tenant.active(), event, changes)
}

fn find_held(
    journal: &Journal,
    tenant: &Tenant,
    filed: &mut Filed,
    about: &About,
) -> Result<(), PrivacyError> {
    let mut held = Held::default();
    for ledger in tenant.all() {
        let size = ledger.published().head.size;
        let found = PersonsEvents::find(journal, ledger, &about.person(), size)?;
        held.as_subject += found.as_subject.len() as u64;
        held.as_actor += found.as_actor.len() as u64;
        if ledger.is_superseded() && !found.asked_for(about.include_acted).is_empty() {
            let name = ledger.name().to_owned();
            filed.closed_ledgers.entry(name).or_default();
        }
    }
    filed.held = Some(held);
    Ok(())
}

/// 80 random bits for people: `7K3M-V2QX-0D9T-HN4R`.
fn receipt_number() -> Result<String, PrivacyError> {
    let bits = random_bytes::<10>()?
        .iter()
        .fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let digit = |place: u32| char::from(DIGITS[(bits >> (5 * place) & 31) as usize]);
    let groups = (0..4).map(|group| (0..4).map(|place| digit(4 * group + place)).collect());
    Ok(groups.collect::<Vec<String>>().join("-"))
}
