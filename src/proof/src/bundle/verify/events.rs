//! The events: their lines merged with the entries, and checked.

use std::io;
use std::num::NonZeroUsize;
use std::thread::{self, ScopedJoinHandle};

use sha2::{Digest, Sha256};

use super::Check;
use super::files::Signed;
use super::flow::{CheckedLines, Flow, Stopped};
use super::streams::{Lines, Merge};
use super::text::{Checked, check_event};
use crate::bundle::archive::MemberReader;
use crate::bundle::usual::line::LineRoom;
use crate::bundle::{member, table};
use crate::ids::{Origin, Seq};
use crate::ledger::entry::{Entry, EntryKind};

/// Checking a text is what costs: so many are divided among the cores at a time.
const EVENTS_PER_BATCH: usize = 1_024;
/// Or texts of so many bytes.
const BYTES_PER_BATCH: usize = 8 << 20;

/// The events of a bundle, merged with the entries.
pub(super) enum Events<'a> {
    /// One step after the other.
    InOrder(Box<InOrder<'a>>),
    /// Checked while they are read.
    AtOnce(Box<Flow>),
}

/// Lines that are read, and then checked.
pub(super) struct InOrder<'a> {
    lines: Merge<Lines<MemberReader<'a>>>,
    waiting: Vec<(Entry, Vec<u8>)>,
    waiting_bytes: usize,
    table: Sha256,
}

impl<'a> InOrder<'a> {
    fn new(lines: MemberReader<'a>) -> Self {
        let mut table = Sha256::new();
        table.update(table::header());
        Self {
            lines: Merge::new(Lines::new(lines)),
            waiting: Vec::new(),
            waiting_bytes: 0,
            table,
        }
    }
}

impl<'a> Check<'a> {
    pub(super) fn events(&mut self) -> Option<Events<'a>> {
        if let Some(at_once) = &mut self.at_once {
            return at_once.flow.take().map(Events::AtOnce);
        }
        let lines = self.archive.reader(member::EVENTS)?;
        Some(Events::InOrder(Box::new(InOrder::new(lines))))
    }
}

impl Check<'_> {
    /// Takes the line of an entry, if events.jsonl has one. Lines that belong to no entry are findings.
    pub(super) fn take_event(
        &mut self,
        signed: &Signed,
        events: &mut Events<'_>,
        entry: &Entry,
    ) -> io::Result<bool> {
        match events {
            Events::InOrder(events) => self.take_in_order(signed, events, entry),
            Events::AtOnce(flow) => {
                let taken = flow.take(entry);
                self.heed(flow.checked());
                match taken {
                    Ok(Some(bytes)) => self.count_event(entry, bytes),
                    Ok(None) => return Ok(false),
                    Err(Stopped) => self.give_up(),
                }
                Ok(true)
            }
        }
    }

    fn count_event(&mut self, entry: &Entry, bytes: usize) {
        self.found.counts.disclosed += 1;
        if entry.kind == EntryKind::Event {
            self.found.classes.entry(entry.class).or_insert(entry.seq);
        } else {
            self.add(
                entry.seq.get(),
                "disclosed",
                "events.jsonl has a line for an entry that is not an event",
            );
        }
        self.progress.add(bytes as u64);
    }

    /// What the flow found.
    fn heed(&mut self, checked: Vec<CheckedLines>) {
        for checked in checked {
            self.found.redacted.extend(checked.redacted);
            for seen in checked.sources {
                self.found.sources.see(seen);
            }
        }
    }

    fn take_in_order(
        &mut self,
        signed: &Signed,
        events: &mut InOrder<'_>,
        entry: &Entry,
    ) -> io::Result<bool> {
        self.drop_lines_before(events, Some(entry.seq))?;
        if events.lines.peek().is_none_or(|line| line.seq != entry.seq) {
            return Ok(false);
        }
        let Some(Ok(line)) = events.lines.take() else {
            return Ok(false);
        };
        self.count_event(entry, line.text.len() + 1);
        events.waiting_bytes += line.text.len();
        events.waiting.push((*entry, line.text));
        if events.waiting.len() >= EVENTS_PER_BATCH || events.waiting_bytes >= BYTES_PER_BATCH {
            self.check_waiting(signed, events);
        }
        Ok(true)
    }

    /// Checks what still waits, and that no line is left.
    pub(super) fn finish_events(&mut self, signed: &Signed, events: Events<'_>) -> io::Result<()> {
        match events {
            Events::InOrder(mut events) => {
                self.drop_lines_before(&mut events, None)?;
                self.check_waiting(signed, &mut events);
                self.found.table_expected = Some(events.table.finalize().into());
            }
            Events::AtOnce(mut flow) => {
                let flown = flow.finish();
                self.heed(flow.checked());
                match (flown, &mut self.at_once) {
                    (Ok(digest), Some(at_once)) => at_once.was_read(member::EVENTS, Some(digest)),
                    _ => self.give_up(),
                }
            }
        }
        Ok(())
    }

    fn drop_lines_before(&mut self, events: &mut InOrder<'_>, end: Option<Seq>) -> io::Result<()> {
        loop {
            match events.lines.peek() {
                Some(line) if end.is_none_or(|end| line.seq < end) => {
                    let seq = line.seq.get();
                    events.lines.take();
                    self.add(
                        seq,
                        "disclosed",
                        "events.jsonl has a line for which entries.bin has no entry at this place",
                    );
                }
                Some(_) => return Ok(()),
                None => {
                    if let Some(Err(error)) = events.lines.take() {
                        self.unreadable(member::EVENTS, error)?;
                    }
                    return Ok(());
                }
            }
        }
    }

    fn check_waiting(&mut self, signed: &Signed, events: &mut InOrder<'_>) {
        let waiting = std::mem::take(&mut events.waiting);
        events.waiting_bytes = 0;
        for ((entry, _), (checked, row)) in waiting
            .iter()
            .zip(check_side_by_side(&signed.origin, &waiting))
        {
            events.table.update(&row);
            self.found.redacted.extend(checked.redacted);
            checked
                .source
                .into_iter()
                .for_each(|seen| self.found.sources.see(seen));
            if let Err((rule, detail)) = checked.outcome {
                self.add(entry.seq.get(), rule, detail);
            }
        }
    }
}

/// What came out of an event, and its row of the table.
type CheckedRow = (Checked, Vec<u8>);

/// Checks events on all cores. A part is checked here where no thread can be had, as on WebAssembly.
fn check_side_by_side(origin: &Origin, waiting: &[(Entry, Vec<u8>)]) -> Vec<CheckedRow> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = waiting.len().div_ceil(cores).max(1);
    let check = |part: &[(Entry, Vec<u8>)]| -> Vec<CheckedRow> {
        let mut room = LineRoom::default();
        let check = |(entry, text): &(Entry, Vec<u8>)| {
            let mut row = Vec::new();
            let checked = check_event(origin, entry, text, &mut room, &mut row);
            (checked, row)
        };
        part.iter().map(check).collect()
    };
    thread::scope(|scope| {
        let parts: Vec<_> = waiting
            .chunks(share)
            .map(|part| {
                let elsewhere = thread::Builder::new().spawn_scoped(scope, move || check(part));
                elsewhere.map_err(|_| part)
            })
            .collect();
        let join = |part: Result<ScopedJoinHandle<'_, Vec<CheckedRow>>, &[_]>| match part {
            Ok(elsewhere) => elsewhere
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(here) => check(here),
        };
        parts.into_iter().flat_map(join).collect()
    })
}
