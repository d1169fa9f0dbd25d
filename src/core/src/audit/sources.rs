//! The sources of a ledger, read off its events (`ledger/sources.rs`). Nothing is stored for it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::journal::Journal;
use crate::journal::read::{ReadError, is_event, open_event};
use crate::short_reads::short_reads;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::ledger::sources::{Sighting, SourceBook};

/// What is known of each ledger's sources. Forgotten when the process ends: the texts are read again.
pub struct Sources {
    pub(crate) journal: Arc<Journal>,
    books: Mutex<HashMap<LedgerNumber, Read>>,
}

impl Sources {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self {
            journal,
            books: Mutex::default(),
        }
    }
}

/// A book, and how far it has come.
#[derive(Default)]
struct Read {
    book: SourceBook,
    /// The next entry to read.
    next: u64,
}

/// The sources of a ledger. The first time all events are read, from then on only those that came since.
pub fn sources<T>(
    sources: &Sources,
    ledger: &Ledger,
    show: impl FnOnce(&SourceBook) -> T,
) -> Result<T, ReadError> {
    let number = ledger.record.number;
    let size = ledger.published().head.size;
    let books = &sources.books;
    let mut read = {
        let mut books = books.lock();
        books.remove(&number).unwrap_or_default()
    };
    let outcome = read_on(&sources.journal, ledger, &mut read, size);
    let shown = outcome.map(|()| show(&read.book));
    let mut books = books.lock();
    // Of two that read at once, the one that came further is kept.
    if books
        .get(&number)
        .is_none_or(|other| other.next < read.next)
    {
        books.insert(number, read);
    }
    shown
}

fn read_on(
    journal: &Journal,
    ledger: &Ledger,
    read: &mut Read,
    size: u64,
) -> Result<(), ReadError> {
    for range in short_reads(read.next..size) {
        let end = range.end;
        for (seq, bytes) in journal.ledgers.entry_rows(ledger.record.number, range)? {
            let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
            if is_event(&entry) {
                let seen = match open_event(journal, ledger, seq) {
                    Ok(event) => {
                        let sections = event.sections.iter();
                        let sections = sections.map(|(name, text)| (name.as_str(), &text[..]));
                        let facts = Facts::from_sections(sections).ok();
                        facts.and_then(|facts| Sighting::of(seq, &facts))
                    }
                    Err(ReadError::Deleted { .. }) => Some(Sighting::Gone(seq)),
                    Err(error) => return Err(error),
                };
                seen.into_iter().for_each(|seen| read.book.see(seen));
            }
            read.next = seq.get() + 1;
        }
        read.next = read.next.max(end);
    }
    Ok(())
}
