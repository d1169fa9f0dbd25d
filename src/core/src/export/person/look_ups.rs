//! Who looked at a person's events: dates, ways and purposes (CJEU C-579/21, Pankki S).

use crate::export::ExportError;
use crate::export::person::section;
use crate::export::plan::Plan;
use crate::journal::Journal;
use crate::journal::read::{ReadError, open_event};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::time::UnixMillis;

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
    journal: &Journal,
    ledger: &Ledger,
    plan: &Plan,
) -> Result<(Vec<LookUp>, usize), ExportError> {
    let Some(reference) = plan.reference else {
        return Ok((Vec::new(), 0));
    };
    let mut reads = journal.ledgers.reads_of_person(reference)?;
    let own = (ledger.recorder().record.number, plan.recorded_by);
    reads.retain(|place| *place != own);
    let total = reads.len();
    let newest = reads.iter().rev().take(LOOK_UPS_MAX);
    // What was read of a closed ledger is recorded in the one that goes on.
    let tenant = journal.tenant(&ledger.record.tenant);
    let found = newest.map(|(number, seq)| {
        let mut ledgers = tenant.iter().flat_map(Tenant::all);
        let recorder = ledgers.find(|ledger| ledger.record.number == *number);
        let recorder = recorder.ok_or(ReadError::NotFound)?;
        look_up(journal, recorder, *seq)
    });
    Ok((found.collect::<Result<_, _>>()?, total))
}

fn look_up(journal: &Journal, ledger: &Ledger, seq: Seq) -> Result<LookUp, ExportError> {
    let read = open_event(journal, ledger, seq)?;
    let access = section(&read.sections, "access");
    let export = section(&read.sections, "export");
    let what = match access["route"].as_str() {
        Some("/v1/events/{id}" | "/v1/entries/{seq}") => "An event was opened",
        Some("/v1/events") => "A list of events was opened",
        Some("/v1/privacy/requests" | "/v1/privacy/requests/{id}/preview") => {
            "Your data was searched for a request of yours"
        }
        Some("/v1/privacy/requests/{id}") => "A request of yours was opened",
        Some("/v1/privacy/requests/{id}/answer") => "The answer to a request of yours was opened",
        Some("/v1/privacy/requests/{id}/bundle") => "A copy made for you was handed out",
        Some("/v1/privacy/requests/{id}/certificate") => {
            "The certificate of a request of yours was handed out"
        }
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
