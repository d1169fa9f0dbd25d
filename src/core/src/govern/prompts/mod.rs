//! Registering prompts and moving their labels, each recorded before it holds.
//!
//! One lock is held from the comparison with what is there to the statement, so of two moves of a label that name the same
//! state one wins.

mod end;
mod label;
mod register;
mod take_over;

pub use self::end::{Erased, erase, withdraw};
pub use self::label::{Condition, NewMove, States, move_label, roll_back};
pub use self::register::{NewVersion, Registered, TEXT_BYTES_MAX, register};
pub(crate) use self::take_over::{
    take_over_end, take_over_erasure, take_over_move, take_over_version,
};
use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::keyring::KeyError;
use crate::keys::rows::Changes;
use crate::tenant::Tenant;
use crate::tenant::prompts::{Act, NotServed, Prompt, PromptVersion, Prompts};
use trailkeep_crypto::secret::random_bytes;
use trailkeep_proof::ids::{Seq, hex};
use trailkeep_proof::prompts::{PromptNameError, VariantsError};
use trailkeep_proof::system::SystemEvent;
use trailkeep_proof::time::UnixMillis;

/// Characters of a reason.
const REASON_CHARACTERS_MAX: usize = 1_000;

/// Why prompts were not changed.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A part of what was given is wrong.
    #[error("{0}")]
    Wrong(String),
    /// A name has not its form.
    #[error(transparent)]
    Name(#[from] PromptNameError),
    /// The versions of a label do not fit each other.
    #[error(transparent)]
    Variants(#[from] VariantsError),
    /// No prompt of this name.
    #[error("prompt not found: `trailkeep prompt list` shows the prompts")]
    NoPrompt,
    /// No version of this number.
    #[error("version {0} of this prompt not found: `trailkeep prompt history` shows its versions")]
    NoVersion(u32),
    /// The label was never given.
    #[error("this prompt has no such label: `trailkeep prompt history` shows its labels")]
    NoLabel,
    /// The version has no text to serve, and can't be what a label stands for.
    #[error("version {version} was {}: {remedy}", .why.as_str())]
    NotServed {
        /// The version.
        version: u32,
        /// Why.
        why: NotServed,
        /// What to do.
        remedy: &'static str,
    },
    /// A label stands for it.
    #[error("version {version} is in force under `{label}`: move the label or roll it back first")]
    InForce {
        /// The version.
        version: u32,
        /// The label.
        label: String,
    },
    /// It was done before.
    #[error("version {version} was {} at {at}", .what.as_str())]
    Over {
        /// The version.
        version: u32,
        /// What was done.
        what: NotServed,
        /// When.
        at: UnixMillis,
    },
    /// There is nothing to go back to.
    #[error(
        "the label has stood for nothing else: move it to another version with `trailkeep prompt label`"
    )]
    NothingBefore,
    /// The label never stood for that version.
    #[error(
        "version {0} was never in force under this label, so this is no rollback: move the label with `trailkeep prompt label`"
    )]
    NeverInForce(u32),
    /// The label is not in the state that the caller knows.
    #[error("the label was moved meanwhile: look at it again, and move it if that is still right")]
    Changed,
    /// A tenant, or a prompt, has as many as there may be.
    #[error("{0}")]
    TooMany(&'static str),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A reason that must be given.
fn required_reason(text: &str) -> Result<String, PromptError> {
    let length = text.trim().chars().count();
    if (1..=REASON_CHARACTERS_MAX).contains(&length) {
        return Ok(text.trim().to_owned());
    }
    Err(PromptError::Wrong(format!(
        "the reason must have 1 to {REASON_CHARACTERS_MAX} characters: whoever reads the history needs it"
    )))
}

/// A reason that may be left out.
fn reason(text: Option<&str>) -> Result<Option<String>, PromptError> {
    text.map(required_reason).transpose()
}

fn random_id() -> Result<String, PromptError> {
    Ok(hex(&random_bytes::<8>().map_err(KeyError::from)?))
}

/// What is about to be stated in the tenant's ledger.
fn act(journal: &Journal, tenant: &Tenant, by: &str, reason: Option<String>) -> Act {
    let record = tenant.active_record().record();
    Act::here(journal.clock.wall().get(), by, reason, record)
}

/// States a change: the rows are there when this returns.
fn state(
    journal: &Journal,
    tenant: &Tenant,
    event: &SystemEvent,
    changes: Changes,
) -> Result<Seq, PromptError> {
    append_changing(journal, tenant.active(), event, changes)
        .map_err(|error| PromptError::Record(Box::new(error)))
}

fn prompt_of<'a>(prompts: &'a Prompts, name: &str) -> Result<&'a Prompt, PromptError> {
    prompts.get(name).ok_or(PromptError::NoPrompt)
}

fn version_of(prompt: &Prompt, number: u32) -> Result<&PromptVersion, PromptError> {
    prompt.version(number).ok_or(PromptError::NoVersion(number))
}
