//! Every capture, posted to the real program as it was sent, and the events that come out of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::send::{NOON_MS, captures, events, send_capture, wait_for_events};
use crate::support::Directory;

include!("table.rs");

/// One event in a line: action, outcome, models, tokens, finish reason in one spelling and as it came, user, what
/// content it has, tools.
fn line(event: &Value) -> String {
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("-")
            .to_owned()
    };
    let number = |pointer: &str| {
        event
            .pointer(pointer)
            .map_or("-".to_owned(), Value::to_string)
    };
    let has = |section: &str| event.get(section).is_some();
    let content = match (has("input"), has("output")) {
        (true, true) => "in+out",
        (true, false) => "in",
        (false, true) => "out",
        (false, false) => "none",
    };
    let originals = event
        .pointer("/llm/finish_reasons")
        .map_or("-".to_owned(), |reasons| {
            let reasons = reasons
                .as_array()
                .unwrap()
                .iter()
                .map(|reason| reason.as_str().unwrap());
            reasons.collect::<Vec<_>>().join(",")
        });
    let tools = event["downstream"]
        .as_array()
        .map_or("-".to_owned(), |tools| {
            tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap())
                .collect::<Vec<_>>()
                .join(",")
        });
    let user = if text("/actor/type") == "end_user" {
        text("/actor/id")
    } else {
        "-".to_owned()
    };
    format!(
        "{} {} {}>{} {}/{} {}({originals}) user={user} {content} tools={tools}",
        text("/action").trim_start_matches("gen_ai."),
        text("/outcome"),
        text("/llm/request_model"),
        text("/llm/response_model"),
        number("/llm/usage/input_tokens"),
        number("/llm/usage/output_tokens"),
        text("/llm/finish_reason"),
    )
}

#[test]
fn every_capture_becomes_the_events_that_it_should() {
    let captures = captures();
    if captures.is_empty() {
        return;
    }
    let directory = Directory::new();
    let clock = directory.path.join("clock");
    std::fs::write(&clock, NOON_MS.to_string()).unwrap();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_CLOCK", clock.to_str().unwrap())]);
    let mut scenario_of: BTreeMap<String, String> = BTreeMap::new();
    for capture in &captures {
        let answer = send_capture(&server, capture);
        assert_eq!(
            answer.status,
            200,
            "{}: {}",
            capture.file,
            String::from_utf8_lossy(&answer.body)
        );
        let is_whole = answer.body.is_empty() || answer.body == b"{}";
        assert!(is_whole, "{}: a part was refused", capture.file);
        for trace in traces_of(&capture.file) {
            scenario_of.insert(trace, capture.scenario.clone());
        }
    }
    // Nothing is an event before its trace was quiet.
    assert_eq!(events(&mut server.client()).len(), 0);
    std::fs::write(&clock, (NOON_MS + 5_000).to_string()).unwrap();
    let expected_count: usize = TABLE
        .iter()
        .map(|(_, rows)| rows.iter().map(|(times, _)| times).sum::<usize>())
        .sum();
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for event in wait_for_events(&mut server.client(), expected_count) {
        let trace = event["context"]["trace_id"].as_str().unwrap();
        let began = event["occurred_at"].as_str().unwrap_or_default().to_owned();
        found
            .entry(scenario_of[trace].clone())
            .or_default()
            .push((began, line(&event)));
    }
    let mut wrong = Vec::new();
    for name in captures
        .iter()
        .map(|capture| &capture.scenario)
        .collect::<std::collections::BTreeSet<_>>()
    {
        let mut lines = found.remove(name).unwrap_or_default();
        lines.sort();
        let mut runs: Vec<(usize, String)> = Vec::new();
        for (_, line) in lines {
            match runs.last_mut() {
                Some((times, last)) if *last == line => *times += 1,
                _ => runs.push((1, line)),
            }
        }
        let expected = TABLE
            .iter()
            .find(|(known, _)| known == name)
            .map_or(&[] as &[_], |(_, rows)| rows);
        let is_same = !expected.is_empty()
            && expected.len() == runs.len()
            && expected
                .iter()
                .zip(&runs)
                .all(|(one, other)| one.0 == other.0 && one.1 == other.1);
        if !is_same {
            wrong.push(format!("    (\"{name}\", &{runs:?}),"));
        }
    }
    assert!(
        wrong.is_empty(),
        "these differ from the table:\n{}",
        wrong.join("\n")
    );
    server.stop();
    directory.assert_clean();
}

/// The traces in a capture, from the reading copy beside it.
fn traces_of(file: &str) -> Vec<String> {
    let path = super::send::shared()
        .join("otlp")
        .join(format!("{file}.decoded.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let ids = text.split("\"traceId\"").skip(1);
    ids.map(|rest| rest.split('"').nth(1).unwrap().to_owned())
        .collect()
}
