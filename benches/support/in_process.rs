//! A ledger in this process that is filled, and writers beside what is measured.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use trailkeep::demo::demo_events;
use trailkeep_core::journal::append::{Incoming, append};
use trailkeep_core::ops::init::init;
use trailkeep_core::ops::open::{Files, StartOptions};
use trailkeep_core::tenant::Tenant;
use trailkeep_core::{Effort, Engine, blocking};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_proof::ids::LogName;
use trailkeep_proof::ledger::event::parse_event;
use trailkeep_proof::time::{Clock, UnixMillis};
use trailkeep_store_sqlite::Sqlite;

/// Different events that are repeated under new ids and persons.
const DIFFERENT: usize = 2_000;
/// Events of one append while the ledger is filled.
const BATCH: u64 = 2_048;
/// Writers, each of which waits for its answer before it writes again.
const WRITERS: usize = 4;
const START_MS: u64 = 1_800_000_000_000;

/// A clock that goes with the machine's, and that is moved by days.
pub struct MovedClock {
    begun: Instant,
    moved_ms: AtomicU64,
}

impl MovedClock {
    pub fn move_by(&self, millis: u64) {
        self.moved_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(START_MS + self.since_boot_ms())
    }

    fn since_boot_ms(&self) -> u64 {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        passed + self.moved_ms.load(Ordering::SeqCst)
    }
}

/// A data directory with one ledger.
pub struct Bench {
    pub engine: Arc<Engine>,
    pub tenant: Tenant,
    pub clock: Arc<MovedClock>,
    source: Arc<Source>,
}

/// Events that are repeated under ids and persons of their own.
struct Source {
    texts: Vec<String>,
    events_of_a_person: u64,
}

impl Source {
    fn event(&self, number: u64) -> anyhow::Result<Incoming> {
        let text = &self.texts[number as usize % self.texts.len()];
        let mut event: serde_json::Value = serde_json::from_str(text)?;
        event["id"] = format!("event-{number}").into();
        let person = format!("person-{}", number / self.events_of_a_person);
        event["subjects"] = serde_json::json!([{ "id": person }]);
        Ok(Incoming {
            event: parse_event(event.to_string().as_bytes())?,
            via: "http",
            added: Vec::new(),
            lacks_regimes: false,
        })
    }
}

pub type Writer = tokio::task::JoinHandle<anyhow::Result<Vec<u64>>>;

impl Bench {
    pub async fn open(folder: &Path, events_of_a_person: u64) -> anyhow::Result<Self> {
        let clock = Arc::new(MovedClock {
            begun: Instant::now(),
            moved_ms: AtomicU64::new(0),
        });
        let directory = DataDirectory::new(folder.join("data"));
        let root_key = RootKeySource::File(directory.root_key());
        let time: Arc<dyn Clock> = clock.clone();
        let engine = blocking(move || {
            init(
                &Sqlite,
                &directory,
                &LogName::new("localhost")?,
                &root_key,
                &time,
            )?;
            let engine = Files::open(Arc::new(Sqlite), directory, &root_key)?
                .start(StartOptions::new(time))?;
            anyhow::Ok(Arc::new(engine))
        });
        let engine = engine.await?;
        let tenant = engine.journal.tenants().into_iter().next();
        Ok(Self {
            tenant: tenant.context("the directory has no ledger")?,
            engine,
            clock,
            source: Arc::new(Source {
                texts: demo_events(DIFFERENT, 1, UnixMillis::new(START_MS)),
                events_of_a_person,
            }),
        })
    }

    /// Appends events in large batches.
    pub async fn fill(&self, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
        for first in numbers.clone().step_by(BATCH as usize) {
            let end = numbers.end.min(first + BATCH);
            let source = Arc::clone(&self.source);
            let parse = move || {
                let events = (first..end).map(|number| source.event(number));
                events.collect::<anyhow::Result<Vec<_>>>()
            };
            append(
                &self.engine.journal,
                &self.tenant,
                blocking(parse).await?,
                Effort::Long,
            )
            .await?;
        }
        Ok(())
    }

    /// Writes single events; gives the microseconds that each took.
    pub fn write_until(&self, next: &Arc<AtomicU64>, stop: &Arc<AtomicBool>) -> Vec<Writer> {
        let writer = |_| {
            let (engine, tenant) = (self.engine.clone(), self.tenant.clone());
            let (source, next, stop) = (self.source.clone(), next.clone(), stop.clone());
            tokio::spawn(async move {
                let mut micros = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let events = vec![source.event(next.fetch_add(1, Ordering::SeqCst))?];
                    let begun = Instant::now();
                    append(&engine.journal, &tenant, events, Effort::Long).await?;
                    micros.push(u64::try_from(begun.elapsed().as_micros())?);
                }
                Ok(micros)
            })
        };
        (0..WRITERS).map(writer).collect()
    }

    pub async fn close(self) -> anyhow::Result<()> {
        let engine = self.engine;
        Ok(blocking(move || engine.close()).await?)
    }
}

pub async fn latencies(writers: Vec<Writer>) -> anyhow::Result<Vec<u64>> {
    let mut micros = Vec::new();
    for writer in writers {
        micros.extend(writer.await??);
    }
    micros.sort_unstable();
    Ok(micros)
}

pub fn quantiles(micros: &[u64]) -> String {
    let at = |share: f64| {
        let place = (micros.len() as f64 * share) as usize;
        let found = micros.get(place.min(micros.len().saturating_sub(1)));
        found.map_or(f64::NAN, |micros| *micros as f64 / 1_000.0)
    };
    format!("{:.1} / {:.1} / {:.1}", at(0.5), at(0.99), at(1.0))
}
