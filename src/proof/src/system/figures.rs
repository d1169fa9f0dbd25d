//! Section `figures`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a registered name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// A provider, by its name in a price table.
    Provider,
    /// A model: a pattern of a price table, or a name that was allowed.
    Model,
    /// A prompt of the registry.
    Prompt,
    /// A value of the tenant's dimension.
    Dimension,
}

impl NameKind {
    /// Each.
    pub const ALL: [Self; 4] = [Self::Provider, Self::Model, Self::Prompt, Self::Dimension];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Prompt => "prompt",
            Self::Dimension => "dimension",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Section `figures` of a name that is registered: sections `metered` have its number from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiguresNameSection {
    /// Who allowed it; `server` where a price table or a prompt knows it.
    pub by: String,
    /// What it is of.
    pub kind: NameKind,
    /// The name.
    pub name: String,
    /// Its number among those of its kind in the tenant's ledgers, from 1.
    pub number: u32,
}
