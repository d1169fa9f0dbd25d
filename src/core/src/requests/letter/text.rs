//! A letter as plain text.

use std::fmt::Write as _;

use super::Letter;
use trailkeep_proof::text::{line, wrapped};

/// Columns of a line: what a mail of plain text may have.
const WIDTH: usize = 78;
/// Columns of the names of facts.
const NAMES: usize = 16;

impl Letter {
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.title.to_uppercase(), self.law);
        for (name, value) in &self.facts {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{}", hanging(&format!("{name:<NAMES$}"), value));
        }
        let _ = writeln!(text, "\n{}", hanging("", &self.lead));
        for part in &self.parts {
            let _ = writeln!(text, "\n\n{}", part.heading.to_uppercase());
            let before = part.before.iter().map(|said| hanging("", said));
            let items = part.items.iter().map(|said| hanging("- ", said));
            let after = part.after.iter().map(|said| hanging("", said));
            for said in before.chain(items).chain(after) {
                let _ = writeln!(text, "\n{said}");
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let foot = format!(
            "Written by trailkeep {version}. It contains personal data: store it accordingly."
        );
        let _ = writeln!(text, "\n\n{}", hanging("", &foot));
        text
    }
}

/// Sentences behind a mark, all lines under the first one. Nothing in them steers a screen or begins a line of its own.
fn hanging(mark: &str, said: &str) -> String {
    let indent = " ".repeat(mark.len());
    let lines = wrapped(&format!("{indent}{}", line(said)), WIDTH);
    format!("{mark}{}", &lines[indent.len()..])
}
