//! What the generator promises.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

const START: UnixMillis = UnixMillis::new(1_793_520_000_000);

fn parsed(count: usize) -> Vec<Value> {
    demo_events(count, 11, START)
        .iter()
        .map(|event| serde_json::from_str(event).expect("an event is JSON"))
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let events = demo_events(200, 5, START);
    assert_eq!(events, demo_events(200, 5, START));
    assert_eq!(events[..50], demo_events(50, 5, START));
    assert_ne!(events, demo_events(200, 6, START));
    assert!(demo_events(0, 5, START).is_empty());
}

#[test]
fn events_are_whole() {
    let allowed = BTreeSet::from([
        "id",
        "occurred_at",
        "action",
        "outcome",
        "actor",
        "subjects",
        "targets",
        "context",
        "llm",
        "input",
        "output",
        "downstream",
        "source",
        "attributes",
    ]);
    let mut ids = BTreeSet::new();
    let mut sequences: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = START;
    for event in parsed(3_000) {
        let sections = event.as_object().unwrap();
        assert!(sections.keys().all(|name| allowed.contains(name.as_str())));
        assert!(ids.insert(event["id"].as_str().unwrap().to_owned()));
        let at = UnixMillis::parse_rfc3339(event["occurred_at"].as_str().unwrap()).unwrap();
        assert!(at > last);
        last = at;
        let sequence = sequences
            .entry(event["source"]["name"].as_str().unwrap().to_owned())
            .or_default();
        *sequence += 1;
        assert_eq!(event["source"]["seq"], *sequence);
    }
    assert!(ids.contains("demo-000001") && ids.contains("demo-003000"));
}

#[test]
fn every_template_is_filled() {
    for event in parsed(5_000) {
        for section in ["input", "output", "downstream"] {
            assert_filled(&event[section]);
        }
    }
}

fn assert_filled(value: &Value) {
    match value {
        Value::String(text) => {
            assert!(!text.contains(['{', '}', '|', '#']), "{text}");
            assert!(
                !text.contains("  ")
                    && !text.contains(" .")
                    && !text.contains("..")
                    && !text.is_empty(),
                "{text}"
            );
        }
        Value::Array(items) => items.iter().for_each(assert_filled),
        Value::Object(members) => members.values().for_each(assert_filled),
        _ => {}
    }
}

#[test]
fn sizes_are_those_of_real_calls() {
    let sizes: Vec<usize> = demo_events(3_000, 8, START)
        .iter()
        .map(String::len)
        .collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    assert!((1_600..3_200).contains(&mean), "mean {mean}");
    assert!(sizes.iter().all(|size| (500..16_384).contains(size)));
    let typical = sizes
        .iter()
        .filter(|size| (800..6_000).contains(*size))
        .count();
    assert!(
        typical * 100 >= sizes.len() * 95,
        "{typical} of {}",
        sizes.len()
    );
}

#[test]
fn inputs_differ() {
    let inputs: BTreeSet<String> = parsed(300)
        .iter()
        .map(|event| event["input"].to_string())
        .collect();
    assert_eq!(inputs.len(), 300);
}

#[test]
fn all_kinds_occur() {
    let events = parsed(1_000);
    let texts = |pointer: &str| -> BTreeSet<String> {
        events
            .iter()
            .filter_map(|event| event.pointer(pointer)?.as_str().map(str::to_owned))
            .collect()
    };
    assert_eq!(texts("/outcome").len(), 3);
    assert_eq!(texts("/actor/type").len(), 3);
    assert_eq!(texts("/llm/request_model").len(), 6);
    assert_eq!(texts("/llm/finish_reason").len(), 4);
    assert_eq!(texts("/subjects/0/id").len(), 12);
    let subjects = |count: usize| {
        events
            .iter()
            .any(|event| event["subjects"].as_array().map_or(0, Vec::len) == count)
    };
    assert!(subjects(0) && subjects(1) && subjects(2));
    let mut turns: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for event in &events {
        if let Some(conversation) = event["context"]["conversation"].as_str() {
            turns
                .entry(conversation)
                .or_default()
                .push(event["input"].as_array().unwrap().len());
        }
    }
    assert!(
        turns
            .values()
            .all(|lengths| lengths.is_sorted_by(|one, next| one < next))
    );
    assert!(turns.values().any(|lengths| lengths.len() > 3));
}
