//! Long work as an answer that comes while it runs: lines of JSON.

use serde::{Deserialize, Serialize};

/// A line of the answer: how far the work is, and at its end what came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Line<T> {
    Progress { done: u64, total: u64 },
    Error { error: String },
    Result { result: T },
}
