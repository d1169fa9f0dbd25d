//! Policy files: one regime each, with its authority and citation.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::calendar::{CalendarPeriod, PeriodError};
use crate::ids::hex;

/// What the store needs of a policy file. The other keys of the format are for its readers and for the
/// resolver of several regimes.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its id, which is also its regime's name.
    pub id: String,
    /// Rises on any change.
    pub version: u32,
    /// Nothing is destroyed before this has passed.
    pub keep_at_least: CalendarPeriod,
    /// It goes after this; none: it is kept without end.
    pub delete_after: Option<CalendarPeriod>,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
    /// The file's text.
    pub text: String,
}

/// Why a policy file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or not the keys of a policy.
    #[error("not a policy file: {0}")]
    Form(String),
    /// A period that is none.
    #[error(transparent)]
    Period(#[from] PeriodError),
    /// Written for another program.
    #[error("policy schema {0} is unknown; this program knows schema 1")]
    Schema(u32),
}

#[derive(Deserialize)]
struct Document {
    schema: u32,
    id: String,
    version: u32,
    retention: Retention,
}

#[derive(Deserialize)]
struct Retention {
    keep_at_least: String,
    delete_after: Option<String>,
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let document: Document =
            toml::from_str(text).map_err(|error| PolicyError::Form(error.to_string()))?;
        if document.schema != 1 {
            return Err(PolicyError::Schema(document.schema));
        }
        let delete_after = document
            .retention
            .delete_after
            .as_deref()
            .map(CalendarPeriod::parse)
            .transpose()?;
        Ok(Self {
            id: document.id,
            version: document.version,
            keep_at_least: CalendarPeriod::parse(&document.retention.keep_at_least)?,
            delete_after,
            sha256: hex(&Sha256::digest(text.as_bytes())),
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_default_goes_after_90_days() {
        let policy = Policy::parse(crate::policy::DEFAULT_90D).unwrap();
        assert_eq!((policy.id.as_str(), policy.version), ("default-90d", 1));
        assert_eq!(policy.delete_after.unwrap().to_string(), "P90D");
        assert_eq!(policy.keep_at_least.to_string(), "P0D");
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        assert!(matches!(Policy::parse("x = 1"), Err(PolicyError::Form(_))));
        let later = crate::policy::DEFAULT_90D.replace("schema = 1", "schema = 2");
        assert_eq!(Policy::parse(&later).unwrap_err(), PolicyError::Schema(2));
    }
}
