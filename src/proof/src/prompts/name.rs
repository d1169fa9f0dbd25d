//! Names of prompts and of labels.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 128;
/// The label that a prompt is asked for by where none is named.
pub const PRODUCTION: &str = "production";
/// Stands for the newest version that is served: no label that somebody moves.
pub const LATEST: &str = "latest";

/// Why a name was refused. It says nothing of the name itself: that may be of another kind, such as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptNameError {
    /// Not of the form.
    #[error(
        "a name has 1 to {NAME_BYTES_MAX} characters of a-z, 0-9, `.`, `_`, `/` and `-`, and begins with a letter or a digit"
    )]
    Form,
    /// It would read as another prompt's version.
    #[error(
        "the last part of a prompt's name is neither empty nor a number: `NAME/3` is version 3 of NAME"
    )]
    LastPart,
    /// A label that nobody moves.
    #[error("`{LATEST}` is the newest version by itself: choose another label")]
    Latest,
}

fn has_form(text: &str) -> bool {
    let begins = text
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-".contains(&byte);
    begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(fits)
}

/// The name of a prompt: `[a-z0-9][a-z0-9._/-]{0,127}`, and what stands behind its last `/` is not empty and no number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PromptName(String);

impl PromptName {
    /// Checks the name's form.
    pub fn parse(text: &str) -> Result<Self, PromptNameError> {
        if !has_form(text) {
            return Err(PromptNameError::Form);
        }
        let last = text.rsplit_once('/').map(|(_, last)| last);
        if last.is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(PromptNameError::LastPart);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length as it stands before it in what is hashed.
    pub(super) fn length(&self) -> [u8; 2] {
        // A name has 128 bytes at most.
        (self.0.len() as u16).to_be_bytes()
    }
}

impl Borrow<str> for PromptName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PromptName {
    type Error = PromptNameError;

    fn try_from(text: String) -> Result<Self, PromptNameError> {
        Self::parse(&text)
    }
}

impl From<PromptName> for String {
    fn from(name: PromptName) -> Self {
        name.0
    }
}

impl fmt::Display for PromptName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A label that is moved from version to version: `[a-z0-9][a-z0-9._/-]{0,127}`, and not `latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// Checks the label's form.
    pub fn parse(text: &str) -> Result<Self, PromptNameError> {
        if !has_form(text) {
            return Err(PromptNameError::Form);
        }
        if text == LATEST {
            return Err(PromptNameError::Latest);
        }
        Ok(Self(text.to_owned()))
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Label {
    fn default() -> Self {
        Self(PRODUCTION.to_owned())
    }
}

impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Label {
    type Error = PromptNameError;

    fn try_from(text: String) -> Result<Self, PromptNameError> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_form() {
        for good in ["a", "0", "support/refund", "a.b_c-d/e", "v2/3x", "a/3/b"] {
            assert_eq!(PromptName::parse(good).unwrap().as_str(), good);
            assert!(Label::parse(good).is_ok());
        }
        assert!(PromptName::parse(&"a".repeat(128)).is_ok());
        let long = "a".repeat(129);
        for bad in ["", "A", "-a", "/a", ".a", "a b", "ä", "a\n", "a@b", &long] {
            assert_eq!(PromptName::parse(bad), Err(PromptNameError::Form), "{bad}");
            assert_eq!(Label::parse(bad), Err(PromptNameError::Form), "{bad}");
        }
        for version in ["a/3", "a/b/007", "a/", "a//"] {
            assert_eq!(PromptName::parse(version), Err(PromptNameError::LastPart));
            assert!(Label::parse(version).is_ok());
        }
        assert_eq!(Label::parse("latest"), Err(PromptNameError::Latest));
        assert!(PromptName::parse("latest").is_ok());
    }

    #[test]
    fn one_that_was_stored_in_another_form_is_refused() {
        assert!(serde_json::from_str::<PromptName>(r#""support/refund""#).is_ok());
        assert!(serde_json::from_str::<PromptName>(r#""Support""#).is_err());
        assert!(serde_json::from_str::<Label>(r#""latest""#).is_err());
        assert_eq!(Label::default().as_str(), "production");
    }
}
