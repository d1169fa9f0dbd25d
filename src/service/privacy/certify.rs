//! Issuing certificates: what was answered, with the ledger's entries as proof.

use serde_json::value::RawValue;

use super::PrivacyError;
use super::filed::{self, About, Filed};
use crate::ids::Seq;
use crate::privacy::certificate::{
    Answered, Bundle, FORMAT, NOTE_OF_A_COPY, NOTE_OF_A_DESTRUCTION, Signed, SubjectProof,
};
use crate::privacy::{
    Certificate, Destroyed, Events, Kept, Kind, Outcome, Proven, commit_to_subject,
};
use crate::service::Engine;
use crate::service::export::{ExportError, statement_line};
use crate::service::ledger::{Ledger, LedgerKeys};
use crate::service::read::receipt;

/// What came of a request.
pub(super) struct Answer {
    /// The entry that answers it.
    pub(super) seq: Seq,
    pub(super) outcome: Outcome,
    pub(super) events: Events,
    pub(super) bundle: Option<Bundle>,
    pub(super) destroyed: Option<Destroyed>,
    pub(super) kept: Vec<Kept>,
    pub(super) openings_given: Option<bool>,
}

/// Writes and signs the certificate of an answer that is recorded.
pub(super) fn issue(
    engine: &Engine,
    ledger: &Ledger,
    (filed, about): (&Filed, &About),
    answer: Answer,
) -> Result<Signed, PrivacyError> {
    let (request, origin) = (&filed.request, &ledger.record.origin);
    let salt = about.salt()?;
    let commitment = commit_to_subject(origin, &request.id, &salt, &about.namespace, &about.id);
    let statement = answer.destroyed.as_ref().map(|gone| gone.statement);
    let seqs = [Some(filed.seq), statement, Some(answer.seq.get())];
    let entries = seqs.into_iter().flatten().map(Seq::new);
    let certificate = Certificate {
        format: FORMAT.to_owned(),
        origin: origin.to_string(),
        issued_at: engine.clock.wall().to_string(),
        software: concat!("trailkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
        request: Answered {
            id: request.id.clone(),
            receipt: request.receipt.clone(),
            kind: request.kind,
            regime: request.regime,
            received_on: request.received_on,
            seq: filed.seq,
        },
        subject: SubjectProof {
            commitment: commitment.to_string(),
            salt: salt.to_string(),
        },
        outcome: answer.outcome,
        events: answer.events,
        bundle: answer.bundle,
        destroyed: answer.destroyed,
        kept: answer.kept,
        openings_given: answer.openings_given,
        note: match request.kind {
            Kind::Access | Kind::Portability => NOTE_OF_A_COPY,
            Kind::Erasure | Kind::Restriction => NOTE_OF_A_DESTRUCTION,
        }
        .to_owned(),
        entries: entries
            .map(|seq| prove(engine, ledger, seq))
            .collect::<Result<_, _>>()?,
    };
    let keys = LedgerKeys::load(&engine.keyring, &ledger.record)?;
    Ok(certificate.sign(&keys.signing))
}

fn prove(engine: &Engine, ledger: &Ledger, seq: Seq) -> Result<Proven, PrivacyError> {
    let published = ledger.published();
    let line = statement_line(engine, ledger, seq)?;
    let says = String::from_utf8(line)
        .map_err(std::io::Error::other)
        .and_then(|line| Ok(RawValue::from_string(line.trim_end().to_owned())?))
        .map_err(ExportError::from)?;
    Ok(Proven {
        proof: receipt(engine, ledger, &published, seq)?.to_text(),
        says,
    })
}

/// The certificate of a request that was answered.
pub fn certificate_of(engine: &Engine, ledger: &Ledger, id: &str) -> Result<Signed, PrivacyError> {
    let filed = filed::find(engine, ledger, id)?;
    let about = filed.about(&ledger.record.origin)?;
    about.certificate.ok_or(PrivacyError::NoCertificate)
}
