//! What the ledger says of itself: statements.jsonl with its entries.

use std::collections::BTreeMap;
use std::io;

use super::Check;
use super::export::Exported;
use super::files::Signed;
use super::streams::{Entries, Lines, Merge};
use crate::bundle::line::Line;
use crate::bundle::member;
use crate::bundle::tombstone::{Statement, Statements};
use crate::ids::{LeafHash, Seq};
use crate::ledger::entry::{Entry, EntryBytes, EntryKind, leaf_hash};

/// What was found in the statements.
#[derive(Default)]
pub(super) struct Stated {
    /// What matters for retention.
    pub(super) retention: Statements,
    /// Leaves of the statements that no chain of this bundle holds.
    pub(super) outside: BTreeMap<Seq, LeafHash>,
    /// What the export's own statement says of it.
    pub(super) export: Option<Exported>,
}

impl Check<'_> {
    /// Checks each statement against its entry. That the entries are in the tree is checked elsewhere.
    pub(super) fn statements(&mut self, signed: &Signed) -> io::Result<Stated> {
        let mut stated = Stated::default();
        let (Some(entries), Some(lines)) = (
            self.archive.reader(member::STATEMENT_ENTRIES),
            self.archive.reader(member::STATEMENTS),
        ) else {
            return Ok(stated);
        };
        let mut entries = Merge::new(Entries::new(entries));
        let mut lines = Merge::new(Lines::new(lines));
        let inside = signed.manifest.seq_range();
        let mut last: Option<Seq> = None;
        let mut has_genesis = false;
        loop {
            let (bytes, line) = match (entries.take(), lines.take()) {
                (Some(Ok(bytes)), Some(Ok(line))) => (bytes, line),
                (None, None) => break,
                (Some(Err(error)), _) => {
                    self.unreadable(member::STATEMENT_ENTRIES, error)?;
                    break;
                }
                (_, Some(Err(error))) => {
                    self.unreadable(member::STATEMENTS, error)?;
                    break;
                }
                _ => {
                    self.add(
                        None,
                        "statement",
                        "statements.jsonl and statements-entries.bin have different numbers of statements",
                    );
                    break;
                }
            };
            self.found.counts.statements += 1;
            let seq = line.seq;
            if last.is_some_and(|last| last >= seq) {
                self.add(
                    seq.get(),
                    "statement",
                    "statements must ascend by seq, each once",
                );
            }
            last = Some(seq);
            has_genesis |= seq.get() == 0;
            let is_inside = inside.is_some_and(|(first, last)| (first..=last).contains(&seq));
            if is_inside {
                self.found.statements_inside += 1;
            } else {
                stated.outside.insert(seq, leaf_hash(&bytes));
            }
            match self.statement(signed, &bytes, seq, &line.text) {
                Ok((statement, exported)) => {
                    if statement.matters() {
                        stated.retention.insert(seq, statement);
                    }
                    if seq.get() == signed.manifest.export_seq {
                        stated.export = Some(exported);
                    }
                }
                Err((rule, detail)) => self.add(seq.get(), rule, detail),
            }
        }
        if !has_genesis {
            self.add(0, "genesis", "the genesis is not among the statements");
        }
        Ok(stated)
    }

    fn statement(
        &mut self,
        signed: &Signed,
        bytes: &EntryBytes,
        seq: Seq,
        text: &[u8],
    ) -> Result<(Statement, Exported), (&'static str, String)> {
        let entry = Entry::decode(bytes).map_err(|error| ("entry", error.to_string()))?;
        if entry.seq != seq {
            return Err((
                "statement",
                format!("its entry is that of seq {}", entry.seq),
            ));
        }
        if entry.kind == EntryKind::Event {
            return Err(("statement", "it is an event, not a statement".to_owned()));
        }
        let line = Line::parse(text).map_err(|error| ("section", error))?;
        let commitment = line.commitment(&signed.origin);
        if commitment != Ok(entry.commitment) {
            return Err((
                "commitment",
                "its sections do not match the commitment of its entry".to_owned(),
            ));
        }
        let redacted = line.redacted().map(str::to_owned);
        self.found.redacted_in_statements.extend(redacted);
        line.check_texts().map_err(|error| ("section", error))?;
        if entry.kind == EntryKind::Genesis {
            genesis_agrees(signed, &line)?;
        } else if line.text("action").is_none() {
            return Err(("statement", "it does not disclose its `action`".to_owned()));
        }
        let statement = Statement::read(&entry, &line)
            .map_err(|section| ("statement", format!("its section `{section}` is malformed")))?;
        Ok((statement, Exported::of(&line)))
    }
}

/// The genesis names this ledger and the first of its keys.
fn genesis_agrees(signed: &Signed, line: &Line<'_>) -> Result<(), (&'static str, String)> {
    #[derive(serde::Deserialize)]
    struct LedgerSection {
        format: String,
        origin: String,
        vkey: String,
    }
    let wrong = |what: &str| Err(("genesis", what.to_owned()));
    let section = line
        .text("ledger")
        .and_then(|text| serde_json::from_str::<LedgerSection>(text).ok());
    let Some(section) = section else {
        return wrong("it does not disclose a section `ledger`");
    };
    if section.format != "trailkeep/ledger/v1" || section.origin != signed.origin.as_str() {
        return wrong("it is the genesis of another ledger");
    }
    if !signed
        .keys
        .iter()
        .any(|key| key.to_string() == section.vkey)
    {
        return wrong(
            "the ledger began with another key, and no key change leads from it to yours",
        );
    }
    Ok(())
}
