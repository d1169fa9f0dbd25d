//! The forms that an acknowledged event is recorded in where it can't be recorded as it is. There is always one: what was
//! acknowledged is never lost (invariant 1).

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::ingest::regimes;
use crate::ingest::regimes::UNKNOWN_REGIMES;
use crate::journal::Journal;
use crate::journal::append::{AppendError, Incoming, Refusing};
use crate::tenant::ledger::Ledger;
use trailkeep_policy::ingest::Refusal;
use trailkeep_proof::ids::hex;
use trailkeep_proof::ledger::event::shape::SECTIONS;
use trailkeep_proof::ledger::event::{Event, EventError, MAX_EVENT_BYTES, parse_event};

/// Sections by which an event is found and erased: they stay.
const BARE: [&str; 5] = ["id", "action", "actor", "subjects", "regimes"];
/// Members of `context` by which its call is found.
const TRACE: [&str; 3] = ["trace_id", "span_id", "parent_span_id"];
/// Members of `attributes` that say in what an event differs from what was assembled.
const REFUSED: &str = "refused_by_policy";
const LEFT_OUT: &str = "left_out";
/// Bytes kept free for what is said of the sections that are left out.
const ROOM_BYTES: usize = 64 << 10;
/// Characters of a fault that are told.
const FAULT_CHARS: usize = 512;
const TOO_DEEP: &str = "nested too deeply";

/// What an assembled event is taken in as.
pub(super) struct Taken {
    pub(super) event: Incoming,
    /// Why not all of it.
    pub(super) fault: Option<EventError>,
}

/// The event as it was assembled, or as much of it as is valid.
pub(super) fn taken(text: &[u8]) -> Taken {
    match parse_event(text) {
        Ok(event) => Taken {
            event: incoming(event),
            fault: None,
        },
        Err(fault) => Taken {
            event: incoming(valid_part(text)),
            fault: Some(fault),
        },
    }
}

/// The event as it comes in: all of it is derived.
fn incoming(event: Event) -> Incoming {
    let has = |name: &str| event.section(name).is_some();
    let added = SECTIONS
        .iter()
        .map(|field| field.name)
        .filter(|name| has(name))
        .collect();
    let attributes = event.section("attributes");
    let lacks_regimes = attributes.is_some_and(tells_of_unknown_regimes);
    Incoming {
        event,
        via: "otlp",
        added,
        lacks_regimes,
    }
}

/// Whether attributes say that regimes of the event are unknown. Of nearly all events the text alone says that they do not: the name
/// was written by [`regimes::settle`], without escapes.
fn tells_of_unknown_regimes(attributes: &[u8]) -> bool {
    let mut places = attributes.windows(UNKNOWN_REGIMES.len());
    places.any(|place| place == UNKNOWN_REGIMES.as_bytes())
        && serde_json::from_slice::<Value>(attributes)
            .is_ok_and(|attributes| attributes.get(UNKNOWN_REGIMES).is_some())
}

/// The sections that are valid by themselves, and what of the others can be said without telling them.
fn valid_part(text: &[u8]) -> Event {
    // Values that are nested too deeply to be read are texts here, and so are left out one by one.
    let sections: BTreeMap<String, &RawValue> = serde_json::from_slice(text).unwrap_or_default();
    let nameless = nameless(text);
    let mut kept = nameless.clone();
    let mut left_out = Vec::new();
    for (name, value) in sections {
        let mut tried = kept.clone();
        let read = serde_json::from_str(value.get()).map_err(|_| TOO_DEEP.to_owned());
        let parsed = read.and_then(|read| {
            tried.insert(name.clone(), read);
            parse_with_room(&tried).map_err(|fault| fault.to_string())
        });
        match parsed {
            Ok(_) => kept = tried,
            Err(fault) => {
                let is_known = SECTIONS.iter().any(|field| field.name == name);
                let why: String = fault.chars().take(FAULT_CHARS).collect();
                left_out.push(json!({
                    "section": if is_known { &name } else { "?" },
                    "bytes": value.get().len(),
                    "why": why,
                }));
            }
        }
    }
    // Of one that names no section at all nothing is told but that it was.
    left_out.truncate(SECTIONS.len());
    for mut sections in [kept, nameless] {
        tell(&mut sections, LEFT_OUT, left_out.clone().into());
        if let Ok(event) = parse_event(Value::Object(sections).to_string().as_bytes()) {
            return event;
        }
    }
    parse_event(NOTHING).expect("a text without anything variable is an event: a test parses it")
}

fn parse_with_room(sections: &Map<String, Value>) -> Result<Event, EventError> {
    let text = Value::Object(sections.clone()).to_string();
    let (bytes, limit) = (text.len(), MAX_EVENT_BYTES - ROOM_BYTES);
    if bytes > limit {
        return Err(EventError::TooLarge { bytes, limit });
    }
    parse_event(text.as_bytes())
}

/// An event in the place of one that says nothing valid.
const NOTHING: &[u8] =
    br#"{"action":"gen_ai.unreadable","actor":{"id":"unknown"},"id":"otlp:unreadable"}"#;

/// The same, under an id of its own.
fn nameless(text: &[u8]) -> Map<String, Value> {
    let mut sections: Map<String, Value> = serde_json::from_slice(NOTHING).unwrap_or_default();
    let digest = hex(&Sha256::digest(text)[..16]);
    sections.insert("id".to_owned(), format!("otlp:unreadable:{digest}").into());
    sections
}

/// Whether an event, by its recorded attributes, is recorded in another form than it was assembled in.
pub(super) fn is_reduced(recorded: &Value, assembled: &Value) -> bool {
    [REFUSED, UNKNOWN_REGIMES, LEFT_OUT]
        .iter()
        .any(|name| recorded.get(name).is_some() && assembled.get(name) != recorded.get(name))
}

/// Takes away what the error is about.
pub(super) fn fix(
    journal: &Journal,
    ledger: &Ledger,
    sections: &mut Map<String, Value>,
    refusing: &mut Refusing,
    error: &AppendError,
) {
    match error {
        AppendError::Conflict { .. } => give_another_id(sections),
        // Its regimes were known when it was assembled, and the policies were changed since.
        AppendError::Class { .. } if regimes::settle(journal, ledger, sections) => {}
        AppendError::Class { .. } => set_regimes_aside(sections),
        AppendError::Refused(refusals) => {
            let refusals: Vec<&Refusal> = refusals.iter().map(|(_, refusal)| refusal).collect();
            if !leave_out(sections, &refusals) {
                leave_content_out(sections, &refusals);
                *refusing = Refusing::Nothing;
            }
        }
        _ => {}
    }
}

pub(super) fn sections_of(event: &Incoming) -> Map<String, Value> {
    let sections = event.event.sections().iter();
    sections
        .map(|section| {
            let value = serde_json::from_slice(&section.bytes).unwrap_or_default();
            (section.name.to_string(), value)
        })
        .collect()
}

/// Somebody sent another event with this id: both stay.
fn give_another_id(sections: &mut Map<String, Value>) {
    let text = Value::Object(sections.clone()).to_string();
    let digest = hex(&Sha256::digest(text.as_bytes())[..8]);
    let id = sections
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let other = format!("{id}:other:{digest}");
    sections.insert("id".to_owned(), other.into());
}

/// No class is made of its regimes: the default one applies.
fn set_regimes_aside(sections: &mut Map<String, Value>) {
    if let Some(regimes) = sections.remove("regimes") {
        tell(sections, UNKNOWN_REGIMES, regimes);
    }
}

/// Leaves out the sections in which a policy forbids a member; what was refused is said. Gives whether that fixes it.
fn leave_out(sections: &mut Map<String, Value>, refusals: &[&Refusal]) -> bool {
    let names: Vec<&str> = refusals
        .iter()
        .filter_map(|refusal| refusal.pointer.split('/').nth(1))
        .filter(|name| !BARE.contains(name) && *name != "occurred_at")
        .collect();
    if names.len() < refusals.len() || !names.iter().any(|name| sections.contains_key(*name)) {
        return false;
    }
    let said = refused_by_policy(sections, refusals);
    sections.retain(|name, _| !names.contains(&name.as_str()));
    tell(sections, REFUSED, said.into());
    true
}

/// Leaves out all but what it is found by: that there was a call, and why no more of it is recorded. Its time too, where
/// a policy says that an event of that day is gone already.
fn leave_content_out(sections: &mut Map<String, Value>, refusals: &[&Refusal]) {
    let said = refused_by_policy(sections, refusals);
    let trace: Map<String, Value> = TRACE
        .iter()
        .filter_map(|name| {
            let value = sections.get("context")?.get(name)?;
            Some(((*name).to_owned(), value.clone()))
        })
        .collect();
    sections.retain(|name, _| BARE.contains(&name.as_str()));
    if !trace.is_empty() {
        sections.insert("context".to_owned(), trace.into());
    }
    tell(sections, REFUSED, said.into());
}

/// What was refused until now.
fn refused_by_policy(sections: &Map<String, Value>, refusals: &[&Refusal]) -> Vec<Value> {
    let before = sections
        .get("attributes")
        .and_then(|attributes| attributes.get(REFUSED));
    let mut said = before
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    said.extend(refusals.iter().map(|refusal| {
        json!({"policy": refusal.policy, "pointer": refusal.pointer, "detail": refusal.detail})
    }));
    said
}

/// Says under `attributes` in what the event differs.
fn tell(sections: &mut Map<String, Value>, name: &str, said: Value) {
    let attributes = sections.entry("attributes").or_insert_with(|| json!({}));
    attributes[name] = said;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_at_all_is_still_an_event() {
        parse_event(NOTHING).unwrap();
        for text in ["", "[]", "{}", "{\"action\":7}", "\u{fffd}"] {
            let event = taken(text.as_bytes());
            assert!(event.fault.is_some());
            assert_eq!(event.event.event.facts().action, "gen_ai.unreadable");
        }
    }

    #[test]
    fn what_is_valid_stays_and_the_rest_is_named() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let long = "x".repeat(MAX_EVENT_BYTES);
        let text = format!(
            r#"{{"id":"otlp:1:2","action":"gen_ai.chat","actor":{{"id":"a"}},"subjects":[{{"id":"p"}}],
               "input":{deep},"output":{long:?},"attributes":{{"otel":1}}}}"#
        );
        let taken = taken(text.as_bytes());
        let event = taken.event.event;
        assert_eq!(event.facts().id.as_deref(), Some("otlp:1:2"));
        assert_eq!(event.facts().subjects.len(), 1);
        assert!(event.section("input").is_none() && event.section("output").is_none());
        let said: Value = serde_json::from_slice(event.section("attributes").unwrap()).unwrap();
        assert_eq!(said["otel"], 1);
        let names = said[LEFT_OUT].as_array().unwrap().iter();
        let names: Vec<&str> = names.map(|one| one["section"].as_str().unwrap()).collect();
        assert_eq!(names, ["input", "output"], "{said}");
    }

    #[test]
    fn unknown_regimes_are_told_by_a_member_alone() {
        let tells = |attributes: Value| tells_of_unknown_regimes(attributes.to_string().as_bytes());
        assert!(tells(json!({"a": 1, "unknown_regimes": ["x"]})));
        for other in [
            json!({}),
            json!({"a": "unknown_regimes"}),
            json!({"a": {"unknown_regimes": ["x"]}}),
            json!(["unknown_regimes"]),
        ] {
            assert!(!tells(other.clone()), "{other}");
        }
        assert!(!tells_of_unknown_regimes(b""));
    }

    proptest! {
        /// Whatever was assembled, there is an event for it, and the same one again.
        #[test]
        fn every_text_is_taken_as_an_event(
            names in prop::collection::vec(prop::sample::select(vec!["id", "action", "actor", "subjects", "attributes", "llm", "output", "x"]), 0..8),
            values in prop::collection::vec(prop::sample::select(vec!["1", "\"a\"", "{}", "[]", "{\"id\":\"a\"}", "[{\"id\":\"a\"}]", "\"\\ud800\"", "null"]), 8),
        ) {
            let members = names.iter().zip(&values).map(|(name, value)| format!("{name:?}:{value}"));
            let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
            let (one, again) = (taken(text.as_bytes()), taken(text.as_bytes()));
            prop_assert_eq!(&one.event.event, &again.event.event);
            prop_assert_eq!(one.fault.is_none(), parse_event(text.as_bytes()).is_ok());
        }
    }
}
