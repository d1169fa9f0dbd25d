//! A range: every entry between two seqs, in one chain, under the checkpoint, with its edges.

use std::collections::BTreeMap;
use std::io;

use super::Check;
use super::events::Events;
use super::files::Signed;
use super::statements::Stated;
use super::streams::{Entries, Lines, Merge, RawLine, StreamError};
use crate::bundle::archive::MemberReader;
use crate::bundle::line::{Disposition, Fate};
use crate::bundle::member;
use crate::bundle::proofs::{self, ConsistencyProof};
use crate::ids::{LeafHash, Seq, TreeHash};
use crate::ledger::chain::ChainHead;
use crate::ledger::entry::{Entry, EntryBytes, EntryKind, leaf_hash};
use crate::ledger::merkle::{Frontier, left_of};

/// Inclusion proofs of a range that are held in memory: its ends, its edges, and each statement outside of it.
const PROOFS_MAX: usize = 1 << 20;

type Paths = BTreeMap<Seq, Vec<TreeHash>>;

/// The streams that the entries of a range are merged with.
struct Streams<'a> {
    events: Events<'a>,
    dispositions: Merge<Lines<MemberReader<'a>>>,
    statements: Merge<Entries<MemberReader<'a>>>,
}

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
        let (paths, consistency) = self.paths()?;
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
        Ok(consistency)
    }

    fn paths(&mut self) -> io::Result<(Paths, Vec<ConsistencyProof>)> {
        let mut paths = Paths::new();
        let Some(reader) = self.archive.reader(member::PROOFS) else {
            return Ok((paths, Vec::new()));
        };
        let mut too_many = false;
        let read = proofs::read(reader, &mut |proof| {
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
        match read {
            Ok(consistency) => Ok((paths, consistency)),
            Err(error) => {
                self.add(None, "inclusion", format!("proofs.json: {error}"));
                Ok((paths, Vec::new()))
            }
        }
    }

    /// The entries before and after the range, where there are any: in the tree, and outside of the time
    /// that the range covers.
    fn edges(
        &mut self,
        signed: &Signed,
        first: Seq,
        last: Seq,
        paths: &Paths,
    ) -> io::Result<[Option<(Entry, EntryBytes)>; 2]> {
        let before = first.get().checked_sub(1).map(Seq::new);
        let after = Some(last.next()).filter(|after| after.get() < signed.checkpoint.size);
        let recorded = signed.manifest.recorded.clone().unwrap_or_default();
        let (from, to) = match recorded.moments() {
            Ok(moments) => moments,
            Err(name) => {
                self.add(
                    None,
                    "manifest",
                    format!("recorded.{name} is no RFC 3339 time"),
                );
                (None, None)
            }
        };
        let mut edges = [None, None];
        let mut stream = self.archive.reader(member::BOUNDARY).map(Entries::new);
        for (place, expected) in [before, after].into_iter().enumerate() {
            let Some(expected) = expected else { continue };
            let read = stream.as_mut().and_then(Iterator::next).transpose();
            match read.map(|bytes| bytes.map(|bytes| (Entry::decode(&bytes), bytes))) {
                Err(error) => self.unreadable(member::BOUNDARY, error)?,
                Ok(Some((Ok(entry), bytes))) if entry.seq == expected => {
                    self.included(
                        signed,
                        expected,
                        &leaf_hash(&bytes),
                        paths.get(&expected).map(Vec::as_slice),
                    );
                    edges[place] = Some((entry, bytes));
                }
                Ok(_) => self.add(
                    expected.get(),
                    "boundary",
                    "boundary.bin does not hold this entry, which shows where the range ends",
                ),
            }
        }
        if stream.as_mut().and_then(Iterator::next).is_some() {
            self.add(
                None,
                "boundary",
                "boundary.bin holds more than the entries beside the range",
            );
        }
        if let (Some(from), Some((entry, _))) = (from, &edges[0])
            && entry.recorded_at >= from
        {
            self.add(entry.seq.get(), "boundary", format!("it was recorded at {}, within the time that the range covers, and is not in the range", entry.recorded_at));
        }
        match (to, &edges[1]) {
            (Some(to), Some((entry, _))) if entry.recorded_at < to => {
                self.add(entry.seq.get(), "boundary", format!("it was recorded at {}, within the time that the range covers, and is not in the range", entry.recorded_at));
            }
            (Some(_), None) if after.is_none() => {
                self.add(None, "boundary", "nothing under the checkpoint follows the range, so its end in time is not proven");
            }
            _ => {}
        }
        Ok(edges)
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
            self.archive.reader(member::EVENTS),
            self.archive.reader(member::DISPOSITIONS),
            self.archive.reader(member::STATEMENT_ENTRIES),
        ) else {
            return Ok(());
        };
        let mut streams = Streams {
            events: Events::new(events),
            dispositions: Merge::new(Lines::new(dispositions)),
            statements: Merge::new(Entries::new(statements)),
        };
        let mut expected = first;
        for bytes in Entries::new(entries) {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.unreadable(member::ENTRIES, error)?;
                    break;
                }
            };
            self.progress.add(bytes.len() as u64 + 2);
            self.found.counts.entries += 1;
            let Some(entry) = self.link(walk, &bytes, expected) else {
                break;
            };
            expected = entry.seq.next();
            let leaf = leaf_hash(&bytes);
            if entry.seq == first {
                walk.ends[0] = Some(leaf);
            }
            if entry.seq == last {
                walk.ends[1] = Some(leaf);
            }
            if let Some(frontier) = &mut walk.frontier {
                frontier.push(leaf);
                if signed
                    .older
                    .as_ref()
                    .is_some_and(|older| older.size == frontier.size())
                {
                    self.found.root_at_older = Some(frontier.root());
                }
            }
            self.account_for(signed, stated, &mut streams, &entry, &bytes)?;
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

    /// Each entry is a statement, a disclosed event, or an event with a disposition.
    fn account_for(
        &mut self,
        signed: &Signed,
        stated: &Stated,
        streams: &mut Streams<'_>,
        entry: &Entry,
        bytes: &EntryBytes,
    ) -> io::Result<()> {
        let seq = entry.seq;
        let disclosed = self.take_event(signed, &mut streams.events, entry)?;
        let disposition = self.take_disposition(streams, Some(seq))?;
        if entry.kind != EntryKind::Event {
            if disposition.is_some() {
                self.add(
                    seq.get(),
                    "disposition",
                    "only events can have a disposition",
                );
            }
            if !self.take_statement(streams, seq, bytes)? {
                self.add(
                    seq.get(),
                    "statement",
                    "this entry is the ledger's own, and the statements do not hold it as it is",
                );
            }
            return Ok(());
        }
        match (disclosed, disposition) {
            (true, None) => {}
            (false, Some(line)) => self.disposed(stated, entry, &line),
            (true, Some(_)) => self.add(
                seq.get(),
                "disposition",
                "the event is disclosed and has a disposition too",
            ),
            (false, None) => self.add(
                seq.get(),
                "disposition",
                "the event is not disclosed, and nothing says what became of it",
            ),
        }
        Ok(())
    }

    fn disposed(&mut self, stated: &Stated, entry: &Entry, line: &RawLine) {
        let disposition = match Disposition::parse(&line.text) {
            Ok(disposition) => disposition,
            Err(error) => {
                self.add(entry.seq.get(), "disposition", error);
                return;
            }
        };
        self.found.classes.entry(entry.class).or_insert(entry.seq);
        let counts = &mut self.found.counts;
        *match disposition.fate {
            Fate::Expired(_) => &mut counts.expired,
            Fate::Erased(_) => &mut counts.erased,
            Fate::Restricted(_) => &mut counts.restricted,
            Fate::Withheld(_) => &mut counts.withheld,
        } += 1;
        if let Err(error) = stated.retention.check(entry, &disposition.fate) {
            self.add(entry.seq.get(), "cover", error.to_string());
        }
    }

    /// The disposition of an entry; those that belong to no entry are findings.
    fn take_disposition(
        &mut self,
        streams: &mut Streams<'_>,
        wanted: Option<Seq>,
    ) -> io::Result<Option<RawLine>> {
        loop {
            match streams.dispositions.peek() {
                Some(line) if wanted == Some(line.seq) => {
                    return Ok(streams.dispositions.take().and_then(Result::ok));
                }
                Some(line) if wanted.is_none_or(|wanted| line.seq < wanted) => {
                    let seq = line.seq.get();
                    streams.dispositions.take();
                    self.add(
                        seq,
                        "disposition",
                        "a disposition for which there is no event at this place",
                    );
                }
                Some(_) => return Ok(None),
                None => {
                    if let Some(Err(error)) = streams.dispositions.take() {
                        self.unreadable(member::DISPOSITIONS, error)?;
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// Whether the statements hold this entry; those before it were outside of the range.
    fn take_statement(
        &mut self,
        streams: &mut Streams<'_>,
        seq: Seq,
        bytes: &EntryBytes,
    ) -> io::Result<bool> {
        while let Some(next) = streams.statements.take() {
            let found: EntryBytes = match next {
                Ok(found) => found,
                Err(StreamError::Entries) => return Ok(false),
                Err(error) => {
                    self.unreadable(member::STATEMENT_ENTRIES, error)?;
                    return Ok(false);
                }
            };
            match Entry::decode(&found) {
                Ok(entry) if entry.seq < seq => {}
                _ => return Ok(found == *bytes),
            }
        }
        Ok(false)
    }

    fn finish(
        &mut self,
        signed: &Signed,
        mut streams: Streams<'_>,
        (first, last): (Seq, Seq),
    ) -> io::Result<()> {
        self.take_disposition(&mut streams, None)?;
        while let Some(Ok(bytes)) = streams.statements.take() {
            if let Ok(entry) = Entry::decode(&bytes)
                && (first..=last).contains(&entry.seq)
            {
                self.add(
                    entry.seq.get(),
                    "statement",
                    "a statement for which the range has no entry",
                );
            }
        }
        self.finish_events(signed, streams.events)
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
