//! Queries: the events of a time range, by action, a page at a time.

use super::Engine;
use super::ledger::{Ledger, Published};
use super::read::{ReadError, StoredEvent, is_event, open_event};
use crate::ids::{LookupKey, Seq};
use crate::ledger::entry::Entry;
use crate::seal::secret::TagLabel;
use crate::time::UnixMillis;

/// Events of a page unless asked otherwise.
pub const PAGE_EVENTS_DEFAULT: usize = 100;
/// Events of a page at most.
pub const PAGE_EVENTS_MAX: usize = 1_000;
/// Entries read in one transaction.
const ENTRIES_PER_READ: u64 = 1_000;
/// Text of a page at most, so that large events make shorter pages; one event always fits.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Recorded at this moment or later.
    pub from: Option<UnixMillis>,
    /// Recorded before this moment.
    pub to: Option<UnixMillis>,
    /// With this action.
    pub action: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// Where a page ended: the next event to look at, and the tree size that the query is about, so that
/// pages are stable while others write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    next: u64,
    size: u64,
}

impl Cursor {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let (next, size) = text.strip_prefix('c')?.split_once('-')?;
        let cursor = Self {
            next: next.parse().ok()?,
            size: size.parse().ok()?,
        };
        (cursor.to_string() == text).then_some(cursor)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "c{}-{}", self.next, self.size)
    }
}

/// Some events, oldest first, and where to go on.
pub struct Page {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// The next page, if there may be one.
    pub next: Option<Cursor>,
}

/// Answers a query. Its cost follows the page, not the ledger.
pub fn query(
    engine: &Engine,
    ledger: &Ledger,
    published: &Published,
    query: &Query,
) -> Result<Page, ReadError> {
    let number = ledger.record.number;
    let limit = query.limit.clamp(1, PAGE_EVENTS_MAX);
    let size = query.cursor.map_or(published.head.size, |cursor| {
        cursor.size.min(published.head.size)
    });
    let edge = |moment: Option<UnixMillis>, open_end| match moment {
        Some(moment) => engine.ledgers.first_recorded_at(number, size, moment.get()),
        None => Ok(open_end),
    };
    let mut next = edge(query.from, Seq::new(0))?;
    let end = edge(query.to, Seq::new(size))?;
    if let Some(cursor) = query.cursor {
        next = next.max(Seq::new(cursor.next));
    }
    let mut page = Page {
        events: Vec::new(),
        next: None,
    };
    let mut bytes = 0;
    while next < end {
        let candidates = candidates(engine, ledger, query.action.as_deref(), next, end, limit)?;
        let Some(&(last, _)) = candidates.last() else {
            break;
        };
        for (seq, is_event) in candidates {
            if page.events.len() == limit || bytes >= PAGE_BYTES_MAX {
                page.next = Some(Cursor {
                    next: seq.get(),
                    size,
                });
                return Ok(page);
            }
            if is_event {
                let event = open_event(engine, ledger, seq)?;
                bytes += event
                    .sections
                    .iter()
                    .map(|(_, text)| text.len())
                    .sum::<usize>();
                page.events.push(event);
            }
        }
        next = last.next();
    }
    Ok(page)
}

/// The next seqs to look at, ascending, and whether each is an event that belongs to the answer.
fn candidates(
    engine: &Engine,
    ledger: &Ledger,
    action: Option<&str>,
    next: Seq,
    end: Seq,
    limit: usize,
) -> Result<Vec<(Seq, bool)>, ReadError> {
    let number = ledger.record.number;
    if let Some(action) = action {
        let key = LookupKey::from(ledger.index_key.tag(TagLabel::Action, "", action));
        // One more than the page, so that the page knows whether another follows.
        let found = engine.index.find(number, key, next, end, limit + 1)?;
        return Ok(found.into_iter().map(|seq| (seq, true)).collect());
    }
    let stop = end.get().min(next.get() + ENTRIES_PER_READ);
    let rows = engine.ledgers.entry_rows(number, next.get()..stop)?;
    rows.into_iter()
        .map(|(seq, bytes)| {
            let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
            Ok((seq, is_event(&entry)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_canonical() {
        let cursor = Cursor {
            next: 17,
            size: 200,
        };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for bad in ["", "c", "c1", "c01-2", "c1-+2", "1-2", "c-1-2", "c1-2-3"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
