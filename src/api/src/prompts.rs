//! `/v1/prompts`: prompts, their versions and labels.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::whole;

/// A version to register.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPromptVersion {
    /// Its text: 1 to 262,144 bytes of UTF-8. Its SHA-256 is that of these bytes.
    #[schema(min_length = 1, max_length = 262_144)]
    pub text: String,
    /// The commit that the file was read from: 40 or 64 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$")]
    pub git_commit: Option<String>,
    /// The path of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub path: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S")]
    pub reason: Option<String>,
}

/// A version and its share of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The version.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1)]
    pub version: u32,
    /// Its share in ten-thousandths. All together are 10,000.
    #[serde(default = "all", deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 10_000, default = 10_000)]
    pub weight: u32,
}

const fn all() -> u32 {
    10_000
}

/// A label to move.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLabel {
    /// What it is to stand for: one version, or several with their weights.
    #[schema(min_items = 1, max_items = 16)]
    pub to: Vec<Variant>,
    /// Which field of an event is the unit of an experiment; what it was, or `conversation`, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S")]
    pub reason: Option<String>,
}

/// Which field of an event is the unit of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// `context.conversation`.
    Conversation,
    /// The id of the first of `subjects`.
    Subject,
    /// `context.session`.
    Session,
}

impl Unit {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Subject => "subject",
            Self::Session => "session",
        }
    }
}

/// A label to move back.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The label; `production` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z0-9][a-z0-9._/-]{0,127}$")]
    pub label: Option<String>,
    /// A version that once was in force under it; what it stood for before if absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole::optional"
    )]
    #[schema(minimum = 1)]
    pub to: Option<u32>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S")]
    pub reason: String,
}

/// Why a version is withdrawn or erased.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptEnd {
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S")]
    pub reason: String,
}

/// Who did something, when and why, and the entry that states it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Act {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// Id of the API key, or `local`; absent where a restore took it over from the ledger, which does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry.
    pub seq: u64,
    /// Origin of its ledger.
    pub ledger: String,
}

/// A version of a prompt.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ShownPromptVersion {
    /// The prompt.
    pub name: String,
    /// Counted from 1.
    pub version: u32,
    /// The id by which the ledger names it.
    pub id: String,
    /// SHA-256 of its text, unless it was erased or is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Opens the commitment of its entry, as long as the SHA-256 is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Bytes of its text.
    pub size: u64,
    /// The version that was the newest before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// The commit that its file was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The path of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `served`, `withdrawn`, `erased`, or `lost` where a restore brought back its entry alone.
    pub state: String,
    /// The labels that stand for it, `latest` among them.
    pub labels: Vec<String>,
    /// Who registered it.
    pub registered: Act,
    /// Since when it is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Act>,
    /// Since when its text is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Act>,
    /// Its text, where one version was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of an erasure: whether its bytes may stand in the vault's log until the next rotation of the vault's keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub purge_pending: bool,
}

/// The entry that began an experiment.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Experiment {
    /// The entry: its number is the seed.
    pub seq: u64,
    /// Origin of its ledger.
    pub ledger: String,
}

/// A label as it was moved.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ShownLabel {
    /// The prompt.
    pub name: String,
    /// The label.
    pub label: String,
    /// The move's id: what `If-Match` names.
    #[serde(rename = "move")]
    pub id: String,
    /// What it stands for.
    pub to: Vec<Variant>,
    /// What it stood for before; empty: nothing.
    pub from: Vec<Variant>,
    /// Which field of an event is the unit of an experiment.
    pub unit: Unit,
    /// Where there are several versions, what began the experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Experiment>,
    /// Whether it went back to what once was in force.
    pub rollback: bool,
    /// Versions that were withdrawn and are served again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub restores: Vec<u32>,
    /// Who moved it.
    pub moved: Act,
}

/// A prompt as it is listed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedPrompt {
    /// Its name.
    pub name: String,
    /// How many versions it has.
    pub versions: u64,
    /// The highest number of a version, whatever became of it.
    pub newest: u32,
    /// The newest version that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<u32>,
    /// SHA-256 of the text of that version, unless it was erased or is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_sha256: Option<String>,
    /// Its labels, each as it was moved last.
    pub labels: Vec<ShownLabel>,
}

/// The prompts of a tenant.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PromptList {
    /// By name.
    pub prompts: Vec<ListedPrompt>,
}

/// All that happened to a prompt.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PromptHistory {
    /// Its name.
    pub name: String,
    /// Its versions, oldest first.
    pub versions: Vec<ShownPromptVersion>,
    /// The moves of its labels, oldest first.
    pub moves: Vec<ShownLabel>,
}

/// What is fetched, each at most once. Without a label and a version it is what `production` stands for.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PromptQuestion {
    /// A label, or `latest`; not together with `version`.
    #[param(pattern = "^[a-z0-9][a-z0-9._/-]{0,127}$")]
    pub label: Option<String>,
    /// A version.
    #[param(minimum = 1)]
    pub version: Option<u32>,
    /// The unit of an experiment, such as the id of the conversation: the value that the event will have. 1 to 1024 bytes.
    #[param(min_length = 1, max_length = 1024)]
    pub unit: Option<String>,
}

/// A prompt as an application gets it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FetchedPrompt {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The label that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// SHA-256 of the text: what `llm.prompt.sha256` of an event says.
    pub sha256: String,
    /// Bytes of the text.
    pub size: u64,
    /// The text.
    pub text: String,
    /// How the version was chosen, where the label stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<FetchedShare>,
}

/// How a version was chosen from several.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FetchedShare {
    /// The entry that began the experiment.
    pub seq: u64,
    /// Origin of its ledger.
    pub ledger: String,
    /// Which field of an event is the unit.
    pub unit: Unit,
    /// The unit's bucket, 0 to 9,999; absent: the request named no unit, and this is the version that stands first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// The version's share in ten-thousandths.
    pub weight: u32,
    /// What to do, where the request named no unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A prompt in the form of Langfuse's API.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LangfusePrompt {
    /// Always `text`.
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub version: u32,
    /// The text.
    pub prompt: String,
    /// `sha256`, and `experiment` where the label stands for several versions.
    pub config: LangfuseConfig,
    /// The labels that stand for the version.
    pub labels: Vec<String>,
    /// Always empty.
    pub tags: Vec<String>,
    /// Always null.
    #[schema(value_type = Option<String>)]
    pub commit_message: Option<String>,
}

/// What Langfuse's API has no member for.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct LangfuseConfig {
    /// SHA-256 of the text.
    pub sha256: String,
    /// How the version was chosen, where the label stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<FetchedShare>,
}

/// What Langfuse's SDK asks, each at most once.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LangfuseQuestion {
    /// A label, or `latest`; `production` if absent.
    #[param(pattern = "^[a-z0-9][a-z0-9._/-]{0,127}$")]
    pub label: Option<String>,
    /// A version; then the label is not looked at.
    #[param(minimum = 1)]
    pub version: Option<u32>,
    /// Of no effect: prompts here do not refer to each other.
    pub resolve: Option<bool>,
}
