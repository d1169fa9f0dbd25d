//! Every entry of a range is accounted for: as a statement, a disclosed event, or an event with a disposition.

use std::io;

use super::Check;
use super::events::Events;
use super::files::Signed;
use super::statements::Stated;
use super::streams::{Entries, Lines, Merge, RawLine, StreamError};
use crate::bundle::archive::MemberReader;
use crate::bundle::line::Disposition;
use crate::bundle::member;
use crate::ids::Seq;
use crate::ledger::entry::{Entry, EntryBytes, EntryKind};
use crate::ledger::sources::Sighting;

/// The streams that the entries of a range are merged with.
pub(super) struct Streams<'a> {
    pub(super) events: Events<'a>,
    pub(super) dispositions: Merge<Lines<MemberReader<'a>>>,
    pub(super) statements: Merge<Entries<MemberReader<'a>>>,
}

impl Check<'_> {
    /// Each entry is a statement, a disclosed event, or an event with a disposition.
    pub(super) fn account_for(
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
                    "this entry is a statement of the ledger, and statements.jsonl does not have it unchanged",
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
                "the event is disclosed, but has a disposition too",
            ),
            (false, None) => self.add(
                seq.get(),
                "disposition",
                "the event is not disclosed, and has no disposition",
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
        self.found.sources.see(Sighting::Gone(entry.seq));
        self.found.counts.add(&disposition.payload_state);
        if let Err(error) = stated.retention.check(entry, &disposition.payload_state) {
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
                        "a disposition without an event at this place",
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

    pub(super) fn finish(
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
                    "a statement without an entry in the range",
                );
            }
        }
        self.finish_events(signed, streams.events)
    }
}
