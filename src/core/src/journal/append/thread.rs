//! The writer's thread: started with the engine, stopped in order.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::journal::append::queue::Queue;
use crate::journal::append::writer::Writer;
use crate::journal::append::{Accepted, Refusal, Submission};
use trailkeep_ports::StoreError;

/// The running writer.
pub struct WriterThread {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failure: watch::Receiver<Option<String>>,
}

impl WriterThread {
    /// Starts the thread.
    pub(crate) fn start(writer: Writer) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let failed = writer.failure.clone();
        let failure = failed.subscribe();
        let taken = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                let outcome =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.run(&taken)));
                let failure = match outcome {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "the writer panicked; this is a fault of trailkeep".to_owned(),
                };
                taken.abandon(|| Refusal::Stopped);
                failed.send_replace(Some(failure));
            })?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
            failure,
        })
    }

    /// Queues a submission.
    pub(crate) fn push(
        &self,
        submission: Submission,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<Accepted, Refusal>>, Refusal> {
        self.queue.push(submission)
    }

    /// Events in the write queue, and bytes of their payloads.
    pub fn queue_depth(&self) -> (usize, usize) {
        self.queue.depth()
    }

    /// Why the writer has failed, if it has.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Ends when the writer has failed, with the reason: the process must be started again.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        let reason = failure
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            // The writer ended in order; nothing has failed and nothing will.
            None => std::future::pending().await,
        }
    }

    /// Writes what waits, then stops.
    pub fn stop(&self) -> Result<(), StoppedBadly> {
        self.queue.close();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        match &*self.failure.borrow() {
            Some(reason) => Err(StoppedBadly(reason.clone())),
            None => Ok(()),
        }
    }
}

/// The writer had failed before it was stopped.
#[derive(Debug, thiserror::Error)]
#[error("the writer failed: {0}; everything acknowledged is on disk: restart the server")]
pub struct StoppedBadly(String);

impl From<StoreError> for StoppedBadly {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
