//! A range: every entry between two seqs, in one chain, under the checkpoint, with its edges.

use std::collections::BTreeMap;
use std::io;

use super::Check;
use super::account::Streams;
use super::at_once::Hashed;
use super::files::Signed;
use super::statements::Stated;
use super::streams::{Entries, Lines, Merge};
use crate::bundle::member;
use crate::bundle::proofs::{self, ConsistencyProof};
use crate::ids::{LeafHash, Seq, TreeHash};
use crate::ledger::chain::ChainHead;
use crate::ledger::entry::{Entry, EntryBytes, leaf_hash};
use crate::ledger::merkle::{Frontier, left_of};

/// Inclusion proofs of a range that are held in memory: its ends, its edges, and each statement outside of it.
const PROOFS_MAX: usize = 1 << 20;

pub(super) type Paths = BTreeMap<Seq, Vec<TreeHash>>;

/// Where the chain begins and what it leads to.
struct Walk {
    head: ChainHead,
    /// The tree of all entries so far; none where the path of the first entry is unusable.
    frontier: Option<Frontier>,
    ends: [Option<LeafHash>; 2],
}

impl Check<'_> {
    pub(super) fn range(
        &mut self,
        signed: &Signed,
        stated: &Stated,
    ) -> io::Result<Vec<ConsistencyProof>> {
        let Some((first, last)) = signed.manifest.seq_range() else {
            self.add(None, "manifest", "manifest.json names no range");
            return Ok(Vec::new());
        };
        if last.get() >= signed.checkpoint.size {
            self.add(None, "manifest", "the range reaches beyond the checkpoint");
            return Ok(Vec::new());
        }
        let (paths, consistency) = self.paths();
        let size = signed.checkpoint.size;
        let frontier = paths
            .get(&first)
            .and_then(|path| left_of(first.get(), size, path).ok());
        let edges = self.edges(signed, first, last, &paths)?;
        let mut walk = Walk {
            head: ChainHead::EMPTY,
            frontier,
            ends: [None; 2],
        };
        if let Some(before) = &edges[0] {
            walk.head = head_after(before);
        }
        self.chain(signed, stated, &mut walk, (first, last))?;
        if let Some(after) = &edges[1]
            && let Err(error) = walk.head.follow(&after.1)
        {
            self.add(
                after.0.seq.get(),
                "boundary",
                format!("the entry after the range does not follow it: {error}"),
            );
        }
        for (seq, leaf) in [first, last].into_iter().zip(walk.ends) {
            if let Some(leaf) = leaf {
                self.included(signed, seq, &leaf, paths.get(&seq).map(Vec::as_slice));
            }
        }
        self.tree_is_of_the_chain(signed, &walk, last, &paths);
        for (seq, leaf) in &stated.outside {
            self.included(signed, *seq, leaf, paths.get(seq).map(Vec::as_slice));
        }
        // 0.1.0 wrote an empty path for the entry that a closed ledger does not have behind its last.
        let is_of_a_closed_ledger = |seq: &Seq| {
            signed.manifest.export_seq == 0
                && (last.next(), size) == (*seq, seq.get())
                && paths.get(seq).is_some_and(Vec::is_empty)
        };
        let is_needed = |seq: &Seq| {
            [first, last].contains(seq)
                || edges.iter().flatten().any(|(entry, _)| entry.seq == *seq)
                || stated.outside.contains_key(seq)
                || is_of_a_closed_ledger(seq)
        };
        for seq in paths.keys().filter(|seq| !is_needed(seq)) {
            self.add(
                seq.get(),
                "inclusion",
                "proofs.json has a path that no entry of this bundle needs",
            );
        }
        Ok(consistency)
    }

    fn paths(&mut self) -> (Paths, Vec<ConsistencyProof>) {
        let mut paths = Paths::new();
        let Some(reader) = self.archive.reader(member::PROOFS) else {
            return (paths, Vec::new());
        };
        let (mut too_many, mut ascending) = (false, true);
        let read = proofs::read(reader, &mut |proof| {
            ascending &= paths
                .last_key_value()
                .is_none_or(|(last, _)| *last < proof.seq);
            if paths.len() < PROOFS_MAX {
                paths.insert(proof.seq, proof.path);
            } else {
                too_many = true;
            }
        });
        if too_many {
            self.add(
                None,
                "inclusion",
                "proofs.json has far more paths than a range needs",
            );
        }
        if !ascending {
            let detail = "the paths in proofs.json must ascend by seq, each seq once";
            self.add(None, "inclusion", detail);
        }
        match read {
            Ok(consistency) => (paths, consistency),
            Err(error) => {
                self.add(None, "inclusion", format!("proofs.json: {error}"));
                (paths, Vec::new())
            }
        }
    }

    fn chain(
        &mut self,
        signed: &Signed,
        stated: &Stated,
        walk: &mut Walk,
        (first, last): (Seq, Seq),
    ) -> io::Result<()> {
        let (Some(entries), Some(events), Some(dispositions), Some(statements)) = (
            self.archive.reader(member::ENTRIES),
            self.events(),
            self.archive.reader(member::DISPOSITIONS),
            self.archive.reader(member::STATEMENT_ENTRIES),
        ) else {
            return Ok(());
        };
        let mut streams = Streams {
            events,
            dispositions: Merge::new(Lines::new(dispositions)),
            statements: Merge::new(Entries::new(statements)),
        };
        let mut expected = first;
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
            let Some(entry) = self.link(walk, &bytes, expected) else {
                break;
            };
            expected = entry.seq.next();
            // The head has moved to this entry.
            let leaf = walk.head.last_leaf;
            self.within_time(signed, &entry, (first, last));
            if entry.seq == first {
                walk.ends[0] = Some(leaf);
            }
            if entry.seq == last {
                walk.ends[1] = Some(leaf);
            }
            if let Some(frontier) = &mut walk.frontier {
                frontier.push(leaf);
                if signed.wants_root_at(frontier.size()) {
                    self.found.roots.insert(frontier.size(), frontier.root());
                }
            }
            self.account_for(signed, stated, &mut streams, &entry, &bytes)?;
        }
        if let Some(at_once) = &mut self.at_once {
            at_once.was_read(member::ENTRIES, entries.digest());
        }
        if expected != last.next() {
            self.add(
                expected.get(),
                "chain",
                format!(
                    "the range ends before this entry; manifest.json says that {last} is its last"
                ),
            );
        }
        self.finish(signed, streams, (first, last))
    }

    /// The entry must follow the one before. After a finding the chain goes on from what is there.
    fn link(&mut self, walk: &mut Walk, bytes: &EntryBytes, expected: Seq) -> Option<Entry> {
        let entry = match Entry::decode(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.add(expected.get(), "entry", error.to_string());
                return None;
            }
        };
        let head = &mut walk.head;
        if *head == ChainHead::EMPTY && expected.get() > 0 {
            // Its link leads to an entry that is not here, which is a finding already.
            *head = ChainHead {
                next: expected,
                last_leaf: entry.prev,
                last_recorded_at: entry.recorded_at,
            };
        }
        if let Err(error) = head.follow(bytes) {
            self.add(expected.get(), "chain", error.to_string());
            *head = head_after(&(entry, *bytes));
        }
        Some(entry)
    }

    /// The root is recomputed from all leaves and the outer siblings of the first and the last path: so
    /// chain and tree are one.
    fn tree_is_of_the_chain(&mut self, signed: &Signed, walk: &Walk, last: Seq, paths: &Paths) {
        let (Some(frontier), Some(path)) = (&walk.frontier, paths.get(&last)) else {
            self.add(
                None,
                "tree",
                "the paths of the range's first and last entry are missing or malformed",
            );
            return;
        };
        let size = signed.checkpoint.size;
        let found = left_of(last.get(), size, path).ok().and_then(|mut left| {
            left.push(walk.ends[1]?);
            Some(left)
        });
        let same = found.is_some_and(|found| {
            found.size() == frontier.size() && found.root() == frontier.root()
        });
        if !same {
            self.add(
                None,
                "tree",
                "the entries do not lead to the root that the checkpoint signs",
            );
        }
    }
}

fn head_after((entry, bytes): &(Entry, EntryBytes)) -> ChainHead {
    ChainHead {
        next: entry.seq.next(),
        last_leaf: leaf_hash(bytes),
        last_recorded_at: entry.recorded_at,
    }
}
