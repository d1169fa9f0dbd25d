//! The server under load: the real one, in this process, on a directory of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trailkeep_core::clock::SystemClock;
use trailkeep_core::ops::init::init;
use trailkeep_core::ops::open::{Files, StartOptions};
use trailkeep_core::tenant::Tenant;
use trailkeep_core::{Engine, blocking};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_proof::ids::LogName;
use trailkeep_proof::time::Clock;
use trailkeep_server::serve::{ServeError, ServeOptions, serve};
use trailkeep_store_sqlite::Sqlite;

use super::load::Target;

/// A data directory and its token.
pub(crate) struct Site {
    directory: DataDirectory,
    token: String,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) target: Target,
    /// Milliseconds from the closed files to the started engine.
    pub(crate) start_ms: f64,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// Bytes of the closed files.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct FileSizes {
    pub(crate) ledger: u64,
    pub(crate) index: u64,
    pub(crate) vault: u64,
}

impl Site {
    /// Makes an empty ledger in a new directory.
    pub(crate) fn make(parent: &Path, name: &str) -> anyhow::Result<Self> {
        let directory = DataDirectory::new(parent.join(name));
        let root_key = RootKeySource::File(directory.root_key());
        let made = init(
            &Sqlite,
            &directory,
            &LogName::new("localhost")?,
            &root_key,
            &clock(),
        )?;
        Ok(Self {
            token: made.token.to_string(),
            directory,
        })
    }

    /// Opens the directory and serves it on a free port.
    pub(crate) async fn serve(&self) -> anyhow::Result<Server> {
        let directory = self.directory.clone();
        let (engine, start_ms) = blocking(move || {
            let root_key = RootKeySource::File(directory.root_key());
            let from = Instant::now();
            let engine = Files::open(Arc::new(Sqlite), directory, &root_key)?
                .start(StartOptions::new(clock()))?;
            anyhow::Ok((Arc::new(engine), from.elapsed().as_secs_f64() * 1_000.0))
        })
        .await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = Target {
            address: listener.local_addr()?,
            token: self.token.clone(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let options = ServeOptions {
            tls: None,
            daily_hour: None,
            stop_wait: std::time::Duration::from_secs(20),
            limits: trailkeep_server::limits::Limits::default(),
        };
        let task = tokio::spawn(serve(Arc::clone(&engine), listener, options, async {
            let _ = stopped.await;
        })?);
        Ok(Server {
            engine,
            target,
            start_ms,
            stop,
            task,
        })
    }

    /// Sizes of the files, of a server that is closed.
    pub(crate) fn sizes(&self) -> anyhow::Result<FileSizes> {
        let bytes = |path: std::path::PathBuf| {
            let log = path.with_extension("db-wal");
            let log = log.metadata().map_or(0, |log| log.len());
            path.metadata().map(|file| file.len() + log)
        };
        Ok(FileSizes {
            ledger: bytes(self.directory.ledger_db())?,
            index: bytes(self.directory.index_db())?,
            vault: bytes(self.directory.vault_db())?,
        })
    }

    /// Removes the files.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        Ok(std::fs::remove_dir_all(self.directory.path())?)
    }
}

impl Server {
    /// The one tenant.
    pub(crate) fn tenant(&self) -> anyhow::Result<Tenant> {
        let tenant = self.engine.journal.tenants().into_iter().next();
        tenant.context("the directory has no ledger")
    }

    /// Ends in order; the files are closed then.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.task.await??;
        Ok(())
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
