//! `/v1/figures`: calls, tokens, costs, errors and times, from the events that are left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The parameters, each once.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FiguresQuestion {
    /// Recorded in this hour or later: RFC 3339, or a day such as 2026-01-31. Default: 24 hours before `to`.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Recorded before this time; a begun hour counts whole, a day is excluded. Default: now.
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// Time of a row: `hour`, `day` or `all`, which is the default.
    #[param(pattern = "^(hour|day|all)$")]
    pub step: Option<String>,
    /// What rows are told apart by, separated by commas: `provider`, `model`, `prompt`, `outcome`, `operation`, `dimension`.
    #[param(
        pattern = "^(provider|model|prompt|outcome|operation|dimension)(,(provider|model|prompt|outcome|operation|dimension)){0,5}$"
    )]
    pub by: Option<String>,
}

/// Figures.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FiguresAnswer {
    /// The entries of the time that was asked for: from inclusive, to exclusive.
    pub entries: EntryRange,
    /// Whether each event of that time is counted.
    pub complete: bool,
    /// Events that are counted no more, by the reason.
    pub left_out: LeftOutEvents,
    /// Numbers of the price tables that costs were computed by.
    pub prices: Vec<u32>,
    /// The rows, by time and group. Times and groups without an event are left out.
    pub series: Vec<FiguresRow>,
}

/// A range of entries.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct EntryRange {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
}

/// Events that are counted no more.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct LeftOutEvents {
    /// They expired.
    pub expired: u64,
    /// They were erased.
    pub erased: u64,
    /// They are restricted.
    pub restricted: u64,
}

/// The figures of one group in one time.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FiguresRow {
    /// When its time begins (RFC 3339, UTC).
    pub start: String,
    /// A word for each thing that was asked for in `by`. `other` stands for names that are not registered, `none` where an event names nothing.
    pub by: BTreeMap<String, String>,
    /// Calls of models.
    pub calls: u64,
    /// Calls that failed: by HTTP status, `timeout`, `rate_limit`, `content_filter`, `canceled`, `connection`, else `other`.
    pub errors: BTreeMap<String, u64>,
    pub tokens: FiguresTokens,
    /// Costs, one for each currency.
    pub cost: Vec<FiguresCost>,
    /// Calls without a price. They cost something that is not known.
    pub unpriced: u64,
    /// The same by the reason.
    pub unpriced_because: BTreeMap<String, u64>,
    /// Calls that were recorded before there were figures.
    pub unmetered: u64,
    /// Times to the end of the answer.
    pub latency_ms: Percentiles,
    /// Times to the first part of the answer.
    pub first_token_ms: Percentiles,
    pub retrieval: FiguresRetrieval,
    pub tools: FiguresTools,
}

/// Tokens, as providers reported them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct FiguresTokens {
    /// All of the prompts, with cached ones.
    pub input: u64,
    /// Read from a cache.
    pub cached_input: u64,
    /// Written to a cache.
    pub cache_write: u64,
    /// Of these, for an hour.
    pub cache_write_1h: u64,
    /// All of the answers, with reasoning.
    pub output: u64,
    /// Of these, reasoning.
    pub reasoning: u64,
    /// Of the prompts, audio.
    pub audio_input: u64,
    /// Of the answers, audio.
    pub audio_output: u64,
}

/// A cost.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FiguresCost {
    /// ISO 4217 code.
    pub currency: String,
    /// The amount, with twelve digits after the point.
    pub amount: String,
}

/// Times by nearest rank, to 1/128 of the value.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<u64>,
    /// Of at least 20 calls.
    pub p95: Option<u64>,
    /// Of at least 100 calls.
    pub p99: Option<u64>,
    /// How many times there are.
    pub n: u64,
}

/// Calls for which documents were fetched.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct FiguresRetrieval {
    /// Such calls.
    pub calls: u64,
    /// Documents.
    pub hits: u64,
    /// Such calls that fetched nothing.
    pub empty: u64,
}

/// Executions of tools.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct FiguresTools {
    /// All.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
}

/// A name to register.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFiguresName {
    /// `provider`, `model` or `dimension`. Prompts are registered by their registry.
    #[schema(pattern = "^(provider|model|dimension)$")]
    pub kind: String,
    /// The name.
    #[schema(pattern = "^[a-z0-9][a-z0-9._:/@+-]{0,127}$")]
    pub name: String,
}

/// A registered name.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedFiguresName {
    /// `provider`, `model`, `prompt` or `dimension`.
    pub kind: String,
    pub name: String,
    /// Its number among those of its kind.
    pub number: u32,
    /// Id of the API key that allowed it, `local`, or `server` where a price table knows it.
    pub by: String,
    /// When it was registered (RFC 3339, UTC).
    pub at: String,
    /// The entry that states it.
    pub seq: u64,
    /// Origin of that entry's ledger.
    pub ledger: String,
}

/// The registered names of a tenant.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FiguresNames {
    /// Oldest first.
    pub names: Vec<ListedFiguresName>,
}
