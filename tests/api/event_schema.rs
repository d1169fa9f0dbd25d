//! The event validator and schema/event.schema.json say the same, on tables of events, on the real
//! ones, and field by field; and what a schema cannot see is refused too.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod event {
    mod agree;
    mod beyond;
    mod properties;
    mod real;
    mod table;
}

use jsonschema::Validator;
use serde_json::Value;
use trailkeep_proof::ledger::event::{Event, EventError, Fault, parse_event};

/// The schema as it is shipped.
const SCHEMA: &str = include_str!("../../schema/event.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The schema, with `format` asserted.
fn validator() -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema())
        .unwrap()
}

fn good(text: &str) -> Event {
    parse_event(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", head(text)))
}

fn faults(text: &[u8]) -> Vec<Fault> {
    match parse_event(text) {
        Err(EventError::Invalid(faults)) => faults,
        other => panic!(
            "expected faults, got {other:?} for {}",
            head(&String::from_utf8_lossy(text))
        ),
    }
}

fn head(text: &str) -> String {
    text.chars().take(300).collect()
}

/// An event with one more member.
fn with(member: &str) -> String {
    format!(r#"{{"action":"chat.completion","actor":{{"id":"u-1"}},{member}}}"#)
}
