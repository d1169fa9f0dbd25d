//! What a request would do, per class, before anybody decides: recorded as a read, since it opens the events.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::export::PersonsEvents;
use crate::ingest;
use crate::journal::Journal;
use crate::journal::access_log::{AccessRecord, record_read};
use crate::journal::read::entry_at;
use crate::requests::erase::{Asked, ErasureScope, EventDecision, Judge, Reason, Standing};
use crate::requests::filed::{About, Filed, Held};
use crate::requests::near::{Near, ShownNear};
use crate::requests::new_request::NewRequest;
use crate::requests::token::{DecisionTerms, LedgerTerms, PreviewToken, Terms};
use crate::requests::{PrivacyError, Requests, filed};
use crate::tenant::Tenant;
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::{ClassNumber, PersonReference, Seq};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::{Day, Kind, Regime, commit_to_subject};
use trailkeep_proof::time::UnixMillis;

/// What a request would do.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// Always true: nothing was done.
    pub dry_run: bool,
    /// What is asked for.
    pub kind: Kind,
    /// Number of events found.
    pub held: Held,
    /// What happens to the events of the data subject.
    pub counts: DryRunCounts,
    /// The same, per class and reason.
    pub classes: Vec<DryRunRow>,
    /// Data subjects with a similar identifier, which are not in the scope.
    pub near: Option<ShownNear>,
    /// What an order must bring along; none where there is nothing to order.
    pub token: Option<PreviewToken>,
}

/// Number of events by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DryRunCounts {
    /// In the copy.
    pub disclosed: u64,
    /// Deleted at once.
    pub destroyed: u64,
    /// Restricted, and deleted later.
    pub restricted: u64,
    /// Kept by a legal hold.
    pub held: u64,
    /// Kept on a ground that a policy names.
    pub refused: u64,
}

/// Events of one class with the same outcome.
#[derive(Clone, Debug)]
pub struct DryRunRow {
    /// The class.
    pub class: u16,
    /// Its policies, each with its version.
    pub policies: Vec<String>,
    /// How many.
    pub events: u64,
    /// `disclosed`, `destroyed`, `restricted`, `held` or `refused`.
    pub outcome: String,
    /// Until when they are kept, where that is known.
    pub until: Option<String>,
    /// Why.
    pub ground: Option<String>,
    /// Where it is said.
    pub citation: Option<String>,
}

/// Says what a request would do that is not filed.
pub fn dry_run(
    journal: &Journal,
    tenant: &Tenant,
    new: &NewRequest,
    read_by: (&str, Option<&str>),
) -> Result<DryRun, PrivacyError> {
    let now = journal.clock.wall();
    new.check(Day::of(now))?;
    let question = Question {
        kind: new.kind,
        regime: new.regime,
        subject: new.subject.clone(),
        include_acted: new.include_acted,
        asked_at: now,
    };
    let found = question.look(journal, tenant)?;
    let route = ("POST", "/v1/privacy/requests");
    question.answer(journal, tenant, found, (route, read_by))
}

/// Says what a filed request would do if it were carried out now. Where that can be ordered, it gives the token for it.
pub fn preview(
    requests: &Requests,
    tenant: &Tenant,
    id: &str,
    read_by: (&str, Option<&str>),
) -> Result<DryRun, PrivacyError> {
    let journal = &requests.journal;
    let filed = filed::find(journal, tenant, id)?;
    let about = filed.about(tenant)?;
    // What waits to become an event may be theirs: the order finds it.
    ingest::assemble_all(&requests.inbox, tenant)
        .map_err(|error| PrivacyError::Telemetry(Box::new(error)))?;
    let question = Question::of(journal, tenant, &filed, &about)?;
    let found = question.look(journal, tenant)?;
    let is_order = matches!(question.kind, Kind::Erasure | Kind::Restriction);
    let token = if is_order && filed.ordered.is_none() && filed.request.check_open().is_ok() {
        let terms = found.terms(journal, tenant, (&filed, &about))?;
        Some(requests.tokens.give(&*journal.clock, &terms))
    } else {
        None
    };
    let route = ("GET", "/v1/privacy/requests/{id}/preview");
    let said = question.answer(journal, tenant, found, (route, read_by))?;
    Ok(DryRun { token, ..said })
}

/// What an order of a filed request would do now: what its token must fit. No hold may come meanwhile.
pub(super) fn terms_now(
    journal: &Journal,
    tenant: &Tenant,
    (filed, about): (&Filed, &About),
) -> Result<Terms, PrivacyError> {
    let question = Question::of(journal, tenant, filed, about)?;
    let found = question.look(journal, tenant)?;
    found.terms(journal, tenant, (filed, about))
}

/// What a request asks for, and of whom.
struct Question {
    kind: Kind,
    regime: Regime,
    subject: Person,
    include_acted: bool,
    asked_at: UnixMillis,
}

/// What a request meets.
struct Found<'a> {
    held: Held,
    /// Events in its scope.
    events: u64,
    /// References of the data subject, for the record of the read.
    persons: Vec<PersonReference>,
    ledgers: Vec<(&'a Arc<Ledger>, Vec<DryRunRow>)>,
}

impl Question {
    fn of(
        journal: &Journal,
        tenant: &Tenant,
        filed: &Filed,
        about: &About,
    ) -> Result<Self, PrivacyError> {
        let asked_at = if filed.is_unrecorded {
            journal.clock.wall()
        } else {
            entry_at(journal, tenant.active(), Seq::new(filed.seq))?.recorded_at
        };
        Ok(Self {
            kind: filed.request.kind,
            regime: filed.request.regime,
            subject: about.person(),
            include_acted: about.include_acted,
            asked_at,
        })
    }

    /// Finds the events and judges them; nothing is recorded.
    fn look<'a>(&self, journal: &Journal, tenant: &'a Tenant) -> Result<Found<'a>, PrivacyError> {
        let asked = Asked {
            at: self.asked_at,
            regime: self.regime,
            now: journal.clock.wall().max(self.asked_at),
        };
        let mut all = Found {
            held: Held::default(),
            events: 0,
            persons: Vec::new(),
            ledgers: Vec::new(),
        };
        for ledger in tenant.all() {
            let size = ledger.published().head.size;
            let found = PersonsEvents::find(journal, ledger, &self.subject, size)?;
            all.held.as_subject += found.as_subject.len() as u64;
            all.held.as_actor += found.as_actor.len() as u64;
            let seqs = found.asked_for(self.include_acted);
            all.events += seqs.len() as u64;
            all.persons.extend(found.reference);
            let scope = match self.kind {
                Kind::Access | Kind::Portability | Kind::Restriction => {
                    classes_alone(journal, ledger, &seqs)?
                }
                Kind::Erasure => Judge::new(journal, ledger, asked)?.decide(&seqs)?,
            };
            all.ledgers.push((ledger, rows(ledger, self.kind, &scope)));
        }
        Ok(all)
    }

    /// What was found, as an answer: it is recorded as a read.
    fn answer(
        &self,
        journal: &Journal,
        tenant: &Tenant,
        found: Found<'_>,
        ((verb, route), (by, purpose)): ((&'static str, &'static str), (&str, Option<&str>)),
    ) -> Result<DryRun, PrivacyError> {
        let Person { namespace, id } = &self.subject;
        let question = json!([self.kind, namespace, id]).to_string();
        record_read(
            journal,
            tenant.active(),
            &AccessRecord {
                by,
                route,
                question: &question,
                filters: vec!["subject", "dry_run"],
                purpose,
                verb,
                events: found.events,
                restricted: 0,
                seq: None,
                persons: found.persons,
            },
        )?;
        let rows = found.ledgers.into_iter().flat_map(|(_, rows)| rows);
        let classes: Vec<DryRunRow> = rows.collect();
        let mut counts = DryRunCounts::default();
        for row in &classes {
            *match row.outcome.as_str() {
                "disclosed" => &mut counts.disclosed,
                "destroyed" => &mut counts.destroyed,
                "restricted" => &mut counts.restricted,
                "held" => &mut counts.held,
                _ => &mut counts.refused,
            } += row.events;
        }
        let near = Near::find(journal, tenant, &self.subject)?;
        let near = near.show(journal, tenant, (verb, route), (&question, by, purpose))?;
        Ok(DryRun {
            dry_run: true,
            kind: self.kind,
            held: found.held,
            counts,
            classes,
            near,
            token: None,
        })
    }
}

impl Found<'_> {
    /// All that decides what an order does with what was found.
    fn terms(
        &self,
        journal: &Journal,
        tenant: &Tenant,
        (filed, about): (&Filed, &About),
    ) -> Result<Terms, PrivacyError> {
        let id = &filed.request.id;
        let (origin, salt) = (&tenant.active().record.origin, about.salt()?);
        let subject = commit_to_subject(origin, id, &salt, &about.namespace, &about.id);
        let mut others = Vec::new();
        for other in filed::all(journal, tenant)? {
            let is_open = other.request.closed().is_none() && other.request.id != *id;
            if is_open && other.knows_whom() && other.about(tenant)?.person() == about.person() {
                others.push(other.request.id);
            }
        }
        others.sort_unstable();
        let holds = Holds::of(&journal.keyring, tenant)?
            .in_force_at(journal.clock.wall())
            .against_erasure();
        let holds = holds.iter();
        let ledgers = self.ledgers.iter();
        Ok(Terms {
            tenant: tenant.name().to_string(),
            request: id.clone(),
            subject: subject.to_string(),
            ledgers: ledgers
                .map(|(ledger, rows)| ledger_terms(ledger, rows))
                .collect(),
            holds: holds
                .map(|(id, hold)| (id.clone(), hold.placed_seq, hold.until_ms))
                .collect(),
            others,
        })
    }
}

fn ledger_terms(ledger: &Ledger, rows: &[DryRunRow]) -> LedgerTerms {
    let classes = rows.iter().map(|row| ClassNumber::new(row.class));
    let classes = classes.filter_map(|class| ledger.classes.class(class));
    let named = classes.flat_map(|class| class.definition.key.policies.clone());
    let ids: BTreeSet<String> = named.map(|policy| policy.id).collect();
    let stated = ids.iter().flat_map(|id| ledger.classes.statements_of(id));
    let policies: BTreeSet<Seq> = stated.collect();
    LedgerTerms {
        origin: ledger.record.origin.to_string(),
        decisions: rows.iter().map(DecisionTerms::from).collect(),
        policies: policies.into_iter().map(Seq::get).collect(),
    }
}

/// Events with their classes: a copy or a restriction meets all of them alike, and opens none.
pub(super) fn classes_alone(
    journal: &Journal,
    ledger: &Ledger,
    seqs: &[u64],
) -> Result<ErasureScope, PrivacyError> {
    let mut scope = ErasureScope::default();
    for seq in seqs {
        let entry = journal
            .ledgers
            .event(ledger.record.number, Seq::new(*seq))
            .map_err(crate::journal::read::ReadError::from)?
            .and_then(|row| trailkeep_proof::ledger::entry::Entry::decode(&row.entry).ok());
        let class = entry.map_or(ClassNumber::NONE, |entry| entry.class);
        scope
            .events
            .push((Seq::new(*seq), class, EventDecision::Destroy));
    }
    Ok(scope)
}

fn rows(ledger: &Ledger, kind: Kind, scope: &ErasureScope) -> Vec<DryRunRow> {
    let row = |((class, deletion), events): ((ClassNumber, &EventDecision), u64)| {
        let reason = match deletion {
            EventDecision::Keep(reason) => Some(reason),
            EventDecision::Destroy => None,
        };
        DryRunRow {
            class: class.get(),
            policies: ledger.classes.policy_names(class),
            events,
            outcome: outcome_word(kind, reason).to_owned(),
            until: reason.and_then(|reason| Some(reason.until?.to_short_rfc3339())),
            ground: reason.map(|reason| reason.note.clone()),
            citation: reason
                .map(|reason| reason.citation.clone())
                .filter(|citation| !citation.is_empty()),
        }
    };
    scope.counted().into_iter().map(row).collect()
}

const fn outcome_word(kind: Kind, reason: Option<&Reason>) -> &'static str {
    match (kind, reason) {
        (Kind::Access | Kind::Portability, _) => "disclosed",
        (Kind::Restriction, _) => "restricted",
        (Kind::Erasure, None) => "destroyed",
        (Kind::Erasure, Some(reason)) => match reason.state {
            Standing::Hold => "held",
            Standing::Minimum => "restricted",
            Standing::Refusal => "refused",
        },
    }
}
