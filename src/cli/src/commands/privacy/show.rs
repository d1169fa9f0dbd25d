//! Requests for people.

use serde::Serialize;

use crate::commands::client::Received;
use crate::commands::failure::Failure;
use crate::commands::output::print_line;
use crate::commands::table::{Fit, Table};
use trailkeep_api::privacy::{
    DryRun, EventsHeld, KeptEvents, NearMatches, PersonRequest, RequestList,
};
use trailkeep_proof::privacy::certificate::Certificate;
use trailkeep_proof::privacy::{Day, IdentityKind, Manner};
use trailkeep_proof::text::counted;

/// The word that stands for a value on the wire.
pub(super) fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    let word = value.as_ref().and_then(|value| value.as_str());
    word.unwrap_or_default().to_owned()
}

fn day(day: Option<Day>) -> String {
    day.map_or_else(String::new, |day| day.to_string())
}

pub(super) fn print_request(answer: &Received<PersonRequest>, json: bool) -> anyhow::Result<()> {
    if json {
        return answer.print();
    }
    let request = answer.read()?;
    let mut due = day(request.due);
    if request.legal_due != request.due {
        due = format!("{due} (by law {})", day(request.legal_due));
    }
    if request.overdue {
        due.push_str(", OVERDUE");
    }
    let identity = identity_of(&request);
    let forgotten = request.forgotten_on;
    let forgotten = forgotten.map(|day| format!("whom it was about was forgotten on {day}"));
    let about = request.subject.map(|subject| {
        if subject.namespace.is_empty() {
            subject.id
        } else {
            format!("{} ({})", subject.id, subject.namespace)
        }
    });
    let state = word(&request.state);
    let rows = [
        ("request", request.id),
        ("receipt", request.receipt),
        ("about", about.or(forgotten).unwrap_or_default()),
        ("reference", request.reference.unwrap_or_default()),
        (
            "type",
            format!("{} ({})", word(&request.kind), word(&request.regime)),
        ),
        (
            "state",
            match request.decision {
                Some(decision) => format!("{state}, {decision}"),
                None => state,
            },
        ),
        (
            "ground",
            request.ground.map_or_else(String::new, |ground| {
                format!("{} (GDPR Art. {})", ground.as_str(), ground.article())
            }),
        ),
        ("received on", request.received_on.to_string()),
        ("manner", manner_of(request.manner)),
        ("identity", identity),
        ("acknowledge by", day(request.acknowledge_by)),
        ("due", due),
        ("extended on", day(request.extended_on)),
        ("closed at", request.closed_at.unwrap_or_default()),
        (
            "events",
            request.held.map(events_in_words).unwrap_or_default(),
        ),
        ("recorded", format!("as seq {}", request.seq)),
    ];
    for (name, value) in rows {
        if !value.is_empty() {
            print_line(&format!("{name:<14} {value}"))?;
        }
    }
    for line in near_lines(request.near.as_ref()) {
        print_line(&format!("{:<14} {line}", "near"))?;
    }
    Ok(())
}

/// One request with what was kept, which its certificate says in full.
pub(super) fn print_one(answer: &Received<PersonRequest>, json: bool) -> anyhow::Result<()> {
    print_request(answer, json)?;
    if json {
        return Ok(());
    }
    for row in &answer.read()?.kept {
        print_line(&format!("{:<14} {}", "kept", kept_in_words(row)))?;
    }
    Ok(())
}

fn manner_of(manner: Option<Manner>) -> String {
    manner.map_or("", Manner::as_str).to_owned()
}

/// Whether the requester's identity was checked.
pub(super) fn identity_checked(request: &PersonRequest) -> Option<&'static str> {
    let checked = request.identity_checked;
    checked.map(
        |is_checked| {
            if is_checked { "checked" } else { "not checked" }
        },
    )
}

/// Such as `checked, document`.
fn identity_of(request: &PersonRequest) -> String {
    let kind = request.identity_kind.map(IdentityKind::as_str);
    let said = identity_checked(request).into_iter().chain(kind);
    said.collect::<Vec<_>>().join(", ")
}

/// What was kept when it was answered, until when and on which ground.
pub(super) fn kept_in_words(row: &KeptEvents) -> String {
    let until = row.until.as_deref().map(|until| format!(" until {until}"));
    let citation = if row.citation.is_empty() {
        String::new()
    } else {
        format!(" ({})", row.citation)
    };
    format!(
        "{} {}{}: {}{citation}",
        counted(row.events, "event"),
        word(&row.state),
        until.unwrap_or_default(),
        row.ground
    )
}

fn events_in_words(held: EventsHeld) -> String {
    format!(
        "{} about the data subject, {} in which they are only the actor",
        held.as_subject, held.as_actor
    )
}

/// The data subjects with a near identifier, one a line; none without.
fn near_lines(near: Option<&NearMatches>) -> Vec<String> {
    let Some(near) = near else {
        return Vec::new();
    };
    let persons = near.persons.iter();
    let mut lines: Vec<String> = persons
        .map(|one| {
            let namespace = if one.namespace.is_empty() {
                "without a namespace".to_owned()
            } else {
                format!("in the namespace {}", one.namespace)
            };
            let (id, events) = (&one.masked_id, one.events);
            let events = counted(events, "event");
            format!("{id} {namespace}: {events}, outside the scope of this request")
        })
        .collect();
    if !near.complete {
        lines.push("not all identifiers are compared yet: retry later".to_owned());
    }
    lines
}

/// Refuses an answer of "nothing held" beside near identifiers, before a copy is made.
pub(super) fn check_near(
    request: &PersonRequest,
    (is_said, is_acted): (bool, bool),
) -> anyhow::Result<()> {
    let held = request.held.unwrap_or_default();
    let is_held = held.as_subject != 0 || (is_acted && held.as_actor != 0);
    let near = request.near.as_ref();
    let is_near = near.is_some_and(|near| !near.persons.is_empty());
    if is_held || is_said || !is_near {
        return Ok(());
    }
    let refused = format!(
        "nothing is held under this identifier and namespace, but under similar ones:\n  {}\nthe request {} is filed and open: file a request for the right identifier and close this one as withdrawn, or `trailkeep privacy close {1} --decision answered --not-the-same-person REASON` after `trailkeep privacy bundle`",
        near_lines(near).join("\n  "),
        request.id,
    );
    Err(Failure::refused(refused).into())
}

/// What an answer says of an erasure or restriction.
pub(super) fn print_certificate(certificate: &Certificate) -> anyhow::Result<()> {
    let events = certificate.events;
    let mut rows = vec![
        ("outcome", word(&certificate.outcome)),
        ("destroyed", counted(events.destroyed, "event")),
        ("kept", counted(events.kept, "event")),
    ];
    if let Some(destroyed) = &certificate.destroyed {
        rows.push(("deleted at", destroyed.live_at.clone()));
        let pending =
            "with the next vault rotation, within 24 hours (`trailkeep key rotate-vault`)";
        let replicas = destroyed.copies_dead_at.as_deref().unwrap_or(pending);
        rows.push(("replicas", replicas.to_owned()));
    }
    for (name, value) in rows {
        print_line(&format!("{name:<14} {value}"))?;
    }
    if certificate.kept.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        ("class", Fit::Part),
        ("policies", Fit::Part),
        ("events", Fit::Part),
        ("state", Fit::Part),
        ("until", Fit::Part),
        ("ground", Fit::Spare),
        ("citation", Fit::Spare),
    ]);
    for row in &certificate.kept {
        table.add_row([
            row.class.to_string(),
            row.policies.join(", "),
            row.events.to_string(),
            word(&row.state),
            row.until.clone().unwrap_or_default(),
            row.ground.clone(),
            row.citation.clone(),
        ]);
    }
    Ok(print_line(&table.to_string())?)
}

pub(super) fn print_list(listed: &Received<RequestList>, json: bool) -> anyhow::Result<()> {
    if json {
        return listed.print();
    }
    let mut table = Table::new([
        ("request", Fit::Key),
        ("receipt", Fit::Spare),
        ("type", Fit::Part),
        ("state", Fit::Part),
        ("received on", Fit::Spare),
        ("due", Fit::Part),
        ("reference", Fit::Part),
        ("manner", Fit::Spare),
        ("identity", Fit::Spare),
        ("kept", Fit::Spare),
    ]);
    for request in listed.read()?.requests {
        let mut due = day(request.due);
        if request.overdue {
            due.push_str(" OVERDUE");
        }
        let (identity, manner) = (identity_of(&request), manner_of(request.manner));
        let kept = request.kept.iter().map(kept_in_words);
        let kept: Vec<String> = kept.collect();
        table.add_row([
            request.id,
            request.receipt,
            word(&request.kind),
            request.decision.unwrap_or_else(|| word(&request.state)),
            request.received_on.to_string(),
            due,
            request.reference.unwrap_or_default(),
            manner,
            identity,
            kept.join("; "),
        ]);
    }
    Ok(print_line(&table.to_string())?)
}

/// What a request would do.
pub(super) fn print_dry_run(said: &Received<DryRun>, json: bool) -> anyhow::Result<()> {
    if json {
        return said.print();
    }
    let text = dry_run_text(&said.read()?);
    Ok(print_line(&format!("Nothing was done. {text}"))?)
}

/// The same as text.
pub(super) fn dry_run_text(said: &DryRun) -> String {
    let held = said.held;
    let mut lines = format!(
        "Held: {} about the data subject, {} in which they are only the actor.",
        counted(held.as_subject, "event"),
        held.as_actor
    );
    for line in near_lines(said.near.as_ref()) {
        lines.push_str("\nNear: ");
        lines.push_str(&line);
    }
    if said.classes.is_empty() {
        return lines;
    }
    let mut table = Table::new([
        ("class", Fit::Part),
        ("policies", Fit::Part),
        ("events", Fit::Part),
        ("would be", Fit::Part),
        ("until", Fit::Part),
        ("ground", Fit::Spare),
        ("citation", Fit::Spare),
    ]);
    for row in &said.classes {
        let open = if row.ground.is_some() { "open" } else { "" };
        table.add_row([
            &row.class.to_string(),
            &row.policies.join(", "),
            &row.events.to_string(),
            &row.outcome,
            row.until.as_deref().unwrap_or(open),
            row.ground.as_deref().unwrap_or_default(),
            row.citation.as_deref().unwrap_or_default(),
        ]);
    }
    lines.push('\n');
    lines.push_str(&table.to_string());
    lines
}
