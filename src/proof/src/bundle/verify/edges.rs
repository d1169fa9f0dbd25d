//! The edges of a range: the entries beside it, and the time that it covers.

use std::io;

use super::Check;
use super::files::Signed;
use super::range::Paths;
use super::streams::Entries;
use crate::bundle::manifest::Recorded;
use crate::bundle::member;
use crate::ids::Seq;
use crate::ledger::entry::{Entry, EntryBytes, leaf_hash};

impl Check<'_> {
    /// The entries before and after the range, where there are any: in the tree, and outside of the time
    /// that the range covers.
    pub(super) fn edges(
        &mut self,
        signed: &Signed,
        first: Seq,
        last: Seq,
        paths: &Paths,
    ) -> io::Result<[Option<(Entry, EntryBytes)>; 2]> {
        let before = first.get().checked_sub(1).map(Seq::new);
        let after = Some(last.next()).filter(|after| after.get() < signed.checkpoint.size);
        let recorded = signed.manifest.recorded.clone().unwrap_or_default();
        let (from, to) = recorded.moments().unwrap_or_default();
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
                    "boundary.bin lacks this entry, which shows where the range ends",
                ),
            }
        }
        if stream.as_mut().and_then(Iterator::next).is_some() {
            self.add(
                None,
                "boundary",
                "boundary.bin has more than the entries next to the range",
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

    /// The ends of the range lie within the time that it covers: it is exactly that time.
    pub(super) fn within_time(
        &mut self,
        signed: &Signed,
        entry: &Entry,
        (first, last): (Seq, Seq),
    ) {
        let recorded = signed.manifest.recorded.as_ref();
        let Some(Ok((from, to))) = recorded.map(Recorded::moments) else {
            return;
        };
        let early = entry.seq == first && from.is_some_and(|from| entry.recorded_at < from);
        let late = entry.seq == last && to.is_some_and(|to| entry.recorded_at >= to);
        if early || late {
            let detail = format!(
                "it was recorded at {}, outside the time that the range states",
                entry.recorded_at
            );
            self.add(entry.seq.get(), "boundary", detail);
        }
    }
}
