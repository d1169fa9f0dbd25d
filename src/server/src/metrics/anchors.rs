//! Figures of anchoring.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Labels;
use crate::problem::Problem;
use trailkeep_core::Engine;
use trailkeep_core::anchor::status::status;
use trailkeep_core::tenant::ledger::Ledger;
use trailkeep_proof::time::UnixMillis;

/// Adds where the heads of a ledger are.
pub(super) fn register(
    registry: &mut Registry,
    engine: &Engine,
    ledger: &Ledger,
) -> Result<(), Problem> {
    let status = status(&engine.anchors, ledger, false)?;
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let stopped = Gauge::<i64>::default();
    stopped.set(i64::from(status.rolled_back.is_some()));
    registry.register(
        "rolled_back",
        "1 if rollback is detected: a target holds a later checkpoint, and the ledger refuses entries",
        stopped,
    );
    let witnessed = Gauge::<i64>::default();
    witnessed.set(number(status.witnessed_size.unwrap_or_default()));
    registry.register(
        "witnessed_entries",
        "Entries of the newest checkpoint that a witness cosigned",
        witnessed,
    );
    let [entries, times, failing] = [(); 3].map(|()| Family::<Labels, Gauge>::default());
    for target in status.targets {
        let labels = vec![
            ("target".to_owned(), target.name),
            ("kind".to_owned(), target.kind.to_owned()),
        ];
        let size = number(target.size.unwrap_or_default());
        entries.get_or_create(&labels).set(size);
        let at = target.at.as_deref().and_then(UnixMillis::parse_rfc3339);
        let seconds = at.map_or(0, |at| at.get() / 1_000);
        times.get_or_create(&labels).set(number(seconds));
        let is_failing = i64::from(target.error.is_some());
        failing.get_or_create(&labels).set(is_failing);
    }
    registry.register(
        "anchored_entries",
        "Entries of the newest checkpoint that a target has",
        entries,
    );
    registry.register(
        "anchored_timestamp_seconds",
        "Time at which a target got its newest checkpoint, in seconds since 1970",
        times,
    );
    registry.register(
        "anchor_failing",
        "1 if the newest checkpoint could not be sent to the target",
        failing,
    );
    Ok(())
}
