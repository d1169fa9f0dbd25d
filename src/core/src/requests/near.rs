//! Near matches: data subjects whose identifier is another spelling of the one that was asked for, or the same in another
//! namespace. They never join a request. Who answers it is shown how many there are, and files for them or says that
//! they are somebody else, before the request ends with "nothing held".

use std::time::{Duration, Instant};

use crate::export::{PersonsEvents, still_there};
use crate::journal::Journal;
use crate::journal::access_log::{AccessRecord, record_read};
use crate::journal::append::person_tag;
use crate::journal::folded::{fold, mask};
use crate::journal::read::open_event;
use crate::keys::keyring::KeyError;
use crate::requests::PrivacyError;
use crate::requests::filed::{About, Filed};
use crate::requests::new_request::TEXT_BYTES_MAX;
use crate::requests::register::{named, record};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_proof::ids::{LookupKey, PersonReference, Seq, Tag};
use trailkeep_proof::ledger::event::{Facts, Person};
use trailkeep_proof::system::{RequestStep, SystemEvent};

/// Near matches that are shown.
const SHOWN_MAX: u32 = 50;
/// Persons of an older vault that one commit gives their folded tag.
const PERSONS_PER_STEP: u32 = 200;
/// Events of a person that are looked at for one that can be opened.
const EVENTS_MAX: usize = 64;
/// How long a question works on an older vault before it answers with what it has.
const PATIENCE: Duration = Duration::from_secs(5);

/// Data subjects with a similar identifier. They are not in the scope of the request.
#[derive(Clone, Debug, Default)]
pub struct ShownNear {
    /// Whether all data subjects were compared; `false` while those of an older version's vault are still being prepared.
    pub complete: bool,
    /// Their events.
    pub events: u64,
    /// Who.
    pub persons: Vec<ShownNearPerson>,
}

/// A data subject with a similar identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownNearPerson {
    /// The identifier's namespace; empty for the tenant's own.
    pub namespace: String,
    /// The identifier, masked: only the first letter or digit of each word is shown.
    pub masked_id: String,
    /// Events about them.
    pub events: u64,
}

/// Near matches with the references that stand for them.
#[derive(Default)]
pub(super) struct Near {
    shown: ShownNear,
    references: Vec<PersonReference>,
}

impl Near {
    /// Looks for them in all ledgers of a tenant.
    pub(super) fn find(
        journal: &Journal,
        tenant: &Tenant,
        person: &Person,
    ) -> Result<Self, PrivacyError> {
        let mut near = Self::default();
        near.shown.complete = true;
        let until = Instant::now() + PATIENCE;
        for ledger in tenant.all() {
            near.shown.complete &= fold_persons(journal, ledger, until)?;
            near.find_in(journal, ledger, person)?;
        }
        near.shown.events = near.shown.persons.iter().map(|one| one.events).sum();
        Ok(near)
    }

    fn find_in(
        &mut self,
        journal: &Journal,
        ledger: &Ledger,
        person: &Person,
    ) -> Result<(), PrivacyError> {
        let number = ledger.record.number;
        let own = person_tag(&ledger.index_key, TagLabel::Subject, person);
        let folded = folded_tag(ledger, &person.id);
        let tags = journal
            .keyring
            .vault()
            .persons_folded_to(number, folded, SHOWN_MAX + 1)
            .map_err(KeyError::from)?;
        for tag in tags.into_iter().filter(|tag| *tag != own) {
            let Some((reference, seqs)) = events_of(journal, ledger, tag, usize::MAX)? else {
                continue;
            };
            if let Some(found) = subject_of(journal, ledger, tag, &seqs) {
                self.references.push(reference);
                let events = seqs.len() as u64;
                self.add(&found, events);
            }
        }
        Ok(())
    }

    fn add(&mut self, person: &Person, events: u64) {
        let masked_id = mask(&person.id);
        let known = self.shown.persons.iter_mut();
        let mut known =
            known.filter(|one| one.namespace == person.namespace && one.masked_id == masked_id);
        match known.next() {
            Some(known) => known.events += events,
            None => self.shown.persons.push(ShownNearPerson {
                namespace: person.namespace.clone(),
                masked_id,
                events,
            }),
        }
    }

    /// Whether there is one.
    fn is_any(&self) -> bool {
        !self.shown.persons.is_empty()
    }

    /// Gives them to who asked, which is recorded as a read of their data where there are any.
    pub(super) fn show(
        self,
        journal: &Journal,
        tenant: &Tenant,
        route: (&'static str, &'static str),
        (question, by, purpose): (&str, &str, Option<&str>),
    ) -> Result<Option<ShownNear>, PrivacyError> {
        if !self.is_any() {
            return Ok((!self.shown.complete).then_some(self.shown));
        }
        let (verb, route) = route;
        record_read(
            journal,
            tenant.active(),
            &AccessRecord {
                by,
                verb,
                route,
                question,
                filters: vec!["near"],
                purpose,
                events: self.shown.events,
                restricted: 0,
                seq: None,
                persons: self.references,
            },
        )?;
        Ok(Some(self.shown))
    }
}

/// Refuses to end a request with "nothing held" where there are near matches and nobody said that they are somebody else.
pub(super) fn check(journal: &Journal, tenant: &Tenant, about: &About) -> Result<(), PrivacyError> {
    if about.not_the_same_person.is_some() {
        return Ok(());
    }
    let person = about.person();
    for ledger in tenant.all() {
        let size = ledger.published().head.size;
        let found = PersonsEvents::find(journal, ledger, &person, size)?;
        if !found.asked_for(about.include_acted).is_empty() {
            return Ok(());
        }
    }
    let near = Near::find(journal, tenant, &person)?;
    if near.is_any() {
        return Err(PrivacyError::NearMatches {
            persons: near.shown.persons.len(),
            events: near.shown.events,
        });
    }
    Ok(())
}

/// Records that somebody says that the near matches of a request are other people. Why stands with whom the request is
/// about.
pub(super) fn distinguish(
    journal: &Journal,
    tenant: &Tenant,
    (filed, about): (&mut Filed, &mut About),
    (reason, by): (Option<&str>, &str),
) -> Result<(), PrivacyError> {
    let Some(reason) = reason else {
        return Ok(());
    };
    check_reason(reason)?;
    let request = RequestStep {
        ground: None,
        name: named(&filed.request),
        by: by.to_owned(),
    };
    about.not_the_same_person = Some(reason.to_owned());
    filed.set_about(tenant, about)?;
    let event = SystemEvent::PrivacyDistinguish { request };
    record(journal, tenant, &event, filed)?;
    Ok(())
}

/// Whether a reason says something.
pub(super) fn check_reason(reason: &str) -> Result<(), PrivacyError> {
    if reason.trim().is_empty() || reason.len() > TEXT_BYTES_MAX {
        return Err(PrivacyError::Malformed(
            "`not_the_same_person` must say why the similar identifiers are other people, in 1 to 1,024 bytes",
        ));
    }
    Ok(())
}

pub(crate) fn folded_tag(ledger: &Ledger, id: &str) -> Tag {
    ledger.index_key.tag(TagLabel::SubjectFolded, "", &fold(id))
}

/// Gives the persons of a vault that an earlier version wrote their folded tags, some at a time, until a moment. `false` where
/// some are left: the next one goes on there.
pub(crate) fn fold_persons(
    journal: &Journal,
    ledger: &Ledger,
    until: Instant,
) -> Result<bool, PrivacyError> {
    let (vault, number) = (journal.keyring.vault(), ledger.record.number);
    loop {
        let persons = vault
            .unfolded_persons(number, PERSONS_PER_STEP)
            .map_err(KeyError::from)?;
        if persons.is_empty() {
            return Ok(true);
        }
        let mut rows = Vec::with_capacity(persons.len());
        for person in persons {
            let mut events = events_of(journal, ledger, person.tag, EVENTS_MAX)?;
            if events.is_none() {
                // The first ones may all have been deleted.
                events = events_of(journal, ledger, person.tag, usize::MAX)?;
            }
            let folded = match events {
                Some((_, seqs)) => subject_of(journal, ledger, person.tag, &seqs),
                None => None,
            };
            let folded = folded.map(|subject| folded_tag(ledger, &subject.id));
            rows.push((person.id, folded));
        }
        vault.put_folded(number, &rows).map_err(KeyError::from)?;
        if Instant::now() >= until {
            let left = vault.unfolded_persons(number, 1).map_err(KeyError::from)?;
            return Ok(left.is_empty());
        }
    }
}

/// The events of a person whose payloads are there, by the person's tag; none where there is none.
fn events_of(
    journal: &Journal,
    ledger: &Ledger,
    tag: Tag,
    limit: usize,
) -> Result<Option<(PersonReference, Vec<u64>)>, PrivacyError> {
    let (origin, number) = (&ledger.record.origin, ledger.record.number);
    let Some(reference) = journal.keyring.stored_person(origin, number, tag)? else {
        return Ok(None);
    };
    let key = LookupKey::from(reference);
    let end = Seq::new(ledger.published().head.size);
    let found = journal
        .index
        .find(number, key, Seq::new(0), end, limit)
        .map_err(KeyError::from)?;
    let seqs: Vec<u64> = found.iter().map(|seq| seq.get()).collect();
    let seqs = still_there(journal, ledger, &seqs, true)?;
    Ok((!seqs.is_empty()).then_some((reference, seqs)))
}

/// The data subject with a tag, as the first event names them that opens.
fn subject_of(journal: &Journal, ledger: &Ledger, tag: Tag, seqs: &[u64]) -> Option<Person> {
    for seq in seqs.iter().copied().map(Seq::new).take(EVENTS_MAX) {
        // What was deleted since, or does not open, says nothing of anybody; `verify` names it.
        let Ok(event) = open_event(journal, ledger, seq) else {
            continue;
        };
        let sections = event.sections.iter();
        let sections = sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let Ok(facts) = Facts::from_sections(sections) else {
            continue;
        };
        let mut subjects = facts.subjects.into_iter();
        let is_it =
            |person: &Person| person_tag(&ledger.index_key, TagLabel::Subject, person) == tag;
        if let Some(person) = subjects.find(is_it) {
            return Some(person);
        }
    }
    None
}
