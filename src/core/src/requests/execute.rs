//! Carrying out requests for erasure and restriction: ordered, decided (decide.rs), done as a deletion job that a crash does
//! not end, and answered when it is complete.

use crate::destroy::DeletionError;
use crate::destroy::job::{JobDone, carry_out, resume};
use crate::destroy::pause::check_not_paused;
use crate::govern::rotation;
use crate::ingest;
use crate::journal::Journal;
use crate::journal::read::entry_at;
use crate::keys::rotation_due;
use crate::keys::rows::STATED_HERE;
use crate::requests::Requests;
use crate::requests::decide::decide;
use crate::requests::dry_run::terms_now;
use crate::requests::erase::Asked;
use crate::requests::filed::{Filed, Ordered};
use crate::requests::new_request::takes_ground;
use crate::requests::register::{named, record, record_carried};
use crate::requests::view::ShownRequest;
use crate::requests::{PrivacyError, filed, implied, near};
use crate::tenant::Tenant;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::privacy::{Ground, Kind, State};
use trailkeep_proof::system::{RequestStep, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// A statement that was carried out.
pub(crate) struct Carried {
    pub(crate) statement: Seq,
    pub(crate) done: JobDone,
}

/// An order to carry out a request.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The token of the preview that whoever orders has seen. A request that is ordered already needs none.
    pub token: Option<String>,
    /// Why data subjects with a near identifier are other people.
    pub not_the_same_person: Option<String>,
    /// Of a restriction that was filed without one: its ground.
    pub ground: Option<Ground>,
}

/// Orders that an erasure or restriction is carried out: a step of its own, since to know who asks is not yet to
/// destroy. Ordered twice, it changes nothing: the order stands, and the daily run carries it out. So a token is of use once.
pub fn order(
    requests: &Requests,
    tenant: &Tenant,
    id: &str,
    order: &Order,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    let journal = &requests.journal;
    record_carried(journal, tenant)?;
    // What waits to become an event may be theirs.
    ingest::assemble_all(&requests.inbox, tenant)
        .map_err(|error| PrivacyError::Telemetry(Box::new(error)))?;
    // From the check of the token to the entry of the order, no hold is placed or released.
    let _no_hold_comes = journal.locks.decision();
    let _one = journal.locks.requests();
    let mut filed = filed::find(journal, tenant, id)?;
    if !matches!(filed.request.kind, Kind::Erasure | Kind::Restriction) {
        return Err(PrivacyError::NothingToCarryOut);
    }
    filed.request.check_open()?;
    state_ground(&mut filed, order.ground)?;
    let now = journal.clock.wall();
    let mut about = filed.about(tenant)?;
    if filed.ordered.is_none() {
        let token = order.token.as_deref().ok_or(PrivacyError::NoToken)?;
        let terms = terms_now(journal, tenant, (&filed, &about))?;
        requests.tokens.check(&*journal.clock, &terms, token)?;
    }
    let reason = (order.not_the_same_person.as_deref(), by);
    near::distinguish(journal, tenant, (&mut filed, &mut about), reason)?;
    near::check(journal, tenant, &about)?;
    if filed.ordered.is_none() {
        implied::hold_for_restriction(journal, tenant, (&filed, &about), by)?;
        let request = RequestStep {
            name: named(&filed.request),
            ground: filed.ground,
            by: by.to_owned(),
        };
        let at_ms = now.get();
        filed.ordered = Some(Ordered {
            at_ms,
            seq: STATED_HERE,
        });
        let event = SystemEvent::PrivacyExecute { request };
        let seq = record(journal, tenant, &event, &filed)?.get();
        filed.ordered = Some(Ordered { at_ms, seq });
    }
    Ok(ShownRequest::of(&filed, Some(&about), now))
}

/// A restriction is carried out on one ground: the one that it was filed on, or the one that is given now.
fn state_ground(filed: &mut Filed, ground: Option<Ground>) -> Result<(), PrivacyError> {
    let needs = takes_ground(filed.request.kind, filed.request.regime);
    match (filed.ground, ground) {
        (_, Some(_)) if !needs => Err(PrivacyError::GroundOfNothing),
        (None, None) if needs => Err(PrivacyError::NoGround),
        (Some(filed), Some(given)) if filed != given => Err(PrivacyError::Malformed(
            "the restriction was filed on another ground: leave `ground` out, or close it and file it anew",
        )),
        (known, given) => {
            filed.ground = known.or(given);
            Ok(())
        }
    }
}

/// Carries out what was ordered of a tenant's requests, at once. With `rotates`, the vault is rotated behind it, so that
/// the copies of the keys that went are dead, too.
pub fn carry_out_now(
    requests: &Requests,
    tenant: &Tenant,
    by: &str,
    rotates: bool,
) -> Result<(), PrivacyError> {
    let alone = requests.journal.locks.destruction(tenant.name());
    check_not_paused(&requests.journal)?;
    requests
        .journal
        .believed_now()
        .map_err(DeletionError::from)?;
    let mut done = Vec::new();
    for ledger in tenant.all() {
        done.extend(resume(&requests.deletions, tenant, ledger)?);
    }
    done.extend(
        carry_out_open(requests, tenant, by)?
            .into_iter()
            .map(|carried| carried.done),
    );
    drop(alone);
    if done.iter().any(|done| done.purge_pending) {
        if rotates {
            rotation_due::hasten(&requests.journal.keyring, requests.journal.clock.wall())?;
        }
        return Err(PrivacyError::PurgePending);
    }
    if rotates && let Err(error) = rotation::rotate_now(&requests.custody, by, &mut |_, _| {}) {
        rotation_due::hasten(&requests.journal.keyring, requests.journal.clock.wall())?;
        return Err(PrivacyError::Rotation(Box::new(error)));
    }
    Ok(())
}

/// Carries out what was ordered, and what waits and may go now. Nothing else may be destroyed meanwhile.
pub(crate) fn carry_out_open(
    requests: &Requests,
    tenant: &Tenant,
    by: &str,
) -> Result<Vec<Carried>, PrivacyError> {
    record_carried(&requests.journal, tenant)?;
    implied::release_over(&requests.journal, tenant, requests.journal.clock.wall())?;
    let asked = to_carry_out(&requests.journal, tenant)?;
    if !asked.is_empty() {
        // What waits to become an event may be theirs.
        ingest::assemble_all(&requests.inbox, tenant)
            .map_err(|error| PrivacyError::Telemetry(Box::new(error)))?;
    }
    let mut carried = Vec::new();
    for (ledger, job) in decide(requests, tenant, asked, by)? {
        let done = carry_out(&requests.deletions, tenant, &ledger, &job)?;
        let (_, statement) = ledger.place_of(job.statement);
        carried.push(Carried { statement, done });
    }
    Ok(carried)
}

/// The requests that are decided with the next run.
pub(super) fn to_carry_out(journal: &Journal, tenant: &Tenant) -> Result<Vec<Filed>, PrivacyError> {
    let mut asked = filed::all(journal, tenant)?;
    asked.retain(|filed| filed.ordered.is_some() && filed.request.state() == State::Open);
    Ok(asked)
}

/// When a request was filed and under which law, to be judged at a moment.
pub(crate) fn asked_of(
    journal: &Journal,
    tenant: &Tenant,
    filed: &Filed,
    now: UnixMillis,
) -> Result<Asked, PrivacyError> {
    let at = entry_at(journal, tenant.active(), Seq::new(filed.seq))?.recorded_at;
    Ok(Asked {
        at,
        regime: filed.request.regime,
        // The ledger's time never goes back; the clock's may.
        now: now.max(at),
    })
}
