//! An event has a largest size. What does not fit goes into events that follow it and name it as their target.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::late::{EVENT_TARGET, LATE_ACTION};
use trailkeep_proof::ids::hex;

/// Bytes of a section's JSON that an event of its own has room for, beside what every event has.
const SECTION_BYTES_MAX: usize = 900 << 10;
/// Bytes that stay of a single text which no event has room for.
const HEAD_BYTES: usize = 256 << 10;
/// Sections that may be large, the largest trouble first.
const LARGE: [&str; 4] = ["output", "input", "downstream", "attributes"];

/// The event, and those that hold what it has no room for. `bytes_max` is the largest event.
pub fn fit(mut event: Map<String, Value>, bytes_max: usize) -> Vec<Map<String, Value>> {
    let mut followers = Vec::new();
    for name in LARGE {
        // Room for what the server adds.
        if fits(&event, bytes_max.saturating_sub(1024)) {
            break;
        }
        let Some(section) = event.remove(name) else {
            continue;
        };
        for piece in pieces(section) {
            let follower = follower(&event, name, piece, followers.len());
            followers.push(follower);
        }
    }
    let mut events = vec![event];
    events.append(&mut followers);
    events
}

/// Whether an event's JSON has at most so many bytes. It is written out only where its texts alone do not tell.
fn fits(event: &Map<String, Value>, bytes_max: usize) -> bool {
    members_at_most(event) <= bytes_max
        || serde_json::to_string(event).map_or(0, |text| text.len()) <= bytes_max
}

/// Bytes that a value's JSON has at most: each byte of a text may be escaped, `\u001f`.
fn at_most(value: &Value) -> usize {
    match value {
        Value::String(text) => text_at_most(text),
        Value::Array(items) => items.iter().map(|item| at_most(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => members_at_most(members),
        // Numbers of any precision.
        Value::Number(number) => number.to_string().len(),
        Value::Null | Value::Bool(_) => 5,
    }
}

fn members_at_most(members: &Map<String, Value>) -> usize {
    let members = members.iter();
    members
        .map(|(name, value)| text_at_most(name) + at_most(value) + 2)
        .sum::<usize>()
        + 2
}

const fn text_at_most(text: &str) -> usize {
    text.len() * 6 + 2
}

fn follower(
    first: &Map<String, Value>,
    name: &str,
    piece: Value,
    number: usize,
) -> Map<String, Value> {
    let id = first.get("id").and_then(Value::as_str).unwrap_or_default();
    let mut follower = Map::new();
    for name in [
        "actor",
        "subjects",
        "context",
        "regimes",
        "occurred_at",
        "outcome",
    ] {
        follower.extend(
            first
                .get(name)
                .map(|value| (name.to_owned(), value.clone())),
        );
    }
    follower.insert("id".to_owned(), format!("{id}:part:{}", number + 1).into());
    follower.insert("action".to_owned(), LATE_ACTION.into());
    follower.insert(
        "targets".to_owned(),
        json!([{"type": EVENT_TARGET, "id": id}]),
    );
    let piece = match name {
        // These two are lists and objects by the schema.
        "downstream" | "attributes" => {
            follower.insert("attributes".to_owned(), json!({ name: piece }));
            return follower;
        }
        _ => piece,
    };
    follower.insert(name.to_owned(), piece);
    follower
}

/// Pieces that fit: messages together as far as they do, each else by itself.
fn pieces(section: Value) -> Vec<Value> {
    let length = |value: &Value| value.to_string().len();
    if length(&section) <= SECTION_BYTES_MAX {
        return vec![section];
    }
    let Value::Object(mut members) = section else {
        return vec![cut(&section)];
    };
    let Some(Value::Array(messages)) = members.remove("messages") else {
        return vec![cut(&Value::Object(members))];
    };
    let mut pieces = Vec::new();
    if !members.is_empty() {
        pieces.extend(pieces_of_rest(members));
    }
    let (mut together, mut bytes) = (Vec::new(), 0);
    for message in messages {
        let message = if length(&message) > SECTION_BYTES_MAX {
            cut(&message)
        } else {
            message
        };
        let more = length(&message) + 1;
        if bytes + more > SECTION_BYTES_MAX {
            pieces.push(json!({ "messages": std::mem::take(&mut together) }));
            bytes = 0;
        }
        bytes += more;
        together.push(message);
    }
    pieces.push(json!({ "messages": together }));
    pieces
}

fn pieces_of_rest(members: Map<String, Value>) -> Vec<Value> {
    let rest = Value::Object(members);
    if rest.to_string().len() <= SECTION_BYTES_MAX {
        vec![rest]
    } else {
        vec![cut(&rest)]
    }
}

/// The beginning of a value's JSON, with the size and the hash of all of it.
fn cut(value: &Value) -> Value {
    let text = value.to_string();
    let mut end = HEAD_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let sha256 = hex(&Sha256::digest(text.as_bytes()));
    json!({"cut_off": true, "bytes": text.len(), "sha256": sha256, "begins": text[..end]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_messages_is_lost_and_every_event_fits() {
        let messages: Vec<Value> = (0..5)
            .map(|number| json!({"role": "user", "parts": [{"type": "text", "content": format!("{number}{}", "x".repeat(400 << 10))}]}))
            .collect();
        let event = json!({"id": "otlp:1:2", "action": "gen_ai.chat", "actor": {"id": "a"}, "input": {"messages": messages, "tools": []}, "output": {"messages": []}});
        let events = fit(event.as_object().unwrap().clone(), 1 << 20);
        assert!(events.len() > 2);
        let mut found = Vec::new();
        for event in &events {
            let text = serde_json::to_string(event).unwrap();
            trailkeep_proof::ledger::event::parse_event(text.as_bytes()).unwrap();
            if let Some(Value::Array(messages)) =
                event.get("input").and_then(|input| input.get("messages"))
            {
                found.extend(messages.clone());
            }
        }
        assert_eq!(found, messages);
        assert_eq!(events[1]["targets"][0]["id"], "otlp:1:2");
    }

    #[test]
    fn an_event_that_fits_stays_as_it_is() {
        let event = Map::from_iter([("id".to_owned(), Value::from("x"))]);
        assert_eq!(fit(event.clone(), 1 << 20), [event]);
    }

    #[test]
    fn the_texts_alone_never_say_less_than_the_json_has() {
        let worst = "\u{1f}".repeat(200);
        for value in [
            json!({"a": worst, "\u{1}": [null, false, true, 1.5e-300, u64::MAX, i64::MIN, "", [], {}]}),
            json!({}),
            json!({"a": {"b": {"c": ["é", "\u{10ffff}", "\"", "\\"]}}}),
        ] {
            let event = value.as_object().unwrap();
            let bytes = serde_json::to_string(event).unwrap().len();
            assert!(members_at_most(event) >= bytes, "{value}");
            assert!(fits(event, bytes), "{value}");
            assert!(!fits(event, bytes - 1), "{value}");
        }
    }

    #[test]
    fn a_text_that_no_event_holds_is_cut_off_and_says_so() {
        let event = json!({"id": "x", "action": "a", "actor": {"id": "a"}, "output": {"messages": [{"content": "y".repeat(2 << 20)}]}});
        let events = fit(event.as_object().unwrap().clone(), 1 << 20);
        let message = &events[1]["output"]["messages"][0];
        assert_eq!(message["cut_off"], true);
        assert_eq!(message["sha256"].as_str().unwrap().len(), 64);
    }
}
