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
use super::limits::Limits;
use super::local_socket::{listen_locally, remove_socket};
use super::rates::Rates;
use super::tls::Certificates;
use super::{App, Entrance, router_of};
use trailkeep_core::Engine;
use trailkeep_core::access_log::flush_repeats;
use trailkeep_core::anchor::schedule;
use trailkeep_core::append::StoppedBadly;
use trailkeep_core::retention::daily::{finish_open, run_if_due};
use trailkeep_core::staging::assemble_due;
use trailkeep_core::vault_keeper::VaultKeeper;

/// How often it is looked whether the daily run is due.
const DAILY_RUN_LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);
/// After so many looks a daily run that failed is tried again.
const TRIED_AGAIN_AFTER: u32 = 60;
/// How often repetitions of reads are looked for.
const REPEATS_RECORDED_EVERY: Duration = Duration::from_secs(5);

/// How long assembling waits after it failed.
const ASSEMBLED_AGAIN_AFTER: Duration = Duration::from_secs(2);

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
    /// The thread that keeps the vault's copies can't be started.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
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
    let path = engine.directory.socket();
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
fn apps(engine: &Arc<Engine>, options: &ServeOptions, places: &Arc<Places>) -> (App, App) {
    let limits = &options.limits;
    let intake = Intake::new(limits.body_memory_bytes, limits.body_bytes_per_s);
    let app = App {
        tls: options.tls.clone(),
        places: Some(Arc::clone(places)),
        rates: Arc::new(Rates::new(limits.requests_per_key_s)),
        ..App::new(Arc::clone(engine), Entrance::Network, Arc::new(intake))
    };
    let local = App {
        entrance: Entrance::Local,
        ..app.clone()
    };
    (app, local)
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
    let (app, local_app) = apps(&engine, &options, &places);
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
    let (network, local) = (tokio::spawn(network.run()), tokio::spawn(local.run()));
    let watching = options.tls.map(|tls| tokio::spawn(tls.watch()));

    let keeper = VaultKeeper::start(Arc::clone(&engine)).map_err(ServeError::Thread)?;
    let repeats = tokio::spawn(record_repeats(Arc::clone(&engine)));
    let daily = options
        .daily_hour
        .map(|hour| tokio::spawn(run_daily(Arc::clone(&engine), hour)));
    let finishing = tokio::spawn(finish_deletions(Arc::clone(&engine)));
    let assembling = tokio::spawn(assemble_telemetry(Arc::clone(&engine)));
    let anchoring = tokio::spawn(schedule::on_schedule(Arc::clone(&engine)));
    let failure = tokio::select! {
        () = stop => None,
        reason = engine.writer.failed() => Some(reason),
    };
    for task in [
        Some(repeats),
        daily,
        Some(finishing),
        Some(assembling),
        Some(anchoring),
        watching,
    ]
    .into_iter()
    .flatten()
    {
        task.abort();
    }
    end_connections(&stopping, [network, local], options.stop_wait).await;
    let _ = remove_socket(&engine.directory.socket());
    let ending = Arc::clone(&engine);
    trailkeep_core::blocking(move || {
        keeper.stop(&ending);
        // The last entries come before the head that goes outside.
        if let Err(error) = flush_repeats(&ending, true) {
            tracing::warn!(%error, "repeated reads could not be recorded");
        }
    })
    .await;
    if failure.is_none() {
        schedule::at_end(&engine).await;
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

/// Repetitions of reads are recorded soon after their time is over.
async fn record_repeats(engine: Arc<Engine>) {
    let mut every = tokio::time::interval(REPEATS_RECORDED_EVERY);
    loop {
        every.tick().await;
        let engine = Arc::clone(&engine);
        let flushed = trailkeep_core::blocking(move || flush_repeats(&engine, false)).await;
        if let Err(error) = flushed {
            tracing::warn!(%error, "repeated reads could not be recorded");
        }
    }
}

/// Expiry runs once a day.
async fn run_daily(engine: Arc<Engine>, hour: u8) {
    let mut every = tokio::time::interval(DAILY_RUN_LOOKED_FOR_EVERY);
    let mut wait = 0;
    loop {
        every.tick().await;
        if wait > 0 {
            wait -= 1;
            continue;
        }
        let engine = Arc::clone(&engine);
        match trailkeep_core::blocking(move || run_if_due(&engine, hour)).await {
            Ok(reports) => {
                for report in reports.iter().filter(|report| report.destroyed > 0) {
                    let (destroyed, held) = (report.destroyed, report.held);
                    tracing::info!(tenant = report.tenant, destroyed, held, "expiry");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the daily retention run failed; it is retried");
                wait = TRIED_AGAIN_AFTER;
            }
        }
    }
}

/// What a reader outside kept from being finished goes on, whether there is a daily run or not.
async fn finish_deletions(engine: Arc<Engine>) {
    let mut pause = DAILY_RUN_LOOKED_FOR_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        let engine = Arc::clone(&engine);
        let finished = trailkeep_core::blocking(move || finish_open(&engine)).await;
        pause = DAILY_RUN_LOOKED_FOR_EVERY;
        if let Err(error) = finished {
            tracing::error!(%error, "a deletion job failed; it is retried");
            pause *= TRIED_AGAIN_AFTER;
        }
    }
}

/// Telemetry becomes events when its trace is done.
async fn assemble_telemetry(engine: Arc<Engine>) {
    let mut pause = engine.staging.look_every();
    loop {
        tokio::time::sleep(pause).await;
        let assembling = Arc::clone(&engine);
        let assembled = trailkeep_core::blocking(move || assemble_due(&assembling)).await;
        pause = match assembled {
            Ok(true) => Duration::ZERO,
            Ok(false) => engine.staging.look_every(),
            Err(error) => {
                tracing::warn!(%error, "staged telemetry could not be assembled; it is retried");
                ASSEMBLED_AGAIN_AFTER
            }
        };
    }
}
