//! Sections of entries about prompts. None holds a text, a hash of one, a path, or who did it and why: those stand in the vault
//! (docs/format.md, "Prompts").

use serde::{Deserialize, Serialize};

use crate::prompts::Variant;

/// Section `prompt` of a version that is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptVersionSection {
    /// Random; the rows of the vault have it, too.
    pub id: String,
    /// The prompt.
    pub name: String,
    /// Counted from 1.
    pub version: u32,
    /// The salted commitment to the SHA-256 of its text, in base64.
    pub commitment: String,
    /// Bytes of its text.
    pub size: u64,
    /// The version that was the newest before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// The commit that its file was read from, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
}

/// Section `prompt` of a label that is moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptLabelSection {
    /// Random; the row of the vault has it, too.
    pub id: String,
    /// The prompt.
    pub name: String,
    /// The label.
    pub label: String,
    /// Counted from 1 over all labels of the prompt.
    pub number: u32,
    /// What it stood for before; empty: nothing.
    pub from: Vec<Variant>,
    /// What it stands for.
    pub to: Vec<Variant>,
    /// Which field of an event is the unit.
    pub unit: String,
    /// The entry that began the experiment, where there are several versions and this entry did not begin it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<u64>,
    /// Origin of that entry's ledger, where it is a superseded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// Whether it went back to what once was in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback: bool,
    /// Versions that were withdrawn and are served again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<u32>,
}

/// Section `prompt` of a version that is withdrawn or erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptEndSection {
    /// The version's id.
    pub id: String,
    /// The prompt.
    pub name: String,
    /// The version.
    pub version: u32,
}
