//! Who looked at a person's events: dates, ways and purposes (CJEU C-579/21, Pankki S).

use super::section;
use crate::ids::Seq;
use crate::service::Engine;
use crate::service::export::ExportError;
use crate::service::export::plan::Plan;
use crate::service::ledger::Ledger;
use crate::service::read::open_event;
use crate::time::UnixMillis;

/// Look-ups that are shown one by one, the newest.
const LOOK_UPS_MAX: usize = 500;

/// A recorded read of the person's data.
pub(super) struct LookUp {
    pub(super) at: UnixMillis,
    pub(super) what: &'static str,
    pub(super) purpose: Option<String>,
    pub(super) by: String,
}

/// The reads that showed the person's data, newest first, and how many there are in all.
pub(super) fn look_ups(
    engine: &Engine,
    ledger: &Ledger,
    plan: &Plan,
) -> Result<(Vec<LookUp>, usize), ExportError> {
    let Some(reference) = plan.reference else {
        return Ok((Vec::new(), 0));
    };
    let mut seqs = engine.ledgers.reads_of_person(reference)?;
    seqs.retain(|seq| *seq != plan.export_seq);
    let total = seqs.len();
    let newest = seqs.iter().rev().take(LOOK_UPS_MAX);
    let found = newest.map(|seq| look_up(engine, ledger, *seq));
    Ok((found.collect::<Result<_, _>>()?, total))
}

fn look_up(engine: &Engine, ledger: &Ledger, seq: Seq) -> Result<LookUp, ExportError> {
    let read = open_event(engine, ledger, seq)?;
    let access = section(&read.sections, "access");
    let export = section(&read.sections, "export");
    let what = match access["route"].as_str() {
        Some("/v1/events/{id}" | "/v1/entries/{seq}") => "An event was opened",
        Some("/v1/events") => "A list of events was opened",
        Some("/v1/privacy/requests") => "Your data was looked through for a request of yours",
        Some("/v1/privacy/requests/{id}") => "A request of yours was opened",
        Some(_) => "Events were opened",
        None if export.is_object() => "A copy was made for a request of yours",
        None => "Your data was used",
    };
    let by = access["by"].as_str().or(export["by"].as_str());
    Ok(LookUp {
        at: read.entry.recorded_at,
        what,
        purpose: access["purpose"].as_str().map(str::to_owned),
        by: by.unwrap_or_default().to_owned(),
    })
}
