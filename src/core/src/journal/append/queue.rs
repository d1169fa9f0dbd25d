//! The bounded queue between the request tasks and the one writer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::journal::append::{Accepted, Refusal, Submission};

/// Events of one batch, at most.
const BATCH_EVENTS_MAX: usize = 4_096;
/// Payload bytes of one batch, at most.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Events that wait, at most, before a request is turned away; a request of the largest size always fits an empty queue.
const QUEUE_EVENTS_MAX: usize = 20_000;
/// Payload bytes that wait, at most.
const QUEUE_BYTES_MAX: usize = 128 << 20;

/// Where the answer goes.
pub(super) type Reply = oneshot::Sender<Result<Accepted, Refusal>>;

/// A submission that waits.
pub(super) struct Waiting {
    pub(super) submission: Submission,
    pub(super) reply: Reply,
    /// When it came.
    pub(super) since: Instant,
}

/// What the writer is woken for.
pub(super) enum Woken {
    /// These wait.
    Batch(Vec<Waiting>),
    /// Nothing came within the time.
    Idle,
    /// The queue was closed and is empty.
    Closed,
}

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    events: usize,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// Puts a submission in the queue, or says why not. Nothing of it is accepted then.
    pub(super) fn push(
        &self,
        submission: Submission,
    ) -> Result<oneshot::Receiver<Result<Accepted, Refusal>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        let (events, bytes) = (submission.events.len(), submission.bytes());
        let mut state = self.lock();
        if state.closed {
            return Err(Refusal::Stopped);
        }
        if state.events > 0
            && (state.events + events > QUEUE_EVENTS_MAX || state.bytes + bytes > QUEUE_BYTES_MAX)
        {
            return Err(Refusal::Busy);
        }
        state.events += events;
        state.bytes += bytes;
        state.waiting.push_back(Waiting {
            submission,
            reply,
            since: Instant::now(),
        });
        self.arrived.notify_one();
        Ok(answer)
    }

    /// Waits for work, at most `patience`, and takes what has gathered, up to a batch.
    pub(super) fn take(&self, patience: Duration) -> Woken {
        let mut state = self.lock();
        if state.waiting.is_empty() && !state.closed {
            self.arrived.wait_while_for(
                &mut state,
                |s| s.waiting.is_empty() && !s.closed,
                patience,
            );
        }
        let (mut batch, mut events, mut bytes) = (Vec::new(), 0, 0);
        while let Some(next) = state.waiting.front() {
            let (more_events, more_bytes) = (next.submission.events.len(), next.submission.bytes());
            if !batch.is_empty()
                && (events + more_events > BATCH_EVENTS_MAX || bytes + more_bytes > BATCH_BYTES_MAX)
            {
                break;
            }
            events += more_events;
            bytes += more_bytes;
            batch.extend(state.waiting.pop_front());
        }
        state.events -= events;
        state.bytes -= bytes;
        match (batch.is_empty(), state.closed) {
            (false, _) => Woken::Batch(batch),
            (true, true) => Woken::Closed,
            (true, false) => Woken::Idle,
        }
    }

    /// Events that wait, and bytes of their payloads.
    pub(super) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.events, state.bytes)
    }

    /// Takes nothing new from here on; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Closes, and answers all that waits with a refusal.
    pub(super) fn abandon(&self, refusal: impl Fn() -> Refusal) {
        let mut state = self.lock();
        state.closed = true;
        state.events = 0;
        state.bytes = 0;
        for waiting in state.waiting.drain(..) {
            let _ = waiting.reply.send(Err(refusal()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
