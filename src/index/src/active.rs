//! The active run: the events of one ledger that are in no sorted run yet, in memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::ACTIVE_SPAN_FACTOR;
use trailkeep_ports::{Order, Span};
use trailkeep_proof::ids::{LookupKey, Seq};

/// The active run of one ledger. Events are added to its last part. One that is full waits to be written as a run, and is
/// still looked up in until the run is there.
#[derive(Default)]
pub(super) struct Active {
    /// Full parts, oldest first.
    full: VecDeque<Arc<Part>>,
    open: Part,
}

/// The events of a stretch.
#[derive(Clone, Default)]
pub(super) struct Part {
    events: usize,
    seqs: HashMap<LookupKey, Vec<Seq>>,
    /// The newest event that was ever in it.
    pub(super) last: Option<Seq>,
}

impl Active {
    /// Adds an event. `merged_end` is the first seq that no sorted run holds, and a part is full after `full_at` events.
    pub(super) fn add(
        &mut self,
        seq: Seq,
        keys: &[LookupKey],
        (merged_end, full_at): (Seq, usize),
    ) {
        self.open.add(seq, keys);
        let before = self.full.back().and_then(|part| part.last);
        let from = before.map_or(merged_end, Seq::next);
        let span = seq.get().saturating_sub(from.get());
        if self.open.events >= full_at || span >= full_at as u64 * ACTIVE_SPAN_FACTOR {
            self.close();
        }
    }

    /// Events of the part that is not full.
    pub(super) fn open_events(&self) -> usize {
        self.open.events
    }

    /// The last part is full, whatever it holds.
    pub(super) fn close(&mut self) {
        self.full
            .push_back(Arc::new(std::mem::take(&mut self.open)));
    }

    /// The last part is full and ends with a seq: nothing is added behind it before that.
    pub(super) fn close_at(&mut self, last: Seq) {
        self.open.last = self.open.last.max(Some(last));
        self.close();
    }

    /// The oldest part that is full.
    pub(super) fn oldest_full(&self) -> Option<&Arc<Part>> {
        self.full.front()
    }

    /// Forgets the oldest part that is full: a sorted run answers for it.
    pub(super) fn forget_oldest_full(&mut self) {
        self.full.pop_front();
    }

    fn parts(&self) -> impl DoubleEndedIterator<Item = &Part> {
        self.full.iter().map(Arc::as_ref).chain([&self.open])
    }

    /// The parts, to delete rows from; none is being written meanwhile.
    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        let full = self.full.iter_mut().map(Arc::make_mut);
        full.chain([&mut self.open])
    }

    /// Whether an event has a key.
    pub(super) fn has(&self, key: LookupKey) -> bool {
        self.parts().any(|part| part.seqs.contains_key(&key))
    }

    /// The events under a key within a span, in an order, at most `limit`.
    pub(super) fn find(&self, key: LookupKey, span: Span, order: Order, limit: usize) -> Vec<Seq> {
        let within = self.parts().flat_map(|part| part.within(key, span));
        match order {
            Order::Oldest => within.take(limit).collect(),
            Order::Newest => within.rev().take(limit).collect(),
        }
    }

    /// Its rows, in no order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (LookupKey, Seq)> {
        self.parts().flat_map(Part::rows)
    }

    /// Deletes the rows of an event.
    pub(super) fn remove(&mut self, seq: Seq, keys: &[LookupKey]) {
        self.parts_mut().for_each(|part| part.remove(seq, keys));
    }

    /// Deletes the rows of events whose keys nobody knows.
    pub(super) fn remove_all(&mut self, gone: &HashSet<Seq>) {
        self.parts_mut().for_each(|part| part.remove_all(gone));
    }
}

impl Part {
    fn add(&mut self, seq: Seq, keys: &[LookupKey]) {
        self.events += 1;
        self.last = self.last.max(Some(seq));
        for key in keys {
            let seqs = self.seqs.entry(*key).or_default();
            // One event may name a value twice (as requested and as answering model, say): one row.
            if seqs.last() != Some(&seq) {
                seqs.push(seq);
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = (LookupKey, Seq)> {
        let rows = self.seqs.iter();
        rows.flat_map(|(key, seqs)| seqs.iter().map(|seq| (*key, *seq)))
    }

    /// Its rows, sorted.
    pub(super) fn sorted_rows(&self) -> Vec<(LookupKey, Seq)> {
        let mut rows: Vec<_> = self.rows().collect();
        rows.sort_unstable();
        rows
    }

    fn within(&self, key: LookupKey, span: Span) -> impl DoubleEndedIterator<Item = Seq> + use<'_> {
        let seqs = self.seqs.get(&key).map_or(&[][..], Vec::as_slice);
        let start = seqs.partition_point(|seq| *seq < span.from);
        let end = seqs.partition_point(|seq| *seq < span.end).max(start);
        seqs[start..end].iter().copied()
    }

    fn remove(&mut self, seq: Seq, keys: &[LookupKey]) {
        let mut found = false;
        for key in keys {
            let Some(seqs) = self.seqs.get_mut(key) else {
                continue;
            };
            if let Ok(place) = seqs.binary_search(&seq) {
                seqs.remove(place);
                found = true;
            }
            if seqs.is_empty() {
                self.seqs.remove(key);
            }
        }
        self.events -= usize::from(found);
    }

    fn remove_all(&mut self, gone: &HashSet<Seq>) {
        let mut found = HashSet::new();
        self.seqs.retain(|_, seqs| {
            seqs.retain(|seq| {
                let stays = !gone.contains(seq);
                if !stays {
                    found.insert(*seq);
                }
                stays
            });
            !seqs.is_empty()
        });
        self.events -= found.len();
    }
}
