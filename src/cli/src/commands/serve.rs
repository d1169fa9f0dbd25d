//! `trailkeep serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::clock;
use super::output::print_line;
use super::settings::{Flags, LogFormat, LogSettings, Settings};
use trailkeep_core::anchor::schedule::at_start;
use trailkeep_core::ops::open::Files;
use trailkeep_policy::PolicySet;
use trailkeep_policy::lint::is_review_overdue;
use trailkeep_proof::text::Shown;
use trailkeep_proof::time::UnixMillis;
use trailkeep_server::serve::{ServeOptions, serve};
use trailkeep_server::tls::Certificates;
use trailkeep_store_sqlite::Sqlite;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep serve --dir /var/lib/trailkeep --listen 127.0.0.1:8787
  trailkeep serve --config /etc/trailkeep/trailkeep.toml
  trailkeep serve --dir D --listen 127.0.0.1:0      (a free port; it is printed)

Flags override environment variables, and those override the file: docs/operations.md, \"Settings\".
SIGTERM and SIGINT stop it gracefully: in-flight requests are answered first.")]
pub(super) struct ServeArgs {
    /// Settings file (TOML); deploy/trailkeep.toml is a sample
    #[arg(long, env = "TRAILKEEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Confirm that the clock is right after a jump, or after more than 31 days without activity; recorded
    #[arg(long)]
    confirm_clock: bool,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(args.config.as_deref(), args.flags)?;
    log_to_stderr(settings.log);
    forbid_core_dumps();
    let mut options = settings.start_options(args.confirm_clock);
    options.anchors = settings.anchors()?;
    let tls = settings.tls.map(Certificates::open).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let serve_options = ServeOptions {
        tls,
        daily_hour: settings.retention_hour,
        stop_wait: settings.stop_wait,
        limits: settings.limits,
    };
    let (directory, root_key) = (settings.directory, settings.root_key);
    let open = move || Files::open(Arc::new(Sqlite), directory, &root_key)?.start(options);
    let engine = Arc::new(trailkeep_core::blocking(open).await?);
    // A target that has seen more of a ledger than there is says so before anything is signed.
    at_start(&engine.anchors).await;
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!(
            "can't listen on {}: another process may use it; choose another address with --listen",
            settings.listen
        )
    })?;
    let address = listener.local_addr()?;
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        tracing::info!("stopping");
    };
    let policies = Arc::clone(&engine.journal.policies);
    let serving = serve(engine, listener, serve_options, stop)?;
    warn_of_reviews(&policies, clock().wall());
    print_line(&format!("listening on {scheme}://{address}"))?;
    tracing::info!(%address, "serving");
    serving.await?;
    Ok(ExitCode::SUCCESS)
}

/// Logs on standard error, without colour: a log line may quote what a client sent, and its control characters are shown as
/// escapes. Of the libraries only warnings are taken: at their lower levels some log what they carry.
fn log_to_stderr(settings: LogSettings) {
    let only_ours = Targets::new()
        .with_default(settings.level.min(tracing::Level::WARN))
        .with_target("trailkeep", settings.level);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| Shown(std::io::stderr()));
    let registry = tracing_subscriber::registry().with(only_ours);
    // A second call, in a test, leaves the first one's logger.
    let _ = match settings.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// A policy whose review is overdue may say what a law no longer says.
fn warn_of_reviews(policies: &PolicySet, now: UnixMillis) {
    for policy in policies
        .iter()
        .filter(|policy| is_review_overdue(policy, now))
    {
        let (id, review_by) = (&policy.id, policy.review_by);
        tracing::warn!(
            id,
            ?review_by,
            "the review of a policy is overdue: `trailkeep doctor`"
        );
    }
}

/// A core file would hold keys.
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be disabled: a crash may write keys to disk");
    }
}
