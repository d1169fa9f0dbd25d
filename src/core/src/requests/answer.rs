//! Answering a request for a copy: an entry of the ledger, and a certificate.

use crate::export::join_withheld;
use crate::requests::Requests;
use crate::requests::certify::{Answer, issue};
use crate::requests::copy::drop_file;
use crate::requests::register::{named, record, record_carried};
use crate::requests::view::ShownRequest;
use crate::requests::{PrivacyError, filed, implied, near};
use crate::tenant::Tenant;
use trailkeep_proof::privacy::{Events, Kind, Outcome};
use trailkeep_proof::system::{AnswerSection, SystemEvent};

/// Closes a request for access or portability as answered: its copy was handed over.
pub fn answer(
    requests: &Requests,
    tenant: &Tenant,
    id: &str,
    not_the_same_person: Option<&str>,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    record_carried(&requests.journal, tenant)?;
    let _one = requests.journal.locks.requests();
    let now = requests.journal.clock.wall();
    let mut filed = filed::find(&requests.journal, tenant, id)?;
    if !matches!(filed.request.kind, Kind::Access | Kind::Portability) {
        return Err(PrivacyError::NoCopy);
    }
    filed.request.check_open()?;
    let fetched = filed.fetched.clone().ok_or(PrivacyError::NotFetched)?;
    let mut about = filed.about(tenant)?;
    // Of ledgers that a recovery closed there are copies of their own.
    let mut copies = vec![&fetched];
    for copy in filed.closed_ledgers.values() {
        copies.push(copy.as_ref().ok_or(PrivacyError::NotFetched)?);
    }
    let disclosed = copies.iter().map(|copy| copy.events).sum();
    let withheld = join_withheld(copies.iter().flat_map(|copy| copy.withheld.clone()));
    let events = Events {
        held: disclosed,
        disclosed,
        ..Events::default()
    };
    let reason = (not_the_same_person, by);
    near::distinguish(&requests.journal, tenant, (&mut filed, &mut about), reason)?;
    let outcome = if events.held == 0 {
        near::check(&requests.journal, tenant, &about)?;
        Outcome::NothingHeld
    } else {
        Outcome::Disclosed
    };
    filed.request.answer(now, outcome)?;
    let section = AnswerSection {
        name: named(&filed.request),
        outcome,
        events,
        statement: None,
        export: Some(fetched.bundle.export_seq),
        withheld: Some(withheld.clone()),
        certificate: Some(true),
        kept: Vec::new(),
        by: by.to_owned(),
    };
    // The row is closed behind the entry, with the certificate: a crash between asks for the answer again.
    let before = filed::find(&requests.journal, tenant, id)?;
    let event = SystemEvent::PrivacyAnswer { answer: section };
    let seq = record(&requests.journal, tenant, &event, &before)?;
    let answer = Answer {
        seq,
        outcome,
        events,
        bundle: Some(fetched.bundle),
        withheld: Some(withheld),
        destroyed: None,
        kept: Vec::new(),
        openings_given: None,
    };
    about.certificate = Some(issue(&requests.journal, tenant, (&filed, &about), answer)?);
    filed.set_about(tenant, &about)?;
    filed::keep(&requests.journal, tenant, &filed)?;
    implied::release(&requests.journal, tenant, id, by)?;
    drop_file(requests, tenant, id);
    Ok(ShownRequest::of(&filed, Some(&about), now))
}
