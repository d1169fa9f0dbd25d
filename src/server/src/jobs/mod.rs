//! Background jobs of a server: one supervisor runs them, retries what fails, counts, and ends them in order.

mod back_off;
mod figures;
mod list;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::back_off::BackOff;
pub(crate) use self::figures::JobFigures;
use self::figures::SharedCounts;
pub(super) use self::list::jobs;

/// What a step says of the next one.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// It is due after this time.
    After(Duration),
    /// What it needs is not there, which the step has logged: the job backs off.
    BackOff,
    /// Nothing is left to do.
    Done,
}

type StepError = Box<dyn Error + Send + Sync>;
type Step = dyn FnMut() -> Result<Next, StepError> + Send;

/// Work that is done again and again, a step at a time, off the event loop.
pub(super) struct Job {
    /// In metrics and in the log.
    name: &'static str,
    first_after: Duration,
    /// Kept over a panic.
    step: Arc<Mutex<Step>>,
    /// What the log says of a step that failed.
    failure: &'static str,
}

impl Job {
    fn new<E: Into<StepError>>(
        name: &'static str,
        first_after: Duration,
        failure: &'static str,
        mut step: impl FnMut() -> Result<Next, E> + Send + 'static,
    ) -> Self {
        let step = move || step().map_err(Into::into);
        Self {
            name,
            first_after,
            step: Arc::new(Mutex::new(step)),
            failure,
        }
    }
}

/// Runs jobs until it is stopped.
pub(super) struct Supervisor {
    stop: CancellationToken,
    running: JoinSet<()>,
    figures: Arc<JobFigures>,
}

impl Supervisor {
    pub(super) fn new(figures: Arc<JobFigures>) -> Self {
        Self {
            stop: CancellationToken::new(),
            running: JoinSet::new(),
            figures,
        }
    }

    pub(super) fn start(&mut self, job: Job) {
        // Known to `/metrics` from here on.
        let counts = self.figures.add(job.name);
        let (stop, figures) = (self.stop.clone(), Arc::clone(&self.figures));
        self.running.spawn(run(job, stop, counts, figures));
    }

    /// Begins no further step, and waits for those that run. What runs longer goes on until it next writes to the ledger, which
    /// is closed then, and is taken up at the next start.
    pub(super) async fn stop(mut self, wait: Duration) {
        self.stop.cancel();
        let all = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(wait, all).await.is_err() {
            tracing::warn!(
                "background jobs did not finish within `stop_wait_s`; the next start continues them"
            );
        }
    }
}

async fn run(job: Job, stop: CancellationToken, counts: SharedCounts, figures: Arc<JobFigures>) {
    let mut back_off = BackOff::default();
    let mut pause = job.first_after;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => (),
        }
        counts.lock().begin();
        let step = Arc::clone(&job.step);
        let ended = tokio::task::spawn_blocking(move || (step.lock())()).await;
        // A panic has been printed where it happened.
        let outcome = ended.unwrap_or_else(|error| Err(error.into()));
        counts
            .lock()
            .end(matches!(outcome, Ok(Next::After(_) | Next::Done)));
        pause = match outcome {
            Ok(Next::After(pause)) => {
                back_off.reset();
                pause
            }
            Ok(Next::BackOff) => back_off.next(),
            Ok(Next::Done) => return figures.remove(job.name),
            Err(error) => {
                tracing::error!(job = job.name, %error, "{}; it is retried", job.failure);
                back_off.next()
            }
        };
    }
}

#[cfg(test)]
mod tests;
