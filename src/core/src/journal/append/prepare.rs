//! From a parsed event to what the writer needs: keys, commitment, ciphertext, look-up keys.
//! All of it runs side by side on the request tasks.

use crate::journal::append::{AppendError, Changing, Incoming, PreparedEvent, Sharing};
use crate::journal::folded::fold;
use crate::keys::keyring::Needs;
use crate::keys::keyring::{KeyError, KeySlot, Keyring};
use crate::keys::rows;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::payload::{
    EVENT_NONCE_BYTES, KeySet, NumberedKey, SealedEvent, seal, seal_referring,
};
use trailkeep_crypto::secret::{IndexKey, TagLabel, random_bytes};
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::{Stated, Statement};
use trailkeep_proof::ids::{ClassNumber, LookupKey};
use trailkeep_proof::ledger::entry::EntryKind;
use trailkeep_proof::ledger::event::shape::RECEIVED;
use trailkeep_proof::ledger::event::{Event, Facts, Person};
use trailkeep_proof::metered::METERED;
use trailkeep_proof::system::{Sections, SystemEvent};

/// Namespace of the tags of prompts' versions; their names have none.
pub(crate) const PROMPT_VERSION: &str = "version";

/// Seals an event of an application with the server's words about it: how it was received, and what is counted of it. What it needs in the vault joins `needs`.
pub(super) fn prepare_event(
    keyring: &Keyring,
    ledger: &Ledger,
    incoming: &Incoming,
    (received, metered): (&[u8], Option<&[u8]>),
    (class, period): (ClassNumber, KeyPeriod),
    (needs, sharing): (&mut Needs, &mut Sharing<'_>),
) -> Result<PreparedEvent, AppendError> {
    let event = &incoming.event;
    let facts = event.facts();
    let slot = |person| KeySlot {
        ledger: ledger.record.number,
        person,
        class,
        period,
    };
    let origin = &ledger.record.origin;
    let mut references = Vec::with_capacity(facts.subjects.len());
    let mut keys = Vec::with_capacity(facts.subjects.len().max(1));
    for person in &facts.subjects {
        let (tag, folded) = person_tags(&ledger.index_key, TagLabel::Subject, person);
        // The person's row must exist before the key that names it.
        let reference = keyring.person(origin, ledger.record.number, (tag, folded), &mut *needs)?;
        references.push(reference);
        keys.push(keyring.data_key(origin, slot(Some(tag)), &mut *needs)?);
    }
    if keys.is_empty() {
        keys.push(keyring.data_key(origin, slot(None), needs)?);
    }
    let mut of_subjects = references.into_iter();
    let lookups = lookup_keys(&ledger.index_key, facts, |label, person| {
        // The subjects are asked for in their order.
        if label == TagLabel::Subject {
            return Ok(of_subjects.next());
        }
        let tags = person_tags(&ledger.index_key, label, person);
        keyring
            .person(origin, ledger.record.number, tags, needs)
            .map(Some)
    })?;
    let sections = with_own(event, received, metered);
    let keys = KeySet::new(keys).ok_or(AppendError::TooManySubjects)?;
    let shared = sharing.share(&keys, &sections)?;
    let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes().map_err(KeyError::from)?;
    let text = (sections.as_slice(), shared.cuts.as_slice());
    let sealed = seal_referring(origin, &keys, nonce, text).ok_or(AppendError::Unsealable)?;
    Ok(PreparedEvent {
        kind: EntryKind::Event,
        class,
        lookups,
        values: shared.values,
        refers: shared.refers,
        changes_vault: false,
        ..prepared(sealed)
    })
}

/// The sections of an event, the server's own among them, in ascending order of names.
fn with_own<'a>(
    event: &'a Event,
    received: &'a [u8],
    metered: Option<&'a [u8]>,
) -> Vec<(&'a str, &'a [u8])> {
    let sections = event.sections().iter();
    let sections = sections.map(|section| (section.name, &*section.bytes));
    let mut all = Vec::with_capacity(event.sections().len() + 2);
    all.extend(sections);
    for (name, text) in [(METERED, metered), (RECEIVED, Some(received))] {
        if let Some(text) = text {
            let place = all.partition_point(|(known, _)| *known < name);
            all.insert(place, (name, text));
        }
    }
    all
}

/// Seals a system event under the ledger's system key.
pub(crate) fn prepare_system(
    ledger_origin: &trailkeep_proof::ids::Origin,
    system_key: &NumberedKey,
    sections: &Sections,
) -> Result<PreparedEvent, AppendError> {
    seal_under(ledger_origin, vec![system_key.clone()], &slices(sections))
}

/// Seals a system event that states something for others, with a nonce from which its items' salts come, and with the rows
/// of the vault that it changes. What is stated of a superseded ledger stands in the one that takes entries.
pub(crate) fn prepare_statement(
    ledger: &Ledger,
    nonce: [u8; EVENT_NONCE_BYTES],
    event: SystemEvent,
    rows: Option<&Changing<'_>>,
    statement: Statement,
) -> Result<PreparedEvent, AppendError> {
    let recorder = ledger.recorder();
    let closed = ledger.as_superseded();
    let event = match closed {
        Some(_) => event.about_superseded(ledger.record.origin.as_str()),
        None => event,
    };
    let sections = match rows {
        Some(rows) => rows.with_section(event.sections()),
        None => event.sections(),
    };
    let keys = vec![recorder.system_key.clone()];
    let sealed = seal_with(&recorder.record.origin, keys, nonce, &slices(&sections))?;
    Ok(PreparedEvent {
        states: Some(Stated { statement, closed }),
        ..sealed
    })
}

fn slices(sections: &Sections) -> Vec<(&str, &[u8])> {
    sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect()
}

/// The keys without repeats, in their order.
fn distinct(keys: Vec<LookupKey>) -> Vec<LookupKey> {
    /// Comparing each with each is faster than hashing up to here, and of more it takes quadratic time.
    const FEW: usize = 32;
    let mut kept: Vec<LookupKey> = Vec::with_capacity(keys.len());
    let mut more = std::collections::HashSet::new();
    for key in keys {
        let is_new = if kept.len() < FEW {
            !kept.contains(&key)
        } else {
            !kept[..FEW].contains(&key) && more.insert(key)
        };
        if is_new {
            kept.push(key);
        }
    }
    kept
}

/// The keys by which an event is found, the event id's first. `reference` gives a person's reference;
/// where it has none, the person's rows are left out.
pub(crate) fn lookup_keys(
    index_key: &IndexKey,
    facts: &Facts,
    mut reference: impl FnMut(
        TagLabel,
        &Person,
    ) -> Result<Option<trailkeep_proof::ids::PersonReference>, KeyError>,
) -> Result<Vec<LookupKey>, KeyError> {
    let mut keys: Vec<LookupKey> = Vec::with_capacity(16);
    let tag =
        |label, namespace: &str, id: &str| LookupKey::from(index_key.tag(label, namespace, id));
    keys.push(tag(
        TagLabel::EventId,
        "",
        facts.id.as_deref().unwrap_or_default(),
    ));
    keys.push(tag(TagLabel::Action, "", &facts.action));
    let optional = [
        (TagLabel::Outcome, &facts.outcome),
        (TagLabel::Conversation, &facts.conversation),
        (TagLabel::Trace, &facts.trace),
        (TagLabel::Prompt, &facts.prompt),
        (TagLabel::Record, &facts.record),
    ];
    keys.extend(
        optional
            .into_iter()
            .filter_map(|(label, value)| Some(tag(label, "", value.as_deref()?))),
    );
    let version = facts.prompt_version.as_deref();
    keys.extend(version.map(|version| tag(TagLabel::Prompt, PROMPT_VERSION, version)));
    keys.extend(
        facts
            .targets
            .iter()
            .map(|target| tag(TagLabel::Target, &target.kind, &target.id)),
    );
    keys.extend(
        facts
            .models
            .iter()
            .map(|model| tag(TagLabel::Model, "", model)),
    );
    keys.extend(
        facts
            .source
            .iter()
            .map(|(name, _)| tag(TagLabel::Source, "", name)),
    );
    let subjects = facts
        .subjects
        .iter()
        .map(|person| (TagLabel::Subject, person));
    for (label, person) in subjects.chain([(TagLabel::Actor, &facts.actor)]) {
        keys.extend(reference(label, person)?.map(LookupKey::from));
    }
    Ok(distinct(keys))
}

/// A person's tag, and of a data subject what other spellings of the identifier share with it.
fn person_tags(
    index_key: &IndexKey,
    label: TagLabel,
    person: &Person,
) -> (trailkeep_proof::ids::Tag, Option<trailkeep_proof::ids::Tag>) {
    let folded = (label == TagLabel::Subject)
        .then(|| index_key.tag(TagLabel::SubjectFolded, "", &fold(&person.id)));
    (person_tag(index_key, label, person), folded)
}

/// A person's tag.
pub(crate) fn person_tag(
    index_key: &IndexKey,
    label: TagLabel,
    person: &Person,
) -> trailkeep_proof::ids::Tag {
    index_key.tag(label, &person.namespace, &person.id)
}

fn seal_under(
    origin: &trailkeep_proof::ids::Origin,
    keys: Vec<NumberedKey>,
    sections: &[(&str, &[u8])],
) -> Result<PreparedEvent, AppendError> {
    let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes().map_err(KeyError::from)?;
    seal_with(origin, keys, nonce, sections)
}

fn seal_with(
    origin: &trailkeep_proof::ids::Origin,
    keys: Vec<NumberedKey>,
    nonce: [u8; EVENT_NONCE_BYTES],
    sections: &[(&str, &[u8])],
) -> Result<PreparedEvent, AppendError> {
    let keys = KeySet::new(keys).ok_or(AppendError::TooManySubjects)?;
    let sealed = seal(origin, &keys, nonce, sections).ok_or(AppendError::Unsealable)?;
    Ok(PreparedEvent {
        changes_vault: sections.iter().any(|(name, _)| *name == rows::SECTION),
        ..prepared(sealed)
    })
}

/// One of the ledger's own, as far as its text says.
fn prepared(sealed: SealedEvent) -> PreparedEvent {
    PreparedEvent {
        kind: EntryKind::System,
        class: ClassNumber::NONE,
        payload: sealed.payload,
        values: Vec::new(),
        refers: Vec::new(),
        commitment: sealed.commitment,
        lookups: Vec::new(),
        shown_persons: Vec::new(),
        states: None,
        gaps: Vec::new(),
        changes_vault: false,
    }
}
