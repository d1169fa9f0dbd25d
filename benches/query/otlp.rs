//! The same calls of models as spans and as events.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use trailkeep_core::ingest::StagingSettings;

use crate::support::say;
use crate::support::server::{Server, Site};
use crate::support::telemetry::{BATCH, Call, EVENTS, SPANS, calls, send};

pub(crate) async fn measure(folder: &Path, count: u64, waiting: &[u64]) -> anyhow::Result<()> {
    let calls = Arc::new(calls());
    say("| the same calls | requests | acknowledged/s | events after s | events/s to the last |")?;
    say("|---|---|---|---|---|")?;
    let mut rates = Vec::new();
    for way in [SPANS, EVENTS] {
        let site = Site::make(folder, &way.path.replace('/', "-"))?;
        let server = site.serve().await?;
        let size_before = server.tenant()?.active().published().head.size;
        let from = Instant::now();
        send(&server.target, &calls, way, 0..count).await?;
        let acknowledged = from.elapsed().as_secs_f64();
        wait_for(&server, size_before + count).await?;
        let all = from.elapsed().as_secs_f64();
        let rate = count as f64 / acknowledged;
        let (name, requests) = (way.name, count.div_ceil(BATCH));
        say(&format!(
            "| {name} | {requests} | {rate:.0} | {all:.1} | {:.0} |",
            count as f64 / all
        ))?;
        rates.push(rate);
        server.close().await?;
        site.remove()?;
    }
    if let [spans, events] = rates[..] {
        say(&format!(
            "\nSpans are acknowledged at {:.2} of the rate of events.\n",
            spans / events
        ))?;
    }
    say("| spans that wait | sent in s | events/s when they are due |")?;
    say("|---|---|---|")?;
    for count in waiting {
        measure_waiting(folder, &calls, *count).await?;
    }
    Ok(())
}

/// How fast spans become events that all wait already. They are due when their traces have been quiet.
async fn measure_waiting(folder: &Path, calls: &Arc<Vec<Call>>, count: u64) -> anyhow::Result<()> {
    let site = Site::make(folder, &format!("waiting-{count}"))?;
    let server = site.serve().await?;
    let size_before = server.tenant()?.active().published().head.size;
    let from = Instant::now();
    send(&server.target, calls, SPANS, 0..count).await?;
    let sent = from.elapsed().as_secs_f64();
    wait_for(&server, size_before + count).await?;
    let quiet = StagingSettings::default().quiet_ms as f64 / 1_000.0;
    let rate = count as f64 / (from.elapsed().as_secs_f64() - quiet);
    say(&format!("| {count} | {sent:.1} | {rate:.0} |"))?;
    server.close().await?;
    site.remove()
}

/// Until the ledger has so many entries; its own count, too.
async fn wait_for(server: &Server, size: u64) -> anyhow::Result<()> {
    let tenant = server.tenant()?;
    let from = Instant::now();
    while tenant.active().published().head.size < size {
        ensure!(
            from.elapsed() < Duration::from_secs(600),
            "events are missing"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
