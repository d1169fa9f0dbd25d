//! The texts: each event's sections against its entry, and the table of them.

use std::io;
use std::num::NonZeroUsize;
use std::thread::{self, ScopedJoinHandle};

use sha2::{Digest, Sha256};

use super::Check;
use super::files::Signed;
use super::streams::{Lines, Merge};
use crate::bundle::archive::MemberReader;
use crate::bundle::line::Line;
use crate::bundle::{member, sources, table};
use crate::ids::{Origin, Seq};
use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::sources::Sighting;

/// Checking a text is what costs: so many are divided among the cores at a time.
const EVENTS_PER_BATCH: usize = 1_024;
/// Or texts of so many bytes.
const BYTES_PER_BATCH: usize = 8 << 20;

/// The events of a bundle, merged with the entries.
pub(super) struct Events<'a> {
    lines: Merge<Lines<MemberReader<'a>>>,
    waiting: Vec<(Entry, Vec<u8>)>,
    waiting_bytes: usize,
    table: Sha256,
}

/// What came out of one event.
struct Checked {
    outcome: Result<(), (&'static str, String)>,
    row: Vec<u8>,
    redacted: Vec<String>,
    source: Option<Sighting>,
}

impl<'a> Events<'a> {
    pub(super) fn new(lines: MemberReader<'a>) -> Self {
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

impl Check<'_> {
    /// Takes the line of an entry, if events.jsonl has one. Lines that belong to no entry are findings.
    pub(super) fn take_event(
        &mut self,
        signed: &Signed,
        events: &mut Events<'_>,
        entry: &Entry,
    ) -> io::Result<bool> {
        self.drop_lines_before(events, Some(entry.seq))?;
        if events.lines.peek().is_none_or(|line| line.seq != entry.seq) {
            return Ok(false);
        }
        let Some(Ok(line)) = events.lines.take() else {
            return Ok(false);
        };
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
        self.progress.add(line.text.len() as u64 + 1);
        events.waiting_bytes += line.text.len();
        events.waiting.push((*entry, line.text));
        if events.waiting.len() >= EVENTS_PER_BATCH || events.waiting_bytes >= BYTES_PER_BATCH {
            self.check_waiting(signed, events);
        }
        Ok(true)
    }

    /// Checks what still waits, and that no line is left.
    pub(super) fn finish_events(
        &mut self,
        signed: &Signed,
        mut events: Events<'_>,
    ) -> io::Result<()> {
        self.drop_lines_before(&mut events, None)?;
        self.check_waiting(signed, &mut events);
        self.found.table_expected = Some(events.table.finalize().into());
        Ok(())
    }

    fn drop_lines_before(&mut self, events: &mut Events<'_>, end: Option<Seq>) -> io::Result<()> {
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

    fn check_waiting(&mut self, signed: &Signed, events: &mut Events<'_>) {
        let waiting = std::mem::take(&mut events.waiting);
        events.waiting_bytes = 0;
        for ((entry, _), checked) in waiting
            .iter()
            .zip(check_side_by_side(&signed.origin, &waiting))
        {
            events.table.update(&checked.row);
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

/// Checks events on all cores. A part is checked here where no thread can be had, as on WebAssembly.
fn check_side_by_side(origin: &Origin, waiting: &[(Entry, Vec<u8>)]) -> Vec<Checked> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = waiting.len().div_ceil(cores).max(1);
    let check = |part: &[(Entry, Vec<u8>)]| -> Vec<Checked> {
        let events = part.iter();
        events
            .map(|(entry, text)| check_event(origin, entry, text))
            .collect()
    };
    thread::scope(|scope| {
        let parts: Vec<_> = waiting
            .chunks(share)
            .map(|part| {
                let elsewhere = thread::Builder::new().spawn_scoped(scope, move || check(part));
                elsewhere.map_err(|_| part)
            })
            .collect();
        let join = |part: Result<ScopedJoinHandle<'_, Vec<Checked>>, &[_]>| match part {
            Ok(elsewhere) => elsewhere
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(here) => check(here),
        };
        parts.into_iter().flat_map(join).collect()
    })
}

fn check_event(origin: &Origin, entry: &Entry, text: &[u8]) -> Checked {
    let mut checked = Checked {
        outcome: Ok(()),
        row: Vec::new(),
        redacted: Vec::new(),
        source: None,
    };
    let line = match Line::parse(text) {
        Ok(line) => line,
        Err(error) => {
            checked.outcome = Err(("section", error));
            return checked;
        }
    };
    checked.redacted = line.redacted().map(str::to_owned).collect();
    checked.source = sources::sighting(&line);
    checked.row = table::row(&line, entry.recorded_at);
    checked.outcome = if line.seq != entry.seq {
        Err(("section", "the line names two seqs".to_owned()))
    } else if line.commitment(origin) != Ok(entry.commitment) {
        Err((
            "commitment",
            "its sections do not match the commitment of its entry".to_owned(),
        ))
    } else if let Err(error) = line.check_texts() {
        Err(("section", error))
    } else if !line.is_disclosed() {
        Err((
            "disclosed",
            "a disclosed event must show id and action, and occurred_at and outcome where it has them".to_owned(),
        ))
    } else {
        Ok(())
    };
    checked
}
