//! Taking telemetry: when it is acknowledged it is on disk, sealed.

use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use crate::failpoint::FailPoint;
use crate::ingest::Inbox;
use crate::ingest::keys::Sealing;
use crate::ingest::{ROWS_MAX, StagingError, count};
use crate::keys::keyring::KeyError;
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::IndexKey;
use trailkeep_crypto::staged::{seal_staged, staging_tag};
use trailkeep_otlp::classify::{Intake, intake, response_id};
use trailkeep_otlp::decode::{Decoded, Signal};
use trailkeep_otlp::rejection::{Rejection, Rejections};
use trailkeep_otlp::telemetry::{Item, Part};
use trailkeep_ports::{LedgerRecord, NewPart};
use trailkeep_proof::ids::{Tag, hex};

/// Parts of a request.
const PARTS_MAX: usize = 50_000;
/// Bytes of a request's parts, each with the resource that they share.
const REQUEST_BYTES_MAX: usize = 256 << 20;
/// Bytes of a part, as it waits.
const PART_BYTES_MAX: usize = 4 << 20;

/// What of a request was not taken.
#[derive(Debug, Default)]
pub struct Received {
    /// How many spans or log records.
    pub rejected: u64,
    /// Which, and why; and how many are taken but become no event.
    pub reason: Option<String>,
}

/// What of a request becomes no event.
struct NotTaken {
    rejected: Rejections,
    not_recorded: u64,
}

impl NotTaken {
    fn message(&self, signal: Signal) -> Option<String> {
        let not_recorded = (self.not_recorded > 0).then(|| {
            format!(
                "{} log records are not recorded: they are neither gen_ai events nor of an agent (`serve --otlp-keep all` records them)",
                self.not_recorded
            )
        });
        let said: Vec<String> = self
            .rejected
            .message(signal)
            .into_iter()
            .chain(not_recorded)
            .collect();
        (!said.is_empty()).then(|| said.join(". "))
    }
}

/// Takes the parts of a request. They are on disk when it returns, and each will be an event, or a part of one.
pub fn receive(inbox: &Inbox, tenant: &Tenant, decoded: Decoded) -> Result<Received, StagingError> {
    let ledger = tenant.active();
    check_room(inbox, ledger)?;
    if decoded.parts.len() > PARTS_MAX {
        return Err(StagingError::TooLarge);
    }
    let counters = &inbox.counters;
    let signal = decoded.signal;
    let mut not_taken = NotTaken {
        rejected: decoded.rejected,
        not_recorded: 0,
    };
    let mut kept = Vec::with_capacity(decoded.parts.len());
    for (place, part) in decoded.places.into_iter().zip(decoded.parts) {
        count(
            match part.item {
                Item::Span(_) => &counters.spans_received,
                Item::Log(_) => &counters.log_records_received,
            },
            1,
        );
        counters.altered.count(&part.altered);
        match intake(part, inbox.settings.keep) {
            Intake::Stage(part) => kept.push((place, *part)),
            Intake::Record(part) => kept.push((place, with_a_name(ledger, *part))),
            Intake::Drop => not_taken.not_recorded += 1,
            Intake::Reject(why) => not_taken.rejected.add(place, why),
        }
    }
    stage(inbox, ledger, Sealing::Part, &kept, &mut not_taken.rejected)?;
    count(&counters.log_records_dropped, not_taken.not_recorded);
    tell(inbox, ledger, &not_taken.rejected);
    Ok(Received {
        rejected: not_taken.rejected.total(),
        reason: not_taken.message(signal),
    })
}

/// Gives a record that is an event by itself its name: what is sent again has it again.
fn with_a_name(ledger: &Ledger, mut part: Part) -> Part {
    let text = serde_json::to_vec(&part).expect("telemetry is plain data, which has a JSON form");
    if let Item::Log(log) = &mut part.item {
        let tag = staging_tag(&ledger.index_key, "record", &Sha256::digest(&text));
        log.record = Some(format!("log:{}", hex(tag.as_bytes())));
    }
    part
}

/// Counts what was rejected, and logs it: exporters mostly do not print what they are told.
fn tell(inbox: &Inbox, ledger: &Ledger, rejected: &Rejections) {
    let staging = &inbox;
    count(&staging.counters.rejected, rejected.total());
    for (why, number) in rejected.by_reason() {
        staging.counters.rejected_by.add(why, number);
    }
    if rejected.total() == 0 || !staging.may_warn(inbox.journal.clock.since_boot_ms()) {
        return;
    }
    let reasons: Vec<&str> = rejected.by_reason().map(|(why, _)| why.name()).collect();
    tracing::warn!(
        tenant = %ledger.record.tenant,
        rejected = rejected.total(),
        reasons = reasons.join(", "),
        "telemetry was rejected, as its sender was told; trailkeep_telemetry_rejected_items_total counts all of it"
    );
}

fn check_room(inbox: &Inbox, ledger: &Ledger) -> Result<(), StagingError> {
    if ledger.settings().closed_at_ms.is_some() {
        return Err(StagingError::TenantClosed);
    }
    if inbox.journal.disk.is_below_reserve() {
        return Err(StagingError::Full);
    }
    if inbox.waiting.load(Ordering::Relaxed) > ROWS_MAX {
        return Err(StagingError::Busy);
    }
    Ok(())
}

/// Seals parts and adds them to the file. On disk when it returns.
pub(super) fn stage(
    inbox: &Inbox,
    ledger: &Ledger,
    sealing: Sealing,
    parts: &[(usize, Part)],
    rejected: &mut Rejections,
) -> Result<(), StagingError> {
    if parts.is_empty() {
        return Ok(());
    }
    let staging = &inbox;
    let now = inbox.journal.clock.wall();
    // Held until the parts are on disk: their key must not go before they come.
    let held = staging
        .keys
        .of_today(&inbox.journal, &ledger.record, now, sealing)?;
    let mut rows = Vec::with_capacity(parts.len());
    let mut bytes = 0;
    for (place, part) in parts {
        let text =
            serde_json::to_vec(part).expect("telemetry is plain data, which has a JSON form");
        bytes += text.len();
        if bytes > REQUEST_BYTES_MAX {
            return Err(StagingError::TooLarge);
        }
        if text.len() > PART_BYTES_MAX {
            rejected.add(*place, Rejection::TooLarge);
            continue;
        }
        let tags = PartTags::of(&ledger.index_key, part, &text);
        let sealed = seal_staged(&held.key, &text, &place_of_part(&ledger.record, tags.part));
        rows.push(NewPart {
            tag: tags.part,
            trace: tags.trace,
            span: tags.span,
            answer: tags.answer,
            is_root: part.is_local_root(),
            arrived_at: now,
            day: held.day,
            sealed: sealed.map_err(KeyError::from)?,
        });
    }
    FailPoint::BeforeStaging.reach();
    let new = staging.file.add(ledger.record.number, &rows)?;
    FailPoint::AfterStaging.reach();
    staging.changed(new, 0);
    count(&staging.counters.repeated, (rows.len() - new) as u64);
    Ok(())
}

/// The tags by which a part is told apart and found.
pub(super) struct PartTags {
    /// Of all of it.
    pub(super) part: Tag,
    /// Of its trace.
    pub(super) trace: Tag,
    /// Of its trace and span.
    pub(super) span: Tag,
    /// Of the provider's identifier of the answer.
    pub(super) answer: Option<Tag>,
}

impl PartTags {
    /// The tags of a part whose text is this.
    pub(super) fn of(key: &IndexKey, part: &Part, text: &[u8]) -> Self {
        let tag = |label, value: &[u8]| staging_tag(key, label, value);
        let trace = part.trace_id().unwrap_or_default();
        let span = format!("{trace}:{}", part.span_id().unwrap_or_default());
        Self {
            part: tag("part", &Sha256::digest(text)),
            trace: tag("trace", trace.as_bytes()),
            span: tag("span", span.as_bytes()),
            answer: response_id(part).map(|id| tag("answer", id.as_bytes())),
        }
    }
}

/// What a sealed part is bound to.
pub(super) fn place_of_part(ledger: &LedgerRecord, tag: Tag) -> String {
    let tag = hex(tag.as_bytes());
    format!("trailkeep/staged-part/v1\n{}\n{tag}", ledger.origin)
}
