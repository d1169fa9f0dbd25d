//! Telemetry that was rejected or altered, by reason.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use trailkeep_core::Engine;
use trailkeep_core::figures::Labels;

pub(super) fn register(registry: &mut Registry, engine: &Engine) {
    let counters = engine.inbox.counters();
    registry.register(
        "telemetry_rejected_items",
        "Rejected spans and log records, by reason",
        family("reason", counters.rejected_by.all()),
    );
    registry.register(
        "telemetry_altered_fields",
        "Telemetry fields that were changed, by kind of change",
        family("reason", counters.altered.all()),
    );
}

fn family(
    label: &str,
    counts: impl Iterator<Item = (&'static str, u64)>,
) -> Family<Labels, Counter> {
    let family = Family::<Labels, Counter>::default();
    for (name, count) in counts {
        let labels = vec![(label.to_owned(), name.to_owned())];
        family.get_or_create(&labels).inc_by(count);
    }
    family
}
