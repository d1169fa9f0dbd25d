//! A selection: each entry is in the tree, and its text is its own. Nothing is said of what was left out.

use std::io;

use super::Check;
use super::at_once::Hashed;
use super::files::Signed;
use super::statements::Stated;
use super::streams::{Entries, Merge, StreamError};
use crate::bundle::archive::MemberReader;
use crate::bundle::manifest::SeqRange;
use crate::bundle::member;
use crate::bundle::proofs::{self, ConsistencyProof, InclusionProof};
use crate::ids::{LeafHash, Seq};
use crate::ledger::entry::{Entry, EntryKind, leaf_hash};

/// The leaves that need a proof, ascending by seq: the selected entries' and the statements'.
struct Needed<'a> {
    entries: Merge<Leaves<'a>>,
    statements: std::iter::Peekable<std::collections::btree_map::Iter<'a, Seq, LeafHash>>,
}

type Leaves<'a> = Box<dyn Iterator<Item = Result<(Seq, LeafHash), StreamError>> + 'a>;

impl Needed<'_> {
    fn peek(&mut self) -> Option<(Seq, LeafHash)> {
        let entry = self.entries.peek().copied();
        let statement = self.statements.peek().map(|(seq, leaf)| (**seq, **leaf));
        match (entry, statement) {
            (Some(entry), Some(statement)) => Some(if entry.0 <= statement.0 {
                entry
            } else {
                statement
            }),
            (entry, statement) => entry.or(statement),
        }
    }

    fn pass(&mut self, seq: Seq) {
        if self.entries.peek().is_some_and(|(next, _)| *next == seq) {
            self.entries.take();
        } else {
            self.statements.next();
        }
    }
}

impl Check<'_> {
    pub(super) fn selection(
        &mut self,
        signed: &Signed,
        stated: &Stated,
    ) -> io::Result<Vec<ConsistencyProof>> {
        self.selected_events(signed)?;
        self.selected_proofs(signed, stated)
    }

    fn selected_events(&mut self, signed: &Signed) -> io::Result<()> {
        let (Some(entries), Some(mut events)) =
            (self.archive.reader(member::ENTRIES), self.events())
        else {
            return Ok(());
        };
        let mut last: Option<Seq> = None;
        let mut entries = Hashed::new(entries, self.at_once.is_some());
        for bytes in Entries::new(&mut entries) {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.unreadable(member::ENTRIES, error)?;
                    break;
                }
            };
            if self.is_given_up() {
                break;
            }
            self.progress.add(bytes.len() as u64 + 2);
            self.found.counts.entries += 1;
            let entry = match Entry::decode(&bytes) {
                Ok(entry) => entry,
                Err(error) => {
                    self.add(None, "entry", error.to_string());
                    break;
                }
            };
            let seq = entry.seq.get();
            if last.is_some_and(|last| last >= entry.seq) {
                self.add(seq, "entry", "entries must ascend by seq, each once");
            }
            last = Some(entry.seq);
            let selected = self.found.selected.get_or_insert(SeqRange {
                first: seq,
                last: seq,
            });
            selected.last = seq;
            if entry.kind != EntryKind::Event {
                self.add(
                    seq,
                    "entry",
                    "a selection has events only; the ledger's own entries belong to the statements",
                );
            }
            if !self.take_event(signed, &mut events, &entry)? {
                self.add(
                    seq,
                    "disclosed",
                    "the entry has no line in events.jsonl: a selection has disclosed events only",
                );
            }
        }
        if let Some(at_once) = &mut self.at_once {
            at_once.was_read(member::ENTRIES, entries.digest());
        }
        self.finish_events(signed, events)
    }

    fn selected_proofs(
        &mut self,
        signed: &Signed,
        stated: &Stated,
    ) -> io::Result<Vec<ConsistencyProof>> {
        let (Some(entries), Some(reader)) = (
            self.archive.reader(member::ENTRIES),
            self.archive.reader(member::PROOFS),
        ) else {
            return Ok(Vec::new());
        };
        let mut needed = Needed {
            entries: Merge::new(leaves(entries)),
            statements: stated.outside.iter().peekable(),
        };
        let mut proof_for = |proof: Option<InclusionProof>| {
            while let Some((seq, leaf)) = needed.peek() {
                let wanted = proof.as_ref().filter(|proof| proof.seq == seq);
                if proof.as_ref().is_some_and(|proof| proof.seq < seq) {
                    break;
                }
                needed.pass(seq);
                self.included(
                    signed,
                    seq,
                    &leaf,
                    wanted.map(|proof| proof.path.as_slice()),
                );
                if wanted.is_some() {
                    return;
                }
            }
            if let Some(proof) = proof {
                self.add(proof.seq.get(), "inclusion", "proofs.json has a path that no entry of this bundle needs at this place; paths must ascend by seq");
            }
        };
        let read = proofs::read(reader, &mut |proof| proof_for(Some(proof)));
        proof_for(None);
        read.or_else(|error| {
            self.add(None, "inclusion", format!("proofs.json: {error}"));
            Ok(Vec::new())
        })
    }
}

fn leaves(entries: MemberReader<'_>) -> Leaves<'_> {
    let decode = |bytes: Result<[u8; 84], StreamError>| {
        let bytes = bytes?;
        let entry = Entry::decode(&bytes).map_err(|_| StreamError::Entries)?;
        Ok((entry.seq, leaf_hash(&bytes)))
    };
    Box::new(Entries::new(entries).map(decode))
}
