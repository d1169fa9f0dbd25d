//! Queries: what they find is what a filter over all events finds, page by page, while others write.
#![allow(
    clippy::unwrap_used,
    clippy::many_single_char_names,
    reason = "a test fails by panicking"
)]

use crate::support::{Client, Directory, said, succeeded};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

fn pick(values: &[&str], at: u64) -> String {
    values[at as usize].to_owned()
}

/// Events whose values repeat often enough that several filters meet.
fn events(count: u64) -> Vec<Value> {
    let event = |n: u64| {
        let mut event = json!({
            "id": format!("e-{n}"),
            "action": pick(&["chat.completion", "tool.call", "record.read"], n % 3),
            "outcome": pick(&["success", "failure"], u64::from(n.is_multiple_of(5))),
            "actor": {"id": format!("actor-{}", n % 4)},
            "subjects": [{"id": format!("subject-{}", n % 7)}, {"id": "subject-0", "namespace": "crm"}],
            "targets": [{"id": format!("t-{}", n % 2), "type": "table"}],
            "context": {"conversation": format!("c-{}", n / 10), "trace_id": format!("trace-{}", n / 4)},
            "llm": {"request_model": pick(&["m-1", "m-2"], u64::from(n.is_multiple_of(6))), "response_model": "m-1-long"},
        });
        if n.is_multiple_of(2) {
            event["llm"]["prompt"] = json!({"name": "p", "version": (n % 4).to_string()});
        }
        if n.is_multiple_of(11) {
            event["regimes"] = json!(["hipaa"]);
        }
        event
    };
    (0..count).map(event).collect()
}

fn append(client: &mut Client, events: &[Value]) {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let answer = client
        .post("application/x-ndjson", lines.join("\n").as_bytes())
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn ask(client: &mut Client, question: &Value) -> Value {
    let kind = [("Content-Type", "application/json")];
    let body = question.to_string();
    let answer = client
        .request("POST", "/v1/events/query", &kind, body.as_bytes())
        .unwrap();
    assert_eq!(answer.status, 200, "{question}: {}", answer.text());
    answer.json()
}

/// The ids of all pages.
fn all_pages(client: &mut Client, question: &Value) -> Vec<String> {
    let (mut question, mut ids) = (question.clone(), Vec::new());
    loop {
        let page = ask(client, &question);
        for shown in page["events"].as_array().unwrap() {
            assert_eq!(shown["id"], shown["event"]["id"]);
            ids.push(shown["id"].as_str().unwrap().to_owned());
        }
        if page["next_cursor"].is_null() {
            return ids;
        }
        assert!(question["cursor"] != page["next_cursor"], "a page moves on");
        question["cursor"] = page["next_cursor"].clone();
    }
}

/// Whether an event answers to a question: the naive way.
fn answers(event: &Value, question: &Value) -> bool {
    let is = |name: &str, pointer: &str| {
        question[name].is_null() || event.pointer(pointer) == Some(&question[name])
    };
    let persons = |name: &str, among: &[Value]| {
        let asked = &question[name];
        let namespace =
            |person: &Value| person["namespace"].as_str().unwrap_or_default().to_owned();
        asked.is_null()
            || among
                .iter()
                .any(|person| person["id"] == asked["id"] && namespace(person) == namespace(asked))
    };
    let targets = event["targets"].as_array().unwrap();
    let target = &question["target"];
    let regimes = event["regimes"]
        .as_array()
        .map_or(json!(["default-90d"]), |regimes| json!(regimes));
    is("action", "/action")
        && is("outcome", "/outcome")
        && is("conversation", "/context/conversation")
        && is("trace", "/context/trace_id")
        && is("prompt", "/llm/prompt/name")
        && is("prompt_version", "/llm/prompt/version")
        && persons("actor", &[event["actor"].clone()])
        && persons("subject", event["subjects"].as_array().unwrap())
        && (target.is_null()
            || targets
                .iter()
                .any(|t| t["id"] == target["id"] && t["type"] == target["type"]))
        && (is("model", "/llm/request_model") || is("model", "/llm/response_model"))
        && (question["regime"].is_null()
            || regimes.as_array().unwrap().contains(&question["regime"]))
}

/// Questions with a few filters, of values that occur and of some that do not.
fn questions() -> impl Strategy<Value = Value> {
    let text = |name: &'static str, values: &'static [&'static str]| {
        prop::option::weighted(0.3, prop::sample::select(values))
            .prop_map(move |value| (name, json!(value)))
    };
    let person = |name: &'static str, values: &'static [&'static str]| {
        let spaces = prop::sample::select(&["", "crm"][..]);
        prop::option::weighted(0.3, (prop::sample::select(values), spaces)).prop_map(move |value| {
            (
                name,
                value.map_or(
                    Value::Null,
                    |(id, namespace)| json!({"id": id, "namespace": namespace}),
                ),
            )
        })
    };
    let first = (
        text(
            "action",
            &["chat.completion", "tool.call", "record.read", "none"],
        ),
        text("outcome", &["success", "failure"]),
        text("conversation", &["c-0", "c-7", "c-12"]),
        text("trace", &["trace-3", "trace-50"]),
        text("model", &["m-1", "m-2", "m-1-long"]),
        text("regime", &["hipaa", "default-90d"]),
    );
    let second = (
        prop::option::weighted(
            0.3,
            (
                Just("p"),
                prop::option::of(prop::sample::select(&["0", "2", "9"][..])),
            ),
        ),
        person("actor", &["actor-0", "actor-3", "nobody"]),
        person("subject", &["subject-0", "subject-5", "nobody"]),
        prop::option::weighted(0.2, prop::sample::select(&["t-0", "t-1"][..])),
        prop::sample::select(&["oldest", "newest"][..]),
        1u64..60,
    );
    (first, second).prop_map(|(first, (prompt, actor, subject, target, order, limit))| {
        let mut question = Map::new();
        let (a, b, c, d, e, f) = first;
        question.extend(
            [a, b, c, d, e, f, actor, subject].map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some((name, version)) = prompt {
            question.insert("prompt".to_owned(), json!(name));
            question.insert("prompt_version".to_owned(), json!(version));
        }
        if let Some(id) = target {
            question.insert("target".to_owned(), json!({"id": id, "type": "table"}));
        }
        question.insert("order".to_owned(), json!(order));
        question.insert("limit".to_owned(), json!(limit));
        question.retain(|_, value| !value.is_null());
        Value::Object(question)
    })
}

#[test]
fn a_query_finds_what_a_filter_finds() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "9")]);
    let mut client = server.client();
    let events = events(150);
    for some in events.chunks(7) {
        append(&mut client, some);
    }
    let mut runner = TestRunner::new(Config {
        cases: 120,
        failure_persistence: None,
        ..Config::default()
    });
    let client = std::cell::RefCell::new(client);
    runner
        .run(&questions(), |question| {
            let found = all_pages(&mut client.borrow_mut(), &question);
            let answering = events.iter().filter(|event| answers(event, &question));
            let mut expected: Vec<String> = answering
                .map(|event| event["id"].as_str().unwrap().to_owned())
                .collect();
            if question["order"] == "newest" {
                expected.reverse();
            }
            prop_assert_eq!(found, expected);
            Ok(())
        })
        .unwrap();
    server.stop();
    directory.assert_clean();
}

#[test]
fn pages_are_stable_while_others_write() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "9")]);
    let mut client = server.client();
    let events = events(90);
    append(&mut client, &events[..60]);
    for order in ["oldest", "newest"] {
        for filter in [
            json!({}),
            json!({"action": "tool.call"}),
            json!({"subject": {"id": "subject-3"}}),
        ] {
            let (mut question, mut found) = (filter.clone(), Vec::new());
            question["order"] = json!(order);
            question["limit"] = json!(4);
            let before = all_pages(&mut client, &question);
            loop {
                let page = ask(&mut client, &question);
                found.extend(
                    page["events"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|shown| shown["id"].as_str().unwrap().to_owned()),
                );
                // One more of each between any two pages.
                let more = format!("{order}-{filter}-{}", found.len());
                let more = events[60..63].iter().map(|event| {
                    let mut event = event.clone();
                    event["id"] = json!(format!("{more}-{}", event["id"]));
                    event
                });
                append(&mut client, &more.collect::<Vec<_>>());
                if page["next_cursor"].is_null() {
                    break;
                }
                question["cursor"] = page["next_cursor"].clone();
            }
            assert_eq!(found, before, "{order} {filter}");
        }
    }
    server.stop();
}

#[test]
fn no_person_stands_in_an_address() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    append(&mut client, &events(5));
    for name in ["subject", "actor", "target"] {
        let answer = client.get(&format!("/v1/events?{name}=subject-1")).unwrap();
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("POST /v1/events/query"));
        assert!(!answer.text().contains("subject-1"));
    }
    let page = ask(&mut client, &json!({"subject": {"id": "subject-1"}}));
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    let log = server.stop();
    assert!(!log.contains("subject-1"), "{log}");
    let listed = directory.run(&["access", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    let read = &listed["accesses"].as_array().unwrap().last().unwrap()["detail"];
    assert_eq!(
        (&read["verb"], &read["route"]),
        (&json!("POST"), &json!("/v1/events/query"))
    );
    assert_eq!(read["filters"], json!(["subject"]));
    assert!(!listed.to_string().contains("subject-1"));
}

#[test]
fn wrong_questions_are_told_so() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    append(&mut client, &events(3));
    // A cursor has its order with it.
    let newest = ask(&mut client, &json!({"limit": 1, "order": "newest"}));
    let next = ask(
        &mut client,
        &json!({"cursor": newest["next_cursor"], "limit": 7.0}),
    );
    assert_eq!(next["events"][0]["id"], "e-1");
    for (question, expected) in [
        ("[]", "must be a JSON object"),
        ("{\"frm\":\"x\"}", "must be a JSON object"),
        ("{\"from\":\"yesterday\"}", "RFC 3339"),
        ("{\"limit\":0}", "from 1 to 1000"),
        ("{\"limit\":1001}", "from 1 to 1000"),
        ("{\"limit\":1.5}", "must be a JSON object"),
        ("{\"cursor\":\"c1\"}", "next_cursor"),
    ] {
        let answer = client
            .request("POST", "/v1/events/query", &[], question.as_bytes())
            .unwrap();
        assert_eq!(answer.status, 400, "{question}");
        assert!(
            answer.text().contains(expected),
            "{question}: {}",
            answer.text()
        );
    }
    for parameters in [
        "frm=1",
        "limit=x",
        "limit=1&limit=2",
        "order=up",
        "from=%ff",
        "trace=%ff",
        "trace=a%C3",
        "conversation=%ED%A0%80",
    ] {
        let answer = client.get(&format!("/v1/events?{parameters}")).unwrap();
        assert_eq!(answer.status, 400, "{parameters}");
    }
    // Cursors far beyond the ledger are at its end.
    for cursor in [
        "c18446744073709551615-18446744073709551615",
        "n0-0",
        "c1099511627776-5",
    ] {
        let page = client
            .get(&format!(
                "/v1/events?cursor={cursor}&order={}",
                if cursor.starts_with('n') {
                    "newest"
                } else {
                    "oldest"
                }
            ))
            .unwrap();
        assert_eq!(
            page.json(),
            json!({"events": [], "next_cursor": null, "restricted": 0}),
            "{cursor}"
        );
    }
    let unknown = client.get("/v1/events?regime=nobody").unwrap();
    assert_eq!(unknown.status, 422);
    assert!(unknown.text().contains("unknown regime"));
    // A regime that nothing was recorded under is no fault.
    let none = client.get("/v1/events?regime=sox&order=newest").unwrap();
    assert_eq!(none.json()["events"], json!([]));
    server.stop();
}

#[test]
fn the_command_line_asks_the_same() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut all = events(30);
    all[7]["input"] = json!("=HYPERLINK(\"http://example.com\")");
    all[8]["id"] = json!("query");
    append(&mut server.client(), &all);
    let run = |arguments: &[&str]| {
        let output = directory.run(&[&["query"], arguments].concat());
        String::from_utf8(succeeded(&output).stdout.clone()).unwrap()
    };
    let ids = |arguments: &[&str]| -> Vec<String> {
        let page: Value = serde_json::from_str(&run(&[arguments, &["--json"]].concat())).unwrap();
        page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|shown| shown["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(&["--actor", "actor-1", "--order", "newest", "--limit", "3"]),
        ["e-29", "e-25", "e-21"]
    );
    assert_eq!(
        ids(&["--subject", "subject-0", "--subject-namespace", "crm"]).len(),
        30
    );
    assert_eq!(
        ids(&["--subject", "subject-0", "--outcome", "failure"]),
        ["e-0"]
    );
    assert_eq!(
        ids(&[
            "--target",
            "t-1",
            "--target-type",
            "table",
            "--action",
            "tool.call"
        ])
        .len(),
        5
    );
    assert_eq!(
        ids(&["--prompt", "p", "--prompt-version", "2", "--model", "m-2"]),
        ["e-6", "e-18"]
    );
    assert_eq!(ids(&["--regime", "hipaa"]), ["e-0", "e-11", "e-22"]);

    let columns = run(&[
        "--columns",
        "seq,id,/llm/request_model",
        "--limit",
        "1",
        "--json",
    ]);
    let page: Value = serde_json::from_str(&columns).unwrap();
    assert_eq!(
        page["events"],
        json!([{"seq": 6, "id": "e-0", "/llm/request_model": "m-2"}])
    );
    let csv = run(&["--csv", "--columns", "id,input,subjects", "--limit", "8"]);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "id,input,subjects");
    assert_eq!(
        lines[8],
        "e-7,\"'=HYPERLINK(\"\"http://example.com\"\")\",\"[{\"\"id\"\":\"\"subject-0\"\"},{\"\"id\"\":\"\"subject-0\"\",\"\"namespace\"\":\"\"crm\"\"}]\""
    );
    let table = run(&["--limit", "2"]);
    assert!(
        table.contains("actor-0") && table.contains("more with --cursor c8-"),
        "{table}"
    );

    let file = directory.path.with_extension("json");
    std::fs::write(&file, r#"{"subject":{"id":"subject-3"},"order":"newest"}"#).unwrap();
    assert_eq!(
        ids(&[
            "--question",
            file.to_str().unwrap(),
            "--action",
            "chat.completion"
        ]),
        ["e-24", "e-3"]
    );
    for (arguments, expected) in [
        (&["--columns", "nothing"][..], "unknown column"),
        (&["--limit", "0"], "0 is not in 1.."),
    ] {
        let output = directory.run(&[&["query"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    // An event whose id is the name of a route.
    let shown = directory.run(&["show", "query", "--json"]);
    let shown: Value = serde_json::from_slice(&succeeded(&shown).stdout).unwrap();
    assert_eq!(shown["id"], "query");
    server.stop();
}
