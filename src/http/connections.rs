//! Connections: accepted, secured, served, and ended in order.
//!
//! HTTP/1.1 and HTTP/2 on the same port: over TLS the client chooses (ALPN), without it HTTP/2 is known by its first
//! bytes (RFC 9113 section 3.3).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// How long the handshake of a connection may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long a connection may rest between requests, and how long the head of one may take.
const REST_MAX: Duration = Duration::from_secs(120);
/// How often an HTTP/2 client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// Connections at once, where the system allows more files than twice of it.
const CONNECTIONS_MAX: u64 = 8_192;

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
pub(super) struct Serving<L> {
    pub(super) listener: L,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) router: Router,
    pub(super) phase: watch::Receiver<Phase>,
}

impl<L: Listener> Serving<L> {
    /// Serves until the phase is `Stopping`, then waits for the connections: until each is done, or the phase `Cut`.
    pub(super) async fn run(mut self) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(connections_max()));
        loop {
            let accepted = tokio::select! {
                () = reached(&mut self.phase, Phase::Stopping) => break,
                accepted = accept(&places, &mut self.listener) => accepted,
            };
            let Some((place, io)) = accepted else { break };
            let connection = Connection {
                tls: self.tls.clone(),
                router: self.router.clone(),
                phase: self.phase.clone(),
            };
            let watcher = graceful.watcher();
            tokio::spawn(async move {
                connection.serve(io, watcher).await;
                drop(place);
            });
        }
        drop(self.listener);
        let mut phase = self.phase.clone();
        tokio::select! {
            () = graceful.shutdown() => (),
            () = reached(&mut phase, Phase::Cut) => (),
        }
    }
}

/// Waits for a place first: what is not accepted waits in the system's queue.
async fn accept<L: Listener>(
    places: &Arc<Semaphore>,
    listener: &mut L,
) -> Option<(tokio::sync::OwnedSemaphorePermit, L::Io)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (io, _) = listener.accept().await;
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
}

impl Connection {
    async fn serve(
        mut self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        watcher: Watcher,
    ) {
        let Some(tls) = self.tls.take() else {
            return self.serve_plain(io, watcher).await;
        };
        let secured = tokio::select! {
            secured = tokio::time::timeout(HANDSHAKE_MAX, tls.accept(io)) => secured,
            () = reached(&mut self.phase, Phase::Stopping) => return,
        };
        match secured {
            Ok(Ok(stream)) => self.serve_plain(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection could not be secured"),
            Err(_) => tracing::debug!("a connection was not secured in time"),
        }
    }

    async fn serve_plain(
        mut self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        watcher: Watcher,
    ) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(REST_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .max_concurrent_streams(STREAMS_MAX);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = builder
            .serve_connection(TokioIo::new(io), service)
            .into_owned();
        tokio::select! {
            ended = watcher.watch(connection) => if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            },
            () = reached(&mut self.phase, Phase::Cut) => (),
        }
    }
}

/// Each connection is an open file; the databases need some, too.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = files.unwrap_or(u64::MAX) / 2;
    usize::try_from(half.clamp(16, CONNECTIONS_MAX)).unwrap_or(usize::MAX)
}
