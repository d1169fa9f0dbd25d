//! `/readyz`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether events are accepted, and what an operator should check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it is ready.
    pub ready: bool,
    /// Why it is not ready, each with its remedy.
    pub reasons: Vec<String>,
    /// Problems that do not stop the server and should be fixed.
    pub notes: Vec<String>,
}
