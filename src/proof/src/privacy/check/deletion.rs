//! What a certificate says of deleted events: the numbers add up, and statements of the ledger cover them.

use serde::Deserialize;

use super::{Finding, Report, Stated, finding};
use crate::ids::Seq;
use crate::privacy::certificate::{Certificate, Events, Outcome};
use crate::privacy::request::Kind;

/// The numbers agree with each other and with the outcome.
pub(super) fn check_numbers(certificate: &Certificate) -> Result<(), Finding> {
    let Events {
        held,
        disclosed,
        destroyed,
        kept,
    } = certificate.events;
    let kept_in_rows = certificate
        .kept
        .iter()
        .try_fold(0_u64, |sum, row| sum.checked_add(row.events));
    let accounted = match certificate.request.kind {
        Kind::Access | Kind::Portability => destroyed == 0 && kept == 0 && disclosed <= held,
        Kind::Erasure | Kind::Restriction => {
            disclosed == 0 && destroyed.checked_add(kept) == Some(held)
        }
    };
    let fits = match certificate.outcome {
        Outcome::NothingHeld => held == 0,
        Outcome::Disclosed => disclosed > 0,
        Outcome::Erased => destroyed > 0 && kept == 0,
        Outcome::Partial => destroyed > 0 && kept > 0,
        Outcome::Restricted | Outcome::Held | Outcome::Refused => destroyed == 0 && kept > 0,
    };
    let has_statement = certificate.destroyed.is_some() == (destroyed > 0);
    if accounted && fits && has_statement && kept_in_rows == Some(kept) {
        Ok(())
    } else {
        Err(finding(
            None,
            "numbers",
            "the numbers of events contradict each other or the outcome",
        ))
    }
}

#[derive(Deserialize)]
struct TombstoneSection {
    items: u64,
    cause: String,
    requests: Vec<u64>,
}

/// What was destroyed is covered by a statement that serves this request.
pub(super) fn check_statement(
    certificate: &Certificate,
    stated: &[Stated<'_>],
    report: &mut Report,
) -> Result<(), Finding> {
    let Some(gone) = &certificate.destroyed else {
        return Ok(());
    };
    let seq = Some(gone.statement);
    let mut items = 0_u64;
    for by in std::iter::once(&gone.statement).chain(&gone.also) {
        let found = stated.iter().find(|one| one.entry.seq.get() == *by);
        let found = found.ok_or_else(|| {
            let detail = "the certificate lacks its statement";
            finding(Some(*by), "statement", detail)
        })?;
        let covers = covers_of(found)?;
        let serves = covers.cause == "request"
            && covers.requests.contains(&certificate.request.seq)
            && found.entry.seq > Seq::new(certificate.request.seq);
        items = items.saturating_add(if serves { covers.items } else { 0 });
    }
    if items < certificate.events.destroyed {
        return Err(finding(
            seq,
            "statement",
            "the statement does not cover such a deletion for this request",
        ));
    }
    report.statement_seq = seq;
    Ok(())
}

/// What an entry covers: events of its own ledger, or of one that a recovery closed.
fn covers_of(stated: &Stated<'_>) -> Result<TombstoneSection, Finding> {
    #[derive(Deserialize)]
    struct SupersededSection {
        covers: TombstoneSection,
    }
    let closed = stated.section::<SupersededSection>("closed");
    closed.map_or_else(|_| stated.section("covers"), |closed| Ok(closed.covers))
}
