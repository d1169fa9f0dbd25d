//! Versions and moves of labels, as the vault keeps them.

use serde::{Deserialize, Serialize};

use super::NotServed;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::keys::rows::{self, STATED_HERE};
use crate::tenant::ActiveRecord;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::prompts::{Label, PromptName, Unit, Variant, Variants};

/// Who did something, when and why, and the entry that states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// When.
    pub at_ms: u64,
    /// Id of the API key, or `local`; none where a restore took it over from the ledger, which does not say.
    pub by: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry.
    pub seq: u64,
    /// Origin of its ledger.
    pub ledger: String,
}

impl Act {
    /// What is about to be stated in a ledger.
    pub(crate) fn here(
        at_ms: u64,
        by: &str,
        reason: Option<String>,
        ledger: &LedgerRecord,
    ) -> Self {
        Self {
            at_ms,
            by: Some(by.to_owned()),
            reason,
            seq: STATED_HERE,
            ledger: ledger.origin.to_string(),
        }
    }

    /// What a statement says of it.
    pub(crate) fn taken_over((seq, at_ms): (u64, u64), ledger: &LedgerRecord) -> Self {
        Self {
            at_ms,
            by: None,
            reason: None,
            seq,
            ledger: ledger.origin.to_string(),
        }
    }
}

/// The hash of a version's text, and what opens the commitment to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// SHA-256 of the text, in hex.
    pub sha256: String,
    /// In hex.
    pub salt: String,
}

/// A version of a prompt. Its text stands in a row of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptVersion {
    /// Random: the id of its rows.
    #[serde(skip)]
    pub id: String,
    /// The prompt.
    pub name: PromptName,
    /// Counted from 1.
    pub version: u32,
    /// Bytes of its text.
    pub size: u64,
    /// The version that was the newest before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// The commit that its file was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The path of its file, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// None where it was erased, or is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Who registered it.
    pub registered: Act,
    /// Since when it is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Act>,
    /// Since when its text is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Act>,
}

impl PromptVersion {
    /// SHA-256 of its text, in hex, while it is known.
    pub fn sha256(&self) -> Option<&str> {
        self.secret.as_ref().map(|secret| secret.sha256.as_str())
    }

    /// Why it is not served; none where it is.
    pub fn not_served(&self) -> Option<NotServed> {
        match (&self.erased, &self.secret, &self.withdrawn) {
            (Some(_), _, _) => Some(NotServed::Erased),
            (None, None, _) => Some(NotServed::Lost),
            (None, Some(_), Some(_)) => Some(NotServed::Withdrawn),
            (None, Some(_), None) => None,
        }
    }

    /// What was done with it.
    pub(super) fn acts(&self) -> impl Iterator<Item = &Act> {
        let ended = self.withdrawn.iter().chain(&self.erased);
        ended.chain([&self.registered])
    }

    /// As it stands once its statement does.
    #[must_use]
    pub(crate) fn stated(mut self, seq: Seq) -> Self {
        let acts = [&mut self.withdrawn, &mut self.erased];
        let acts = acts.into_iter().filter_map(Option::as_mut);
        for act in acts.chain([&mut self.registered]) {
            put_seq(&mut act.seq, seq);
        }
        self
    }
}

/// The text of a version.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptText {
    pub(crate) text: String,
}

/// The entry that began an experiment: its seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The entry.
    pub seq: u64,
    /// Origin of its ledger.
    pub ledger: String,
}

/// A label that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelMove {
    /// Random: the id of its row, and what a client names who moves the label on.
    #[serde(skip)]
    pub id: String,
    /// The prompt.
    pub name: PromptName,
    /// The label.
    pub label: Label,
    /// Counted from 1 over all labels of the prompt.
    pub number: u32,
    /// What it stood for before; empty: nothing.
    pub from: Vec<Variant>,
    /// What it stands for.
    pub to: Variants,
    /// The unit of an experiment.
    pub unit: Unit,
    /// Where there are several versions, what began the experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Experiment>,
    /// Whether it went back to what once was in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback: bool,
    /// Versions that were withdrawn and are served again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<u32>,
    /// Who moved it.
    pub moved: Act,
}

impl LabelMove {
    /// As it stands once its statement does.
    #[must_use]
    pub(crate) fn stated(mut self, seq: Seq) -> Self {
        put_seq(&mut self.moved.seq, seq);
        if let Some(experiment) = &mut self.experiment {
            put_seq(&mut experiment.seq, seq);
        }
        self
    }
}

fn put_seq(place: &mut u64, seq: Seq) {
    if *place == STATED_HERE {
        *place = seq.get();
    }
}

impl Record for PromptVersion {
    const KIND: &'static str = rows::PROMPT_VERSION;
    const WHAT: &'static str = "a version of a prompt";
}

impl Record for PromptText {
    const KIND: &'static str = rows::PROMPT_TEXT;
    const WHAT: &'static str = "the text of a prompt";
}

impl Record for LabelMove {
    const KIND: &'static str = rows::PROMPT_LABEL;
    const WHAT: &'static str = "a label of a prompt";
}

/// Gives a ledger that continues another one the prompts of that.
pub(crate) fn carry_over(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    carry::<PromptVersion>(keyring, from, to)?;
    carry::<PromptText>(keyring, from, to)?;
    carry::<LabelMove>(keyring, from, to)
}

/// A text must stand in one place alone: it is erased there.
fn carry<R: Record>(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    for (id, record) in records::all::<R>(keyring, from.record())? {
        records::put(keyring, to.record(), &id, &record)?;
        records::move_away::<R>(keyring, from.record(), &id)?;
    }
    Ok(())
}
