//! What a request would do, per class, before anybody decides: recorded as a read, since it opens the events.

use serde_json::json;

use crate::export::PersonsEvents;
use crate::journal::Journal;
use crate::journal::access_log::{AccessRecord, record_read};
use crate::journal::read::entry_at;
use crate::requests::erase::{Asked, ErasureScope, EventDecision, Judge, Reason, Standing};
use crate::requests::filed::Held;
use crate::requests::near::{Near, ShownNear};
use crate::requests::new_request::NewRequest;
use crate::requests::{PrivacyError, filed};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::{Day, Kind, Regime};
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
        subject: &new.subject,
        include_acted: new.include_acted,
        asked_at: now,
        route: ("POST", "/v1/privacy/requests"),
    };
    question.answer(journal, tenant, read_by)
}

/// Says what a filed request would do if it were carried out now.
pub fn preview(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    read_by: (&str, Option<&str>),
) -> Result<DryRun, PrivacyError> {
    let filed = filed::find(journal, tenant, id)?;
    let about = filed.about(tenant)?;
    let asked_at = if filed.is_unrecorded {
        journal.clock.wall()
    } else {
        entry_at(journal, tenant.active(), Seq::new(filed.seq))?.recorded_at
    };
    let question = Question {
        kind: filed.request.kind,
        regime: filed.request.regime,
        subject: &about.person(),
        include_acted: about.include_acted,
        asked_at,
        route: ("GET", "/v1/privacy/requests/{id}/preview"),
    };
    question.answer(journal, tenant, read_by)
}

/// What a request asks for, and of whom.
struct Question<'a> {
    kind: Kind,
    regime: Regime,
    subject: &'a Person,
    include_acted: bool,
    asked_at: UnixMillis,
    /// By which method and route it was asked.
    route: (&'static str, &'static str),
}

impl Question<'_> {
    fn answer(
        &self,
        journal: &Journal,
        tenant: &Tenant,
        (by, purpose): (&str, Option<&str>),
    ) -> Result<DryRun, PrivacyError> {
        let new = self;
        let mut held = Held::default();
        let (mut found_in, mut persons) = (Vec::new(), Vec::new());
        for ledger in tenant.all() {
            let size = ledger.published().head.size;
            let found = PersonsEvents::find(journal, ledger, new.subject, size)?;
            held.as_subject += found.as_subject.len() as u64;
            held.as_actor += found.as_actor.len() as u64;
            found_in.push((ledger, found.asked_for(new.include_acted)));
            persons.extend(found.reference);
        }
        let question = json!([new.kind, new.subject.namespace, new.subject.id]).to_string();
        record_read(
            journal,
            tenant.active(),
            &AccessRecord {
                by,
                route: new.route.1,
                question: &question,
                filters: vec!["subject", "dry_run"],
                purpose,
                verb: new.route.0,
                events: found_in.iter().map(|(_, seqs)| seqs.len() as u64).sum(),
                restricted: 0,
                seq: None,
                persons,
            },
        )?;
        let asked = Asked {
            at: new.asked_at,
            regime: new.regime,
            now: journal.clock.wall().max(new.asked_at),
        };
        let mut classes = Vec::new();
        for (ledger, seqs) in found_in {
            let scope = match new.kind {
                Kind::Access | Kind::Portability | Kind::Restriction => {
                    classes_alone(journal, ledger, &seqs)?
                }
                Kind::Erasure => Judge::new(journal, ledger, asked)?.decide(&seqs)?,
            };
            classes.extend(rows(ledger, new.kind, &scope));
        }
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
        let near = Near::find(journal, tenant, new.subject)?;
        let near = near.show(journal, tenant, new.route, (&question, by, purpose))?;
        Ok(DryRun {
            dry_run: true,
            kind: new.kind,
            held,
            counts,
            classes,
            near,
        })
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
