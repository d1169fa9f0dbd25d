//! Deciding what ordered requests lead to: under one lock with the holds, stated in one commit of the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::destroy::job::Job;
use crate::export::PersonsEvents;
use crate::govern::Custody;
use crate::journal::Journal;
use crate::journal::append::{Changing, PreparedEvent, append_statements, prepare_statement};
use crate::journal::tombstone::ItemTree;
use crate::keys::rows::Changes;
use crate::requests::Requests;
use crate::requests::conclude::first_answer;
use crate::requests::dry_run::classes_alone;
use crate::requests::erase::{Asked, ErasureScope, EventDecision, Judge, Standing};
use crate::requests::execute::asked_of;
use crate::requests::filed::{Decided, Filed};
use crate::requests::kept::{kept, restriction};
use crate::requests::waiting::Waiting;
use crate::requests::{PrivacyError, conclude, filed, near, waiting};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::payload::EVENT_NONCE_BYTES;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_ports::{DeletionBasis, Statement};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::privacy::{Ground, Kind, State};
use trailkeep_proof::system::{
    DecisionSections, ItemsSection, JobSection, StatedSections, SystemEvent,
};
use trailkeep_proof::time::UnixMillis;

/// What requests lead to in one ledger, as it is stated together.
#[derive(Default)]
struct Plan {
    /// Of a restriction: on which ground.
    ground: Option<Ground>,
    covers: BTreeSet<Seq>,
    restricts: BTreeSet<Seq>,
    covering: BTreeSet<u64>,
    restricting: BTreeSet<u64>,
}

/// Decides, and states what was decided: one commit. From then on no reader gets the texts.
pub(super) fn decide(
    requests: &Requests,
    tenant: &Tenant,
    asked: Vec<Filed>,
    by: &str,
) -> Result<Vec<(Arc<Ledger>, Job)>, PrivacyError> {
    let _no_hold_comes = requests.journal.locks.decision();
    let _one = requests.journal.locks.requests();
    let now = requests.journal.clock.wall();
    let ledgers: Vec<&Arc<Ledger>> = tenant.all().collect();
    let fresh = || -> Vec<Plan> { ledgers.iter().map(|_| Plan::default()).collect() };
    let mut erasures = fresh();
    let mut plans = Vec::new();
    for filed in asked {
        let mut own = fresh();
        let is_erasure = filed.request.kind == Kind::Erasure;
        own.iter_mut().for_each(|plan| plan.ground = filed.ground);
        let to = if is_erasure { &mut erasures } else { &mut own };
        if !decide_one(&requests.custody, tenant, filed, now, (&ledgers, to))? {
            continue;
        }
        if !is_erasure {
            let own = ledgers.iter().zip(own);
            let event: DecisionEvent = |decision| SystemEvent::PrivacyRestrict { decision };
            plans.extend(own.map(|(ledger, plan)| (*ledger, plan, event)));
        }
    }
    for (ledger, plan) in ledgers.iter().zip(&mut erasures) {
        decide_waiting(&requests.custody, (tenant, ledger), now, plan)?;
        // What goes is not restricted, whoever asked for that.
        plan.restricts = &plan.restricts - &plan.covers;
    }
    let erasures = ledgers.iter().zip(erasures);
    let event: DecisionEvent = |decision| SystemEvent::PrivacyErase { decision };
    plans.extend(erasures.map(|(ledger, plan)| (*ledger, plan, event)));
    plans.retain(|(_, plan, _)| !plan.covers.is_empty() || !plan.restricts.is_empty());
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let active = tenant.active();
    let changing = Changing::begin(
        &requests.journal,
        active,
        changes_of(&requests.journal, tenant, &plans)?,
    )?;
    let parts = plans.len();
    let numbered = plans.iter().enumerate();
    let statements = numbered.map(|(part, (ledger, plan, event))| {
        // The first one states the rows of all.
        let rows = (part == 0).then_some(&changing);
        plan.state(ledger, (part, parts), (*event, by), rows)
    });
    let statements = statements.collect::<Result<Vec<_>, PrivacyError>>()?;
    let appended = append_statements(&requests.journal.writer, active, statements, now);
    let first = changing.end(appended)?;
    for ledger in &ledgers {
        requests.exports.texts_go(ledger.record.number);
    }
    let jobs = plans.into_iter().zip(first.get()..);
    let jobs = jobs.map(|((ledger, plan, _), seq)| {
        let statement = ledger.name_of(Seq::new(seq));
        let items = plan.covers.into_iter().collect();
        (Arc::clone(ledger), Job::of_requests(statement, items))
    });
    Ok(jobs.collect())
}

/// The event that states a decision.
type DecisionEvent = fn(DecisionSections) -> SystemEvent;

/// The rows of the requests that statements serve, and of what waits of them.
fn changes_of(
    journal: &Journal,
    tenant: &Tenant,
    plans: &[(&Arc<Ledger>, Plan, DecisionEvent)],
) -> Result<Changes, PrivacyError> {
    let mut changes = Changes::default();
    let keyring = &journal.keyring;
    let served = |filed: &Filed| {
        let mut plans = plans.iter().map(|(_, plan, _)| plan);
        plans
            .any(|plan| plan.covering.contains(&filed.seq) || plan.restricting.contains(&filed.seq))
    };
    for filed in filed::all(journal, tenant)?.into_iter().filter(served) {
        let id = &filed.request.id;
        changes.put(keyring, tenant.active_record().record(), id, &filed)?;
        for ledger in tenant.all() {
            if let Some(waits) = waiting::of(journal, ledger, id)? {
                changes.put(keyring, &ledger.record, id, &waits)?;
            }
        }
    }
    Ok(changes)
}

/// Decides over one request in all ledgers of its tenant, each with its plan, and keeps what was decided in its row. One
/// that no statement is needed for is answered; `false` then.
fn decide_one(
    custody: &Custody,
    tenant: &Tenant,
    mut filed: Filed,
    now: UnixMillis,
    (ledgers, plans): (&[&Arc<Ledger>], &mut [Plan]),
) -> Result<bool, PrivacyError> {
    let about = filed.about(tenant)?;
    let request = &filed.request;
    let asked = asked_of(&custody.journal, tenant, &filed, now)?;
    let mut decided = Decided {
        destroyed: 0,
        kept: Vec::new(),
    };
    let mut states = false;
    let mut waiting = Vec::new();
    for (ledger, plan) in ledgers.iter().zip(plans) {
        let size = ledger.published().head.size;
        let found = PersonsEvents::find(&custody.journal, ledger, &about.person(), size)?;
        let seqs = found.asked_for(about.include_acted);
        let scope = if request.kind == Kind::Erasure {
            Judge::new(&custody.journal, ledger, asked)?.decide(&seqs)?
        } else {
            restriction(
                classes_alone(&custody.journal, ledger, &seqs)?,
                (request.regime, filed.ground),
            )
        };
        let waits = plan.take(&scope, &filed, asked);
        states |= plan.covering.contains(&filed.seq) || plan.restricting.contains(&filed.seq);
        decided.destroyed += scope.destroyed().count() as u64;
        decided.kept.extend(kept(ledger, &scope));
        waiting.push((ledger, waits));
    }
    filed.decided = Some(decided);
    filed::keep(&custody.journal, tenant, &filed)?;
    for (ledger, waits) in waiting {
        waiting::keep(&custody.journal, ledger, &filed.request.id, &waits)?;
    }
    if !states {
        if let Err(error) = near::check(&custody.journal, tenant, &about) {
            // Somebody was recorded since it was ordered: a person looks again.
            tracing::warn!(%error, "a data subject request is not answered yet");
            return Ok(false);
        }
        first_answer(custody, tenant, &mut filed, &[])?;
    }
    Ok(states)
}

/// Decides again over what waits and may go now.
fn decide_waiting(
    custody: &Custody,
    (tenant, ledger): (&Tenant, &Ledger),
    now: UnixMillis,
    plan: &mut Plan,
) -> Result<(), PrivacyError> {
    let waiting = waiting::all(&custody.journal, ledger)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let rows = filed::all(&custody.journal, tenant)?;
    for (id, mut waits) in waiting {
        let row = rows.iter().find(|filed| filed.request.id == id);
        let state = row.map(|filed| filed.request.state());
        // Of those that are open it was decided just now.
        if matches!(state, Some(State::Open | State::Executing)) {
            continue;
        }
        waits.drop_deleted(&custody.journal, ledger)?;
        if waits.events.is_empty() {
            // Answered first: done twice it changes nothing.
            if !waiting::waits_elsewhere(&custody.journal, tenant, ledger, &id)? {
                conclude::went_by_itself(custody, tenant, row)?;
            }
            waiting::keep(&custody.journal, ledger, &id, &waits)?;
            continue;
        }
        let due = waits.due(now);
        if due.is_empty() {
            continue;
        }
        let scope = Judge::new(&custody.journal, ledger, waits.asked(now))?.decide(&due)?;
        waits.retain(|seq| due.binary_search(&seq).is_err());
        for (seq, _, deletion) in &scope.events {
            match deletion {
                EventDecision::Destroy => {
                    plan.covers.insert(*seq);
                    plan.covering
                        .insert(row.map_or(waits.request, |filed| filed.seq));
                    // Until it is gone, it is looked at with every run.
                    waits.add(*seq, None);
                }
                EventDecision::Keep(reason) => waits.add(*seq, reason.due()),
            }
        }
        waiting::keep(&custody.journal, ledger, &id, &waits)?;
    }
    Ok(())
}

impl Plan {
    /// Takes in what becomes of one request's events; gives what of them waits.
    fn take(&mut self, scope: &ErasureScope, filed: &Filed, asked: Asked) -> Waiting {
        let mut waits = Waiting {
            request: filed.seq,
            asked_at_ms: asked.at.get(),
            regime: asked.regime,
            events: Vec::new(),
        };
        for (seq, _, deletion) in &scope.events {
            match deletion {
                EventDecision::Destroy => {
                    self.covers.insert(*seq);
                    self.covering.insert(filed.seq);
                }
                EventDecision::Keep(reason) => {
                    if reason.state != Standing::Refusal {
                        self.restricts.insert(*seq);
                        self.restricting.insert(filed.seq);
                    }
                    if filed.request.kind == Kind::Erasure {
                        waits.add(*seq, reason.due());
                    }
                }
            }
        }
        waits
    }

    fn state(
        &self,
        ledger: &Ledger,
        (part, parts): (usize, usize),
        (event, by): (DecisionEvent, &str),
        rows: Option<&Changing<'_>>,
    ) -> Result<PreparedEvent, PrivacyError> {
        let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes()?;
        let items = |seqs: &BTreeSet<Seq>, requests: &BTreeSet<u64>| {
            let items = seqs.iter().copied().collect();
            let tree = ItemTree::new(&ledger.recorder().system_key.key, &nonce, items);
            ItemsSection {
                items: tree.size(),
                root: tree.root().to_string(),
                cause: DeletionBasis::Request.as_str().to_owned(),
                requests: requests.iter().copied().collect(),
            }
        };
        let is_divided = parts > 1;
        let own = StatedSections {
            covers: (!self.covers.is_empty()).then(|| items(&self.covers, &self.covering)),
            restricts: (!self.restricts.is_empty())
                .then(|| items(&self.restricts, &self.restricting)),
            ..StatedSections::default()
        };
        let job = JobSection {
            events: self.covers.len() as u64,
            restricted: Some(self.restricts.len() as u64),
            ground: self.ground,
            part: is_divided.then_some(part as u64),
            parts: is_divided.then_some(parts as u64),
            by: by.to_owned(),
            ..JobSection::default()
        };
        let decision = DecisionSections::new(own, job);
        let states = Statement::Erasure {
            covers: self.covers.iter().copied().collect(),
            restricts: self.restricts.iter().copied().collect(),
        };
        Ok(prepare_statement(
            ledger,
            nonce,
            event(decision),
            rows,
            states,
        )?)
    }
}
