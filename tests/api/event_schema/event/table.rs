//! Good and bad events, each judged by the schema and by the validator.

use super::super::{faults, good, head, validator, with};

const MAX: u64 = (1 << 53) - 1;

fn letters(count: usize) -> String {
    // Two bytes each: limits count characters.
    "é".repeat(count)
}

fn repeated(item: &str, count: usize) -> String {
    vec![item; count].join(",")
}

fn good_events() -> Vec<String> {
    let mut events = vec![
        r#"{"action":"a","actor":{"id":"x"}}"#.to_owned(),
        r#"{"action":"resource-explorer-2.list_indexes.v2","actor":{"id":"x"}}"#.to_owned(),
        r#"{"action":"a","actor":{"id":"x","type":"t","name":"n","role":"r","namespace":"s","on_behalf_of":{"id":"y","type":"t","name":"","role":"r","namespace":"s"}}}"#.to_owned(),
    ];
    let sha = "0123456789abcdef".repeat(4);
    events.extend(
        [
            format!(r#""id":"{}""#, letters(256)),
            r#""occurred_at":"2026-11-24T09:30:00Z""#.to_owned(),
            r#""occurred_at":"2026-11-24T09:30:59.123456789012+14:00""#.to_owned(),
            r#""occurred_at":"1970-01-01T00:00:00Z""#.to_owned(),
            r#""occurred_at":"2026-11-24t09:30:00z""#.to_owned(),
            r#""occurred_at":"2016-12-31T23:59:60Z""#.to_owned(),
            r#""occurred_at":"2016-12-31t15:59:60.5-08:00""#.to_owned(),
            r#""occurred_at":"2028-02-29T23:59:59-00:00""#.to_owned(),
            r#""outcome":"unknown""#.to_owned(),
            r#""subjects":[]"#.to_owned(),
            format!(r#""subjects":[{}]"#, repeated(r#"{"id":"a","namespace":"b"}"#, 64)),
            format!(r#""targets":[{}]"#, repeated(r#"{"id":"a","type":"b","name":"c\n"}"#, 256)),
            format!(r#""regimes":[{}]"#, repeated(r#""pci-dss""#, 8)),
            r#""context":{"ip":"AWS Internal","user_agent":"","session":"s","conversation":"c","trace_id":"t","span_id":"s","parent_span_id":"p","request_id":"r","purpose":"p","region":"r","service":"s","service_version":"1","environment":"e","host":"h"}"#.to_owned(),
            format!(r#""llm":{{"usage":{{"input_tokens":{MAX},"output_tokens":0}}}}"#),
            r#""llm":{"usage":{"total_tokens":1.0,"reasoning_tokens":1e3,"cached_input_tokens":-0}}"#.to_owned(),
            format!(r#""llm":{{"provider":"p","operation":"chat","request_model":"a","response_model":"b","response_id":"i","prompt":{{"name":"n","version":"1","sha256":"{sha}"}},"parameters":{{"x":null,"y":[1e300]}},"cost":{{"amount":0.5,"currency":"EUR"}},"latency_ms":1.5,"time_to_first_token_ms":0,"finish_reason":"","finish_reasons":["stop",""],"error_type":"e","retrieval":[{{"id":"d","type":"t","name":"n","version":"v","sha256":"{sha}","score":-0.5,"content":[null]}}]}}"#),
            r#""llm":{}"#.to_owned(),
            r#""input":null,"output":false"#.to_owned(),
            r#""input":123456789012345678901234567890,"output":"text""#.to_owned(),
            r#""downstream":[{}]"#.to_owned(),
            r#""downstream":[{"type":"tool_call","name":"n","id":"i","call":{"a":[]},"arguments":"{}","result":null,"outcome":"denied","occurred_at":"2026-11-24T09:30:00Z","latency_ms":2,"error_type":"","target":{"id":"x"}}]"#.to_owned(),
            r#""source":{"name":"n","seq":0}"#.to_owned(),
            r#""attributes":{"any name":{"~/":[{}]},"":1}"#.to_owned(),
        ]
        .iter()
        .map(|member| with(member)),
    );
    events
}

/// Bad events with the pointer of each one's first fault.
fn bad_events() -> Vec<(String, &'static str)> {
    let whole = [
        ("{}", ""),
        (r#"{"action":"a"}"#, ""),
        (r#"{"actor":{"id":"x"}}"#, ""),
        (r#"{"action":"a","actor":{}}"#, "/actor"),
        (r#"{"action":"a","actor":"x"}"#, "/actor"),
        (r#"{"action":"a","actor":["x"]}"#, "/actor"),
        (r#"{"action":"a","actor":null}"#, "/actor"),
        (r#"{"action":"a","actor":{"id":""}}"#, "/actor/id"),
        (r#"{"action":"a","actor":{"id":7}}"#, "/actor/id"),
        (
            r#"{"action":"a","actor":{"id":"x","email":"y"}}"#,
            "/actor/?",
        ),
        (
            r#"{"action":"a","actor":{"id":"x","namespace":""}}"#,
            "/actor/namespace",
        ),
        (
            r#"{"action":"a","actor":{"id":"x","on_behalf_of":{"type":"y"}}}"#,
            "/actor/on_behalf_of",
        ),
        (
            r#"{"action":"a","actor":{"id":"x","on_behalf_of":{"id":"y","on_behalf_of":{"id":"z"}}}}"#,
            "/actor/on_behalf_of/?",
        ),
        (r#"{"action":"","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":"Chat","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":"a b","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":".a","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":"a.","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":"a..b","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":"a.-b","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":"a\n","actor":{"id":"x"}}"#, "/action"),
        (r#"{"action":["a"],"actor":{"id":"x"}}"#, "/action"),
        ("[]", ""),
        ("null", ""),
        (r#""text""#, ""),
        ("7", ""),
    ];
    let mut events: Vec<_> = whole
        .map(|(text, pointer)| (text.to_owned(), pointer))
        .into();
    events.push((
        format!(r#"{{"action":"{}","actor":{{"id":"x"}}}}"#, "a".repeat(129)),
        "/action",
    ));
    events.extend(
        bad_members()
            .into_iter()
            .map(|(member, pointer)| (with(&member), pointer)),
    );
    events
}

fn bad_members() -> Vec<(String, &'static str)> {
    let fixed = [
        (r#""unknown":1"#, "/?"),
        (r#""received":{"via":"http"}"#, "/received"),
        (r#""id":"""#, "/id"),
        (r#""id":7"#, "/id"),
        (r#""id":null"#, "/id"),
        (r#""id":"a\u0000""#, "/id"),
        (r#""id":"a\u007f""#, "/id"),
        (r#""id":"a\u0085""#, "/id"),
        (r#""id":"a\n""#, "/id"),
        (r#""occurred_at":"2026-11-24""#, "/occurred_at"),
        (r#""occurred_at":"2026-11-24T09:30:00""#, "/occurred_at"),
        (r#""occurred_at":"2026-11-24 09:30:00Z""#, "/occurred_at"),
        (r#""occurred_at":"2026-11-24T09:30:60Z""#, "/occurred_at"),
        (r#""occurred_at":"2026-11-24T24:00:00Z""#, "/occurred_at"),
        (r#""occurred_at":"2026-11-24T09:30:00.Z""#, "/occurred_at"),
        (
            r#""occurred_at":"2026-11-24T09:30:00+0100""#,
            "/occurred_at",
        ),
        (
            r#""occurred_at":"2026-11-24T09:30:00\u221201:00""#,
            "/occurred_at",
        ),
        (r#""occurred_at":"2026-02-30T09:30:00Z""#, "/occurred_at"),
        (r#""occurred_at":"2026-13-01T09:30:00Z""#, "/occurred_at"),
        (r#""occurred_at":"1969-12-31T23:59:59Z""#, "/occurred_at"),
        (r#""occurred_at":1795512600"#, "/occurred_at"),
        (r#""outcome":"ok""#, "/outcome"),
        (r#""outcome":"Success""#, "/outcome"),
        (r#""outcome":true"#, "/outcome"),
        (r#""subjects":{"id":"a"}"#, "/subjects"),
        (r#""subjects":["a"]"#, "/subjects/0"),
        (
            r#""subjects":[{"id":"a"},{"namespace":"b"}]"#,
            "/subjects/1",
        ),
        (r#""subjects":[{"id":"a","type":"b"}]"#, "/subjects/0/?"),
        (r#""targets":[{"type":"b"}]"#, "/targets/0"),
        (r#""targets":[{"id":"a","x":"b"}]"#, "/targets/0/?"),
        (r#""context":{"weather":"rain"}"#, "/context/?"),
        (r#""context":{"ip":""}"#, "/context/ip"),
        (r#""context":{"conversation":5}"#, "/context/conversation"),
        (r#""context":[]"#, "/context"),
        (r#""regimes":"hipaa""#, "/regimes"),
        (r#""regimes":["HIPAA"]"#, "/regimes/0"),
        (r#""regimes":["hipaa","-a"]"#, "/regimes/1"),
        (r#""regimes":[""]"#, "/regimes/0"),
        (r#""llm":{"model":"x"}"#, "/llm/?"),
        (
            r#""llm":{"usage":{"input_tokens":-1}}"#,
            "/llm/usage/input_tokens",
        ),
        (
            r#""llm":{"usage":{"input_tokens":1.5}}"#,
            "/llm/usage/input_tokens",
        ),
        (
            r#""llm":{"usage":{"input_tokens":"12"}}"#,
            "/llm/usage/input_tokens",
        ),
        (
            r#""llm":{"usage":{"input_tokens":9007199254740992}}"#,
            "/llm/usage/input_tokens",
        ),
        (
            r#""llm":{"usage":{"input_tokens":1e300}}"#,
            "/llm/usage/input_tokens",
        ),
        (r#""llm":{"usage":{"prompt_tokens":1}}"#, "/llm/usage/?"),
        (r#""llm":{"cost":{"amount":1}}"#, "/llm/cost"),
        (
            r#""llm":{"cost":{"amount":-1,"currency":"USD"}}"#,
            "/llm/cost/amount",
        ),
        (
            r#""llm":{"cost":{"amount":"1","currency":"USD"}}"#,
            "/llm/cost/amount",
        ),
        (
            r#""llm":{"cost":{"amount":1,"currency":"usd"}}"#,
            "/llm/cost/currency",
        ),
        (r#""llm":{"latency_ms":-0.5}"#, "/llm/latency_ms"),
        (r#""llm":{"prompt":{"sha256":"abc"}}"#, "/llm/prompt/sha256"),
        (r#""llm":{"prompt":"text"}"#, "/llm/prompt"),
        (r#""llm":{"parameters":[]}"#, "/llm/parameters"),
        (r#""llm":{"parameters":"x"}"#, "/llm/parameters"),
        (r#""llm":{"finish_reasons":"stop"}"#, "/llm/finish_reasons"),
        (r#""llm":{"retrieval":[{"score":1}]}"#, "/llm/retrieval/0"),
        (
            r#""llm":{"retrieval":[{"id":"a","score":"1"}]}"#,
            "/llm/retrieval/0/score",
        ),
        (r#""downstream":{}"#, "/downstream"),
        (
            r#""downstream":[{"outcome":"ok"}]"#,
            "/downstream/0/outcome",
        ),
        (r#""downstream":[{"args":1}]"#, "/downstream/0/?"),
        (
            r#""downstream":[{"target":{"type":"x"}}]"#,
            "/downstream/0/target",
        ),
        (r#""source":{"name":"n"}"#, "/source"),
        (r#""source":{"seq":1}"#, "/source"),
        (r#""source":{"name":"n","seq":-1}"#, "/source/seq"),
        (r#""source":{"name":"n","seq":1,"x":2}"#, "/source/?"),
        (r#""attributes":[]"#, "/attributes"),
        (r#""attributes":null"#, "/attributes"),
    ];
    let mut members: Vec<_> = fixed
        .map(|(text, pointer)| (text.to_owned(), pointer))
        .into();
    members.extend([
        (format!(r#""id":"{}""#, letters(257)), "/id"),
        (format!(r#""id":"{}""#, "x".repeat(10_000)), "/id"),
        (
            format!(r#""subjects":[{}]"#, repeated(r#"{"id":"a"}"#, 65)),
            "/subjects",
        ),
        (
            format!(r#""subjects":[{{"id":"{}"}}]"#, letters(513)),
            "/subjects/0/id",
        ),
        (
            format!(r#""targets":[{}]"#, repeated(r#"{"id":"a"}"#, 257)),
            "/targets",
        ),
        (
            format!(r#""regimes":[{}]"#, repeated(r#""a""#, 9)),
            "/regimes",
        ),
        (format!(r#""regimes":["{}"]"#, "a".repeat(64)), "/regimes/0"),
        (
            format!(r#""downstream":[{}]"#, repeated("{}", 1025)),
            "/downstream",
        ),
        (
            format!(r#""llm":{{"finish_reasons":[{}]}}"#, repeated(r#""""#, 129)),
            "/llm/finish_reasons",
        ),
        (
            format!(r#""llm":{{"prompt":{{"sha256":"{}"}}}}"#, "A".repeat(64)),
            "/llm/prompt/sha256",
        ),
    ]);
    members
}

#[test]
fn good_events_pass_both() {
    let validator = validator();
    for text in good_events() {
        let value = serde_json::from_str(&text).unwrap();
        if let Err(error) = validator.validate(&value) {
            panic!("the schema: {error}\n{}", head(&text));
        }
        good(&text);
    }
}

#[test]
fn bad_events_fail_both() {
    let validator = validator();
    for (text, pointer) in bad_events() {
        let value = serde_json::from_str(&text).unwrap();
        assert!(
            !validator.is_valid(&value),
            "the schema takes {}",
            head(&text)
        );
        let faults = faults(text.as_bytes());
        assert_eq!(faults[0].pointer, pointer, "{faults:?}\n{}", head(&text));
        assert!(!faults[0].detail.is_empty());
    }
}
