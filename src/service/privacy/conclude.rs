//! Answering requests for erasure and restriction: once the job is over, and once more when what stayed went, too.

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
use crate::service::ledger::Ledger;
use crate::service::read::open_event;
use crate::store::Statement;
use crate::time::UnixMillis;

/// The requests that a statement serves.
pub(super) fn of_statement(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
) -> Result<Vec<Filed>, PrivacyError> {
    let stated = open_event(engine, ledger, statement)?;
    let mut requests: Vec<u64> = Vec::new();
    for name in ["covers", "restricts"] {
        let section = stated.section(name).unwrap_or_default();
        let section: Value = serde_json::from_slice(section).unwrap_or_default();
        let seqs = section["requests"].as_array();
        requests.extend(seqs.into_iter().flatten().filter_map(Value::as_u64));
    }
    let rows = filed::all(engine, ledger)?.into_iter();
    Ok(rows.filter(|filed| requests.contains(&filed.seq)).collect())
}

/// Answers the requests that a statement serves, now that what it states is done. Done twice, it changes nothing.
pub(in crate::service) fn answer_all(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
) -> Result<(), PrivacyError> {
    let _one = engine.privacy.change();
    for mut filed in of_statement(engine, ledger, statement)? {
        match filed.request.state() {
            State::Open | State::Executing => {
                first_answer(engine, ledger, &mut filed, Some(statement))?;
            }
            State::Restricted | State::Closed | State::AwaitingIdentity => {
                last_answer(engine, ledger, filed, statement)?;
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
    statement: Option<Seq>,
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
    let is_waiting = waiting::of(engine, ledger, &filed.request.id)?.is_some();
    let is_restriction = filed.request.kind == Kind::Restriction && kept > 0;
    if let Some(statement) = statement {
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
        statement: statement.map(Seq::get),
    });
    give(
        engine,
        ledger,
        filed,
        statement,
        (outcome, events, decided.kept),
    )
}

/// What stayed of a request for erasure has gone by a later statement.
fn last_answer(
    engine: &Engine,
    ledger: &Ledger,
    mut filed: Filed,
    statement: Seq,
) -> Result<(), PrivacyError> {
    let id = filed.request.id.clone();
    let Some(mut waits) = waiting::of(engine, ledger, &id)? else {
        return Ok(());
    };
    let before = waits.seqs().len();
    waits.drop_gone(engine, ledger)?;
    let destroyed = (before - waits.seqs().len()) as u64;
    if waits.events.is_empty() && filed.request.state() == State::Restricted {
        let events = Events {
            held: destroyed,
            destroyed,
            ..Events::default()
        };
        filed.request.answer(engine.clock.wall(), Outcome::Erased)?;
        let answer = (Outcome::Erased, events, Vec::new());
        give(engine, ledger, &mut filed, Some(statement), answer)?;
    }
    Ok(waiting::keep(engine, ledger, &id, &waits)?)
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
    give(engine, ledger, &mut filed, None, answer)
}

/// Records an answer, and issues its certificate while it is known who asked.
fn give(
    engine: &Engine,
    ledger: &Ledger,
    filed: &mut Filed,
    statement: Option<Seq>,
    (outcome, events, kept): (Outcome, Events, Vec<Kept>),
) -> Result<(), PrivacyError> {
    let origin = &ledger.record.origin;
    let statement = statement.filter(|_| events.destroyed > 0);
    let mut section = named(&filed.request);
    section["outcome"] = json!(outcome);
    section["events"] = json!(events);
    section["statement"] = json!(statement.map(Seq::get));
    section["export"] = json!(null);
    section["by"] = json!("trailkeep");
    let seq = record(engine, ledger, "answer", ("answer", &section))?;
    let destroyed = statement.map(|by| what_was_destroyed(engine, by));
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
    if let Ok(mut about) = filed.about(origin) {
        about.certificate = Some(issue(engine, ledger, (filed, &about), answer)?);
        filed.set_about(origin, &about)?;
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
    let lift = json!({"restricts": restriction, "requests": [filed.seq], "by": by}).to_string();
    let sections: [(&str, &[u8]); 2] = [
        ("action", b"\"trailkeep.privacy.lift\""),
        ("lift", lift.as_bytes()),
    ];
    let states = Statement::Lift {
        restriction: Seq::new(restriction),
    };
    append_statement(&engine.writer, ledger, &sections, states)?;
    filed.request.answer(now, Outcome::Restricted)?;
    filed::keep(engine, ledger, &filed)?;
    let about = filed.about(&ledger.record.origin).ok();
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
