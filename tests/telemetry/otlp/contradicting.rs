//! Reports that can't be of one call are two facts, and what is sent again is none.

use serde_json::{Value, json};

use super::engine::Running;
use super::send::{chat, span, traces_of};

fn traces(spans: &[Value]) -> Value {
    traces_of("test", &json!({"service.name": "shop"}), spans)
}

fn call(user: &str, question: &str, answer: Option<&str>) -> Value {
    let message = |role: &str, text: &str| {
        json!([{"role": role, "parts": [{"type": "text", "content": text}]}]).to_string()
    };
    let mut attributes = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"});
    attributes["gen_ai.input.messages"] = message("user", question).into();
    if let Some(answer) = answer {
        attributes["gen_ai.output.messages"] = message("assistant", answer).into();
    }
    if !user.is_empty() {
        attributes["user.id"] = user.into();
    }
    attributes
}

fn settle(running: &Running) -> Vec<Value> {
    running.pass(600_000);
    running.assemble();
    running.events()
}

fn ids(events: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = events
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn a_call_inside_of_a_call_that_says_something_else_is_an_event_of_its_own() {
    for with_answer_id in [false, true] {
        let running = Running::new();
        let mut outer = call("u-outer", "OUTER", Some("yes"));
        if with_answer_id {
            outer["gen_ai.response.id"] = "r-1".into();
        }
        running.traces(&traces(&[
            span(1, 2, 0, &outer),
            span(
                1,
                3,
                2,
                &call("u-inner", "INNER: is this safe?", Some("no")),
            ),
            // Of one user, and another question.
            span(1, 4, 2, &call("", "INNER 2", None)),
            // The same question, without an answer: a library around the library.
            span(1, 5, 2, &call("", "OUTER", None)),
            span(
                1,
                6,
                2,
                &json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"}),
            ),
        ]));
        let events = settle(&running);
        let text = Value::from(events.clone()).to_string();
        assert_eq!(events.len(), 3, "{text}");
        assert!(text.contains("INNER: is this safe?") && text.contains("u-inner"));
        assert_eq!(running.counter("reports_merged"), 2);
        // The inner one alone, again and otherwise.
        running.traces(&traces(&[span(1, 5, 2, &call("", "OUTER", None))]));
        assert_eq!(settle(&running).len(), 3);
        running.traces(&traces(&[span(1, 5, 2, &call("", "something else", None))]));
        assert_eq!(settle(&running).len(), 4);
        running.traces(&traces(&[span(1, 5, 2, &call("", "something else", None))]));
        running.traces(&traces(&[span(1, 5, 2, &call("", "OUTER", None))]));
        assert_eq!(settle(&running).len(), 4);
        running.engine.close().unwrap();
    }
}

#[test]
fn reports_with_one_answer_id_and_other_content_are_two_calls() {
    let running = Running::new();
    let report = |scope: &str, number: u32, question: &str| {
        let mut attributes = call("", question, Some("a"));
        attributes["gen_ai.response.id"] = "r-1".into();
        running.traces(&traces_of(
            scope,
            &json!({}),
            &[span(number, 2, 0, &attributes)],
        ));
    };
    report("one", 1, "q");
    report("two", 2, "q");
    report("three", 3, "another question");
    let events = settle(&running);
    assert_eq!(events.len(), 2, "{events:?}");
    // Late ones are compared alike.
    report("four", 4, "a third question");
    report("five", 5, "q");
    let events = settle(&running);
    assert_eq!(events.len(), 4);
    let duplicates = events
        .iter()
        .filter(|event| event["attributes"].get("duplicate_of").is_some());
    assert_eq!(duplicates.count(), 1);
    running.engine.close().unwrap();
}

/// Three attempts of one request under one span id.
fn attempts() -> [Value; 3] {
    let attempt = |number: u64, status: i64, answer: Option<&str>| {
        let mut attributes = call("u-1", "q", answer);
        attributes["http.response.status_code"] = status.into();
        let mut span = span(7, 8, 0, &attributes);
        span["startTimeUnixNano"] = (1_795_593_000_000_000_000 + number * 1_000_000_000)
            .to_string()
            .into();
        span["endTimeUnixNano"] = (1_795_593_000_500_000_000 + number * 1_000_000_000)
            .to_string()
            .into();
        if status >= 400 {
            span["status"] = json!({"code": 2});
        }
        span
    };
    [
        attempt(0, 499, None),
        attempt(1, 200, Some("a")),
        attempt(2, 503, Some("a")),
    ]
}

#[test]
fn two_reports_of_one_span_that_contradict_are_two_events_in_every_order_and_once() {
    let [first, second, third] = attempts();
    let mut outcomes = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let both = [first.clone(), second.clone()];
        let running = Running::new();
        running.traces(&traces(&order.map(|at: usize| both[at].clone())));
        let events = settle(&running);
        assert_eq!(events.len(), 2, "{events:?}");
        let of = |status: i64| {
            let has = |event: &&Value| {
                event["attributes"]["otel"]["span"]["attributes"]["http.response.status_code"]
                    == status
            };
            events.iter().find(has).unwrap()
        };
        assert_eq!(
            (&of(499)["outcome"], of(499).get("output")),
            (&json!("error"), None)
        );
        assert_eq!(of(499)["llm"]["latency_ms"], 500.0);
        assert_eq!(of(200)["outcome"], "success");
        assert_eq!(of(200)["attributes"]["contradicts"], of(499)["id"]);
        outcomes.push(ids(&events).len());

        // A third one later; and all of them again, in another order and another process.
        running.traces(&traces(std::slice::from_ref(&third)));
        let events = settle(&running);
        assert_eq!(events.len(), 3);
        let mut running = running;
        for again in [
            vec![&third, &second, &first],
            vec![&second],
            vec![&first, &third],
        ] {
            let again: Vec<Value> = again.into_iter().cloned().collect();
            running.traces(&traces(&again));
            assert_eq!(ids(&settle(&running)), ids(&events));
            running = running.again();
        }
        running.engine.close().unwrap();
    }
}

#[test]
fn a_report_that_came_second_does_not_make_a_third_when_both_come_again() {
    let [first, second, _] = attempts();
    let running = Running::new();
    // The later attempt is recorded first, and so has the span's own id.
    running.traces(&traces(std::slice::from_ref(&second)));
    settle(&running);
    running.traces(&traces(std::slice::from_ref(&first)));
    let events = settle(&running);
    assert_eq!(events.len(), 2);
    for again in [vec![first.clone(), second.clone()], vec![second, first]] {
        running.traces(&traces(&again));
        assert_eq!(ids(&settle(&running)), ids(&events));
    }
    running.engine.close().unwrap();
}

#[test]
fn a_report_before_the_end_and_the_whole_are_one_event() {
    let running = Running::new();
    let whole = span(1, 2, 0, &chat("a-1"));
    let mut begun = span(
        1,
        2,
        0,
        &json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"}),
    );
    begun["endTimeUnixNano"] = "0".into();
    running.traces(&traces(&[begun, whole]));
    let events = settle(&running);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["llm"]["response_id"], "a-1");
    running.engine.close().unwrap();
}
