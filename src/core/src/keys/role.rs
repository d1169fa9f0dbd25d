//! Who may do what: six roles, and the rights of each (docs/access.md has the matrix for people).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use trailkeep_proof::near::suggestion;

/// What an API key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An application: appends, and reads nothing back but its receipts.
    Writer,
    /// A person or program that looks at events.
    Reader,
    /// Exports and verifies.
    Auditor,
    /// Answers data subject requests.
    Privacy,
    /// Runs the applications: sees metrics, figures, prompts and prices, and no payload.
    Operator,
    /// Everything of its tenant, API keys included.
    Admin,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Adds events.
    Append,
    /// Reads the texts of events.
    Read,
    /// Reads what says nothing of any text: checkpoint, key, entries, tiles, proofs.
    Prove,
    /// Makes bundles, and fetches them.
    Export,
    /// Has the ledger verified.
    Verify,
    /// Makes, lists and revokes API keys.
    ManageKeys,
    /// Sees who read, exported and managed what.
    SeeAccess,
    /// Sees what is kept, until when and why.
    SeeRetention,
    /// Runs expiry, and says what happened to records.
    RunRetention,
    /// Places and lifts legal holds.
    ManageHolds,
    /// Files, answers and closes data subject requests.
    AnswerRequests,
    /// Sees price tables.
    SeePrices,
    /// Sets price tables.
    SetPrices,
    /// Sees figures of calls, which show no event.
    SeeFigures,
    /// Registers names that figures tell apart.
    NameFigures,
    /// Fetches the text of a prompt that is served, by its name.
    FetchPrompts,
    /// Sees all prompts, their versions, labels and history.
    SeePrompts,
    /// Registers prompts, moves their labels, withdraws and erases versions.
    SetPrompts,
    /// Scrapes the metrics.
    SeeMetrics,
    /// Makes and lists tenants; in the operator's own tenant alone.
    ManageTenants,
    /// Rotates and copies the vault, backs up, and lets destruction go on after a restore; in the operator's own
    /// tenant alone.
    ManageVault,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [
        Self::Writer,
        Self::Reader,
        Self::Auditor,
        Self::Privacy,
        Self::Operator,
        Self::Admin,
    ];

    /// Whether a key of this role may do it.
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Append => matches!(self, Self::Writer | Self::Admin),
            Right::Read => matches!(self, Self::Reader | Self::Admin),
            Right::Prove => !matches!(self, Self::Writer | Self::Operator),
            Right::FetchPrompts => true,
            Right::SeePrices | Right::SeePrompts | Right::SeeFigures => {
                !matches!(self, Self::Writer)
            }
            Right::SeeMetrics => matches!(
                self,
                Self::Auditor | Self::Privacy | Self::Operator | Self::Admin
            ),
            Right::Export | Right::Verify => matches!(self, Self::Auditor | Self::Admin),
            Right::SeeAccess | Right::SeeRetention => {
                matches!(self, Self::Auditor | Self::Privacy | Self::Admin)
            }
            Right::RunRetention | Right::ManageHolds | Right::AnswerRequests => {
                matches!(self, Self::Privacy | Self::Admin)
            }
            Right::ManageKeys
            | Right::SetPrices
            | Right::NameFigures
            | Right::SetPrompts
            | Right::ManageTenants
            | Right::ManageVault => matches!(self, Self::Admin),
        }
    }

    /// The role's word, which its tokens show too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Auditor => "auditor",
            Self::Privacy => "privacy",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Not a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role `{0}`; use writer, reader, auditor, privacy, operator or admin{hint}", hint = suggestion(.0, Role::ALL.iter().map(|role| role.as_str())))]
pub struct RoleError(pub String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| RoleError(text.to_owned()))
    }
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 21] = [
        Self::Append,
        Self::Read,
        Self::Prove,
        Self::Export,
        Self::Verify,
        Self::SeeAccess,
        Self::SeeRetention,
        Self::RunRetention,
        Self::ManageHolds,
        Self::AnswerRequests,
        Self::ManageKeys,
        Self::SeePrices,
        Self::SetPrices,
        Self::SeeFigures,
        Self::NameFigures,
        Self::FetchPrompts,
        Self::SeePrompts,
        Self::SetPrompts,
        Self::SeeMetrics,
        Self::ManageTenants,
        Self::ManageVault,
    ];

    /// Whether only the operator's own tenant has it.
    pub const fn is_the_operator_s(self) -> bool {
        matches!(self, Self::ManageTenants | Self::ManageVault)
    }

    /// What it lets one do, to stand behind "may not".
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Append => "append events",
            Self::Read => "read events",
            Self::Prove => "read checkpoints, keys, tiles and proofs",
            Self::Export => "export bundles",
            Self::Verify => "verify the ledger",
            Self::SeeAccess => "read the read audit",
            Self::AnswerRequests => "answer data subject requests",
            Self::ManageKeys => "manage API keys",
            Self::SeeRetention => "see retention: what is kept, until when and why",
            Self::RunRetention => "run retention, and fire retention triggers",
            Self::ManageHolds => "place and release legal holds",
            Self::SeePrices => "see price tables",
            Self::SetPrices => "set price tables",
            Self::SeeFigures => "see figures",
            Self::NameFigures => "register names for figures",
            Self::FetchPrompts => "fetch prompts by name",
            Self::SeePrompts => "see prompts, their labels and their history",
            Self::SetPrompts => "register prompts, move their labels, withdraw and erase versions",
            Self::SeeMetrics => "scrape metrics",
            Self::ManageTenants => "manage tenants",
            Self::ManageVault => "manage the vault, its replicas and backups",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_the_document_is_the_one_in_force() {
        let document = include_str!("../../../../docs/access.md");
        for right in Right::ALL {
            let row = document
                .lines()
                .find(|line| line.starts_with(&format!("| {} |", right.as_words())));
            let row = row.unwrap_or_else(|| panic!("no row for {right:?}"));
            let cells: Vec<bool> = row
                .split('|')
                .skip(2)
                .take(Role::ALL.len())
                .map(|cell| cell.trim() == "yes")
                .collect();
            assert_eq!(cells, Role::ALL.map(|role| role.may(right)), "{right:?}");
        }
    }

    #[test]
    fn roles_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("Admin".parse::<Role>().is_err());
    }
}
