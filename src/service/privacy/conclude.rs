//! Answering requests for erasure and restriction: once the job is over, and once more when what stayed went, too.

use std::sync::Arc;

use serde_json::{Value, json};

use super::PrivacyError;
use super::certify::{Answer, issue, what_was_destroyed};
use super::filed::{self, Filed, FirstAnswer};
use super::register::{named, record};
use super::view::ShownRequest;
use super::waiting;
use crate::ids::Seq;
use crate::privacy::{Events, Kept, KeptState, Kind, Outcome, State};
use crate::service::Engine;
use crate::service::append::append_statement;
use crate::service::keyring::KeyError;
use crate::service::ledger::Ledger;
use crate::service::read::open_statement;
use crate::store::{CoverCause, RESTRICTS, Statement};
use crate::time::UnixMillis;

/// The requests that a statement serves.
pub(super) fn of_statement(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
) -> Result<Vec<Filed>, PrivacyError> {
    let mut requests = requests_of(engine, ledger, statement, "covers")?;
    requests.extend(requests_of(engine, ledger, statement, "restricts")?);
    let rows = filed::all(engine, ledger)?.into_iter();
    Ok(rows.filter(|filed| requests.contains(&filed.seq)).collect())
}

/// The entries of the requests for which a statement covers, or restricts, events.
fn requests_of(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
    name: &str,
) -> Result<Vec<u64>, PrivacyError> {
    let stated = open_statement(engine, ledger, statement)?;
    let stands_in = &ledger.place_of(statement).0.origin;
    let section = stated.stated(&ledger.record.origin, stands_in, name);
    let section: Value = serde_json::from_slice(&section.unwrap_or_default()).unwrap_or_default();
    let seqs = section["requests"].as_array().into_iter().flatten();
    Ok(seqs.filter_map(Value::as_u64).collect())
}

/// What else was stated for a request together with a statement, in all ledgers of its tenant: each ledger with the
/// statement as its tables name it, and whether it covers events.
fn stated_together(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
    request: u64,
) -> Result<Vec<Together>, PrivacyError> {
    let (_, recorded) = ledger.place_of(statement);
    let mut together = Vec::new();
    for ledger in engine.ledgers_of(ledger) {
        let number = ledger.record.number;
        let statements = engine.ledgers.statements(number).map_err(KeyError::from)?;
        for (named, kind, is_open) in statements {
            let (record, seq) = ledger.place_of(named);
            let is_near = seq.get().abs_diff(recorded.get()) <= TOGETHER_MAX;
            let is_of_requests = kind == RESTRICTS || kind == CoverCause::Request.kind();
            if record.number != ledger.desk().number || !is_near || !is_of_requests {
                continue;
            }
            let covers = requests_of(engine, &ledger, named, "covers")?.contains(&request);
            if covers || requests_of(engine, &ledger, named, "restricts")?.contains(&request) {
                together.push(Together {
                    recorded: seq,
                    restriction: (Arc::clone(&ledger), named),
                    covers,
                    is_open,
                });
            }
        }
    }
    Ok(together)
}

/// A statement for a request.
struct Together {
    /// Its entry.
    recorded: Seq,
    /// The ledger that it is about, and its name there.
    restriction: (Arc<Ledger>, Seq),
    covers: bool,
    is_open: bool,
}

/// Statements of one decision stand together: so far from each other at most.
const TOGETHER_MAX: u64 = 4_096;

/// Answers the requests that a statement serves, now that what it states is done. Done twice, it changes nothing.
pub(in crate::service) fn answer_all(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
) -> Result<(), PrivacyError> {
    let _one = engine.privacy.change();
    let desk = ledger.recorder();
    let (_, recorded) = ledger.place_of(statement);
    for mut filed in of_statement(engine, ledger, statement)? {
        let together = stated_together(engine, ledger, statement, filed.seq)?;
        // What else was stated for it is still being done: whoever ends last answers.
        let is_open = |other: &Together| other.is_open && other.recorded != recorded;
        if together.iter().any(is_open) {
            continue;
        }
        let covering = together.iter().filter(|other| other.covers);
        let mut by: Vec<Seq> = covering.map(|other| other.recorded).collect();
        by.sort_unstable();
        if by.is_empty() {
            by.push(recorded);
        }
        match filed.request.state() {
            State::Open | State::Executing => {
                first_answer(engine, desk, &mut filed, &by)?;
            }
            State::Restricted | State::Closed | State::AwaitingIdentity => {
                last_answer(engine, desk, filed, &by)?;
            }
        }
    }
    Ok(())
}

/// Says what was destroyed, what stays, until when and why. The person learns it from the certificate.
pub(super) fn first_answer(
    engine: &Engine,
    ledger: &Ledger,
    filed: &mut Filed,
    statements: &[Seq],
) -> Result<(), PrivacyError> {
    let now = engine.clock.wall();
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
    for ledger in engine.ledgers_of(ledger) {
        is_waiting |= waiting::of(engine, &ledger, &filed.request.id)?.is_some();
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
        engine,
        ledger,
        filed,
        statements,
        (outcome, events, decided.kept),
    )
}

/// What stayed of a request for erasure has gone by a later statement.
fn last_answer(
    engine: &Engine,
    ledger: &Ledger,
    mut filed: Filed,
    statements: &[Seq],
) -> Result<(), PrivacyError> {
    let id = filed.request.id.clone();
    let (mut destroyed, mut waiting) = (0, Vec::new());
    for ledger in engine.ledgers_of(ledger) {
        if let Some(mut waits) = waiting::of(engine, &ledger, &id)? {
            let before = waits.seqs().len();
            waits.drop_gone(engine, &ledger)?;
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
        filed.request.answer(engine.clock.wall(), Outcome::Erased)?;
        let answer = (Outcome::Erased, events, Vec::new());
        give(engine, ledger, &mut filed, statements, answer)?;
    }
    for (ledger, waits) in waiting {
        waiting::keep(engine, &ledger, &id, &waits)?;
    }
    Ok(())
}

/// What stayed of a request has gone in the ordinary course: nothing of it is held any more.
pub(super) fn went_by_itself(
    engine: &Engine,
    ledger: &Ledger,
    filed: Option<&Filed>,
) -> Result<(), PrivacyError> {
    let Some(mut filed) = filed.cloned() else {
        return Ok(());
    };
    if filed.request.state() != State::Restricted {
        return Ok(());
    }
    let outcome = Outcome::NothingHeld;
    filed.request.answer(engine.clock.wall(), outcome)?;
    let answer = (outcome, Events::default(), Vec::new());
    give(engine, ledger, &mut filed, &[], answer)
}

/// Records an answer, and issues its certificate while it is known who asked.
fn give(
    engine: &Engine,
    ledger: &Ledger,
    filed: &mut Filed,
    statements: &[Seq],
    (outcome, events, kept): (Outcome, Events, Vec<Kept>),
) -> Result<(), PrivacyError> {
    let (statement, also) = match statements.split_last() {
        Some((last, others)) if events.destroyed > 0 => (Some(*last), others),
        _ => (None, &[][..]),
    };
    let mut section = named(&filed.request);
    section["outcome"] = json!(outcome);
    section["events"] = json!(events);
    section["statement"] = json!(statement.map(Seq::get));
    section["export"] = json!(null);
    section["by"] = json!("trailkeep");
    let seq = record(engine, ledger, "answer", ("answer", &section))?;
    let destroyed = statement.map(|by| what_was_destroyed(engine, (by, also)));
    let answer = Answer {
        seq,
        outcome,
        events,
        bundle: None,
        destroyed: destroyed.transpose()?,
        kept,
        openings_given: None,
    };
    filed.epoch = engine.keyring.epochs().last().map(|last| last.number.0);
    if let Ok(mut about) = filed.about(ledger) {
        about.certificate = Some(issue(engine, ledger, (filed, &about), answer)?);
        filed.set_about(ledger, &about)?;
    }
    Ok(filed::keep(engine, ledger, filed)?)
}

/// Shows again what a person's restriction hid, and closes the request.
pub fn lift(
    engine: &Engine,
    ledger: &Ledger,
    id: &str,
    by: &str,
) -> Result<ShownRequest, PrivacyError> {
    let _one = engine.privacy.change();
    let now = engine.clock.wall();
    let mut filed = filed::find(engine, ledger, id)?;
    let is_restriction = filed.request.kind == Kind::Restriction;
    let statement = filed.answered.as_ref().and_then(|first| first.statement);
    let (Some(restriction), true, State::Restricted) =
        (statement, is_restriction, filed.request.state())
    else {
        return Err(PrivacyError::NotRestricted);
    };
    let restriction = Seq::new(restriction);
    for one in stated_together(engine, ledger.recorder(), restriction, filed.seq)? {
        let (ledger, restriction) = one.restriction;
        let lift = json!({"restricts": restriction.get(), "requests": [filed.seq], "by": by});
        let lift = lift.to_string();
        let sections: [(&str, &[u8]); 2] = [
            ("action", b"\"trailkeep.privacy.lift\""),
            ("lift", lift.as_bytes()),
        ];
        let states = Statement::Lift { restriction };
        append_statement(&engine.writer, &ledger, &sections, states)?;
    }
    filed.request.answer(now, Outcome::Restricted)?;
    filed::keep(engine, ledger, &filed)?;
    let about = filed.about(ledger).ok();
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

/// Until when something stays; none where that is not known of all of it.
fn last_of(kept: &[Kept]) -> Option<UnixMillis> {
    let until = |row: &Kept| UnixMillis::parse_rfc3339(row.until.as_deref()?);
    let all: Option<Vec<_>> = kept.iter().map(until).collect();
    all?.into_iter().max()
}
