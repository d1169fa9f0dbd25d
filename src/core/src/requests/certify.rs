//! Issuing certificates: what was answered, with the ledger's entries as proof.

use serde_json::value::RawValue;

use crate::export::{ExportError, statement_line};
use crate::govern::Custody;
use crate::govern::rotation::RotationError;
use crate::govern::{replica, rotation};
use crate::journal::Journal;
use crate::journal::read::receipt;
use crate::keys::backups;
use crate::keys::keyring::KeyError;
use crate::requests::fetch::Fetch;
use crate::requests::filed::{About, Filed};
use crate::requests::{PrivacyError, filed};
use crate::tenant::Tenant;
use crate::tenant::ledger::{Ledger, LedgerKeys};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::privacy::certificate::{Answered, Bundle, Copy, FORMAT, Signed, SubjectProof};
use trailkeep_proof::privacy::note::note_of;
use trailkeep_proof::privacy::{
    Certificate, Destroyed, Events, Kept, Outcome, Proven, Withheld, commit_to_subject,
};
use trailkeep_proof::time::UnixMillis;

/// What came of a request.
pub(super) struct Answer {
    /// The entry that answers it.
    pub(super) seq: Seq,
    pub(super) outcome: Outcome,
    pub(super) events: Events,
    pub(super) bundle: Option<Bundle>,
    pub(super) withheld: Option<Vec<Withheld>>,
    pub(super) destroyed: Option<Destroyed>,
    pub(super) kept: Vec<Kept>,
    pub(super) openings_given: Option<bool>,
}

/// Writes and signs the certificate of an answer that is recorded.
pub(super) fn issue(
    journal: &Journal,
    tenant: &Tenant,
    (filed, about): (&Filed, &About),
    answer: Answer,
) -> Result<Signed, PrivacyError> {
    let ledger = tenant.active();
    let (request, origin) = (&filed.request, &ledger.record.origin);
    let salt = about.salt()?;
    let commitment = commit_to_subject(origin, &request.id, &salt, &about.namespace, &about.id);
    let gone = answer.destroyed.as_ref();
    let mut seqs = vec![filed.seq, answer.seq.get()];
    seqs.extend(gone.iter().map(|gone| gone.statement));
    seqs.extend(gone.iter().flat_map(|gone| &gone.also));
    seqs.sort_unstable();
    let entries = seqs.into_iter().map(Seq::new);
    let mut certificate = Certificate {
        format: FORMAT.to_owned(),
        origin: origin.to_string(),
        issued_at: journal.clock.wall().to_string(),
        software: concat!("trailkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
        request: Answered {
            id: request.id.clone(),
            receipt: request.receipt.clone(),
            kind: request.kind,
            regime: request.regime,
            received_on: request.received_on,
            seq: filed.seq,
            identity_checked: Some(filed.is_identity_checked(about)),
            identity_kind: filed.ticket.identity_kind,
            manner: filed.ticket.manner,
        },
        subject: SubjectProof {
            commitment: commitment.to_string(),
            salt: salt.to_string(),
        },
        outcome: answer.outcome,
        events: answer.events,
        bundle: answer.bundle,
        withheld: answer.withheld,
        destroyed: answer.destroyed,
        kept: answer.kept,
        openings_given: answer.openings_given,
        note: String::new(),
        entries: entries
            .map(|seq| prove(journal, ledger, seq))
            .collect::<Result<_, _>>()?,
    };
    certificate.note = note_of(&certificate);
    let keys = LedgerKeys::load(&journal.keyring, &ledger.record)?;
    Ok(certificate.sign(&keys.signing))
}

fn prove(journal: &Journal, ledger: &Ledger, seq: Seq) -> Result<Proven, PrivacyError> {
    let published = ledger.published();
    let line = statement_line(journal, ledger, seq)?;
    let says = String::from_utf8(line)
        .map_err(std::io::Error::other)
        .and_then(|line| Ok(RawValue::from_string(line.trim_end().to_owned())?))
        .map_err(ExportError::from)?;
    Ok(Proven {
        proof: receipt(journal, ledger, &published, seq)?.to_text(),
        says,
    })
}

/// What a statement destroyed, as it is now: the copies die with the next rotation.
pub(super) fn what_was_destroyed(
    custody: &Custody,
    (statement, also): (Seq, &[Seq]),
) -> Result<Destroyed, PrivacyError> {
    Ok(Destroyed {
        statement: statement.get(),
        also: also.iter().map(|seq| seq.get()).collect(),
        live_at: custody.journal.clock.wall().to_string(),
        copies: copies(custody, None)?,
        copies_dead_at: None,
        backups: Some(backups::known(&custody.journal.keyring)?),
    })
}

/// The copies of the keys that are registered, and when they died.
fn copies(custody: &Custody, dead_at: Option<&str>) -> Result<Vec<Copy>, PrivacyError> {
    let targets = replica::list(custody).map_err(RotationError::from);
    let targets = targets.map_err(|error| PrivacyError::Rotation(Box::new(error)))?;
    let copy = |target: &replica::TargetStatus| Copy {
        name: format!("{} {}", target.kind, target.id),
        dead_at: dead_at.map(str::to_owned),
    };
    Ok(targets.iter().map(copy).collect())
}

/// Adds what happened since: the rotation that ended the keys in the replicas, and the runs that took what was destroyed
/// out of the backups.
fn bring_up_to_date(
    custody: &Custody,
    epoch: Option<u32>,
    destroyed: &mut Destroyed,
) -> Result<(), PrivacyError> {
    if destroyed.copies_dead_at.is_none()
        && let Some(epoch) = epoch
        && let Some(dead_at) = rotation::ended_after(&custody.journal, epoch)?
    {
        let dead_at = dead_at.to_string();
        destroyed.copies = copies(custody, Some(&dead_at))?;
        destroyed.copies_dead_at = Some(dead_at);
    }
    let gone_at = UnixMillis::parse_rfc3339(&destroyed.live_at);
    if let (Some(backups), Some(gone_at)) = (destroyed.backups.as_mut(), gone_at) {
        backups::note_overwritten(&custody.journal.keyring, backups, gone_at)?;
    }
    Ok(())
}

/// The same for a caller who downloads the certificate. The download is recorded as a read: the certificate's salt shows whom the
/// request is about.
pub fn certificate(
    custody: &Custody,
    tenant: &Tenant,
    id: &str,
    read_by: (&str, Option<&str>),
) -> Result<Signed, PrivacyError> {
    let signed = certificate_of(custody, tenant, id)?;
    let about = filed::find(&custody.journal, tenant, id)?.about(tenant)?;
    Fetch::Certificate.record(&custody.journal, tenant, (id, &about), read_by)?;
    Ok(signed)
}

/// The certificate of a request that was answered. Where the vault was rotated or a backup brought up to date since, it is
/// signed anew, with the time.
pub fn certificate_of(
    custody: &Custody,
    tenant: &Tenant,
    id: &str,
) -> Result<Signed, PrivacyError> {
    let _one = custody.journal.locks.requests();
    let mut filed = filed::find(&custody.journal, tenant, id)?;
    let mut about = filed.about(tenant)?;
    let signed = about.certificate.clone();
    let signed = signed.ok_or(PrivacyError::NoCertificate)?;
    let mut certificate: Certificate =
        serde_json::from_str(&signed.text).map_err(|_| KeyError::DoesNotOpen("a certificate"))?;
    let active = &tenant.active().record;
    // A superseded ledger signs nothing any more.
    if certificate.origin != active.origin.as_str() {
        return Ok(signed);
    }
    let Some(destroyed) = certificate.destroyed.as_mut() else {
        return Ok(signed);
    };
    let before = destroyed.clone();
    bring_up_to_date(custody, filed.epoch, destroyed)?;
    if *destroyed == before {
        return Ok(signed);
    }
    certificate.note = note_of(&certificate);
    certificate.issued_at = custody.journal.clock.wall().to_string();
    let keys = LedgerKeys::load(&custody.journal.keyring, active)?;
    let signed = certificate.sign(&keys.signing);
    about.certificate = Some(signed.clone());
    filed.set_about(tenant, &about)?;
    filed::keep(&custody.journal, tenant, &filed)?;
    Ok(signed)
}
