//! The copy that answers a request for access or portability: an export, made as a job.

use std::sync::Arc;

use crate::export::jobs::{Job, Status};
use crate::export::{CopyForm, ExportRequest, ExportSummary, PersonScope, Scope};
use crate::journal::Journal;
use crate::requests::Requests;
use crate::requests::fetch::Fetch;
use crate::requests::filed::{About, Fetched, Filed};
use crate::requests::{PrivacyError, StageError, filed};
use crate::tenant::ledger::Ledger;
use crate::tenant::{ReadScope, Tenant};
use trailkeep_crypto::spool::Spool;
use trailkeep_proof::privacy::Kind;
use trailkeep_proof::privacy::certificate::Bundle;

/// How far a copy is.
pub enum CopyState {
    /// So many events of so many are in it.
    Running {
        /// Written.
        done: u64,
        /// In all.
        total: u64,
    },
    /// The file, and what is in it.
    Ready {
        /// The file.
        file: Arc<Spool>,
        /// What is in it.
        summary: Box<ExportSummary>,
        /// Whether it is JSON alone.
        portable: bool,
    },
    /// It could not be made.
    Failed(String),
    /// It was made, and dropped since payloads that may be in it were deleted.
    Dropped,
}

/// Begins the copy of a request that can be answered with one. Others are passed over.
pub(super) fn begin(
    requests: &Arc<Requests>,
    ledger: &Arc<Ledger>,
    filed: &Filed,
    about: &About,
    by: &str,
) -> Result<(), PrivacyError> {
    let request = &filed.request;
    let wants_copy = matches!(request.kind, Kind::Access | Kind::Portability);
    if !wants_copy || request.check_open().is_err() {
        return Ok(());
    }
    let export = ExportRequest {
        scope: Scope::Time {
            from: None,
            to: None,
        },
        action: None,
        person: Some(PersonScope {
            subject: about.person(),
            include_acted: about.include_acted,
            show_others: about.show_others,
            show_staff: about.show_staff,
            form: if request.kind == Kind::Portability {
                CopyForm::Json
            } else {
                CopyForm::Bundle
            },
            request: request.id.clone(),
            receipt: request.receipt.clone(),
            received_on: request.received_on,
            regime: request.regime,
        }),
        redact: Vec::new(),
        recipients: Vec::new(),
        against: Vec::new(),
        asked_by: by.to_owned(),
    };
    let job = requests.exports.start(ledger, export)?;
    let key = (ledger.record.number, request.id.clone());
    requests.copies().insert(key, job);
    Ok(())
}

/// Begins the copy of a request that is filed by now; where that fails, whoever asks for the copy begins it.
pub(super) fn begin_or_later(
    requests: &Arc<Requests>,
    tenant: &Tenant,
    filed: &Filed,
    about: &About,
    by: &str,
) {
    if let Err(error) = begin(requests, tenant.active(), filed, about, by) {
        tracing::warn!(%error, "a data subject's copy could not be started yet");
    }
}

/// The copy of a request, of the ledger that is read; where the server has forgotten it, it is made anew. A copy that is ready
/// counts as fetched, and is recorded as a read.
pub fn copy(
    requests: &Arc<Requests>,
    scope: &ReadScope,
    id: &str,
    (by, purpose): (&str, Option<&str>),
) -> Result<CopyState, PrivacyError> {
    let (tenant, ledger) = (scope.tenant(), scope.ledger());
    let filed = filed::find(&requests.journal, tenant, id)?;
    if !matches!(filed.request.kind, Kind::Access | Kind::Portability) {
        return Err(PrivacyError::NoCopy);
    }
    let Some(job) = job_of(requests, ledger, id) else {
        filed.request.check_open()?;
        begin(requests, ledger, &filed, &filed.about(tenant)?, by)?;
        let total = 0;
        return Ok(job_of(requests, ledger, id)
            .map_or(CopyState::Running { done: 0, total }, |job| {
                state_of(&filed, &job)
            }));
    };
    let state = state_of(&filed, &job);
    if let CopyState::Ready { summary, .. } = &state {
        let (journal, about) = (&requests.journal, filed.about(tenant)?);
        let fetch = Fetch::Copy(summary.counts.disclosed);
        fetch.record(journal, tenant, (id, &about), (by, purpose))?;
        set_fetched(journal, scope, id, summary)?;
    }
    if matches!(state, CopyState::Failed(_) | CopyState::Dropped) {
        // The next who asks has it made again.
        requests
            .copies()
            .remove(&(ledger.record.number, id.to_owned()));
    }
    Ok(state)
}

fn job_of(requests: &Requests, ledger: &Ledger, id: &str) -> Option<Arc<Job>> {
    let key = (ledger.record.number, id.to_owned());
    let job = requests.copies().get(&key).cloned()?;
    requests.exports.find(ledger, &job)
}

fn state_of(filed: &Filed, job: &Job) -> CopyState {
    match (job.status(), job.file()) {
        (Status::Running { done, total }, _) => CopyState::Running { done, total },
        (Status::Failed(error), _) => CopyState::Failed(error),
        // A file that is not there any more was dropped between the two looks.
        (Status::Dropped, _) | (Status::Done(_), None) => CopyState::Dropped,
        (Status::Done(summary), Some((file, _))) => CopyState::Ready {
            file,
            summary,
            portable: filed.request.kind == Kind::Portability,
        },
    }
}

fn set_fetched(
    journal: &Journal,
    scope: &ReadScope,
    id: &str,
    summary: &ExportSummary,
) -> Result<(), PrivacyError> {
    let _one = journal.locks.requests();
    let (tenant, ledger) = (scope.tenant(), scope.ledger());
    let mut filed = filed::find(journal, tenant, id)?;
    if filed.request.check_open() == Err(StageError::Closed) {
        return Ok(());
    }
    let bundle = Bundle {
        export_seq: summary.export_seq,
        sha256: Some(summary.sha256.clone()),
    };
    let fetched = if ledger.is_superseded() {
        let name = ledger.name().to_owned();
        filed.closed_ledgers.entry(name).or_default()
    } else {
        &mut filed.fetched
    };
    if fetched.as_ref().map(|fetched| &fetched.bundle) != Some(&bundle) {
        *fetched = Some(Fetched {
            bundle,
            events: summary.counts.disclosed,
            withheld: summary.withheld.clone(),
        });
        filed::keep(journal, tenant, &filed)?;
    }
    Ok(())
}

/// Drops the files of a request that was answered or ended.
pub(super) fn drop_file(requests: &Requests, tenant: &Tenant, id: &str) {
    for ledger in tenant.all() {
        let key = (ledger.record.number, id.to_owned());
        let job = requests.copies().remove(&key);
        if let Some(job) = job {
            requests.exports.remove(ledger, &job);
        }
    }
}
