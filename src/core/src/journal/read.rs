//! Reading one event: found by seq or id, opened, and checked against its entry.

use std::borrow::Cow;

use crate::journal::Journal;
use crate::keys::keyring::{KeyError, Keyring};
use crate::tenant::deletion::{Deletion, DeletionCause, Tombstones};
use crate::tenant::ledger::{Ledger, Published, ReadTileError};
use trailkeep_crypto::payload::{OpenError, OpenedEvent, open};
use trailkeep_crypto::secret::TagLabel;
use trailkeep_ports::{EventRow, LedgerRecord, Ledgers, StoreError};
use trailkeep_proof::ids::{LookupKey, Origin, Seq, ValueNumber};
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, EntryError, EntryKind};
use trailkeep_proof::ledger::proof::Receipt;
use trailkeep_proof::privacy::RestrictedUse;
use trailkeep_proof::system::{SystemEvent, SystemRead, SystemReadError};

/// Why an event can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such event.
    #[error("event not found")]
    NotFound,
    /// Its text went lawfully.
    #[error(
        "the payload of entry {seq} is {deletion_cause} (entry {by}{of})",
        deletion_cause = .deletion_cause.as_str(),
        of = .stands_in.as_ref().map_or(String::new(), |origin| format!(" of {origin}"))
    )]
    Deleted {
        /// Which.
        seq: Seq,
        /// How it went.
        deletion_cause: DeletionCause,
        /// The statement.
        by: Seq,
        /// The ledger that it stands in, where the event's own was closed before.
        stands_in: Option<Origin>,
    },
    /// It is shown to nobody who does not say for what purpose.
    #[error(
        "entry {seq} is restricted (entry {by}): state a lawful purpose to read it (--purpose, Trailkeep-Purpose), which begins with one of: {list} (GDPR Art. 18(2)), such as `legal-claims: file 17`; the read is recorded", list = RestrictedUse::LIST
    )]
    Restricted {
        /// Which.
        seq: Seq,
        /// The statement.
        by: Seq,
    },
    /// Its payload is gone, and nothing says why.
    #[error("the payload of entry {0} is missing: run `trailkeep verify`")]
    PayloadMissing(Seq),
    /// Its entry is not an entry.
    #[error("entry {seq} is damaged ({error}): run `trailkeep verify`")]
    Entry {
        /// Which.
        seq: Seq,
        /// What is wrong.
        error: EntryError,
    },
    /// Its payload is not what was written.
    #[error("entry {seq} was changed ({error}): run `trailkeep verify`")]
    Payload {
        /// Which.
        seq: Seq,
        /// What is wrong.
        error: OpenError,
    },
    /// Its key is not there.
    #[error("entry {seq} cannot be decrypted: {error}")]
    Key {
        /// Which.
        seq: Seq,
        /// What is wrong.
        error: KeyError,
    },
    /// Its proof can't be made.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event as it was recorded.
pub struct StoredEvent {
    /// Its entry.
    pub entry: Entry,
    /// The entry's bytes.
    pub entry_bytes: EntryBytes,
    /// Names and exact bytes of its sections, in ascending order of names.
    pub sections: Vec<(String, Vec<u8>)>,
    /// The statement by which it is shown to nobody.
    pub restricted_by: Option<Seq>,
}

impl StoredEvent {
    /// Refuses a reader who does not say for which purpose of GDPR Art. 18(2) a restricted event is read.
    pub fn check_shown(&self, purpose: Option<&str>) -> Result<(), ReadError> {
        match self
            .restricted_by
            .filter(|_| purpose.and_then(RestrictedUse::stated_in).is_none())
        {
            Some(by) => Err(ReadError::Restricted {
                seq: self.entry.seq,
                by,
            }),
            None => Ok(()),
        }
    }

    /// The event's id, where it has one.
    pub fn id(&self) -> Option<String> {
        self.section("id")
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
    }

    /// The exact bytes of a section.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        self.sections
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// What the ledger records with it; of a system entry.
    pub fn system(&self) -> Result<SystemRead, SystemReadError> {
        let sections = self.sections.iter();
        SystemEvent::read(sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
    }

    /// What it states under a name of a ledger's entries: its own, or those of a superseded one.
    pub(crate) fn stated(
        &self,
        ledger: &Origin,
        stands_in: &Origin,
        name: &str,
    ) -> Option<Vec<u8>> {
        if ledger == stands_in {
            return self.section(name).map(<[u8]>::to_vec);
        }
        let members: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_slice(self.section(CLOSED)?).ok()?;
        let names: String = serde_json::from_str(members.get("ledger")?.get()).ok()?;
        let stated = members.get(name).filter(|_| names == ledger.as_str())?;
        Some(stated.get().as_bytes().to_vec())
    }

    /// The event as one JSON object whose members are the sections, byte for byte.
    pub fn to_json(&self) -> String {
        let sizes = self
            .sections
            .iter()
            .map(|(name, bytes)| name.len() + bytes.len() + 4);
        let mut json = String::with_capacity(sizes.sum::<usize>() + 2);
        json.push('{');
        for (at, (name, bytes)) in self.sections.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(&serde_json::Value::from(name.as_str()).to_string());
            json.push(':');
            match std::str::from_utf8(bytes) {
                Ok(text) => json.push_str(text),
                Err(_) => json.push_str(&String::from_utf8_lossy(bytes)),
            }
        }
        json.push('}');
        json
    }
}

/// How an event is named by who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventName {
    /// Its place in the ledger; system entries included.
    Seq(Seq),
    /// Its id.
    Id(String),
}

/// The seq of a named event in a published ledger.
pub fn find_seq(
    journal: &Journal,
    ledger: &Ledger,
    published: &Published,
    name: &EventName,
) -> Result<Seq, ReadError> {
    let seq = match name {
        EventName::Seq(seq) => Some(*seq),
        EventName::Id(id) => {
            let key = LookupKey::from(ledger.index_key.tag(TagLabel::EventId, "", id));
            journal
                .index
                .find(ledger.record.number, key, Seq::new(0), Seq::MAX, 1)?
                .first()
                .copied()
        }
    };
    seq.filter(|seq| seq.get() < published.head.size)
        .ok_or(ReadError::NotFound)
}

/// The entry at `seq`.
pub(crate) fn entry_at(journal: &Journal, ledger: &Ledger, seq: Seq) -> Result<Entry, ReadError> {
    let range = seq.get()..seq.get() + 1;
    let found = journal.ledgers.entries(ledger.record.number, range)?;
    decoded(seq, found.first().ok_or(ReadError::NotFound)?)
}

/// The section in which a ledger states what goes of a closed one: `{"ledger":origin}` and the sections that would stand
/// beside `action` if that ledger still took entries.
pub(crate) const CLOSED: &str = "closed";

/// Opens a statement that a ledger's tables name, wherever it stands.
pub(crate) fn open_statement(
    journal: &Journal,
    ledger: &Ledger,
    named: Seq,
) -> Result<StoredEvent, ReadError> {
    let (record, seq) = ledger.place_of(named);
    let files = (&*journal.ledgers, &*journal.keyring);
    open_stored(files.0, files.1, record, &Tombstones::default(), seq)
}

/// Reads the event at `seq`, opens it and checks it. Whoever shows it asks [`StoredEvent::check_shown`] first.
pub fn open_event(journal: &Journal, ledger: &Ledger, seq: Seq) -> Result<StoredEvent, ReadError> {
    let opened = open_stored(
        &journal.ledgers,
        &journal.keyring,
        &ledger.record,
        &ledger.tombstones,
        seq,
    );
    opened.map_err(|error| stands_in(ledger, error))
}

/// The same, of an event whose row was read with others. What went since then is told as it is now.
pub(crate) fn open_read(
    journal: &Journal,
    ledger: &Ledger,
    row: EventRow,
    entry: Entry,
) -> Result<StoredEvent, ReadError> {
    let files = (&*journal.ledgers, &*journal.keyring);
    match open_row(files, &ledger.record, &ledger.tombstones, row, entry) {
        Err(ReadError::PayloadMissing(seq)) => open_event(journal, ledger, seq),
        opened => opened.map_err(|error| stands_in(ledger, error)),
    }
}

/// Says of a deleted event in which ledger the statement stands.
fn stands_in(ledger: &Ledger, error: ReadError) -> ReadError {
    let ReadError::Deleted {
        seq,
        deletion_cause,
        by,
        ..
    } = error
    else {
        return error;
    };
    let (record, by) = ledger.place_of(by);
    let stands_in = (record.number != ledger.record.number).then(|| record.origin.clone());
    ReadError::Deleted {
        seq,
        deletion_cause,
        by,
        stands_in,
    }
}

/// The same, from the files alone.
pub(crate) fn open_stored(
    ledgers: &Ledgers,
    keyring: &Keyring,
    record: &LedgerRecord,
    covers: &Tombstones,
    seq: Seq,
) -> Result<StoredEvent, ReadError> {
    let open = || {
        let row = ledgers.event(record.number, seq)?;
        let row = row.ok_or(ReadError::NotFound)?;
        let entry = decoded(seq, &row.entry)?;
        open_row((ledgers, keyring), record, covers, row, entry)
    };
    match open() {
        // Where it was deleted after its row was read, the statement is known now.
        Err(ReadError::PayloadMissing(_)) => open(),
        opened => opened,
    }
}

/// Reads the bytes of the entry at `seq`.
pub(crate) fn decoded(seq: Seq, bytes: &[u8]) -> Result<Entry, ReadError> {
    Entry::decode(bytes).map_err(|error| ReadError::Entry { seq, error })
}

fn open_row(
    files: (&Ledgers, &Keyring),
    record: &LedgerRecord,
    covers: &Tombstones,
    row: EventRow,
    entry: Entry,
) -> Result<StoredEvent, ReadError> {
    let EventRow {
        entry: entry_bytes,
        payload,
        mark,
    } = row;
    let seq = entry.seq;
    // Asked after the row was read: what is stated gone meanwhile is not shown.
    if let Some(Deletion {
        deletion_cause, by, ..
    }) = covers.deletion(&entry, mark)
    {
        return Err(ReadError::Deleted {
            seq,
            deletion_cause,
            by,
            stands_in: None,
        });
    }
    let payload = payload.ok_or(ReadError::PayloadMissing(seq))?;
    let opened = open_payload(files, record, &entry, &payload)?;
    Ok(StoredEvent {
        entry,
        entry_bytes,
        sections: opened.sections,
        restricted_by: mark.restricted_by,
    })
}

/// Opens an event's payload, with the values that it refers to. Every reader of payloads opens them through this function.
///
/// One that was re-encrypted since it was read, for an erasure that its old key went with, is read again. Where it was
/// deleted since, it is [`ReadError::PayloadMissing`].
pub(crate) fn open_payload(
    files: (&Ledgers, &Keyring),
    record: &LedgerRecord,
    entry: &Entry,
    payload: &[u8],
) -> Result<OpenedEvent, ReadError> {
    let mut payload = Cow::Borrowed(payload);
    loop {
        let opened = open_now(files, record, entry, &payload);
        let lacks_something = matches!(
            opened,
            Err(ReadError::Key {
                error: KeyError::Missing(_),
                ..
            } | ReadError::Payload {
                error: OpenError::ValueMissing(_),
                ..
            })
        );
        if !lacks_something {
            return opened;
        }
        let again = files.0.event(record.number, entry.seq)?;
        match again.and_then(|row| row.payload) {
            None => return Err(ReadError::PayloadMissing(entry.seq)),
            Some(now) if *now != *payload => payload = Cow::Owned(now),
            Some(_) => return opened,
        }
    }
}

fn open_now(
    (ledgers, keyring): (&Ledgers, &Keyring),
    record: &LedgerRecord,
    entry: &Entry,
    payload: &[u8],
) -> Result<OpenedEvent, ReadError> {
    let (origin, seq) = (&record.origin, entry.seq);
    let keys = keyring.keys_of(origin, payload);
    let keys = keys.map_err(|error| ReadError::Key { seq, error })?;
    let values = |numbers: &[ValueNumber]| Ok(ledgers.values(record.number, numbers)?);
    let opened = open(origin, payload, &keys, &entry.commitment, values);
    opened.map_err(|error| match error {
        NotOpened::Open(error) => ReadError::Payload { seq, error },
        NotOpened::Store(error) => ReadError::Store(error),
    })
}

/// Why a payload, or a value that it refers to, was not opened.
enum NotOpened {
    Open(OpenError),
    Store(StoreError),
}

impl From<OpenError> for NotOpened {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<StoreError> for NotOpened {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The receipt of the entry at `seq`: under the newest head that a witness cosigned and that holds it, else under the
/// published one.
pub fn witnessed_receipt(
    journal: &Journal,
    ledger: &Ledger,
    published: &Published,
    seq: Seq,
) -> Result<Receipt, ReadError> {
    let number = ledger.record.number;
    let cosigned = journal.ledgers.newest_cosigned(number, seq.get())?;
    let Some(head) = cosigned.filter(|head| head.size <= published.head.size) else {
        return receipt(journal, ledger, published, seq);
    };
    let entries = journal.ledgers.entries(number, seq.get()..seq.get() + 1)?;
    let entry = *entries.first().ok_or(ReadError::NotFound)?;
    let under = (head.size, head.note.as_str());
    Ok(ledger.receipt_under(&journal.ledgers, published, under, (seq, entry))?)
}

/// The receipt of the entry at `seq` under the published head.
pub fn receipt(
    journal: &Journal,
    ledger: &Ledger,
    published: &Published,
    seq: Seq,
) -> Result<Receipt, ReadError> {
    let entries = journal
        .ledgers
        .entries(ledger.record.number, seq.get()..seq.get() + 1)?;
    let entry = entries.first().ok_or(ReadError::NotFound)?;
    Ok(ledger.receipt(&journal.ledgers, published, seq, *entry)?)
}

/// Whether an entry is an application's event.
pub fn is_event(entry: &Entry) -> bool {
    entry.kind == EntryKind::Event
}
