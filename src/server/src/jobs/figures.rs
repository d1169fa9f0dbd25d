//! Metrics of the jobs.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use trailkeep_core::figures::Labels;

/// What the jobs of a server have done since it started.
#[derive(Debug, Default)]
pub(crate) struct JobFigures(Mutex<Vec<(&'static str, SharedCounts)>>);

pub(super) type SharedCounts = Arc<Mutex<Counts>>;

/// Counts of one job.
#[derive(Debug)]
pub(super) struct Counts {
    runs: u64,
    failures: u64,
    is_running: bool,
    succeeded_at: Instant,
}

impl Counts {
    pub(super) fn begin(&mut self) {
        self.runs += 1;
        self.is_running = true;
    }

    pub(super) fn end(&mut self, is_success: bool) {
        self.is_running = false;
        if is_success {
            self.succeeded_at = Instant::now();
        } else {
            self.failures += 1;
        }
    }
}

impl JobFigures {
    /// Counts of a job that starts now.
    pub(super) fn add(&self, name: &'static str) -> SharedCounts {
        let counts = Arc::new(Mutex::new(Counts {
            runs: 0,
            failures: 0,
            is_running: false,
            succeeded_at: Instant::now(),
        }));
        self.0.lock().push((name, Arc::clone(&counts)));
        counts
    }

    /// A job that has nothing left to do is not late.
    pub(super) fn remove(&self, name: &str) {
        self.0.lock().retain(|(known, _)| *known != name);
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let (runs, failures) = (
            Family::<Labels, Counter>::default(),
            Family::<Labels, Counter>::default(),
        );
        let (running, age) = (
            Family::<Labels, Gauge>::default(),
            Family::<Labels, Gauge>::default(),
        );
        for (name, counts) in &*self.0.lock() {
            // Prometheus gives the label `job` to what it scrapes.
            let labels = vec![("name".to_owned(), (*name).to_owned())];
            let counts = counts.lock();
            runs.get_or_create(&labels).inc_by(counts.runs);
            failures.get_or_create(&labels).inc_by(counts.failures);
            let is_running = i64::from(counts.is_running);
            running.get_or_create(&labels).set(is_running);
            let seconds = counts.succeeded_at.elapsed().as_secs();
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            age.get_or_create(&labels).set(seconds);
        }
        let help = "Steps of a background job since the start";
        registry.register("job_runs", help, runs);
        let help = "Steps of a background job that failed; each is retried";
        registry.register("job_failures", help, failures);
        let help = "Whether a step of a background job runs now";
        registry.register("job_running", help, running);
        let help = "Seconds since a background job's last step that succeeded, or since the start";
        registry.register("job_last_success_age_seconds", help, age);
    }
}
