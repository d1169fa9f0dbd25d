//! What an application gets: the text that a label stands for, or a version by its number.

use super::{Experiment, LabelMove, Prompt, PromptText, PromptVersion};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::prompts::{LATEST, Unit, bucket};

/// Why a version has no text to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotServed {
    /// Somebody withdrew it: its text is there.
    Withdrawn,
    /// Its text was erased.
    Erased,
    /// A restore brought back the statement alone.
    Lost,
}

impl NotServed {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Erased => "erased",
            Self::Lost => "lost",
        }
    }
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No prompt of this name.
    #[error("prompt not found: `trailkeep prompt list` shows the prompts")]
    NoPrompt,
    /// No version of this number.
    #[error("version {0} of this prompt not found: `trailkeep prompt history` shows its versions")]
    NoVersion(u32),
    /// The label was never given.
    #[error(
        "this prompt has no such label: move it to a version with `trailkeep prompt label`, or ask for a version"
    )]
    NoLabel,
    /// There is no text to serve.
    #[error("version {version} was {}: ask for another one", .why.as_str())]
    NotServed {
        /// The version.
        version: u32,
        /// Why.
        why: NotServed,
    },
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// What a label stands for, for a unit where one is named.
    Label(&'a str, Option<&'a str>),
    /// A version.
    Version(u32),
}

/// How a version was chosen from several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// What began the experiment.
    pub experiment: Experiment,
    /// Which field of an event is the unit.
    pub unit: Unit,
    /// The unit's bucket; none where the client named no unit and got the version that stands first.
    pub bucket: Option<u32>,
    /// The version's share in ten-thousandths.
    pub weight: u32,
}

/// A text, and what it is of.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The version.
    pub version: PromptVersion,
    /// Its text.
    pub text: String,
    /// The last move of the label that was asked for; none for `latest` and for a version.
    pub label: Option<LabelMove>,
    /// How it was chosen, where the label stands for several versions.
    pub share: Option<Share>,
}

/// Gives a text to an application.
pub fn fetch(
    keyring: &Keyring,
    ledger: &Ledger,
    name: &str,
    asked: Asked<'_>,
) -> Result<Fetched, FetchError> {
    let prompts = ledger.prompts();
    let prompt = prompts.get(name).ok_or(FetchError::NoPrompt)?;
    let (number, label, share) = choose(prompt, asked)?;
    let version = prompt
        .version(number)
        .ok_or(FetchError::NoVersion(number))?
        .clone();
    let not_served = |why| FetchError::NotServed {
        version: number,
        why,
    };
    if let Some(why) = version.not_served() {
        return Err(not_served(why));
    }
    let text = text_of(keyring, ledger, &version)?;
    let text = text.ok_or_else(|| not_served(NotServed::Lost))?;
    Ok(Fetched {
        version,
        text,
        label,
        share,
    })
}

type Choice = (u32, Option<LabelMove>, Option<Share>);

fn choose(prompt: &Prompt, asked: Asked<'_>) -> Result<Choice, FetchError> {
    let (label, unit) = match asked {
        Asked::Version(number) => return Ok((number, None, None)),
        Asked::Label(LATEST, _) => {
            let latest = prompt.latest().ok_or(FetchError::NoLabel)?;
            return Ok((latest.version, None, None));
        }
        Asked::Label(label, unit) => (label, unit),
    };
    let current = prompt.label(label).ok_or(FetchError::NoLabel)?;
    let Some(experiment) = &current.experiment else {
        return Ok((current.to.first().version, Some(current.clone()), None));
    };
    let bucket = unit.map(|unit| bucket(&current.name, experiment.seq, unit.as_bytes()));
    let chosen = bucket.map_or_else(|| current.to.first(), |bucket| current.to.of_bucket(bucket));
    let share = Share {
        experiment: experiment.clone(),
        unit: current.unit,
        bucket,
        weight: chosen.weight,
    };
    Ok((chosen.version, Some(current.clone()), Some(share)))
}

/// The text of a version, while there is one.
fn text_of(
    keyring: &Keyring,
    ledger: &Ledger,
    version: &PromptVersion,
) -> Result<Option<String>, KeyError> {
    let active = ledger.active_record();
    let row = records::row::<PromptText>(keyring, active.record(), &version.id)?;
    let Some(record) = row.and_then(|row| row.record::<PromptText>()) else {
        return Ok(None);
    };
    let record = record.map_err(|()| KeyError::DoesNotOpen("the text of a prompt"))?;
    Ok(Some(record.text))
}

/// A version with its text, also one that is withdrawn.
pub fn show(
    keyring: &Keyring,
    ledger: &Ledger,
    name: &str,
    number: u32,
) -> Result<(PromptVersion, Option<String>), FetchError> {
    let prompts = ledger.prompts();
    let prompt = prompts.get(name).ok_or(FetchError::NoPrompt)?;
    let version = prompt.version(number);
    let version = version.ok_or(FetchError::NoVersion(number))?.clone();
    let text = text_of(keyring, ledger, &version)?;
    Ok((version, text))
}
