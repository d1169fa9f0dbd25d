//! The thread that merges index runs in the background.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::failpoint::FailPoint;
use trailkeep_index::Index;
use trailkeep_ports::MergeStep;

/// How often the thread looks whether a run is full.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long it waits after the index could not be written; look-ups go on from the active run.
const WAIT_AFTER_ERROR: Duration = Duration::from_secs(5);

/// The running merger.
pub(crate) struct MergeThread {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MergeThread {
    pub(crate) fn start(index: Arc<Index>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("index-merge".to_owned()).spawn(move || {
            let wait = |time| {
                let (flag, changed) = &*stopped;
                let mut flag = flag.lock();
                changed.wait_while_for(&mut flag, |stop| !*stop, time);
                *flag
            };
            let mut pause = LOOK_EVERY;
            while !wait(pause) {
                pause = match step(&index) {
                    Ok(MergeStep::Idle) => LOOK_EVERY,
                    Ok(_) => Duration::ZERO,
                    Err(error) => {
                        tracing::warn!(%error, "the index could not be compacted; it is retried");
                        WAIT_AFTER_ERROR
                    }
                };
            }
        })?;
        Ok(Self {
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Ends after the step under way.
    pub(crate) fn stop(&self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

fn step(index: &Index) -> Result<MergeStep, trailkeep_ports::StoreError> {
    if index.is_merge_due() {
        FailPoint::MergeStarted.reach();
    }
    let step = index.merge()?;
    match step {
        MergeStep::Idle => {}
        MergeStep::Wrote(..) => FailPoint::AfterRunWritten.reach(),
        MergeStep::Merging => FailPoint::MergePieceWritten.reach(),
        MergeStep::Merged => FailPoint::RunsReplaced.reach(),
        MergeStep::Dropped => FailPoint::LeftoverDropped.reach(),
    }
    Ok(step)
}
