//! Requests for people.

use serde_json::Value;

use crate::commands::failure::Failure;
use crate::commands::output::{Table, print_json, print_line};

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn print_request(request: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(request);
    }
    let mut due = text(&request["due"]);
    if request["legal_due"] != request["due"] {
        due = format!("{due} (by law {})", text(&request["legal_due"]));
    }
    if request["overdue"] == true {
        due.push_str(", OVERDUE");
    }
    let about = match text(&request["subject"]["namespace"]) {
        namespace if namespace.is_empty() => text(&request["subject"]["id"]),
        namespace => format!("{} ({namespace})", text(&request["subject"]["id"])),
    };
    let held = &request["held"];
    let events = if held.is_null() {
        String::new()
    } else {
        format!(
            "{} about the data subject, {} in which they are only the actor",
            held["as_subject"], held["as_actor"]
        )
    };
    let state = match text(&request["decision"]) {
        decision if decision.is_empty() => text(&request["state"]),
        decision => format!("{}, {decision}", text(&request["state"])),
    };
    let rows = [
        ("request", text(&request["id"])),
        ("receipt", text(&request["receipt"])),
        ("about", about),
        ("reference", text(&request["reference"])),
        (
            "type",
            format!("{} ({})", text(&request["type"]), text(&request["regime"])),
        ),
        ("state", state),
        ("received on", text(&request["received_on"])),
        ("acknowledge by", text(&request["acknowledge_by"])),
        ("due", due),
        ("extended on", text(&request["extended_on"])),
        ("closed at", text(&request["closed_at"])),
        ("events", events),
        ("recorded", format!("as seq {}", request["seq"])),
    ];
    for (name, value) in rows {
        if !value.is_empty() {
            print_line(&format!("{name:<14} {value}"))?;
        }
    }
    for line in near_lines(&request["near"]) {
        print_line(&format!("{:<14} {line}", "near"))?;
    }
    Ok(())
}

/// The data subjects with a near identifier, one a line; none without.
fn near_lines(near: &Value) -> Vec<String> {
    let persons = near["persons"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = persons
        .map(|one| {
            let namespace = match text(&one["namespace"]) {
                namespace if namespace.is_empty() => "without a namespace".to_owned(),
                namespace => format!("in the namespace {namespace}"),
            };
            let (id, events) = (text(&one["masked_id"]), &one["events"]);
            format!("{id} {namespace}: {events} events, outside the scope of this request")
        })
        .collect();
    if near["complete"] == false {
        lines.push("not all identifiers are compared yet: retry later".to_owned());
    }
    lines
}

/// Refuses an answer of "nothing held" beside near identifiers, before a copy is made.
pub(super) fn check_near(request: &Value, (is_said, is_acted): (bool, bool)) -> anyhow::Result<()> {
    let (held, near) = (&request["held"], &request["near"]);
    let is_held = held["as_subject"] != 0 || (is_acted && held["as_actor"] != 0);
    let is_near = near["persons"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    if is_held || is_said || !is_near {
        return Ok(());
    }
    let refused = format!(
        "nothing is held under this identifier and namespace, but under similar ones:\n  {}\nthe request {} is filed and open: file a request for the right identifier and close this one as withdrawn, or `trailkeep privacy close {1} --decision answered --not-the-same-person REASON` after `trailkeep privacy bundle`",
        near_lines(near).join("\n  "),
        text(&request["id"]),
    );
    Err(Failure::refused(refused).into())
}

/// What an answer says of an erasure or restriction.
pub(super) fn print_certificate(certificate: &Value) -> anyhow::Result<()> {
    let (events, destroyed) = (&certificate["events"], &certificate["destroyed"]);
    let mut rows = vec![
        ("outcome", text(&certificate["outcome"])),
        ("destroyed", format!("{} events", events["destroyed"])),
        ("kept", format!("{} events", events["kept"])),
    ];
    if !destroyed.is_null() {
        rows.push(("deleted at", text(&destroyed["live_at"])));
        let copies = match text(&destroyed["copies_dead_at"]) {
            pending if pending.is_empty() => {
                "with the next vault rotation, within 24 hours (`trailkeep key rotate-vault`)"
                    .to_owned()
            }
            at => at,
        };
        rows.push(("replicas", copies));
    }
    for (name, value) in rows {
        print_line(&format!("{name:<14} {value}"))?;
    }
    let kept = certificate["kept"].as_array();
    let Some(kept) = kept.filter(|kept| !kept.is_empty()) else {
        return Ok(());
    };
    let mut table = Table::new([
        "class", "policies", "events", "state", "until", "ground", "citation",
    ]);
    for row in kept {
        let policies = row["policies"].as_array().into_iter().flatten().map(text);
        table.add_row([
            text(&row["class"]),
            policies.collect::<Vec<_>>().join(", "),
            text(&row["events"]),
            text(&row["state"]),
            text(&row["until"]),
            text(&row["ground"]),
            text(&row["citation"]),
        ]);
    }
    Ok(print_line(&table.to_string())?)
}

pub(super) fn print_list(listed: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(listed);
    }
    let mut table = Table::new([
        "request",
        "receipt",
        "type",
        "state",
        "received on",
        "due",
        "reference",
    ]);
    for request in listed["requests"].as_array().into_iter().flatten() {
        let mut due = text(&request["due"]);
        if request["overdue"] == true {
            due.push_str(" OVERDUE");
        }
        let decision = text(&request["decision"]);
        let state = if decision.is_empty() {
            text(&request["state"])
        } else {
            decision
        };
        table.add_row([
            text(&request["id"]),
            text(&request["receipt"]),
            text(&request["type"]),
            state,
            text(&request["received_on"]),
            due,
            text(&request["reference"]),
        ]);
    }
    Ok(print_line(&table.to_string())?)
}

/// What a request would do.
pub(super) fn print_dry_run(said: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(said);
    }
    Ok(print_line(&format!(
        "Nothing was done. {}",
        dry_run_text(said)
    ))?)
}

/// The same as text.
pub(super) fn dry_run_text(said: &Value) -> String {
    let held = &said["held"];
    let mut lines = format!(
        "Held: {} events about the data subject, {} in which they are only the actor.",
        held["as_subject"], held["as_actor"]
    );
    let rows = said["classes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for line in near_lines(&said["near"]) {
        lines.push_str("\nNear: ");
        lines.push_str(&line);
    }
    if rows.is_empty() {
        return lines;
    }
    let mut table = Table::new([
        "class", "policies", "events", "would be", "until", "ground", "citation",
    ]);
    for row in rows {
        let policies = row["policies"].as_array().into_iter().flatten();
        let policies: Vec<&str> = policies.filter_map(Value::as_str).collect();
        let is_kept = !row["ground"].is_null();
        let until = match text(&row["until"]) {
            until if until.is_empty() && is_kept => "open".to_owned(),
            until => until,
        };
        table.add_row([
            text(&row["class"]),
            policies.join(", "),
            text(&row["events"]),
            text(&row["outcome"]),
            until,
            text(&row["ground"]),
            text(&row["citation"]),
        ]);
    }
    lines.push('\n');
    lines.push_str(&table.to_string());
    lines
}
