//! Verifying in one reading, on all cores. It tells only that everything holds. Whatever does not is found, in its order and
//! with its words, by the steps in order, which read the large members twice.

use std::io::{self, Read};
use std::iter;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use sha2::{Digest, Sha256};

use super::flow::{Flow, TableEnd};
use super::{Check, Found, Progress, Question, Report};
use crate::bundle::archive::{Archive, MemberReader};
use crate::bundle::sums::Sum;
use crate::bundle::{member, table};

/// What is left for later while the contents are read.
#[derive(Default)]
pub(super) struct AtOnce {
    /// The signed digests.
    pub(super) sums: Vec<Sum>,
    /// The lines of events.jsonl on their way.
    pub(super) flow: Option<Box<Flow>>,
    /// Digests of the members that were read to their ends meanwhile.
    digests: Vec<(&'static str, [u8; 32])>,
    /// Whether something is unusual.
    pub(super) is_given_up: bool,
}

impl AtOnce {
    /// What was hashed while it was read, if it was to its end.
    pub(super) fn was_read(&mut self, name: &'static str, digest: Option<[u8; 32]>) {
        self.digests.extend(digest.map(|digest| (name, digest)));
    }
}

/// Batches of rows that wait to be compared with the table.
const ROWS_WAITING_MAX: usize = 4;
const READ_BYTES: usize = 128 << 10;

/// The report on a bundle in which everything holds; `None` says nothing of the bundle.
pub(super) fn verify(
    archive: &Archive<'_>,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64, u64),
    batch_bytes: usize,
) -> Option<Report> {
    let mut report = Report::new(archive);
    let mut check = Check {
        archive,
        progress: Progress::of_one_reading(archive, progress),
        found: Found::new(),
        report: &mut report,
        at_once: Some(AtOnce::default()),
    };
    // An error of the file is told by the steps in order.
    let signed = check.files(question).ok().flatten()?;
    if check.report.findings_total > 0 {
        return None;
    }
    let sums = check
        .at_once
        .as_mut()
        .map(|at_once| std::mem::take(&mut at_once.sums))?;
    let digests = thread::scope(|scope| {
        let (rows, rows_out) = sync_channel(ROWS_WAITING_MAX);
        let (used_in, used) = channel();
        let table = archive.reader(member::TABLE)?;
        let others = sums
            .iter()
            .map(|sum| sum.name.as_str())
            .filter(is_read_apart);
        let apart = thread::Builder::new().spawn_scoped(scope, move || {
            let table = compare_table(table, &rows_out, &used_in)?;
            let mut digests = vec![(member::TABLE, table)];
            for name in others {
                digests.push((name, digest_of(archive, name)?));
            }
            Some(digests)
        });
        let apart = apart.ok()?;
        let events = archive.reader(member::EVENTS)?;
        let table = TableEnd { rows, used };
        let flow = Flow::start(scope, events, &signed.origin, table, batch_bytes)?;
        if let Some(at_once) = &mut check.at_once {
            at_once.flow = Some(Box::new(flow));
        }
        let read = check.contents(&signed);
        let mut at_once = check.at_once.take()?;
        // The threads that wait for more of it come to their ends.
        at_once.flow = None;
        if read.is_err() || at_once.is_given_up {
            return None;
        }
        let apart = apart.join();
        let mut digests = apart.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        digests.extend(at_once.digests);
        Some(digests)
    })?;
    check.progress.add(u64::MAX);
    let is_signed = |sum: &Sum| {
        let mut found = digests.iter().filter(|(name, _)| *name == sum.name);
        found
            .next()
            .is_some_and(|(_, digest)| *digest == sum.sha256)
            && found.next().is_none()
    };
    if !sums.iter().all(is_signed) {
        return None;
    }
    drop(check);
    report.conclude();
    report.authentic.then_some(report)
}

/// Whether a member is hashed beside the contents, for its digest alone.
fn is_read_apart(name: &&str) -> bool {
    ![member::ENTRIES, member::EVENTS, member::TABLE].contains(name)
}

/// SHA-256 of a table whose bytes are exactly the header and these rows.
fn compare_table(
    mut table: MemberReader<'_>,
    rows: &Receiver<Vec<u8>>,
    used: &Sender<Vec<u8>>,
) -> Option<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut found: &[u8] = &[];
    for expected in iter::once(table::header()).chain(rows) {
        let mut rest = &expected[..];
        while !rest.is_empty() {
            if found.is_empty() {
                let count = table.read(&mut buffer).ok()?;
                found = buffer.get(..count).filter(|found| !found.is_empty())?;
                hash.update(found);
            }
            let (one, behind) = rest.split_at(rest.len().min(found.len()));
            found = found.strip_prefix(one)?;
            rest = behind;
        }
        // The verification may have come to its end.
        let _ = used.send(expected);
    }
    let is_whole = found.is_empty() && table.read(&mut buffer).ok()? == 0;
    is_whole.then(|| hash.finalize().into())
}

fn digest_of(archive: &Archive<'_>, name: &str) -> Option<[u8; 32]> {
    let mut reader = archive.reader(name)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut buffer).ok()? {
            0 => return Some(hash.finalize().into()),
            count => hash.update(buffer.get(..count)?),
        }
    }
}

/// A reader whose bytes are hashed on their way, if that is wanted.
pub(super) struct Hashed<R> {
    reader: R,
    hash: Option<Sha256>,
    is_at_end: bool,
}

impl<R: Read> Hashed<R> {
    pub(super) fn new(reader: R, is_wanted: bool) -> Self {
        Self {
            reader,
            hash: is_wanted.then(Sha256::new),
            is_at_end: false,
        }
    }

    /// The digest of all of it, once the reader said that it ends.
    pub(super) fn digest(self) -> Option<[u8; 32]> {
        let hash = self.hash.filter(|_| self.is_at_end)?;
        Some(hash.finalize().into())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.is_at_end |= count == 0 && !buffer.is_empty();
        if let (Some(hash), Some(bytes)) = (&mut self.hash, buffer.get(..count)) {
            hash.update(bytes);
        }
        Ok(count)
    }
}
