//! Exit codes of both programs, so that a script can tell why a command ended. docs/errors.md shows the same table;
//! a test compares.

use std::fmt::Write;
use std::process::ExitCode;

use serde::Serialize;

macro_rules! table {
    ($($exit:ident = $code:literal, $name:literal, $meaning:literal, $hint:literal;)*) => {
        /// Why a program ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Exit {
            $(#[doc = $meaning] $exit = $code,)*
        }

        impl Exit {
            /// All of them, by code.
            pub const ALL: &[Self] = &[$(Self::$exit),*];

            /// Its name in the type of an error.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$exit => $name,)*
                }
            }

            /// What the code says, in the words of the help texts.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$exit => $meaning,)*
                }
            }

            /// What to do about it, where the error itself says nothing more exact.
            pub const fn hint(self) -> &'static str {
                match self {
                    $(Self::$exit => $hint,)*
                }
            }
        }
    };
}

table! {
    Ok = 0, "ok", "success", "";
    Failed = 1, "failed", "failed", "read the detail: it names what failed and the remedy";
    Usage = 2, "usage", "usage", "run the command with --help: it lists the arguments";
    Tampered = 3, "tampering", "tampering found", "keep the file as evidence, and do not rely on its content";
    Refused = 4, "refused", "refused by policy or hold", "the detail names the policy or the hold that forbids it";
    Damaged = 5, "damaged-in-transit", "damaged in transit, not verified", "get the file again, unchanged, from the sender";
    NotAllowed = 6, "not-allowed", "not authenticated or not allowed", "use a valid API token of a role that may do this (--token); docs/access.md lists the roles";
    NotFound = 7, "not-found", "not found", "check the name and the tenant";
    Gone = 8, "gone", "no longer available", "the payload was deleted lawfully: its entry and proofs remain";
    Unavailable = 9, "unavailable", "temporarily unavailable", "retry later: nothing was recorded unless the detail says so";
    Spooled = 10, "spooled", "spooled, not recorded", "send the spool with `trailkeep append --spool DIR --flush`";
}

impl Exit {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The table in one line, for help texts.
    pub fn help() -> String {
        let mut line = "Exit codes: ".to_owned();
        for (index, exit) in Self::ALL.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(line, "{comma}{} {}", exit.code(), exit.meaning());
        }
        line + "."
    }
}

/// What a program reads on standard error under `--json`, as `{"error":{...}}`, where no route answered.
#[derive(Debug, Serialize)]
pub struct ErrorReport {
    /// `urn:trailkeep:exit:` and the name of the exit code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code says.
    pub title: String,
    /// What happened.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
    /// The number that the process ends with.
    pub exit_code: u8,
}

impl ErrorReport {
    /// The report of an error.
    pub fn new(exit: Exit, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:trailkeep:exit:{}", exit.name()),
            title: exit.meaning().to_owned(),
            detail: detail.into(),
            hint: exit.hint().to_owned(),
            exit_code: exit.code(),
        }
    }

    /// The line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::json!({ "error": self }).to_string()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_numbers_from_0_and_documented() {
        let documents = include_str!("../../../docs/errors.md");
        for (index, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), index);
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(documents.contains(&row), "docs/errors.md has no row {row}");
        }
    }

    #[test]
    fn the_readme_has_the_line_of_the_help() {
        let readme = include_str!("../../../README.md").replace('\n', " ");
        assert!(readme.contains(&Exit::help()), "{}", Exit::help());
    }
}
