//! events.jsonl on all cores: one thread unpacks it, hashes it and finds its lines, others check them, and the one that
//! verifies merges them with the entries.
//!
//! The flow is for bundles in which everything holds. It stops at whatever is unusual and says no more: the steps in order
//! find it, and have the words for it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, Read};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};

use sha2::{Digest, Sha256};

use super::streams::seq_of;
use super::text::check_event;
use crate::bundle::archive::MemberReader;
use crate::bundle::usual::line::LineRoom;
use crate::ids::{Origin, Seq};
use crate::ledger::entry::Entry;
use crate::ledger::sources::Sighting;

/// Bytes of lines that travel together.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// Longest line of the flow, many times what an event makes.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Bytes of lines that are checked or wait for it.
const UNDER_WAY_BYTES_MAX: usize = 8 << 20;

/// Whole lines, one behind the other.
struct Batch {
    bytes: Vec<u8>,
    lines: Vec<(Seq, Range<usize>)>,
    /// SHA-256 of the member, with its last lines.
    digest: Option<[u8; 32]>,
}

/// Lines and their entries, to be checked.
struct Job {
    bytes: Vec<u8>,
    lines: Vec<(Seq, Range<usize>)>,
    entries: Vec<Entry>,
    /// Memory for the rows of the table.
    rows: Vec<u8>,
    answer: SyncSender<Answer>,
}

/// What came out of a job.
struct Answer {
    /// Its memory, to be filled anew.
    bytes: Vec<u8>,
    /// Nothing where something does not hold.
    checked: Option<CheckedLines>,
}

/// What events that hold say together.
#[derive(Default)]
pub(super) struct CheckedLines {
    rows: Vec<u8>,
    pub(super) redacted: BTreeSet<String>,
    pub(super) sources: Vec<Sighting>,
}

/// That the flow stopped before its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stopped;

/// The end of the flow at the one who verifies.
pub(super) struct Flow {
    batches: Receiver<Batch>,
    jobs: SyncSender<Job>,
    used: Sender<Vec<u8>>,
    table: TableEnd,
    workers: usize,
    batch: Batch,
    /// Entries of the lines of this batch that were taken.
    entries: Vec<Entry>,
    under_way: VecDeque<(usize, Receiver<Answer>)>,
    under_way_bytes: usize,
    checked: Vec<CheckedLines>,
}

/// Where rows of the table go, in the order of the events, and where their memory comes back from.
pub(super) struct TableEnd {
    pub(super) rows: SyncSender<Vec<u8>>,
    pub(super) used: Receiver<Vec<u8>>,
}

impl Flow {
    /// Starts the threads. `None` where none can be had, as on WebAssembly; those that were started end with the scope.
    pub(super) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        events: MemberReader<'env>,
        origin: &'env Origin,
        table: TableEnd,
        batch_bytes: usize,
    ) -> Option<Self> {
        let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (batches_in, batches) = sync_channel(1);
        let (jobs, jobs_out) = sync_channel::<Job>(workers);
        let (used, used_out) = channel();
        let spawn = |work: Box<dyn FnOnce() + Send + 'scope>| {
            thread::Builder::new().spawn_scoped(scope, work).ok()
        };
        // Whoever waits at the other end sees a stop by the channel's end.
        spawn(Box::new(move || {
            let _ = feed(events, batch_bytes, &batches_in, &used_out);
        }))?;
        let jobs_out = Arc::new(Mutex::new(jobs_out));
        for _ in 0..workers {
            let jobs = Arc::clone(&jobs_out);
            spawn(Box::new(move || work(origin, &jobs)))?;
        }
        Some(Self {
            batches,
            jobs,
            used,
            table,
            workers,
            batch: Batch {
                bytes: Vec::new(),
                lines: Vec::new(),
                digest: None,
            },
            entries: Vec::new(),
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            checked: Vec::new(),
        })
    }

    /// Takes the line of an entry, if it is the next: the number of its bytes.
    pub(super) fn take(&mut self, entry: &Entry) -> Result<Option<usize>, Stopped> {
        while self.entries.len() == self.batch.lines.len() {
            if self.batch.digest.is_some() {
                return Ok(None);
            }
            self.next_batch()?;
        }
        match self.batch.lines.get(self.entries.len()) {
            Some((seq, line)) if *seq == entry.seq => {
                self.entries.push(*entry);
                Ok(Some(line.len() + 1))
            }
            // The line of an earlier entry: there is none.
            Some((seq, _)) if *seq < entry.seq => Err(Stopped),
            _ => Ok(None),
        }
    }

    /// What came out since this was asked last.
    pub(super) fn checked(&mut self) -> Vec<CheckedLines> {
        std::mem::take(&mut self.checked)
    }

    /// Waits for all that is under way, and gives SHA-256 of events.jsonl. Every line must have been taken.
    pub(super) fn finish(&mut self) -> Result<[u8; 32], Stopped> {
        while self.batch.digest.is_none() && self.entries.len() == self.batch.lines.len() {
            self.next_batch()?;
        }
        if self.entries.len() < self.batch.lines.len() {
            return Err(Stopped);
        }
        self.send_batch()?;
        while !self.under_way.is_empty() {
            self.receive()?;
        }
        self.batch.digest.ok_or(Stopped)
    }

    fn next_batch(&mut self) -> Result<(), Stopped> {
        self.send_batch()?;
        self.batch = self.batches.recv().map_err(|_| Stopped)?;
        Ok(())
    }

    /// Gives the lines that were taken to be checked.
    fn send_batch(&mut self) -> Result<(), Stopped> {
        let bytes = std::mem::take(&mut self.batch.bytes);
        let lines = std::mem::take(&mut self.batch.lines);
        let entries = std::mem::take(&mut self.entries);
        if entries.is_empty() {
            return Ok(());
        }
        let size = bytes.len();
        while self.under_way.len() > self.workers + 1
            || (self.under_way_bytes > UNDER_WAY_BYTES_MAX && !self.under_way.is_empty())
        {
            self.receive()?;
        }
        let (answer, answered) = sync_channel(1);
        let job = Job {
            bytes,
            lines,
            entries,
            rows: self.table.used.try_recv().unwrap_or_default(),
            answer,
        };
        self.jobs.send(job).map_err(|_| Stopped)?;
        self.under_way.push_back((size, answered));
        self.under_way_bytes += size;
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Stopped> {
        let Some((size, answered)) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.under_way_bytes -= size;
        let answer = answered.recv().map_err(|_| Stopped)?;
        let mut checked = answer.checked.ok_or(Stopped)?;
        let rows = std::mem::take(&mut checked.rows);
        self.table.rows.send(rows).map_err(|_| Stopped)?;
        self.checked.push(checked);
        // The one who unpacks may have come to the end.
        let _ = self.used.send(answer.bytes);
        Ok(())
    }
}

/// Unpacks, hashes and divides the member, until its end or something unusual.
fn feed(
    mut events: MemberReader<'_>,
    batch_bytes: usize,
    batches: &SyncSender<Batch>,
    used: &Receiver<Vec<u8>>,
) -> Option<()> {
    let mut hash = Sha256::new();
    // The beginning of a line whose end comes with the next batch.
    let mut rest: Vec<u8> = Vec::new();
    let mut is_at_end = false;
    while !is_at_end {
        let mut bytes = used.try_recv().unwrap_or_default();
        let size = batch_bytes.max(rest.len() + 1);
        if bytes.len() < size {
            bytes.resize(size, 0);
        }
        bytes.get_mut(..rest.len())?.copy_from_slice(&rest);
        let mut filled = rest.len();
        let end = loop {
            if filled == bytes.len() {
                if let Some(end) = last_line_end(&bytes) {
                    break end;
                }
                if filled > LINE_BYTES_MAX {
                    return None;
                }
                bytes.resize(2 * filled, 0);
            }
            let room = bytes.get_mut(filled..)?;
            let count = events.read(room).ok()?;
            if count == 0 {
                is_at_end = true;
                break last_line_end(bytes.get(..filled)?).unwrap_or(0);
            }
            hash.update(room.get(..count)?);
            filled += count;
        };
        rest.clear();
        rest.extend_from_slice(bytes.get(end..filled)?);
        if is_at_end && !rest.is_empty() {
            return None;
        }
        let lines = lines_of(bytes.get(..end)?)?;
        let digest = is_at_end.then(|| hash.clone().finalize().into());
        let batch = Batch {
            bytes,
            lines,
            digest,
        };
        batches.send(batch).ok()?;
    }
    Some(())
}

/// Where the last line ends, behind its LF.
fn last_line_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.iter().rposition(|byte| *byte == b'\n');
    last.map(|place| place + 1)
}

/// The lines of a text that ends with one.
fn lines_of(text: &[u8]) -> Option<Vec<(Seq, Range<usize>)>> {
    // The last byte is LF, so a CR stands before the end.
    if (&mut &*text).skip_until(b'\r').ok()? < text.len() {
        return None;
    }
    let mut lines = Vec::new();
    let (mut start, mut rest) = (0, text);
    while !rest.is_empty() {
        let end = start + rest.skip_until(b'\n').ok()?;
        let line = start..end - 1;
        lines.push((seq_of(text.get(line.clone())?)?, line));
        start = end;
    }
    Some(lines)
}

/// Checks jobs until there are none.
fn work(origin: &Origin, jobs: &Mutex<Receiver<Job>>) {
    let mut room = LineRoom::default();
    loop {
        let job = jobs.lock().map(|jobs| jobs.recv());
        let Ok(Ok(mut job)) = job else { return };
        let checked = check(origin, &mut job, &mut room);
        let bytes = job.bytes;
        // Nobody hears it where the verification stopped.
        let _ = job.answer.send(Answer { bytes, checked });
    }
}

fn check(origin: &Origin, job: &mut Job, room: &mut LineRoom) -> Option<CheckedLines> {
    let mut checked = CheckedLines {
        rows: std::mem::take(&mut job.rows),
        ..CheckedLines::default()
    };
    checked.rows.clear();
    for ((_, line), entry) in job.lines.iter().zip(&job.entries) {
        let text = job.bytes.get(line.clone())?;
        let one = check_event(origin, entry, text, room, &mut checked.rows);
        one.outcome.ok()?;
        checked.redacted.extend(one.redacted);
        checked.sources.extend(one.source);
    }
    Some(checked)
}
