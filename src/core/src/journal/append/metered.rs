//! The section `metered` of an event that is about to be recorded (docs/format.md, "Metered").
//!
//! It is made on the request's own task from what the event says, the prices and the names. As what an event counts follows from
//! what the server assembled: only telemetry has an id and marks that the server gave.

mod call;
mod known;

use std::sync::Arc;

use crate::journal::Journal;
use crate::journal::append::register::{Wanted, metering, register};
use crate::journal::append::{AppendError, Incoming};
use crate::off_loop::may_wait;
use crate::tenant::ledger::Ledger;
use crate::tenant::metering::Metering;
use crate::tenant::prompts::Prompts;
use call::Meter;
pub(crate) use call::is_call;
use known::Counted;
use trailkeep_policy::Policy;
use trailkeep_proof::metered::{Cost, Kind, Metered};
use trailkeep_proof::time::UnixMillis;

const MS_A_DAY: u64 = 24 * 60 * 60 * 1000;

/// The policies of an event that is new; none of one that is recorded.
type Applying = Option<Vec<Arc<Policy>>>;

/// What is counted of an event, as it is recorded.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) text: String,
    /// Whether it says on which day it is recorded, because a price is of that day.
    pub(super) is_of_day: bool,
}

/// The sections `metered` of the events that are new, those with policies here; none where nothing is counted. What they need is
/// stated in the ledger first.
pub(super) fn sections(
    journal: &Journal,
    ledger: &Ledger,
    (events, applying): (&[Incoming], &[Applying]),
    now: UnixMillis,
) -> Result<Vec<Option<Section>>, AppendError> {
    let mut kinds = Vec::with_capacity(events.len());
    for (event, policies) in events.iter().zip(applying) {
        kinds.push(policies.as_ref().and_then(|_| call::kind_of(event)));
    }
    if kinds.iter().all(Option::is_none) {
        return Ok(kinds.into_iter().map(|_| None).collect());
    }
    let mut found = metering(journal, ledger)?;
    let mut counted = Vec::with_capacity(events.len());
    for (event, kind) in events.iter().zip(&kinds) {
        let is_follow_up = matches!(kind, Some(Kind::Late | Kind::Duplicate));
        counted.push(if is_follow_up {
            known::counted(journal, ledger, event)?
        } else {
            Counted::default()
        });
    }
    let is_closed = ledger.settings().closed_at_ms.is_some();
    let prompts = ledger.prompts();
    let all = (events, kinds.as_slice(), counted.as_slice());
    let (mut made, mut wanted) = measure((&found, &prompts), all, now);
    // What is not known is stated, and then known. The ledger of a closed tenant takes nothing because of events that it refuses.
    if !wanted.is_empty() && !is_closed {
        found = may_wait(|| register(journal, ledger, &wanted))?;
        (made, wanted) = measure((&found, &prompts), all, now);
        if !wanted.is_empty() {
            tracing::debug!("names or tables could not be stated: figures count `other`");
        }
    }
    Ok(made)
}

/// The sections by what is stated, and what else should be.
fn measure(
    known: (&Metering, &Prompts),
    (events, kinds, counted): (&[Incoming], &[Option<Kind>], &[Counted]),
    now: UnixMillis,
) -> (Vec<Option<Section>>, Wanted) {
    let mut wanted = Wanted::default();
    let all = events.iter().zip(kinds).zip(counted);
    let made = all.map(|((event, kind), counted)| {
        let mut meter = Meter::new(known, &mut wanted, now);
        (*kind).map(|kind| section(&meter.measure(event, kind, counted)))
    });
    let made = made.collect();
    (made, wanted)
}

fn section(metered: &Metered) -> Section {
    Section {
        text: metered.to_text(),
        is_of_day: matches!(metered.cost, Cost::Table { .. }),
    }
}

/// The day of a moment, from inclusive, to exclusive.
pub(super) fn day_of(now: UnixMillis) -> std::ops::Range<UnixMillis> {
    let start = now.start_of_day();
    start..UnixMillis::new(start.get().saturating_add(MS_A_DAY))
}
