//! Answering requests for erasure and restriction: once the job is over, and once more when what stayed went, too.

use std::sync::Arc;

use crate::destroy::job::{Completion, CompletionError, Leaving};
use crate::govern::Custody;
use crate::journal::Journal;
use crate::journal::append::append_statement_changing;
use crate::journal::read::open_statement;
use crate::keys::keyring::KeyError;
use crate::keys::rows::Changes;
use crate::requests::certify::{Answer, issue, what_was_destroyed};
use crate::requests::filed::{Filed, FirstAnswer};
use crate::requests::register::{named, record};
use crate::requests::view::ShownRequest;
use crate::requests::{PrivacyError, filed, implied, waiting};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_ports::Statement;
use trailkeep_proof::ids::{Origin, Seq};
use trailkeep_proof::privacy::{Events, Kept, KeptState, Kind, Outcome, State};
use trailkeep_proof::system::{
    AnswerSection, DecisionSections, ItemsSection, JobSection, LiftSection, StatedSections,
    SystemEvent, SystemRead,
};
use trailkeep_proof::time::UnixMillis;

/// Rows of `kept` in an entry: some hundred bytes each, and an entry is read as a whole.
const STATED_KEPT_MAX: usize = 512;

/// Answers the requests that an erasure serves, as the end of its deletion job.
pub(crate) struct RequestAnswers {
    pub(crate) custody: Arc<Custody>,
}

impl Completion for RequestAnswers {
    fn leaving(
        &self,
        tenant: &Tenant,
        ledger: &Ledger,
        statement: Seq,
    ) -> Result<Vec<Leaving>, CompletionError> {
        Ok(waiting::leaving(
            &self.custody.journal,
            tenant,
            ledger,
            statement,
        )?)
    }

    fn complete(
        &self,
        tenant: &Tenant,
        ledger: &Ledger,
        statement: Seq,
    ) -> Result<(), CompletionError> {
        Ok(answer_all(&self.custody, tenant, ledger, statement)?)
    }
}

/// The requests that a statement serves.
pub(super) fn of_statement(
    journal: &Journal,
    tenant: &Tenant,
    ledger: &Ledger,
    statement: Seq,
) -> Result<Vec<Filed>, PrivacyError> {
    let stated = Stated::open(journal, ledger, statement)?;
    let mut rows = filed::all(journal, tenant)?;
    rows.retain(|filed| stated.serves(filed));
    Ok(rows)
}

/// A statement that serves requests, as it is read.
struct Stated {
    /// The ledger whose requests they are.
    desk: Origin,
    stands_in: Origin,
    /// Its entry there.
    seq: Seq,
    covering: Vec<u64>,
    restricting: Vec<u64>,
    /// Its place among the statements of one decision, from 0, and how many those are.
    part: (u64, u64),
}

impl Stated {
    fn open(journal: &Journal, ledger: &Ledger, statement: Seq) -> Result<Self, PrivacyError> {
        let stated = open_statement(journal, ledger, statement)?;
        let (record, seq) = ledger.place_of(statement);
        let decision = match stated.system() {
            Ok(SystemRead::Known(event)) => event.into_decision().unwrap_or_default(),
            Ok(SystemRead::Unknown(_)) | Err(_) => DecisionSections::default(),
        };
        let JobSection { part, parts, .. } = decision.job;
        let says = decision.scope.of(&ledger.record.origin, &record.origin);
        let requests =
            |items: Option<ItemsSection>| items.map(|items| items.requests).unwrap_or_default();
        Ok(Self {
            desk: ledger.active_record().record().origin.clone(),
            stands_in: record.origin.clone(),
            seq,
            covering: requests(says.covers),
            restricting: requests(says.restricts),
            part: part.zip(parts).unwrap_or((0, 1)),
        })
    }

    fn covers_for(&self, filed: &Filed) -> bool {
        self.names(&self.covering, filed)
    }

    fn restricts_for(&self, filed: &Filed) -> bool {
        self.names(&self.restricting, filed)
    }

    fn serves(&self, filed: &Filed) -> bool {
        self.covers_for(filed) || self.restricts_for(filed)
    }

    fn names(&self, requests: &[u64], filed: &Filed) -> bool {
        let is_it = |seq: &u64| filed.is_at(&self.desk, (&self.stands_in, *seq));
        requests.iter().any(is_it)
    }

    /// Whether an entry of the same ledger states another part of the decision.
    fn is_with(&self, seq: Seq) -> bool {
        let (place, parts) = self.part;
        let first = self.seq.get().saturating_sub(place);
        seq != self.seq && (first..first + parts).contains(&seq.get())
    }
}

/// What else one decision stated, in other ledgers of the tenant or apart: each with whether it is still being done.
fn stated_together(
    journal: &Journal,
    tenant: &Tenant,
    stated: &Stated,
) -> Result<Vec<(Stated, bool)>, PrivacyError> {
    let mut together = Vec::new();
    if stated.part.1 == 1 {
        return Ok(together);
    }
    for ledger in tenant.all() {
        let number = ledger.record.number;
        let statements = journal.ledgers.statements(number).map_err(KeyError::from)?;
        for (named, _, is_open) in statements {
            let (record, seq) = ledger.place_of(named);
            if record.origin == stated.stands_in && stated.is_with(seq) {
                together.push((Stated::open(journal, ledger, named)?, is_open));
            }
        }
    }
    Ok(together)
}

/// Answers the requests that a statement serves, now that what it states is done. Done twice, it changes nothing.
fn answer_all(
    custody: &Custody,
    tenant: &Tenant,
    ledger: &Ledger,
    statement: Seq,
) -> Result<(), PrivacyError> {
    let _one = custody.journal.locks.requests();
    let stated = Stated::open(&custody.journal, ledger, statement)?;
    // What a closed ledger stated itself proves nothing where the answer stands: its requests are decided anew.
    if stated.stands_in != tenant.active().record.origin {
        return Ok(());
    }
    let together = stated_together(&custody.journal, tenant, &stated)?;
    let served = filed::all(&custody.journal, tenant)?.into_iter();
    for mut filed in served.filter(|filed| stated.serves(filed)) {
        // What else was stated for it is still being done: whoever ends last answers.
        let mut others = together.iter().filter(|(other, _)| other.serves(&filed));
        if others.any(|(_, is_open)| *is_open) {
            continue;
        }
        let parts = together.iter().map(|(other, _)| other).chain([&stated]);
        let covering = parts.filter(|part| part.covers_for(&filed));
        let mut by: Vec<Seq> = covering.map(|part| part.seq).collect();
        by.sort_unstable();
        if by.is_empty() {
            by.push(stated.seq);
        }
        match filed.request.state() {
            State::Open | State::Executing => first_answer(custody, tenant, &mut filed, &by)?,
            State::Restricted | State::Closed | State::AwaitingIdentity => {
                last_answer(custody, tenant, filed, &by)?;
            }
        }
    }
    Ok(())
}

/// Says what was destroyed, what stays, until when and why. The person learns it from the certificate.
pub(super) fn first_answer(
    custody: &Custody,
    tenant: &Tenant,
    filed: &mut Filed,
    statements: &[Seq],
) -> Result<(), PrivacyError> {
    let now = custody.journal.clock.wall();
    let decided = filed.decided.clone().ok_or(PrivacyError::NotDecided)?;
    let kept: u64 = decided.kept.iter().map(|row| row.events).sum();
    let events = Events {
        held: decided.destroyed + kept,
        disclosed: 0,
        destroyed: decided.destroyed,
        kept,
    };
    let outcome = outcome_of(events, &decided.kept);
    let mut is_waiting = false;
    for ledger in tenant.all() {
        is_waiting |= waiting::of(&custody.journal, ledger, &filed.request.id)?.is_some();
    }
    let is_restriction = filed.request.kind == Kind::Restriction && kept > 0;
    if let Some(statement) = statements.last() {
        if filed.request.state() == State::Open {
            filed.request.execute(statement.get())?;
        }
        if is_waiting || is_restriction {
            filed.request.restrict(last_of(&decided.kept))?;
        } else {
            filed.request.answer(now, outcome)?;
        }
    } else {
        filed.request.answer(now, outcome)?;
    }
    filed.answered = Some(FirstAnswer {
        at_ms: now.get(),
        outcome,
        statement: statements.last().map(|statement| statement.get()),
    });
    give(
        custody,
        tenant,
        filed,
        statements,
        (outcome, events, decided.kept),
    )?;
    if filed.request.closed().is_some() {
        // A restriction that met no event keeps none.
        implied::release(&custody.journal, tenant, &filed.request.id, "trailkeep")?;
    }
    Ok(())
}

/// What stayed of a request for erasure has gone by a later statement.
fn last_answer(
    custody: &Custody,
    tenant: &Tenant,
    mut filed: Filed,
    statements: &[Seq],
) -> Result<(), PrivacyError> {
    let id = filed.request.id.clone();
    let (mut destroyed, mut waiting) = (0, Vec::new());
    for ledger in tenant.all() {
        if let Some(mut waits) = waiting::of(&custody.journal, ledger, &id)? {
            let before = waits.seqs().len();
            waits.drop_deleted(&custody.journal, ledger)?;
            destroyed += (before - waits.seqs().len()) as u64;
            waiting.push((ledger, waits));
        }
    }
    if waiting.is_empty() {
        return Ok(());
    }
    let is_over = waiting.iter().all(|(_, waits)| waits.events.is_empty());
    if is_over && filed.request.state() == State::Restricted {
        let events = Events {
            held: destroyed,
            destroyed,
            ..Events::default()
        };
        filed
            .request
            .answer(custody.journal.clock.wall(), Outcome::Erased)?;
        let answer = (Outcome::Erased, events, Vec::new());
        give(custody, tenant, &mut filed, statements, answer)?;
    }
    for (ledger, waits) in waiting {
        waiting::keep(&custody.journal, ledger, &id, &waits)?;
    }
    Ok(())
}

/// What stayed of a request has gone in the ordinary course: nothing of it is held any more.
pub(super) fn went_by_itself(
    custody: &Custody,
    tenant: &Tenant,
    filed: Option<&Filed>,
) -> Result<(), PrivacyError> {
    let Some(mut filed) = filed.cloned() else {
        return Ok(());
    };
    if filed.request.state() != State::Restricted {
        return Ok(());
    }
    let outcome = Outcome::NothingHeld;
    filed
        .request
        .answer(custody.journal.clock.wall(), outcome)?;
    let answer = (outcome, Events::default(), Vec::new());
    give(custody, tenant, &mut filed, &[], answer)
}

/// Records an answer, and issues its certificate while it is known who asked.
fn give(
    custody: &Custody,
    tenant: &Tenant,
    filed: &mut Filed,
    statements: &[Seq],
    (outcome, events, kept): (Outcome, Events, Vec<Kept>),
) -> Result<(), PrivacyError> {
    let (statement, also) = match statements.split_last() {
        Some((last, others)) if events.destroyed > 0 => (Some(*last), others),
        _ => (None, &[][..]),
    };
    let section = AnswerSection {
        name: named(&filed.request),
        outcome,
        events,
        statement: statement.map(Seq::get),
        export: None,
        withheld: None,
        certificate: Some(filed.knows_whom()),
        kept: stated_kept(&kept),
        by: "trailkeep".to_owned(),
    };
    // The row is closed behind the entry, with the certificate: a crash between asks for the answer again.
    let before = filed::find(&custody.journal, tenant, &filed.request.id)?;
    let event = SystemEvent::PrivacyAnswer { answer: section };
    let seq = record(&custody.journal, tenant, &event, &before)?;
    let destroyed = statement.map(|by| what_was_destroyed(custody, (by, also)));
    let answer = Answer {
        seq,
        outcome,
        events,
        bundle: None,
        withheld: None,
        destroyed: destroyed.transpose()?,
        kept,
        openings_given: None,
    };
    filed.epoch = custody
        .journal
        .keyring
        .epochs()
        .last()
        .map(|last| last.number.0);
    if let Ok(mut about) = filed.about(tenant) {
        about.certificate = Some(issue(&custody.journal, tenant, (filed, &about), answer)?);
        filed.set_about(tenant, &about)?;
    }
    Ok(filed::keep(&custody.journal, tenant, filed)?)
}

/// Shows again what a person's restriction hid, and closes the request.
pub fn lift(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    let _one = journal.locks.requests();
    let now = journal.clock.wall();
    let mut filed = filed::find(journal, tenant, id)?;
    let is_restriction = filed.request.kind == Kind::Restriction;
    if !is_restriction || filed.request.state() != State::Restricted {
        return Err(PrivacyError::NotRestricted);
    }
    for ledger in tenant.all() {
        let number = ledger.record.number;
        let restrictions = journal
            .ledgers
            .restrictions(number)
            .map_err(KeyError::from)?;
        for (restriction, lifted_by) in restrictions {
            let stated = Stated::open(journal, ledger, restriction)?;
            if lifted_by.is_some() || !stated.restricts_for(&filed) {
                continue;
            }
            let lift = LiftSection {
                restricts: restriction.get(),
                requests: vec![filed.seq],
                by: by.to_owned(),
            };
            let own = StatedSections {
                lift: Some(lift),
                ..StatedSections::default()
            };
            let event = SystemEvent::PrivacyLift { scope: own.into() };
            let states = Statement::Lift { restriction };
            let mut changes = Changes::default();
            changes.put(
                &journal.keyring,
                tenant.active_record().record(),
                id,
                &filed,
            )?;
            append_statement_changing(journal, ledger, event, states, changes)?;
        }
    }
    filed.request.answer(now, Outcome::Restricted)?;
    filed::keep(journal, tenant, &filed)?;
    implied::release(journal, tenant, id, by)?;
    let about = filed.about(tenant).ok();
    Ok(ShownRequest::of(&filed, about.as_ref(), now))
}

/// In one word.
fn outcome_of(events: Events, kept: &[Kept]) -> Outcome {
    let all = |state: KeptState| kept.iter().all(|row| row.state == state);
    match (events.destroyed, events.kept) {
        (0, 0) => Outcome::NothingHeld,
        (_, 0) => Outcome::Erased,
        (0, _) if all(KeptState::Held) => Outcome::Held,
        (0, _) if all(KeptState::Refused) => Outcome::Refused,
        (0, _) => Outcome::Restricted,
        (_, _) => Outcome::Partial,
    }
}

/// What an entry has of the events that are kept. So many rows that it would grow too large stand in the certificate alone.
fn stated_kept(kept: &[Kept]) -> Vec<Kept> {
    if kept.len() > STATED_KEPT_MAX {
        return Vec::new();
    }
    kept.to_vec()
}

/// Until when something stays; none where that is not known of all of it.
fn last_of(kept: &[Kept]) -> Option<UnixMillis> {
    let until = |row: &Kept| UnixMillis::parse_rfc3339(row.until.as_deref()?);
    let all: Option<Vec<_>> = kept.iter().map(until).collect();
    all?.into_iter().max()
}
