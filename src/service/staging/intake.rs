//! Taking telemetry: when it is acknowledged it is on disk, sealed.

use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use super::keys::Sealing;
use super::{ROWS_MAX, StagingError, count};
use crate::otlp::classify::{Intake, intake, regimes, response_id};
use crate::otlp::decode::Decoded;
use crate::otlp::telemetry::{Item, Part};
use crate::seal::staged::{seal_staged, staging_tag};
use crate::service::Engine;
use crate::service::failpoint::FailPoint;
use crate::service::keyring::KeyError;
use crate::service::ledger::Ledger;
use crate::store::NewPart;
use crate::store::directory::free_bytes;

/// Parts of a request.
const PARTS_MAX: usize = 50_000;
/// Bytes of a request's parts, each with the resource that they share.
const REQUEST_BYTES_MAX: usize = 256 << 20;
/// Regimes of an event.
const REGIMES_MAX: usize = 8;
/// Bytes of a part, as it waits.
const PART_BYTES_MAX: usize = 4 << 20;
const TOO_LARGE: &str = "a span or log record has more than 4 MiB: keep large content elsewhere";

/// What of a request was not taken.
#[derive(Debug, Default)]
pub struct Received {
    /// How many spans or log records.
    pub rejected: u64,
    /// Why the first of them.
    pub reason: Option<String>,
}

impl Received {
    fn reject(&mut self, reason: &str) {
        self.rejected += 1;
        if self.reason.is_none() {
            self.reason = Some(reason.to_owned());
        }
    }
}

/// Takes the parts of a request. They are on disk when it returns, and each will be an event, or a part of one.
pub fn receive(
    engine: &Engine,
    ledger: &Ledger,
    decoded: Decoded,
) -> Result<Received, StagingError> {
    check_room(engine, ledger)?;
    if decoded.parts.len() > PARTS_MAX {
        return Err(StagingError::TooLarge);
    }
    let counters = &engine.staging.counters;
    let mut received = Received {
        rejected: decoded.rejected,
        reason: decoded.reason.map(str::to_owned),
    };
    let mut kept = Vec::with_capacity(decoded.parts.len());
    for part in decoded.parts {
        count(
            match part.item {
                Item::Span(_) => &counters.spans_received,
                Item::Log(_) => &counters.log_records_received,
            },
            1,
        );
        if let Err(reason) = check_regimes(engine, &part) {
            received.reject(&reason);
            continue;
        }
        match intake(part, engine.staging.settings.keep) {
            Intake::Stage(part) => kept.push(*part),
            Intake::Drop => count(&counters.log_records_dropped, 1),
            Intake::Reject(reason) => received.reject(reason),
        }
    }
    stage(engine, ledger, &kept, &mut received)?;
    count(&counters.rejected, received.rejected);
    Ok(received)
}

fn check_room(engine: &Engine, ledger: &Ledger) -> Result<(), StagingError> {
    if ledger.settings().closed_at_ms.is_some() {
        return Err(StagingError::TenantClosed);
    }
    if free_bytes(engine.directory.path()).is_some_and(|free| free < engine.min_free_bytes) {
        return Err(StagingError::Full);
    }
    if engine.staging.waiting.load(Ordering::Relaxed) > ROWS_MAX {
        return Err(StagingError::Busy);
    }
    Ok(())
}

/// Why the regimes that a part chooses can't be an event's.
fn check_regimes(engine: &Engine, part: &Part) -> Result<(), String> {
    let chosen = regimes(part);
    if chosen.len() > REGIMES_MAX {
        return Err(format!(
            "`trailkeep.regimes` names more than {REGIMES_MAX} regimes"
        ));
    }
    let mut unknown = chosen
        .into_iter()
        .filter(|regime| engine.policies.of_regime(regime).is_none());
    unknown.next().map_or(Ok(()), |regime| {
        let regime: String = regime.chars().take(64).collect();
        Err(format!(
            "no policy is of the regime `{regime}` that `trailkeep.regimes` names: `trailkeep policy list` shows the regimes there are"
        ))
    })
}

fn stage(
    engine: &Engine,
    ledger: &Ledger,
    parts: &[Part],
    received: &mut Received,
) -> Result<(), StagingError> {
    if parts.is_empty() {
        return Ok(());
    }
    let staging = &engine.staging;
    let now = engine.clock.wall();
    // Held until the parts are on disk: their key must not go before they come.
    let held = staging
        .keys
        .of_today(engine, &ledger.record, now, Sealing::Part)?;
    let mut rows = Vec::with_capacity(parts.len());
    let mut bytes = 0;
    for part in parts {
        let text =
            serde_json::to_vec(part).expect("telemetry is plain data, which has a JSON form");
        bytes += text.len();
        if bytes > REQUEST_BYTES_MAX {
            return Err(StagingError::TooLarge);
        }
        if text.len() > PART_BYTES_MAX {
            received.reject(TOO_LARGE);
            continue;
        }
        let tag = |label, value: &[u8]| staging_tag(&ledger.index_key, label, value);
        let trace = part.trace_id().unwrap_or_default();
        let span = format!("{trace}:{}", part.span_id().unwrap_or_default());
        let part_tag = tag("part", &Sha256::digest(&text));
        let sealed = seal_staged(&held.key, &text, &place_of_part(ledger, part_tag));
        rows.push(NewPart {
            tag: part_tag,
            trace: tag("trace", trace.as_bytes()),
            span: tag("span", span.as_bytes()),
            answer: response_id(part).map(|id| tag("answer", id.as_bytes())),
            is_root: part.is_local_root(),
            arrived_at: now,
            day: held.day,
            sealed: sealed.map_err(KeyError::from)?,
        });
    }
    FailPoint::BeforeStaging.reach();
    let new = staging.file.add(ledger.record.number, &rows)?;
    FailPoint::AfterStaging.reach();
    let added = i64::try_from(new).unwrap_or(i64::MAX);
    staging.waiting.fetch_add(added, Ordering::Relaxed);
    count(&staging.counters.repeated, (rows.len() - new) as u64);
    Ok(())
}

/// What a sealed part is bound to.
pub(super) fn place_of_part(ledger: &Ledger, tag: crate::ids::Tag) -> String {
    let tag = crate::ids::hex(tag.as_bytes());
    format!("trailkeep/staged-part/v1\n{}\n{tag}", ledger.record.origin)
}
