//! Anchoring: the signed head goes to places outside, so that whoever owns this machine and its keys can't show another
//! history later. A directory keeps it, a webhook takes it, a witness (C2SP tlog-witness) cosigns it.
//!
//! [`run`] gives the head of one ledger to its targets; schedule.rs says when. A target that has seen more of the ledger
//! than there is, or another history of it, stops the ledger: rolled_back.rs. docs/operations.md, "Witnesses and anchors".

mod directory;
mod error;
mod rolled_back;
pub mod schedule;
mod send;
pub mod settings;
pub mod status;
mod target_state;
mod webhook;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;

pub use self::error::AnchorError;
pub use self::rolled_back::ResumeError;
pub(super) use self::rolled_back::load as load_rolled_back;
pub use self::rolled_back::resume;
use crate::anchor::send::Sender;
use crate::anchor::settings::{AnchorSettings, Place, Target};
use crate::anchor::target_state::TargetStates;
use crate::journal::Journal;
use crate::tenant::Tenant;
use crate::tenant::ledger::{Ledger, Published};
use trailkeep_ports::{AnchoringRow, StoreError};
use trailkeep_proof::ledger::cosignature::with_lines;
use trailkeep_proof::time::UnixMillis;

/// Targets and how it stands with them.
pub struct Anchors {
    pub(crate) journal: Arc<Journal>,
    /// The data directory, which no target may be in.
    pub(crate) own_directory: PathBuf,
    settings: AnchorSettings,
    states: TargetStates,
    sender: Sender,
}

impl Anchors {
    /// With these settings.
    pub(crate) fn new(
        journal: Arc<Journal>,
        own_directory: PathBuf,
        settings: AnchorSettings,
    ) -> Self {
        Self {
            journal,
            own_directory,
            settings,
            states: TargetStates::default(),
            sender: Sender::default(),
        }
    }

    /// Where heads are given to.
    pub fn targets(&self) -> &[Target] {
        &self.settings.targets
    }

    /// The keys of the witnesses among them.
    pub fn witnesses(&self) -> Vec<trailkeep_proof::ledger::cosignature::WitnessKey> {
        let keys = self.targets().iter().filter_map(Target::witness);
        keys.cloned().collect()
    }
}

/// Which targets are to be given the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them, also those that have it: a witness says so again, with the time.
    All,
    /// Those that have not this head.
    Behind,
    /// Those whose time has come.
    Due,
    /// Witnesses that have not cosigned this head.
    Witnesses,
}

/// The result of one target.
#[derive(Clone, Debug)]
pub struct AnchorOutcome {
    /// Its name.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: &'static str,
    /// Entries of the checkpoint that it got.
    pub size: u64,
    /// When a witness cosigned it, by its own clock (RFC 3339, UTC).
    pub cosigned_at: Option<String>,
    /// Why it does not have the checkpoint.
    pub error: Option<String>,
}

/// What a target has now.
struct Given {
    /// Entries of the checkpoint.
    size: u64,
    /// Its signed note.
    note: String,
    /// The lines of the witness.
    lines: String,
    /// When it cosigned.
    cosigned_at: Option<UnixMillis>,
}

impl Given {
    fn plain(published: &Published) -> Self {
        Self {
            size: published.head.size,
            note: published.head.note.clone(),
            lines: String::new(),
            cosigned_at: None,
        }
    }
}

/// Gives the published head of a tenant's active ledger to targets, side by side. It waits for the network: not to be called on the event
/// loop.
pub fn run(
    anchors: &Anchors,
    tenant: &Tenant,
    which: Which,
) -> Result<Vec<AnchorOutcome>, AnchorError> {
    Ok(run_on_head(anchors, tenant.active(), which)?.1)
}

/// The same, with the head that was given.
fn run_on_head(
    anchors: &Anchors,
    ledger: &Ledger,
    which: Which,
) -> Result<(Arc<Published>, Vec<AnchorOutcome>), AnchorError> {
    if ledger.is_superseded() || anchors.targets().is_empty() {
        return Ok((ledger.published(), Vec::new()));
    }
    let _one = ledger.anchoring();
    let states = &anchors.states;
    states.load(&anchors.journal, ledger)?;
    let published = ledger.published();
    let size = published.head.size;
    let wanted = anchors.targets().iter().filter(|target| {
        let is_behind = states.last_size(ledger, target) != Some(size);
        target.is_for(&ledger.record.tenant)
            && match which {
                Which::All => true,
                Which::Behind => is_behind,
                Which::Due => is_behind && states.is_due(ledger, target),
                Which::Witnesses => is_behind && target.witness().is_some(),
            }
    });
    let wanted: Vec<&Target> = wanted.collect();
    let offered = wanted.iter().map(|target| {
        let last = states.last_size(ledger, target);
        offer(anchors, ledger, &published, target, last)
    });
    let answers = send::block_on(join_all(offered))?;
    let outcomes = wanted.into_iter().zip(answers);
    let outcomes = outcomes
        .map(|(target, answer)| note_answer(anchors, ledger, target, size, answer))
        .collect::<Result<_, _>>()?;
    Ok((published, outcomes))
}

/// Gives a head to one target. `last` is the size that it was last given.
async fn offer(
    anchors: &Anchors,
    ledger: &Ledger,
    published: &Arc<Published>,
    target: &Target,
    last: Option<u64>,
) -> Result<Given, AnchorError> {
    match &target.place {
        Place::Directory(path) => {
            directory::put(anchors, ledger, published, (&target.name, path), last)?;
            Ok(Given::plain(published))
        }
        Place::Webhook { url, key } => {
            let now = anchors.journal.clock.wall();
            webhook::post(&anchors.sender, url, key, &published.head.note, now).await?;
            Ok(Given::plain(published))
        }
        Place::Witness { url, key } => {
            let asked = witness::Asked {
                target: &target.name,
                url,
                key,
            };
            witness::ask(anchors, ledger, &asked, Arc::clone(published), last).await
        }
    }
}

/// Keeps what came of it: the head with its cosignatures, the state of the target, a roll-back.
fn note_answer(
    anchors: &Anchors,
    ledger: &Ledger,
    target: &Target,
    size: u64,
    answer: Result<Given, AnchorError>,
) -> Result<AnchorOutcome, AnchorError> {
    let mut outcome = AnchorOutcome {
        target: target.name.clone(),
        kind: target.place.kind(),
        size,
        cosigned_at: None,
        error: None,
    };
    match answer.and_then(|given| {
        keep(&anchors.journal, ledger, target, &given)
            .map(|()| given)
            .map_err(Into::into)
    }) {
        Ok(given) => {
            rolled_back::agreed(&anchors.journal, ledger, &target.name)?;
            anchors.states.has(ledger, target, given.size);
            outcome.size = given.size;
            outcome.cosigned_at = given.cosigned_at.map(UnixMillis::to_short_rfc3339);
        }
        Err(error) => {
            let now = anchors.journal.clock.wall();
            anchors.states.failed(ledger, target, &error, now);
            let origin = &ledger.record.origin;
            tracing::warn!(%origin, target = target.name, %error, "a checkpoint could not be anchored");
            outcome.error = Some(error.to_string());
            if let AnchorError::RolledBack(found) = error {
                rolled_back::found(&anchors.journal, ledger, *found)?;
            }
        }
    }
    Ok(outcome)
}

fn keep(
    journal: &Journal,
    ledger: &Ledger,
    target: &Target,
    given: &Given,
) -> Result<(), StoreError> {
    let row = AnchoringRow {
        size: given.size,
        target: target.name.clone(),
        kind: target.place.kind().to_owned(),
        at: journal.clock.wall(),
    };
    let is_cosigned = given.cosigned_at.is_some();
    journal
        .ledgers
        .keep_anchored(ledger.record.number, &row, is_cosigned, &|known| {
            let note = known.unwrap_or_else(|| given.note.clone());
            with_lines(&note, &given.lines)
        })
}

/// The head for a bundle: the published one, cosigned by as many witnesses as answer; and its note, which has what they
/// say. Waits for the network.
pub(super) fn witnessed_head(
    anchors: &Anchors,
    ledger: &Ledger,
) -> Result<(Arc<Published>, String), AnchorError> {
    let (published, _) = run_on_head(anchors, ledger, Which::Witnesses)?;
    let number = ledger.record.number;
    let known = anchors
        .journal
        .ledgers
        .anchored_at(number, published.head.size)?;
    let note = known.map_or_else(|| published.head.note.clone(), |known| known.note);
    Ok((published, note))
}
