//! The register of requests as a table for spreadsheets. It names nobody: reference and data subject stay out, so it may be
//! handed to whoever examines it.

use super::show::{identity_checked, kept_in_words, word};
use crate::commands::client::Received;
use crate::commands::output::print_bytes;
use trailkeep_api::privacy::{PersonRequest, RequestList};
use trailkeep_proof::bundle::table::record;
use trailkeep_proof::privacy::{Day, IdentityKind, Manner};
use trailkeep_proof::text::block;

const COLUMNS: [&str; 18] = [
    "request",
    "receipt",
    "type",
    "law",
    "received_on",
    "manner",
    "identified_on",
    "identity",
    "identity_kind",
    "due",
    "extended_on",
    "state",
    "decision",
    "answered_at",
    "closed_at",
    "kept",
    "forgotten_on",
    "seq",
];

pub(super) fn print_csv(listed: &Received<RequestList>) -> anyhow::Result<()> {
    print_bytes(&record(COLUMNS.map(str::to_owned)))?;
    for request in &listed.read()?.requests {
        let cells = cells(request).map(|cell| block(&cell).into_owned());
        print_bytes(&record(cells))?;
    }
    Ok(())
}

fn cells(request: &PersonRequest) -> [String; COLUMNS.len()] {
    let day = |day: Option<Day>| day.map_or_else(String::new, |day| day.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let kept: Vec<String> = request.kept.iter().map(kept_in_words).collect();
    [
        request.id.clone(),
        request.receipt.clone(),
        word(&request.kind),
        word(&request.regime),
        request.received_on.to_string(),
        request.manner.map_or("", Manner::as_str).to_owned(),
        day(request.identified_on),
        identity_checked(request).unwrap_or_default().to_owned(),
        request
            .identity_kind
            .map_or("", IdentityKind::as_str)
            .to_owned(),
        day(request.due),
        day(request.extended_on),
        word(&request.state),
        text(&request.decision),
        text(&request.answered_at),
        text(&request.closed_at),
        kept.join("; "),
        day(request.forgotten_on),
        request.seq.to_string(),
    ]
}
