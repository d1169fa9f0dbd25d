//! Rows of the vault that statements of a ledger change: a hold, an API key, a request.
//!
//! The statement carries a salted commitment to each row that it changes (section `row`, docs/format.md); the salt
//! stands in the row. So the ledger says which rows there are and what they hold, and names nobody.
//!
//! Three commits, in this order: the vault notes what is about to change (`pending`), the ledger takes the statement,
//! the vault takes the rows. A crash between them is resolved at the next start by looking for the statement: where it
//! is there, the rows are taken, else the note is dropped.

mod pending;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::{NO_LEDGER, Record};
use trailkeep_crypto::secret::random_bytes;
use trailkeep_ports::{ApiKeyRow, AppliedRows, LedgerRecord, SealedRecordRow};
use trailkeep_proof::ids::{LedgerNumber, Seq, hex};
use trailkeep_proof::system::{RowChange, RowsSection};

pub(crate) use self::pending::Noted;

/// The section of a statement that changes rows.
pub(crate) const SECTION: &str = "row";
/// Stands in a row's text for the seq of the statement that is about to change it.
pub(crate) const STATED_HERE: u64 = u64::MAX;
/// The kind of API keys' rows, which have a table of their own.
pub(crate) const API_KEY: &str = "api-key";
/// The kind of legal holds' rows.
pub(crate) const HOLD: &str = "hold";
/// The kind of retention triggers' rows.
pub(crate) const TRIGGER: &str = "trigger";
/// The kind of a tenant's settings' row.
pub(crate) const SETTINGS: &str = "settings";
/// The kind of the row of a tenant's price tables.
pub(crate) const PRICES: &str = "prices";
/// The kind of the row of a tenant's registered names.
pub(crate) const NAMES: &str = "names";
/// The kind of the rows of prompts' versions.
pub(crate) const PROMPT_VERSION: &str = "prompt-version";
/// The kind of the rows of their texts.
pub(crate) const PROMPT_TEXT: &str = "prompt-text";
/// The kind of the rows of moved labels.
pub(crate) const PROMPT_LABEL: &str = "prompt-label";
/// The kind of vault replicas' rows.
pub(crate) const REPLICA: &str = "copy-target";
/// The kind of data subject requests' rows.
pub(crate) const REQUEST: &str = "privacy-request";
/// The kind of rows of what waits for the end of a hold or minimum.
pub(crate) const WAITING: &str = "erasure-waiting";
/// The kinds whose rows come and go with statements.
const STATED_KINDS: [&str; 12] = [
    API_KEY,
    HOLD,
    TRIGGER,
    SETTINGS,
    PRICES,
    NAMES,
    PROMPT_VERSION,
    PROMPT_TEXT,
    PROMPT_LABEL,
    REPLICA,
    REQUEST,
    WAITING,
];
/// The form of a row's text.
const FORM: u8 = 1;

/// Whether rows of a kind come and go with statements. The others are what the program notes for itself: the sums alone show
/// a change of them (docs/design.md).
pub(crate) fn is_stated(kind: &str) -> bool {
    STATED_KINDS.contains(&kind)
}

/// The statement that a row was last changed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatedBy {
    /// The origin of its ledger.
    pub(crate) origin: String,
    pub(crate) seq: u64,
    /// How the statement names the row: its id, unless that is a tag.
    pub(crate) name: String,
    /// What the statement says of the row.
    pub(crate) commitment: String,
    /// Opens the commitment; gone where the row was changed since by what no statement says.
    pub(crate) salt: Option<String>,
}

/// The text of a row, as it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    row_form: u8,
    stated: StatedBy,
    /// The record; none where nothing of it is kept any more.
    text: Option<String>,
}

/// A row, opened.
pub(crate) struct Row {
    /// What it was stated by; none of what no statement is about, and of what an earlier version wrote.
    pub(crate) stated: Option<StatedBy>,
    /// The record, with `STATED_HERE` where the seq of its statement belongs.
    text: Option<String>,
}

impl Row {
    /// Reads a row's text.
    pub(crate) fn read(plain: &[u8]) -> Option<Self> {
        if let Ok(stored) = serde_json::from_slice::<Stored>(plain) {
            let is_known = stored.row_form == FORM;
            return is_known.then_some(Self {
                stated: Some(stored.stated),
                text: stored.text,
            });
        }
        let text = String::from_utf8(plain.to_vec()).ok()?;
        Some(Self {
            stated: None,
            text: Some(text),
        })
    }

    /// The record in it, if anything of it is kept.
    pub(crate) fn record<R: serde::de::DeserializeOwned>(&self) -> Option<Result<R, ()>> {
        let text = self.text.as_ref()?;
        let read = || -> serde_json::Result<R> {
            let mut value: Value = serde_json::from_str(text)?;
            if let Some(stated) = &self.stated {
                put_seq(&mut value, stated.seq);
            }
            serde_json::from_value(value)
        };
        Some(read().map_err(drop))
    }

    /// How statements name it.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.stated.as_ref().map_or(id, |stated| &stated.name)
    }

    /// Whether the row holds what its statement says; none where it was changed since by what no statement says.
    pub(crate) fn fits(&self, kind: &str, id: &str) -> Option<bool> {
        let stated = self.stated.as_ref()?;
        let salt = stated.salt.as_ref()?;
        let text = self.text.as_deref().unwrap_or_default();
        let salt = BASE64.decode(salt).unwrap_or_default();
        Some(commitment(&salt, kind, id, text) == stated.commitment)
    }

    /// The text of the row after a change that no statement is about: what stated it stays.
    pub(crate) fn changed(before: Option<Self>, record: Option<String>) -> Option<Vec<u8>> {
        match before.and_then(|row| row.stated) {
            Some(stated) => Some(stored(
                StatedBy {
                    salt: None,
                    ..stated
                },
                record,
            )),
            None => record.map(String::into_bytes),
        }
    }
}

/// Puts the statement's seq where the record leaves it open.
fn put_seq(value: &mut Value, seq: u64) {
    match value {
        Value::Number(number) if number.as_u64() == Some(STATED_HERE) => *value = json!(seq),
        Value::Array(items) => items.iter_mut().for_each(|item| put_seq(item, seq)),
        Value::Object(members) => members.values_mut().for_each(|member| put_seq(member, seq)),
        _ => {}
    }
}

fn stored(stated: StatedBy, text: Option<String>) -> Vec<u8> {
    let stored = Stored {
        row_form: FORM,
        stated,
        text,
    };
    serde_json::to_vec(&stored).expect("it is plain data, which has a JSON form")
}

/// The commitment to a row (docs/format.md, "Rows of the vault").
fn commitment(salt: &[u8], kind: &str, id: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"trailkeep/row/v1\n");
    hash.update(salt);
    for part in [kind, id] {
        // Kinds and ids are short.
        hash.update((part.len() as u16).to_be_bytes());
        hash.update(part);
    }
    hash.update(text);
    BASE64.encode(hash.finalize())
}

/// What a statement changes of one row.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    kind: String,
    ledger: u32,
    /// The origin of the row's ledger; empty where it belongs to none.
    origin: String,
    id: String,
    name: String,
    /// In base64.
    salt: String,
    /// The record; none: the row goes.
    text: Option<String>,
}

/// What a statement changes in the vault.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    /// Adds or replaces a record of a ledger.
    pub(crate) fn put<R: Record>(
        &mut self,
        keyring: &Keyring,
        ledger: &LedgerRecord,
        id: &str,
        record: &R,
    ) -> Result<(), KeyError> {
        let name = if R::NAMED_BY_ID {
            id.to_owned()
        } else {
            let before = records::row::<R>(keyring, ledger, id)?;
            match before.and_then(|row| row.stated) {
                Some(stated) => stated.name,
                None => hex(&random_bytes::<8>()?),
            }
        };
        let place = (ledger.number, ledger.origin.as_str());
        self.add(R::KIND, place, id, name, Some(to_text(record)))
    }

    /// Adds or replaces a record of the whole data directory.
    pub(crate) fn put_own<R: Record>(&mut self, id: &str, record: &R) -> Result<(), KeyError> {
        let text = Some(to_text(record));
        self.add(R::KIND, (NO_LEDGER, ""), id, id.to_owned(), text)
    }

    /// Adds or replaces an API key's row.
    pub(crate) fn put_key(&mut self, id: &str, text: &impl Serialize) -> Result<(), KeyError> {
        let text = Some(to_text(text));
        self.add(API_KEY, (NO_LEDGER, ""), id, id.to_owned(), text)
    }

    /// Takes a record of a ledger away.
    pub(crate) fn take<R: Record>(
        &mut self,
        ledger: &LedgerRecord,
        id: &str,
    ) -> Result<(), KeyError> {
        self.lose(ledger, R::KIND, id)
    }

    /// Takes a record of the whole data directory away.
    pub(crate) fn take_own<R: Record>(&mut self, id: &str) -> Result<(), KeyError> {
        self.add(R::KIND, (NO_LEDGER, ""), id, id.to_owned(), None)
    }

    fn add(
        &mut self,
        kind: &str,
        (ledger, origin): (LedgerNumber, &str),
        id: &str,
        name: String,
        text: Option<String>,
    ) -> Result<(), KeyError> {
        let salt = BASE64.encode(random_bytes::<32>()?);
        let change = Change {
            kind: kind.to_owned(),
            ledger: ledger.get(),
            origin: origin.to_owned(),
            id: id.to_owned(),
            name,
            salt,
            text,
        };
        // The last change of a row is the one that holds.
        self.0.retain(|known| {
            (&known.kind, known.ledger, &known.id) != (&change.kind, change.ledger, &change.id)
        });
        self.0.push(change);
        Ok(())
    }

    /// Adds a row as it is, where no statement commits to that.
    pub(crate) fn bind(
        &mut self,
        kind: &str,
        place: (LedgerNumber, &str),
        (id, anew): (&str, bool),
        row: &Row,
    ) -> Result<(), KeyError> {
        let is_bound = row
            .stated
            .as_ref()
            .is_some_and(|stated| stated.salt.is_some());
        let Some(text) = row.record::<Value>().filter(|_| anew || !is_bound) else {
            return Ok(());
        };
        let text = text.map_err(|()| KeyError::DoesNotOpen("a sealed record"))?;
        let name = match &row.stated {
            Some(stated) => stated.name.clone(),
            // A trigger's id is a tag.
            None if kind == TRIGGER => hex(&random_bytes::<8>()?),
            None => id.to_owned(),
        };
        self.add(kind, place, id, name, Some(text.to_string()))
    }

    /// A row that a statement made and that is in no vault any more.
    pub(crate) fn lose(
        &mut self,
        ledger: &LedgerRecord,
        kind: &str,
        name: &str,
    ) -> Result<(), KeyError> {
        let place = (ledger.number, ledger.origin.as_str());
        self.add(kind, place, name, name.to_owned(), None)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The same in parts of at most so many rows.
    pub(crate) fn chunks(self, size: usize) -> Vec<Self> {
        self.0
            .chunks(size)
            .map(|part| Self(part.to_vec()))
            .collect()
    }

    /// The section that the statement carries, which stands in the ledger `origin`.
    pub(crate) fn section(&self, origin: &str) -> String {
        let rows = self.0.iter().map(|change| change.stated(origin)).collect();
        RowsSection { rows }.text()
    }

    /// The rows as they stand once the statement does.
    pub(crate) fn rows(
        &self,
        keyring: &Keyring,
        (number, origin): (LedgerNumber, &str),
        seq: Seq,
    ) -> Result<AppliedRows, KeyError> {
        let mut applied = AppliedRows {
            ledger: number,
            seq,
            records: Vec::new(),
            api_keys: Vec::new(),
            taken: Vec::new(),
        };
        for change in &self.0 {
            let ledger = LedgerNumber::new(change.ledger);
            let Some(text) = &change.text else {
                applied
                    .taken
                    .push((change.kind.clone(), ledger, change.id.clone()));
                continue;
            };
            let stated = StatedBy {
                origin: origin.to_owned(),
                seq: seq.get(),
                name: change.name.clone(),
                commitment: change.commitment(text),
                salt: Some(change.salt.clone()),
            };
            let text = stored(stated, Some(text.clone()));
            if change.kind == API_KEY {
                let (epoch, sealed) =
                    keyring.seal(&text, &crate::keys::api_key::place(&change.id))?;
                applied.api_keys.push(ApiKeyRow {
                    id: change.id.clone(),
                    epoch,
                    sealed,
                });
                continue;
            }
            let place = records::place(&change.kind, &change.origin, &change.id);
            let (epoch, sealed) = keyring.seal(&text, &place)?;
            applied.records.push(SealedRecordRow {
                kind: change.kind.clone(),
                ledger,
                id: change.id.clone(),
                epoch,
                sealed,
            });
        }
        Ok(applied)
    }
}

impl Change {
    fn commitment(&self, text: &str) -> String {
        let salt = BASE64.decode(&self.salt).unwrap_or_default();
        commitment(&salt, &self.kind, &self.id, text)
    }

    fn stated(&self, origin: &str) -> RowChange {
        let is_of_another = !self.origin.is_empty() && self.origin != origin;
        RowChange {
            kind: self.kind.clone(),
            id: self.name.clone(),
            commitment: self.text.as_ref().map(|text| self.commitment(text)),
            ledger: is_of_another.then(|| self.origin.clone()),
        }
    }
}

fn to_text(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("records are plain data, which has a JSON form")
}
