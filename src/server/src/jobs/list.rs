//! The jobs of a server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::{Job, Next};
use crate::tls::Certificates;
use crate::unauthorized::Unauthorized;
use trailkeep_core::Engine;
use trailkeep_core::anchor::schedule::anchor_due;
use trailkeep_core::destroy::DeletionError;
use trailkeep_core::ingest::{StagingError, assemble_due};
use trailkeep_core::journal::access_log::flush_repeats;
use trailkeep_core::journal::append::AppendError;
use trailkeep_core::ops::run::{finish_open, run_if_due};
use trailkeep_core::ops::vault_keeper::{VaultKeepError, VaultKeeper, fold_some};

/// How often it is looked whether retention, deletions and anchors are due.
const SECOND: Duration = Duration::from_secs(1);
/// How often repetitions of reads are looked for.
const REPEATS_EVERY: Duration = Duration::from_secs(5);
/// How often the vault is compared with its replicas.
const VAULT_EVERY: Duration = Duration::from_millis(500);
/// How often refused tokens are counted.
const REFUSED_EVERY: Duration = Duration::from_secs(60);
/// How often the certificate's files are looked at.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(2);

pub(crate) fn jobs(
    engine: &Arc<Engine>,
    daily_hour: Option<u8>,
    certificates: Option<Arc<Certificates>>,
    unauthorized: Arc<Unauthorized>,
) -> Vec<Job> {
    let mut jobs = vec![
        read_audit(Arc::clone(engine)),
        deletions(Arc::clone(engine)),
        telemetry(Arc::clone(engine)),
        vault(Arc::clone(engine)),
        identifiers(Arc::clone(engine)),
        refused_tokens(unauthorized),
    ];
    jobs.extend(daily_hour.map(|hour| retention(Arc::clone(engine), hour)));
    if !engine.anchors.targets().is_empty() {
        jobs.push(anchors(Arc::clone(engine)));
    }
    jobs.extend(certificates.map(certificate));
    jobs
}

/// Repetitions of reads are recorded soon after their time is over.
fn read_audit(engine: Arc<Engine>) -> Job {
    let failure = "repeated reads could not be recorded";
    Job::new("read-audit", Duration::ZERO, failure, move || {
        flush_repeats(&engine.journal, false)?;
        Ok::<_, AppendError>(Next::After(REPEATS_EVERY))
    })
}

/// Requests without a valid token come into the log as a count.
fn refused_tokens(unauthorized: Arc<Unauthorized>) -> Job {
    let failure = "refused tokens could not be counted";
    Job::new("refused-tokens", REFUSED_EVERY, failure, move || {
        unauthorized.tell();
        Ok::<_, Infallible>(Next::After(REFUSED_EVERY))
    })
}

/// The retention run of the day.
fn retention(engine: Arc<Engine>, hour: u8) -> Job {
    let failure = "the daily retention run failed";
    Job::new("retention", Duration::ZERO, failure, move || {
        let reports = run_if_due(&engine, hour)?;
        for report in reports.iter().filter(|report| report.destroyed > 0) {
            let (destroyed, held) = (report.destroyed, report.held);
            tracing::info!(tenant = report.tenant, destroyed, held, "expiry");
        }
        Ok::<_, DeletionError>(Next::After(SECOND))
    })
}

/// What a reader outside kept from being finished goes on, whether there is a daily run or not.
fn deletions(engine: Arc<Engine>) -> Job {
    Job::new("deletions", SECOND, "a deletion job failed", move || {
        finish_open(&engine.deletions)?;
        Ok::<_, DeletionError>(Next::After(SECOND))
    })
}

/// Telemetry becomes events when its trace is done.
fn telemetry(engine: Arc<Engine>) -> Job {
    let failure = "staged telemetry could not be assembled";
    let pause = engine.inbox.look_every();
    Job::new("telemetry", pause, failure, move || {
        let is_more_due = assemble_due(&engine.inbox)?;
        let pause = if is_more_due { Duration::ZERO } else { pause };
        Ok::<_, StagingError>(Next::After(pause))
    })
}

/// The vault's replicas get new keys, and the vault is rotated when that is due.
fn vault(engine: Arc<Engine>) -> Job {
    let failure = "the vault could not be replicated or rotated";
    let mut keeper = VaultKeeper::default();
    Job::new("vault", VAULT_EVERY, failure, move || {
        let is_done = keeper.step(&engine.custody)?;
        let next = if is_done {
            Next::After(VAULT_EVERY)
        } else {
            Next::BackOff
        };
        Ok::<_, VaultKeepError>(next)
    })
}

/// Data subjects of a vault of an earlier version get the tags by which similar identifiers are found.
fn identifiers(engine: Arc<Engine>) -> Job {
    let failure = "similar identifiers could not be prepared";
    Job::new("similar-identifiers", VAULT_EVERY, failure, move || {
        let is_done = fold_some(&engine.journal)?;
        let next = if is_done {
            Next::Done
        } else {
            Next::After(VAULT_EVERY)
        };
        Ok::<_, trailkeep_core::requests::PrivacyError>(next)
    })
}

/// Checkpoints are sent to anchor targets whose time has come.
fn anchors(engine: Arc<Engine>) -> Job {
    Job::new(
        "anchors",
        SECOND,
        "checkpoints could not be anchored",
        move || {
            let is_done = anchor_due(&engine.anchors);
            let next = if is_done {
                Next::After(SECOND)
            } else {
                Next::BackOff
            };
            Ok::<_, Infallible>(next)
        },
    )
}

/// A new certificate is taken into use. One that is unusable has a metric of its own, and is looked at again as soon as
/// its files change.
fn certificate(certificates: Arc<Certificates>) -> Job {
    let failure = "the certificate could not be checked";
    Job::new("certificate", Duration::ZERO, failure, move || {
        certificates.look_again();
        Ok::<_, Infallible>(Next::After(CERTIFICATE_EVERY))
    })
}
