//! What happens on a connection, and until when something has to.

use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Version;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// An answer that its reader takes nothing of for so long is given up.
const WRITE_PAUSE_MAX: Duration = Duration::from_secs(120);
/// A connection with requests in flight is looked at so often.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// How long a connection may say nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the connection to its first byte, and from the first byte of a request to the end of its head, TLS included.
    pub(super) head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
}

/// One connection, as its parts see it.
#[derive(Debug)]
pub(crate) struct Activity {
    patience: Patience,
    state: Mutex<State>,
    is_proven: AtomicBool,
    /// Told when the connection has to make room for another.
    pub(super) closing: Notify,
}

#[derive(Debug)]
struct State {
    /// When it was accepted, or the last request ended.
    since: Instant,
    /// When a head began that has not fully come.
    head_since: Option<Instant>,
    in_flight: u32,
    /// The version of the first request, once there is one.
    version: Option<Version>,
    blocked_since: Option<Instant>,
    /// Of each answer of which a part was given, and no more was taken since: when that was. A window of HTTP/2 that stays
    /// closed blocks no write, so it shows here alone.
    untaken: HashMap<u64, Instant>,
    next_answer: u64,
}

impl Activity {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            patience,
            state: Mutex::new(State {
                since: Instant::now(),
                head_since: None,
                in_flight: 0,
                version: None,
                blocked_since: None,
                untaken: HashMap::new(),
                next_answer: 0,
            }),
            is_proven: AtomicBool::new(false),
            closing: Notify::new(),
        })
    }

    /// A request of this connection was authenticated; whether it is the first.
    pub(super) fn prove(&self) -> bool {
        !self.is_proven.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.lock().in_flight == 0
    }

    /// When something has to have happened.
    pub(super) fn deadline(&self) -> Instant {
        let state = self.lock();
        let Patience { head, idle } = self.patience;
        let read = match (state.in_flight, state.head_since, state.version) {
            (1.., ..) => Instant::now() + LOOKED_AT_EVERY,
            (0, Some(since), _) => since + head,
            (0, None, None) => state.since + head,
            (0, None, Some(_)) => state.since + idle,
        };
        let write = state.blocked_since.map(|since| since + WRITE_PAUSE_MAX);
        // Who was authenticated may read as slowly as they want: other answers go on beside it.
        let untaken = state.untaken.values().min();
        let untaken = untaken.filter(|_| !self.is_proven.load(Ordering::Relaxed));
        let untaken = untaken.map(|since| *since + head);
        [write, untaken]
            .into_iter()
            .flatten()
            .fold(read, Instant::min)
    }

    fn came(&self) {
        let mut state = self.lock();
        // Pings and settings of HTTP/2 are not requests: between those its clients are idle, whatever they send.
        let is_head = state.version != Some(Version::HTTP_2);
        if state.in_flight == 0 && state.head_since.is_none() && is_head {
            state.head_since = Some(Instant::now());
        }
    }

    fn wrote(&self, is_blocked: bool) {
        let mut state = self.lock();
        if is_blocked {
            state.blocked_since.get_or_insert_with(Instant::now);
        } else {
            state.blocked_since = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// A request in flight, until its answer was sent.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    id: u64,
}

impl InFlight {
    pub(super) fn begin(activity: &Arc<Activity>, version: Version) -> Self {
        let mut state = activity.lock();
        state.in_flight += 1;
        state.head_since = None;
        state.version.get_or_insert(version);
        let id = state.next_answer;
        state.next_answer += 1;
        drop(state);
        Self {
            activity: Arc::clone(activity),
            id,
        }
    }

    /// Whether the answer waits for its reader, and not for what it is made of.
    fn waits_for_its_reader(&self, waits: bool) {
        let mut state = self.activity.lock();
        if waits {
            state.untaken.insert(self.id, Instant::now());
        } else {
            state.untaken.remove(&self.id);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.untaken.remove(&self.id);
        state.in_flight -= 1;
        state.since = Instant::now();
    }
}

/// The body of an answer, in flight until it is sent or dropped.
pub(super) struct Answering {
    body: Body,
    in_flight: InFlight,
}

impl Answering {
    pub(super) fn new(body: Body, in_flight: InFlight) -> Self {
        in_flight.waits_for_its_reader(true);
        Self { body, in_flight }
    }

    pub(super) fn boxed(self) -> UnsyncBoxBody<Bytes, axum::Error> {
        UnsyncBoxBody::new(self)
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.in_flight.waits_for_its_reader(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose reads and writes are noted.
pub(super) struct Noted<T> {
    pub(super) stream: T,
    pub(super) activity: Arc<Activity>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Noted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.activity.came();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Noted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
