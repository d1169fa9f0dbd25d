//! Filling a ledger fast: the real append path, without HTTP.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::task::JoinSet;
use trailkeep_core::journal::append::{Incoming, append};
use trailkeep_core::{Effort, blocking};
use trailkeep_proof::ledger::event::parse_event;

use super::events::Events;
use super::server::Server;

/// Events of one append: what the writer takes at once.
const BATCH: u64 = 4_096;
/// Appends under way: fewer events than the queue holds.
const TASKS: usize = 4;

/// The rate of one stretch of the preload.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Mark {
    /// Events stored at its end.
    pub(crate) stored: u64,
    /// Events a second in it.
    pub(crate) rate: f64,
}

/// What the preload came to.
#[derive(Debug, Serialize)]
pub(crate) struct Preloaded {
    pub(crate) events: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) marks: Vec<Mark>,
}

/// Appends at least `count` events, and notes the rate every `mark_every`.
pub(crate) async fn preload(
    server: &Server,
    events: &Events,
    count: u64,
    mark_every: u64,
) -> anyhow::Result<Preloaded> {
    let bar = progress_bar(count);
    let from = Instant::now();
    let raw_bytes = Arc::new(AtomicU64::new(0));
    let claimed = Arc::new(AtomicU64::new(0));
    let (batch_done, mut done) = tokio::sync::mpsc::unbounded_channel::<u64>();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (engine, tenant) = (Arc::clone(&server.engine), server.tenant()?);
        let (events, raw_bytes, claimed) = (events.clone(), raw_bytes.clone(), claimed.clone());
        let batch_done = batch_done.clone();
        tasks.spawn(async move {
            while let Some(size) = claim(&claimed, count) {
                let source = events.clone();
                let (batch, bytes) = blocking(move || parse_batch(&source, size)).await?;
                append(&engine.journal, &tenant, batch, Effort::Long).await?;
                raw_bytes.fetch_add(bytes, Ordering::Relaxed);
                let _ = batch_done.send(size);
            }
            anyhow::Ok(())
        });
    }
    drop(batch_done);
    let mut marks = Marks::new(from, mark_every);
    while let Some(size) = done.recv().await {
        bar.inc(size);
        marks.add(size);
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    bar.finish_and_clear();
    let (events, marks) = marks.finish();
    Ok(Preloaded {
        events,
        raw_bytes: raw_bytes.load(Ordering::Relaxed),
        seconds: from.elapsed().as_secs_f64(),
        marks,
    })
}

/// The size of the next batch, while there is one.
fn claim(claimed: &AtomicU64, count: u64) -> Option<u64> {
    let first = claimed.fetch_add(BATCH, Ordering::Relaxed);
    (first < count).then(|| BATCH.min(count - first))
}

fn parse_batch(events: &Events, count: u64) -> anyhow::Result<(Vec<Incoming>, u64)> {
    let (mut text, mut bytes) = (Vec::new(), 0);
    let mut parsed = Vec::with_capacity(count as usize);
    for number in events.take(count) {
        text.clear();
        events.write(number, &mut text);
        bytes += text.len() as u64;
        parsed.push(Incoming {
            event: parse_event(&text)?,
            via: "http",
            added: Vec::new(),
            lacks_regimes: false,
        });
    }
    Ok((parsed, bytes))
}

/// Rates as the events come in.
struct Marks {
    every: u64,
    stored: u64,
    since: (u64, Instant),
    passed: Vec<Mark>,
}

impl Marks {
    fn new(from: Instant, every: u64) -> Self {
        Self {
            every,
            stored: 0,
            since: (0, from),
            passed: Vec::new(),
        }
    }

    fn add(&mut self, events: u64) {
        self.stored += events;
        if self.stored - self.since.0 >= self.every {
            self.mark();
        }
    }

    fn mark(&mut self) {
        let (stored, from) = self.since;
        self.passed.push(Mark {
            stored: self.stored,
            rate: (self.stored - stored) as f64 / from.elapsed().as_secs_f64(),
        });
        self.since = (self.stored, Instant::now());
    }

    fn finish(mut self) -> (u64, Vec<Mark>) {
        // What is left is a stretch of its own only if it is long enough to mean something.
        if self.stored - self.since.0 > self.every / 2 || self.passed.is_empty() {
            self.mark();
        }
        (self.stored, self.passed)
    }
}

fn progress_bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "  preloading [{bar:32}] {human_pos}/{human_len} ({per_sec}, {eta} left)",
    );
    let bar = ProgressBar::new(total);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
