//! Queries: the events that answer several filters at once, a page at a time, oldest or newest first.

mod candidates;
mod found;

use crate::journal::Journal;
use crate::journal::append::{PROMPT_VERSION, person_tag};
use crate::journal::read::{ReadError, StoredEvent, decoded, is_event, open_read};
use crate::keys::keyring::KeyError;
use crate::query::candidates::List;
use crate::query::found::Found;
use crate::tenant::ledger::{Ledger, Published};
use trailkeep_crypto::secret::TagLabel;
use trailkeep_policy::UnknownRegime;
use trailkeep_ports::{Order, Span, StoreError};
use trailkeep_proof::ids::{ClassNumber, LookupKey, Seq};
use trailkeep_proof::ledger::event::{Person, Target};
use trailkeep_proof::time::UnixMillis;

/// Events of a page unless asked otherwise.
pub const PAGE_EVENTS_DEFAULT: usize = 100;
/// Events of a page at most.
pub const PAGE_EVENTS_MAX: usize = 1_000;
/// Text of a page at most, so that large events make shorter pages; one event always fits.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// What is asked for: events for which all of this holds.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Recorded at this moment or later.
    pub from: Option<UnixMillis>,
    /// Recorded before this moment.
    pub to: Option<UnixMillis>,
    /// With these values.
    pub filters: Filters,
    /// Events under this retention regime.
    pub regime: Option<String>,
    /// Which come first; with a cursor, its order counts.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
    /// Whether events that are restricted are shown, too: to who says for what purpose.
    pub shows_restricted: bool,
}

/// Values that events are looked up by.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// What was done.
    pub action: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Who did it.
    pub actor: Option<Person>,
    /// The data subject.
    pub subject: Option<Person>,
    /// The target.
    pub target: Option<Target>,
    /// Its conversation.
    pub conversation: Option<String>,
    /// Its trace.
    pub trace: Option<String>,
    /// The requested or answering model.
    pub model: Option<String>,
    /// Name of its prompt template.
    pub prompt: Option<String>,
    /// Version of its prompt template.
    pub prompt_version: Option<String>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A regime that is of no policy, and that nothing was recorded under.
    #[error(transparent)]
    UnknownRegime(#[from] UnknownRegime),
    /// An event can't be shown.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a page ended: the place in the ledger, and the tree size that the query is about, so that pages are
/// stable while others write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    order: Order,
    /// Oldest first: the next entry to look at. Newest first: the last one that was looked at.
    place: u64,
    size: u64,
}

impl Cursor {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let order = match text.get(..1)? {
            "c" => Order::Oldest,
            "n" => Order::Newest,
            _ => return None,
        };
        let (place, size) = text.get(1..)?.split_once('-')?;
        let cursor = Self {
            order,
            place: place.parse().ok()?,
            size: size.parse().ok()?,
        };
        (cursor.to_string() == text).then_some(cursor)
    }

    fn at(span: Span, order: Order, size: u64) -> Self {
        let place = match order {
            Order::Oldest => span.from,
            Order::Newest => span.end,
        };
        let place = place.get();
        Self { order, place, size }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = match self.order {
            Order::Oldest => 'c',
            Order::Newest => 'n',
        };
        write!(formatter, "{letter}{}-{}", self.place, self.size)
    }
}

/// Some events in the order asked for, and where to go on. Where finding them takes much, a page may be shorter than
/// asked for, or empty, and still not the last.
pub struct Page {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// The next page, if there may be one.
    pub next: Option<Cursor>,
    /// Events that answer the query and are not shown, since they are restricted.
    pub restricted: u64,
}

/// Answers a query. Its cost follows the page, not the ledger.
pub fn query(
    journal: &Journal,
    ledger: &Ledger,
    published: &Published,
    query: &Query,
) -> Result<Page, QueryError> {
    let limit = query.limit.clamp(1, PAGE_EVENTS_MAX);
    let order = query.cursor.map_or(query.order, |cursor| cursor.order);
    let size = query.cursor.map_or(published.head.size, |cursor| {
        cursor.size.min(published.head.size)
    });
    let mut page = Page {
        events: Vec::new(),
        next: None,
        restricted: 0,
    };
    let Some(keys) = query.filters.keys(journal, ledger)? else {
        return Ok(page);
    };
    let mut wanted: Vec<List> = keys.into_iter().map(List::Key).collect();
    if let Some(regime) = &query.regime {
        wanted.push(List::Classes(classes_of(journal, ledger, regime)?));
    }
    let span = span_of(journal, ledger, query, size)?;
    let mut found = Found::new(journal, ledger, wanted, (span, order));
    let mut bytes = 0;
    loop {
        // One more than there is room for says whether there is a next page.
        let room = limit - page.events.len() + 1;
        let rows = found.rows(room)?;
        if rows.is_empty() {
            page.next = found.rest.map(|rest| Cursor::at(rest, order, size));
            return Ok(page);
        }
        for (seq, row) in rows {
            let row = row.ok_or(ReadError::NotFound)?;
            let entry = decoded(seq, &row.entry)?;
            if !is_event(&entry) {
                continue;
            }
            if page.events.len() == limit || bytes >= PAGE_BYTES_MAX {
                page.next = Some(Cursor::at(span.starting_at(seq, order), order, size));
                return Ok(page);
            }
            let event = match open_read(journal, ledger, row, entry) {
                // What went lawfully answers to nothing any more.
                Err(ReadError::Deleted { .. }) => continue,
                event => event?,
            };
            // What is restricted answers to nobody who does not say for what.
            if event.restricted_by.is_some() && !query.shows_restricted {
                page.restricted += 1;
                continue;
            }
            let sizes = event.sections.iter().map(|(_, text)| text.len());
            bytes += sizes.sum::<usize>();
            page.events.push(event);
        }
    }
}

/// The entries that a query is about.
fn span_of(
    journal: &Journal,
    ledger: &Ledger,
    query: &Query,
    size: u64,
) -> Result<Span, QueryError> {
    let number = ledger.record.number;
    let edge = |moment: Option<UnixMillis>, open_end| match moment {
        Some(moment) => journal
            .ledgers
            .first_recorded_at(number, size, moment.get()),
        None => Ok(open_end),
    };
    let mut span = Span {
        from: edge(query.from, Seq::new(0))?,
        end: edge(query.to, Seq::new(size))?,
    };
    match query.cursor {
        Some(Cursor {
            order: Order::Oldest,
            place,
            ..
        }) => {
            span.from = span.from.max(Seq::new(place));
        }
        Some(Cursor {
            order: Order::Newest,
            place,
            ..
        }) => {
            span.end = span.end.min(Seq::new(place));
        }
        None => {}
    }
    Ok(span)
}

/// The classes whose events' retention follows a regime.
fn classes_of(
    journal: &Journal,
    ledger: &Ledger,
    regime: &str,
) -> Result<Vec<ClassNumber>, QueryError> {
    let is_of = |sha256: &str| {
        let stated = ledger.classes.policy(sha256);
        stated.is_some_and(|stated| stated.policy.regimes.iter().any(|known| known == regime))
    };
    let classes = ledger.classes.all();
    let classes = classes.iter().filter(|class| {
        let policies = &class.definition.key.policies;
        policies
            .iter()
            .any(|policy| policy.id == regime || is_of(&policy.sha256))
    });
    let numbers: Vec<ClassNumber> = classes.map(|class| class.number).collect();
    if numbers.is_empty() {
        journal.policies.known(regime)?;
    }
    Ok(numbers)
}

impl Query {
    /// Names of the filters that are set.
    pub fn names(&self) -> Vec<&'static str> {
        let filters = &self.filters;
        let all = [
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("regime", self.regime.is_some()),
            ("action", filters.action.is_some()),
            ("outcome", filters.outcome.is_some()),
            ("actor", filters.actor.is_some()),
            ("subject", filters.subject.is_some()),
            ("target", filters.target.is_some()),
            ("conversation", filters.conversation.is_some()),
            ("trace", filters.trace.is_some()),
            ("model", filters.model.is_some()),
            ("prompt", filters.prompt.is_some()),
            ("prompt_version", filters.prompt_version.is_some()),
        ];
        let set = all.into_iter().filter(|(_, is_set)| *is_set);
        set.map(|(name, _)| name).collect()
    }
}

impl Filters {
    /// The keys of all filters; none where a person is asked for who is not known.
    fn keys(
        &self,
        journal: &Journal,
        ledger: &Ledger,
    ) -> Result<Option<Vec<LookupKey>>, QueryError> {
        let tag = |label, namespace: &str, id: &str| {
            LookupKey::from(ledger.index_key.tag(label, namespace, id))
        };
        let plain = [
            (TagLabel::Action, &self.action),
            (TagLabel::Outcome, &self.outcome),
            (TagLabel::Conversation, &self.conversation),
            (TagLabel::Trace, &self.trace),
            (TagLabel::Model, &self.model),
            (TagLabel::Prompt, &self.prompt),
        ];
        let plain = plain.into_iter();
        let mut keys: Vec<LookupKey> = plain
            .filter_map(|(label, value)| Some(tag(label, "", value.as_deref()?)))
            .collect();
        if let Some(version) = &self.prompt_version {
            keys.push(tag(TagLabel::Prompt, PROMPT_VERSION, version));
        }
        if let Some(target) = &self.target {
            keys.push(tag(TagLabel::Target, &target.kind, &target.id));
        }
        let persons = [
            (TagLabel::Subject, &self.subject),
            (TagLabel::Actor, &self.actor),
        ];
        for (label, person) in persons {
            let Some(person) = person else { continue };
            let tag = person_tag(&ledger.index_key, label, person);
            let (origin, number) = (&ledger.record.origin, ledger.record.number);
            match journal.keyring.stored_person(origin, number, tag)? {
                Some(reference) => keys.push(LookupKey::from(reference)),
                None => return Ok(None),
            }
        }
        Ok(Some(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_canonical() {
        for order in [Order::Oldest, Order::Newest] {
            let cursor = Cursor {
                order,
                place: 17,
                size: 200,
            };
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        for bad in [
            "", "c", "c1", "c01-2", "c1-+2", "1-2", "c-1-2", "c1-2-3", "n", "x1-2", "é1-2",
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
