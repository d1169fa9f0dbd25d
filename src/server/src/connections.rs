//! Connections: accepted, secured, served, and ended in order.
//!
//! HTTP/1.1 and HTTP/2 on the same port: over TLS the client chooses (ALPN), without it HTTP/2 is known by its first
//! bytes (RFC 9113 section 3.3). A connection that says nothing is closed, and one that has proven nothing makes room
//! for others (places.rs).

mod activity;
pub(super) mod places;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use self::activity::{Activity, Answering, InFlight, Noted, Patience};
use self::places::{Place, Places};
use super::limits::Limits;

/// How long a connection that is told to end has for it.
const ENDED_WITHIN: Duration = Duration::from_secs(2);
/// How often an HTTP/2 client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// What was read of a connection and not asked for, or written and not taken, where the library's own limits are some
/// hundred KiB: it is not counted as a body, and there are thousands of connections. A head has to fit, too.
const BUFFER_BYTES: usize = 64 << 10;
/// What an HTTP/2 client may send ahead of what is asked for, on all its streams together.
const WINDOW_BYTES: u32 = 256 << 10;

/// How far the stop of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// New connections are taken.
    Serving,
    /// No new ones; requests under way are answered.
    Stopping,
    /// The time for that is over.
    Cut,
}

/// One listener, with what is served on it.
pub(super) struct Serving<L: Listener> {
    pub(super) listener: L,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) router: Router,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) places: Arc<Places>,
    pub(super) limits: Limits,
    /// Where a connection comes from, of those that come from outside.
    pub(super) address_of: fn(&L::Addr) -> Option<IpAddr>,
}

impl<L: Listener> Serving<L> {
    /// Serves until the phase is `Stopping`, then waits for the connections: until each is done, or the phase `Cut`.
    pub(super) async fn run(mut self) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = reached(&mut self.phase, Phase::Stopping) => break,
                accepted = accept(&mut self.listener, &self.places, &self.limits, self.address_of) => accepted,
            };
            let Some((place, io)) = accepted else {
                continue;
            };
            let connection = Connection {
                tls: self.tls.clone(),
                router: self.router.clone(),
                phase: self.phase.clone(),
                place: Arc::new(place),
            };
            tasks.spawn(connection.serve(io));
        }
        drop(self.listener);
        tasks.close();
        let mut phase = self.phase.clone();
        tokio::select! {
            () = tasks.wait() => (),
            () = reached(&mut phase, Phase::Cut) => (),
        }
    }
}

/// The next connection, with its place.
async fn accept<L: Listener>(
    listener: &mut L,
    places: &Arc<Places>,
    limits: &Limits,
    address_of: fn(&L::Addr) -> Option<IpAddr>,
) -> Option<(Place, L::Io)> {
    let (io, address) = listener.accept().await;
    let activity = Activity::new(Patience {
        head: limits.head,
        idle: limits.idle,
    });
    let place = places.take(activity, address_of(&address)).await?;
    Some((place, io))
}

async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // The sender lives until the server has ended; without it, it has.
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}

/// A connection that was accepted.
struct Connection {
    tls: Option<TlsAcceptor>,
    router: Router,
    phase: watch::Receiver<Phase>,
    place: Arc<Place>,
}

impl Connection {
    async fn serve(mut self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let activity = Arc::clone(&self.place.activity);
        let io = Noted {
            stream: io,
            activity: Arc::clone(&activity),
        };
        let Some(tls) = self.tls.take() else {
            return self.serve_plain(io).await;
        };
        let secured = tokio::select! {
            secured = in_time(&activity, tls.accept(io)) => secured,
            () = activity.closing.notified() => return,
            () = reached(&mut self.phase, Phase::Stopping) => return,
        };
        match secured {
            Some(Ok(stream)) => self.serve_plain(stream).await,
            Some(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            None => tracing::debug!("a TLS handshake timed out"),
        }
    }

    async fn serve_plain(mut self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let activity = Arc::clone(&self.place.activity);
        let mut builder = Builder::new(TokioExecutor::new());
        // How long a head may take is looked at here, for both versions and TLS alike.
        builder
            .http1()
            .timer(TokioTimer::new())
            .max_buf_size(BUFFER_BYTES)
            .header_read_timeout(None);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(BUFFER_BYTES)
            .max_concurrent_streams(STREAMS_MAX);
        let (router, place) = (self.router.clone(), Arc::clone(&self.place));
        let answer = move |request| answer(router.clone(), Arc::clone(&place), request);
        let service = TowerToHyperService::new(tower::service_fn(answer));
        let connection = builder
            .serve_connection(TokioIo::new(io), service)
            .into_owned();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = in_time(&activity, connection.as_mut()) => ended,
            () = activity.closing.notified() => {
                tracing::debug!("a connection was closed to make room for another");
                return;
            }
            () = reached(&mut self.phase, Phase::Stopping) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => Some(ended),
                    () = reached(&mut self.phase, Phase::Cut) => return,
                }
            }
        };
        match ended {
            Some(Ok(())) => (),
            Some(Err(error)) => tracing::debug!(%error, "a connection failed"),
            None => {
                tracing::debug!("a connection was closed: it was idle for too long");
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(ENDED_WITHIN, connection).await;
            }
        }
    }
}

/// Answers a request of a connection.
async fn answer(
    router: Router,
    place: Arc<Place>,
    request: Request<Incoming>,
) -> Result<
    Response<impl hyper::body::Body<Data = axum::body::Bytes, Error = axum::Error>>,
    Infallible,
> {
    let in_flight = InFlight::begin(&place.activity, request.version());
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(place);
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Answering::new(body, in_flight).boxed()))
}

/// Runs a part of a connection until it ends; none where the connection said nothing for too long.
async fn in_time<F: Future>(activity: &Activity, part: F) -> Option<F::Output> {
    let mut part = std::pin::pin!(part);
    let mut timer = std::pin::pin!(tokio::time::sleep_until(activity.deadline()));
    std::future::poll_fn(|context| {
        if let Poll::Ready(ended) = part.as_mut().poll(context) {
            return Poll::Ready(Some(ended));
        }
        loop {
            // What the part did may have moved it.
            let deadline = activity.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if activity.deadline() <= Instant::now() {
                return Poll::Ready(None);
            }
        }
    })
    .await
}
