//! `/v1/events` and `/v1/events/query`: questions. What may name a person is asked for in a body alone.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::events::RecordedEvent;
use crate::whole;

/// A query; all filters must match.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuestion {
    /// Recorded at this time or later: RFC 3339, or a day such as 2026-01-31, which is its start in UTC.
    #[schema(format = DateTime)]
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Recorded before this time: RFC 3339, or a day, which is excluded whole.
    #[schema(format = DateTime)]
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// What was done.
    #[schema(example = "chat.completion")]
    #[param(example = "chat.completion")]
    pub action: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Who did it.
    #[param(ignore)]
    pub actor: Option<PersonAsked>,
    /// The data subject.
    #[param(ignore)]
    pub subject: Option<PersonAsked>,
    /// The target.
    #[param(ignore)]
    pub target: Option<TargetAsked>,
    /// `context.conversation`.
    pub conversation: Option<String>,
    /// `context.trace_id`.
    pub trace: Option<String>,
    /// The requested or answering model.
    pub model: Option<String>,
    /// Name of the prompt template.
    pub prompt: Option<String>,
    /// Version of the prompt template.
    pub prompt_version: Option<String>,
    /// Events under this retention regime.
    pub regime: Option<String>,
    /// Order: `oldest` first (default) or `newest`.
    pub order: Option<Order>,
    /// Maximum events per page; default 100.
    #[schema(minimum = 1, maximum = 1000)]
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, deserialize_with = "whole::optional")]
    pub limit: Option<u64>,
    /// The `next_cursor` of the previous page; all other filters stay the same.
    #[schema(pattern = "^[cn](0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})$")]
    #[param(pattern = "^[cn](0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})$")]
    pub cursor: Option<String>,
}

/// Which events come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    Oldest,
    Newest,
}

/// A data subject or an actor.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonAsked {
    pub id: String,
    /// Which system the id belongs to; without one, the tenant's own.
    #[serde(default)]
    pub namespace: String,
}

/// A thing that was touched.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetAsked {
    pub id: String,
    /// Its type; empty where the event names none.
    #[serde(default, rename = "type")]
    pub kind: String,
}

/// A page of events. A short or empty page may have a next one: see `next_cursor`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct EventPage {
    pub events: Vec<RecordedEvent>,
    /// Value of `cursor` for the next page; absent on the last page.
    pub next_cursor: Option<String>,
    /// Restricted events that match and are not shown, because no purpose was stated.
    pub restricted: u64,
}
