//! Long work as an answer that comes while it runs: lines of JSON.

use serde::{Deserialize, Serialize};

/// A line of the answer: progress, or at the end the result or an error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Line<T> {
    Progress { done: u64, total: u64 },
    Error { error: String },
    Result { result: T },
}
