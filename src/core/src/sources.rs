//! The sources of a ledger, read off its events (`ledger/sources.rs`). Nothing is stored for it.

use parking_lot::Mutex;
use std::collections::HashMap;

use super::Engine;
use super::ledger::Ledger;
use super::read::{ReadError, is_event, open_event};
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::ledger::sources::{Sighting, SourceBook};

/// Entries read in one transaction.
const ENTRIES_PER_READ: u64 = 1_000;

/// What is known of each ledger's sources. Forgotten when the process ends: the texts are read again.
#[derive(Default)]
pub struct Sources {
    books: Mutex<HashMap<LedgerNumber, Read>>,
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
    engine: &Engine,
    ledger: &Ledger,
    show: impl FnOnce(&SourceBook) -> T,
) -> Result<T, ReadError> {
    let number = ledger.record.number;
    let size = ledger.published().head.size;
    let books = &engine.sources.books;
    let mut read = {
        let mut books = books.lock();
        books.remove(&number).unwrap_or_default()
    };
    let outcome = read_on(engine, ledger, &mut read, size);
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

fn read_on(engine: &Engine, ledger: &Ledger, read: &mut Read, size: u64) -> Result<(), ReadError> {
    while read.next < size {
        let end = size.min(read.next + ENTRIES_PER_READ);
        for (seq, bytes) in engine
            .ledgers
            .entry_rows(ledger.record.number, read.next..end)?
        {
            let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
            if is_event(&entry) {
                let seen = match open_event(engine, ledger, seq) {
                    Ok(event) => {
                        let sections = event.sections.iter();
                        let sections = sections.map(|(name, text)| (name.as_str(), &text[..]));
                        let facts = Facts::from_sections(sections).ok();
                        facts.and_then(|facts| Sighting::of(seq, &facts))
                    }
                    Err(ReadError::Gone { .. }) => Some(Sighting::Gone(seq)),
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
