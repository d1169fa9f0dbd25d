//! Which events are a person's: found in the index, by their own keyed tag.

use crate::export::ExportError;
use crate::export::plan::still_there;
use crate::journal::Journal;
use crate::journal::append::person_tag;
use crate::journal::read::open_event;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_otlp::late::{EVENT_TARGET, LATE_ACTION};
use trailkeep_proof::ids::{LookupKey, PersonReference, Seq};
use trailkeep_proof::ledger::event::{Facts, Person};

/// Seqs that one look-up in the index gives.
const SEQS_PER_LOOKUP: usize = 10_000;

/// A person's events by how they are in them; seqs ascend.
#[derive(Clone, Debug, Default)]
pub struct PersonsEvents {
    /// The reference that stands for them as a subject.
    pub reference: Option<PersonReference>,
    /// Events that are about them.
    pub as_subject: Vec<u64>,
    /// Events in which they acted and that are not about them.
    pub as_actor: Vec<u64>,
}

impl PersonsEvents {
    /// Finds them in the index; its cost follows the person's events, not the ledger.
    pub fn find(
        journal: &Journal,
        ledger: &Ledger,
        person: &Person,
        size: u64,
    ) -> Result<Self, ExportError> {
        let (reference, mut as_subject) = find(journal, ledger, person, TagLabel::Subject, size)?;
        let named = named_by_late_facts(journal, ledger, &as_subject, size)?;
        as_subject.extend(named);
        as_subject.sort_unstable();
        as_subject.dedup();
        let (_, mut as_actor) = find(journal, ledger, person, TagLabel::Actor, size)?;
        as_actor.retain(|seq| as_subject.binary_search(seq).is_err());
        Ok(Self {
            reference,
            as_subject,
            as_actor,
        })
    }

    /// Those that a request is about.
    pub fn asked_for(&self, include_acted: bool) -> Vec<u64> {
        let mut seqs = self.as_subject.clone();
        if include_acted {
            seqs.extend(&self.as_actor);
            seqs.sort_unstable();
        }
        seqs
    }
}

fn find(
    journal: &Journal,
    ledger: &Ledger,
    person: &Person,
    label: TagLabel,
    size: u64,
) -> Result<(Option<PersonReference>, Vec<u64>), ExportError> {
    let (origin, number) = (&ledger.record.origin, ledger.record.number);
    let tag = person_tag(&ledger.index_key, label, person);
    let Some(reference) = journal.keyring.stored_person(origin, number, tag)? else {
        return Ok((None, Vec::new()));
    };
    let key = LookupKey::from(reference);
    let seqs = all_seqs(journal, ledger, key, Seq::new(0), Seq::new(size))?;
    Ok((Some(reference), still_there(journal, ledger, &seqs, true)?))
}

/// Events whose person came to be known after they were recorded: late facts about the person name them
/// (docs/opentelemetry.md).
fn named_by_late_facts(
    journal: &Journal,
    ledger: &Ledger,
    seqs: &[u64],
    size: u64,
) -> Result<Vec<u64>, ExportError> {
    let number = ledger.record.number;
    let tag = |label, id: &str| LookupKey::from(ledger.index_key.tag(label, "", id));
    let late = [tag(TagLabel::Action, LATE_ACTION)];
    let mut named = Vec::new();
    for seq in seqs.iter().copied().map(Seq::new) {
        if !journal.index.holds_all(number, seq, &late)? {
            continue;
        }
        let stored = open_event(journal, ledger, seq)?;
        let sections = stored.sections.iter();
        let sections = sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let targets =
            Facts::from_sections(sections).map_or_else(|_| Vec::new(), |facts| facts.targets);
        for target in targets.iter().filter(|target| target.kind == EVENT_TARGET) {
            let key = tag(TagLabel::EventId, &target.id);
            named.extend(all_seqs(journal, ledger, key, Seq::new(0), Seq::new(size))?);
        }
    }
    named.sort_unstable();
    named.dedup();
    still_there(journal, ledger, &named, true)
}

/// All events that the index has under a key, between two seqs.
pub(in crate::export) fn all_seqs(
    journal: &Journal,
    ledger: &Ledger,
    key: LookupKey,
    first: Seq,
    end: Seq,
) -> Result<Vec<u64>, ExportError> {
    let mut seqs: Vec<u64> = Vec::new();
    let mut next = first;
    loop {
        let number = ledger.record.number;
        let found = journal
            .index
            .find(number, key, next, end, SEQS_PER_LOOKUP)?;
        seqs.extend(found.iter().map(|seq| seq.get()));
        match found.last() {
            Some(last) if found.len() == SEQS_PER_LOOKUP => next = last.next(),
            _ => return Ok(seqs),
        }
    }
}
