//! Serving: a TCP port for the network, a socket in the data directory for commands on the machine.

use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::body::intake::Intake;
use super::connections::places::Places;
use super::connections::{Phase, Serving};
use super::jobs::{JobFigures, Supervisor, jobs};
use super::limits::Limits;
use super::local_socket::{listen_locally, remove_socket};
use super::rates::Rates;
use super::tls::Certificates;
use super::{App, Entrance, Shared, router_of};
use trailkeep_core::Engine;
use trailkeep_core::anchor::schedule;
use trailkeep_core::journal::access_log::flush_repeats;
use trailkeep_core::journal::append::StoppedBadly;
use trailkeep_core::ops::vault_keeper::copy_at_end;

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The local socket can't be made.
    #[error("can't create the socket {path}: {error}", path = .0.display(), error = .1)]
    Socket(std::path::PathBuf, std::io::Error),
    /// The certificate can't be used.
    #[error("TLS can't be started: {0}")]
    Tls(rustls::Error),
    /// The writer failed: what was acknowledged is on disk, and the process must start again.
    #[error("the writer failed: {0}; everything acknowledged is on disk: restart the server")]
    Writer(String),
    /// Closing failed.
    #[error(transparent)]
    Close(#[from] StoppedBadly),
}

/// How a server is to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The certificate for the network, if it is served over TLS.
    pub tls: Option<Arc<Certificates>>,
    /// The hour of the daily expiry, in UTC, if there is one.
    pub daily_hour: Option<u8>,
    /// How long requests under way have to end.
    pub stop_wait: Duration,
    /// What clients are allowed.
    pub limits: Limits,
}

/// Makes the socket, so that commands find it as soon as this returns. The future serves until `stop` ends or the
/// writer fails; then it lets requests under way finish, for as long as the options say, and closes the files.
pub fn serve(
    engine: Arc<Engine>,
    listener: TcpListener,
    options: ServeOptions,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = Result<(), ServeError>> + Send, ServeError> {
    let path = engine.custody.directory.socket();
    let secured = options.tls.as_ref().map(Certificates::server_config);
    let secured = secured.transpose().map_err(ServeError::Tls)?;
    let acceptor = secured.map(|config| TlsAcceptor::from(Arc::new(config)));
    match listen_locally(&path) {
        Ok(socket) => Ok(serve_both(
            engine,
            (listener, acceptor),
            socket,
            options,
            stop,
        )),
        Err(error) => Err(ServeError::Socket(path, error)),
    }
}

/// What the handlers of the network and of the machine share. Both have one bound for bodies, connections and keys.
fn apps(
    engine: &Arc<Engine>,
    options: &ServeOptions,
    places: &Arc<Places>,
    jobs: &Arc<JobFigures>,
) -> (App, App) {
    let limits = &options.limits;
    let intake = Intake::new(limits.body_memory_bytes, limits.body_bytes_per_s);
    let app = Shared {
        tls: options.tls.clone(),
        places: Some(Arc::clone(places)),
        jobs: Some(Arc::clone(jobs)),
        rates: Arc::new(Rates::new(limits.requests_per_key_s)),
        ..Shared::new(Arc::clone(engine), Entrance::Network, Arc::new(intake))
    };
    let local = Shared {
        entrance: Entrance::Local,
        ..app.clone()
    };
    (app.into(), local.into())
}

async fn serve_both(
    engine: Arc<Engine>,
    (listener, tls): (TcpListener, Option<TlsAcceptor>),
    socket: UnixListener,
    options: ServeOptions,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (stopping, phase) = watch::channel(Phase::Serving);
    let limits = options.limits;
    let places = Places::new(&limits);
    let figures = Arc::new(JobFigures::default());
    let (app, local_app) = apps(&engine, &options, &places, &figures);
    let unauthorized = Arc::clone(&app.unauthorized);
    let network = Serving {
        // An answer is not to wait for more to send.
        listener: listener.tap_io(|stream| drop(stream.set_nodelay(true))),
        tls,
        router: router_of(app),
        phase: phase.clone(),
        places: Arc::clone(&places),
        limits,
        address_of: |address| Some(address.ip()),
    };
    let local = Serving {
        listener: socket,
        tls: None,
        router: router_of(local_app),
        phase,
        places,
        limits,
        address_of: |_| None,
    };
    let mut supervisor = Supervisor::new(figures);
    for job in jobs(&engine, options.daily_hour, options.tls, unauthorized) {
        supervisor.start(job);
    }
    let (network, local) = (tokio::spawn(network.run()), tokio::spawn(local.run()));
    let failure = tokio::select! {
        () = stop => None,
        reason = engine.journal.writer.failed() => Some(reason),
    };
    tokio::join!(
        supervisor.stop(options.stop_wait),
        end_connections(&stopping, [network, local], options.stop_wait),
    );
    let _ = remove_socket(&engine.custody.directory.socket());
    let ending = Arc::clone(&engine);
    trailkeep_core::blocking(move || {
        copy_at_end(&ending.custody);
        // The last entries come before the head that goes outside.
        if let Err(error) = flush_repeats(&ending.journal, true) {
            tracing::warn!(%error, "repeated reads could not be recorded");
        }
    })
    .await;
    if failure.is_none() {
        schedule::at_end(&engine.anchors).await;
    }
    let closed = trailkeep_core::blocking(move || engine.close()).await;
    match failure {
        Some(reason) => Err(ServeError::Writer(reason)),
        None => Ok(closed?),
    }
}

/// Requests under way are answered; those that do not end in time are cut off.
async fn end_connections(
    stopping: &watch::Sender<Phase>,
    listeners: [JoinHandle<()>; 2],
    wait: Duration,
) {
    stopping.send_replace(Phase::Stopping);
    let mut ended = std::pin::pin!(futures_util::future::join_all(listeners));
    if tokio::time::timeout(wait, &mut ended).await.is_err() {
        tracing::warn!("in-flight requests were aborted: they did not finish within `stop_wait_s`");
        stopping.send_replace(Phase::Cut);
        ended.await;
    }
}
