//! `trailkeep serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::output::print_line;
use super::{DirectoryArgs, clock};
use crate::http::serve::serve;
use crate::otlp::classify::Keep;
use crate::service::open::{Files, StartOptions};
use crate::service::staging::StagingSettings;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep serve --dir /var/lib/trailkeep --listen 127.0.0.1:8787
  trailkeep serve --dir D --listen 127.0.0.1:0      (a free port; it is printed)

SIGTERM and SIGINT end it in order: requests under way are answered first.")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Address and port to listen on
    #[arg(
        long,
        env = "TRAILKEEP_LISTEN",
        default_value = "127.0.0.1:8787",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,
    /// Say that the clock is right after a jump, or after more than 31 days of rest; it is recorded
    #[arg(long)]
    confirm_clock: bool,
    /// Hour of the day (UTC) at which what is due is destroyed; `none`: only `trailkeep retention run` does it
    #[arg(long, env = "TRAILKEEP_RETENTION_HOUR", default_value = "2", value_name = "HOUR", value_parser = hour)]
    retention_hour: DailyHour,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

/// An hour of the day, or none.
#[derive(Clone, Copy, Debug)]
struct DailyHour(Option<u8>);

fn hour(text: &str) -> Result<DailyHour, String> {
    if text == "none" {
        return Ok(DailyHour(None));
    }
    let hour = text.parse().ok().filter(|hour| *hour < 24);
    hour.map(|hour| DailyHour(Some(hour)))
        .ok_or_else(|| "write an hour from 0 to 23, or none".to_owned())
}

/// How OpenTelemetry data becomes events.
#[derive(Args)]
struct TelemetryArgs {
    /// Milliseconds that a trace waits for content and users after its local root has come
    #[arg(
        long = "otlp-quiet-ms",
        env = "TRAILKEEP_OTLP_QUIET_MS",
        default_value_t = 5_000,
        value_name = "MS"
    )]
    quiet_ms: u64,
    /// Milliseconds after its first part at which a trace becomes events at the latest
    #[arg(
        long = "otlp-wait-max-ms",
        env = "TRAILKEEP_OTLP_WAIT_MAX_MS",
        default_value_t = 600_000,
        value_name = "MS"
    )]
    wait_max_ms: u64,
    /// Which spans become events: calls of models and tools, agents and workflows too, or all
    #[arg(
        long = "otlp-keep",
        env = "TRAILKEEP_OTLP_KEEP",
        default_value = "calls",
        value_name = "calls|agents|all"
    )]
    keep: Keep,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    log_to_stderr();
    forbid_core_dumps();
    let (directory, root_key) = (args.directory.directory(), args.directory.root_key());
    let options = StartOptions {
        staging: StagingSettings {
            quiet_ms: args.telemetry.quiet_ms,
            wait_max_ms: args.telemetry.wait_max_ms,
            keep: args.telemetry.keep,
        },
        ..start_options(args.confirm_clock)
    };
    let open = move || Files::open(directory, &root_key)?.start(options);
    let engine = Arc::new(crate::service::blocking(open).await?);
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!(
            "can't listen on {}: is another server there? choose another with --listen",
            args.listen
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
    let serving = serve(engine, listener, args.retention_hour.0, stop)?;
    print_line(&format!("listening on http://{address}"))?;
    tracing::info!(%address, "serving");
    serving.await?;
    Ok(ExitCode::SUCCESS)
}

/// How this process runs an engine: `TRAILKEEP_MIN_FREE_BYTES` sets the reserve of the disk, `TRAILKEEP_POLICIES` names
/// a directory with policies.
pub(super) fn start_options(confirm_clock: bool) -> StartOptions {
    let set = std::env::var("TRAILKEEP_MIN_FREE_BYTES")
        .ok()
        .and_then(|text| text.parse().ok());
    let usual = StartOptions::new(clock());
    StartOptions {
        min_free_bytes: set.unwrap_or(usual.min_free_bytes),
        policy_directory: std::env::var_os("TRAILKEEP_POLICIES").map(PathBuf::from),
        confirm_clock,
        ..usual
    }
}

pub(super) fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO);
    // A second call, in a test, leaves the first one's logger.
    let _ = subscriber.try_init();
}

/// A core file would hold keys.
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be forbidden: a crash may write keys to disk");
    }
}
