//! Properties over random events, random white space, random damage.

use proptest::prelude::*;
use serde_json::Value;
use trailkeep_proof::ledger::event::{parse_event, split_array, split_ndjson};

use super::super::validator;

fn white() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap())
}

/// Random JSON text with white space in it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        text(),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let padded = (white(), inner, white()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let padded = padded.boxed();
        prop_oneof![
            prop::collection::vec(padded.clone(), 0..4)
                .prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::btree_map(any::<String>(), padded, 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| {
                        format!("{}:{value}", serde_json::to_string(name).unwrap())
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// The members of an event in random order, each with its exact text.
fn members() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let free = (json(), json(), any::<bool>(), white());
    free.prop_map(|(input, output, reason, space)| {
        let mut members = vec![
            ("action", "\"chat.completion\"".to_owned()),
            (
                "actor",
                format!("{{{space}\"id\"{space}:{space}\"x\"{space}}}"),
            ),
            ("input", input),
            ("attributes", format!("{{\"a\":{output}}}")),
        ];
        if reason {
            members.push(("output", output));
        }
        members
    })
    .prop_shuffle()
}

proptest! {
    #[test]
    fn sections_are_the_exact_bytes(members in members(), spaces in prop::collection::vec(white(), 24)) {
        let mut spaces = spaces.into_iter();
        let mut space = || spaces.next().unwrap_or_default();
        let texts: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("{}\"{name}\"{}:{}{value}{}", space(), space(), space(), space()))
            .collect();
        let event = parse_event(format!("{}{{{}}}{}", space(), texts.join(","), space()).as_bytes()).unwrap();
        prop_assert_eq!(event.sections().len(), members.len());
        prop_assert!(event.sections().is_sorted_by(|one, other| one.name < other.name));
        for (name, value) in &members {
            prop_assert_eq!(event.section(name).unwrap(), value.as_bytes());
        }
    }

    #[test]
    fn what_serde_json_reads_as_valid_we_read(value in json()) {
        // Also the other way round: what we take of free-form JSON is JSON.
        let text = format!(r#"{{"action":"a","actor":{{"id":"x"}},"input":{value}}}"#);
        prop_assert!(parse_event(text.as_bytes()).is_ok());
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_event(&bytes);
        let _ = split_array(&bytes);
        let _ = split_ndjson(&bytes).count();
    }

    #[test]
    fn damaged_events_never_panic_and_agree(
        members in members(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\0e"[..])],
        cut in any::<bool>(),
    ) {
        let texts: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let mut bytes = format!("{{{}}}", texts.join(",")).into_bytes();
        let place = place.index(bytes.len());
        if cut {
            bytes.remove(place);
        } else {
            bytes[place] = byte;
        }
        let _ = split_array(&bytes);
        if parse_event(&bytes).is_ok() {
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert!(SCHEMA.with(|schema| schema.is_valid(&value)));
        }
    }
}

thread_local! {
    static SCHEMA: jsonschema::Validator = validator();
}
