//! What data subject requests would delete at a moment: nothing changes, and nothing is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::export::{PersonsEvents, still_there};
use crate::journal::Journal;
use crate::requests::erase::{Asked, Judge};
use crate::requests::execute::{asked_of, to_carry_out};
use crate::requests::{PrivacyError, filed, waiting};
use crate::tenant::ledger::Ledger;
use crate::tenant::{ReadScope, Tenant};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::privacy::{Kind, State};
use trailkeep_proof::time::UnixMillis;

/// Events of the ledgers of a tenant.
pub(crate) type Foreseen = Vec<(Arc<Ledger>, BTreeSet<Seq>)>;

/// The events that a run at a moment would destroy since persons asked for it, in each ledger of their tenant: those of
/// requests that are decided then, and those that waited.
pub(crate) fn foreseen(
    journal: &Journal,
    tenant: &Tenant,
    now: UnixMillis,
) -> Result<Foreseen, PrivacyError> {
    let mut going: Vec<BTreeSet<Seq>> = tenant.all().map(|_| BTreeSet::new()).collect();
    for filed in to_carry_out(journal, tenant)? {
        if filed.request.kind != Kind::Erasure {
            continue;
        }
        let asked = asked_of(journal, tenant, &filed, now)?;
        let about = filed.about(tenant)?;
        for (ledger, going) in tenant.all().zip(&mut going) {
            let size = ledger.published().head.size;
            let found = PersonsEvents::find(journal, ledger, &about.person(), size)?;
            let seqs = found.asked_for(about.include_acted);
            going.extend(
                Judge::new(journal, ledger, asked)?
                    .decide(&seqs)?
                    .destroyed(),
            );
        }
    }
    for (ledger, going) in tenant.all().zip(&mut going) {
        let rows = filed::all(journal, tenant)?;
        for (id, waits) in waiting::all(journal, ledger)? {
            let row = rows.iter().find(|filed| filed.request.id == id);
            let state = row.map(|filed| filed.request.state());
            if matches!(state, Some(State::Open | State::Executing)) {
                continue;
            }
            let due = still_there(journal, ledger, &waits.due(now), true)?;
            let scope = Judge::new(journal, ledger, waits.asked(now))?.decide(&due)?;
            going.extend(scope.destroyed());
        }
    }
    Ok(tenant.all().cloned().zip(going).collect())
}

/// When the erasure of a stored event was first asked for, as far as requests wait for it or are to be carried out; none
/// where nobody asked.
pub(crate) fn erasure_asked_at(
    journal: &Journal,
    scope: &ReadScope,
    seq: Seq,
) -> Result<Option<UnixMillis>, PrivacyError> {
    let (tenant, ledger) = (scope.tenant(), scope.ledger());
    let mut asked_at: Vec<UnixMillis> = waiting::all(journal, ledger)?
        .iter()
        .filter(|(_, waits)| waits.seqs().binary_search(&seq.get()).is_ok())
        .map(|(_, waits)| UnixMillis::new(waits.asked_at_ms))
        .collect();
    for filed in to_carry_out(journal, tenant)? {
        if filed.request.kind != Kind::Erasure {
            continue;
        }
        let about = filed.about(tenant)?;
        let size = ledger.published().head.size;
        let found = PersonsEvents::find(journal, ledger, &about.person(), size)?;
        if found.asked_for(about.include_acted).contains(&seq.get()) {
            let Asked { at, .. } = asked_of(journal, tenant, &filed, UnixMillis::MAX)?;
            asked_at.push(at);
        }
    }
    Ok(asked_at.into_iter().min())
}
