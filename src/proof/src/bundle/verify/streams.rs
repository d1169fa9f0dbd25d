//! Members read as a stream: entries, and lines with their seq.

use std::io::{self, BufRead, BufReader, Read};

use crate::bundle::line::LINE_BYTES_MAX;
use crate::ids::Seq;
use crate::ledger::entry::{ENTRY_BYTES, EntryBytes};

/// Why a stream of a member can't be followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// What the archive says of the member does not hold, or the file can't be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// Not entries with their lengths.
    #[error("it does not consist of entries of 84 bytes, each after its length")]
    Entries,
    /// Not lines.
    #[error("{0}")]
    Lines(&'static str),
}

/// Entries, each behind its u16 length.
pub(super) struct Entries<R> {
    reader: BufReader<R>,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(64 << 10, reader),
        }
    }
}

impl<R: Read> Iterator for Entries<R> {
    type Item = Result<EntryBytes, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.fill_buf() {
            Ok([]) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(error.into())),
        }
        let mut length = [0; 2];
        let mut entry = [0; ENTRY_BYTES];
        let read = self
            .reader
            .read_exact(&mut length)
            .and_then(|()| self.reader.read_exact(&mut entry));
        Some(match read {
            Ok(()) if usize::from(u16::from_be_bytes(length)) == ENTRY_BYTES => Ok(entry),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
            _ => Err(StreamError::Entries),
        })
    }
}

/// Lines that end with LF, each with the seq that it begins with.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
}

/// A line, without its end.
pub(super) struct RawLine {
    pub(super) seq: Seq,
    pub(super) text: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(256 << 10, reader),
        }
    }

    fn read(&mut self) -> Result<Option<RawLine>, StreamError> {
        let mut text = Vec::new();
        (&mut self.reader)
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        if text.pop() != Some(b'\n') {
            return Err(StreamError::Lines("a line is too long or has no end"));
        }
        if text.contains(&b'\r') {
            return Err(StreamError::Lines(
                "a line has a CR: lines end with LF alone",
            ));
        }
        let seq = seq_of(&text).ok_or(StreamError::Lines(
            "a line is not a JSON object with a `seq`",
        ))?;
        Ok(Some(RawLine { seq, text }))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<RawLine, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The seq of a line, which mostly begins with it. The whole line is parsed elsewhere, and must agree.
pub(super) fn seq_of(line: &[u8]) -> Option<Seq> {
    #[derive(serde::Deserialize)]
    struct SeqForm {
        seq: u64,
    }
    let quick = line.strip_prefix(b"{\"seq\":").and_then(|rest| {
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
    });
    let number = match quick {
        Some(number) => number,
        None => serde_json::from_slice::<SeqForm>(line).ok()?.seq,
    };
    Some(Seq::new(number))
}

/// What comes next of a stream that is merged with another, with errors given once.
pub(super) struct Merge<I: Iterator> {
    stream: I,
    next: Option<I::Item>,
}

impl<T, I: Iterator<Item = Result<T, StreamError>>> Merge<I> {
    pub(super) fn new(mut stream: I) -> Self {
        let next = stream.next();
        Self { stream, next }
    }

    /// Looks at the next item.
    pub(super) fn peek(&self) -> Option<&T> {
        self.next.as_ref()?.as_ref().ok()
    }

    /// Takes the next item; an error ends the stream.
    pub(super) fn take(&mut self) -> Option<Result<T, StreamError>> {
        let taken = self.next.take();
        if matches!(taken, Some(Ok(_))) {
            self.next = self.stream.next();
        }
        taken
    }
}
