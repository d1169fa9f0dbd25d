//! The traps of ../shared/otlp/README.md, by their numbers, each on a capture that has it.

use std::collections::BTreeSet;

use serde_json::Value;
use trailkeep_otlp::assemble::{Assembled, Calls, assemble};
use trailkeep_otlp::classify::{Intake, Keep, intake};
use trailkeep_otlp::decode::{Encoding, Signal, decode};
use trailkeep_otlp::telemetry::{Item, Part};
use trailkeep_proof::ledger::event::parse_event;

use super::send::{Capture, scenario};

fn parts_of(capture: &Capture) -> Vec<Part> {
    use std::io::Read;
    let is_packed = capture
        .headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("content-encoding") && value == "gzip");
    let mut body = capture.body.clone();
    if is_packed {
        body = Vec::new();
        flate2::read::GzDecoder::new(&capture.body[..])
            .read_to_end(&mut body)
            .unwrap();
    }
    let is_json = capture
        .headers
        .iter()
        .any(|(_, value)| value == "application/json");
    let encoding = if is_json {
        Encoding::Json
    } else {
        Encoding::Protobuf
    };
    let signal = if capture.path == "/v1/logs" {
        Signal::Logs
    } else {
        Signal::Traces
    };
    decode(signal, encoding, &body).unwrap().parts
}

fn assembled(parts: Vec<Part>) -> Assembled {
    let kept = parts
        .into_iter()
        .filter_map(|part| match intake(part, Keep::Calls) {
            Intake::Stage(part) => Some(*part),
            Intake::Drop => None,
            other => panic!("{other:?}"),
        });
    let parts: Vec<Part> = kept.collect();
    let due: BTreeSet<String> = parts
        .iter()
        .filter_map(|part| part.trace_id().map(str::to_owned))
        .collect();
    assemble(vec![Calls::of(&parts, due, Keep::Calls)])
}

/// The events of a scenario, each valid; nothing where the captures are not here.
fn events(name: &str) -> Option<Vec<Value>> {
    let captures = scenario(name);
    if captures.is_empty() {
        return None;
    }
    let events = assembled(captures.iter().flat_map(parts_of).collect()).events;
    let valid = events.into_iter().map(|event| {
        let text = serde_json::to_string(&event.sections).unwrap();
        parse_event(text.as_bytes()).unwrap();
        Value::Object(event.sections)
    });
    Some(valid.collect())
}

fn first(name: &str) -> Option<Value> {
    events(name).map(|mut events| events.remove(0))
}

fn given(event: &Value) -> String {
    event["input"].to_string()
}

#[test]
fn trap_1_escaped_text_is_read_before_it_is_kept() {
    for name in [
        "genai-openai-plain-span",
        "openllmetry-openai-plain",
        "openinference-openai-plain",
        "openai-v2-plain-v21-content",
        "vercel-ai-plain-json",
    ] {
        let Some(event) = first(name) else { return };
        let both = format!("{}{}", event["input"], event["output"]);
        assert!(
            both.contains("Zoë Müller") && !both.contains("\\u00eb"),
            "{name}"
        );
    }
}

#[test]
fn trap_2_content_is_the_same_as_a_string_on_a_span_and_structured_in_a_log() {
    let (Some(span), Some(log)) = (
        first("genai-openai-plain-span"),
        first("genai-openai-plain-event"),
    ) else {
        return;
    };
    assert_eq!(span["input"]["messages"], log["input"]["messages"]);
    let (Some(span), Some(log)) = (
        first("genai-openai-tools-span"),
        first("genai-openai-tools-event"),
    ) else {
        return;
    };
    assert_eq!(span["input"]["tools"], log["input"]["tools"]);
}

#[test]
fn trap_3_nothing_is_counted_twice() {
    let tokens = |name: &str| {
        let events = events(name)?;
        let counts = events
            .iter()
            .filter_map(|event| event["llm"]["usage"]["input_tokens"].as_u64());
        Some((events.len(), counts.sum::<u64>()))
    };
    let Some(found) = tokens("openllmetry-anthropic-tools") else {
        return;
    };
    assert_eq!(found, (2, 200), "two unrelated roots are one call");
    assert_eq!(
        tokens("openinference-anthropic-tools"),
        Some((2, 200)),
        "a span inside of a span is one call"
    );
    assert_eq!(
        tokens("openinference-anthropic-err429"),
        Some((1, 0)),
        "also without an answer's id"
    );
    assert_eq!(
        tokens("vercel-ai-tools-json"),
        Some((4, 114)),
        "a wrapper sums up"
    );
    assert_eq!(
        tokens("genai-openai-tools-both-gzip"),
        Some((4, 114)),
        "content on the span and in the log"
    );
    assert_eq!(
        tokens("openllmetry-langchain-plain"),
        Some((1, 57)),
        "wrappers repeat the content"
    );
}

#[test]
fn trap_4_the_user_is_found_wherever_it_stands() {
    for (name, user) in [
        ("genai-openai-tools-span", Some("user-8c1f")),
        ("openllmetry-openai-userfield", Some("user-8c1f")),
        ("openinference-openai-userfield", Some("user-8c1f")),
        ("openinference-openai-context-user", Some("user-8c1f")),
        ("openinference-anthropic-plain", Some("user-8c1f")),
        ("openllmetry-langchain-plain", Some("user-8c1f")),
        ("genai-openai-baggage-user-span", Some("user-8c1f")),
        ("vercel-ai-plain-json", Some("user-8c1f")),
        ("genai-openai-userfield-span", None),
        ("openai-v2-userfield-v24-latest-span", None),
    ] {
        let Some(event) = first(name) else { return };
        assert_eq!(event["subjects"][0]["id"].as_str(), user, "{name}");
        let kind = if user.is_some() {
            "end_user"
        } else {
            "service"
        };
        assert_eq!(event["actor"]["type"], kind, "{name}");
    }
    let Some(event) = first("genai-openai-tools-span") else {
        return;
    };
    assert_eq!(
        event["subjects"][1]["id"], "zoe.mueller@example.com",
        "the e-mail is the same person's"
    );
    assert_eq!(event["context"]["conversation"], "sess-20240303-77");
}

#[test]
fn trap_5_content_of_other_requests_is_joined_and_its_absence_seen() {
    let Some(calls) = events("openai-v2-tools-v21-content") else {
        return;
    };
    let roles = |event: &Value| {
        let messages = event["input"]["messages"].as_array().unwrap();
        messages
            .iter()
            .map(|message| message["role"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        roles(&calls[3]),
        ["system", "user", "assistant", "tool", "tool"]
    );
    assert_eq!(
        calls[0]["output"]["messages"][0]["parts"][0]["name"],
        "lookup_claim"
    );
    let Some(event) = first("openai-v2-plain-v21-nocontent") else {
        return;
    };
    assert!(event.get("input").is_none() && event.get("output").is_none());
}

#[test]
fn trap_6_log_records_of_both_shapes_have_a_name_and_a_time() {
    for name in ["openai-v2-plain-v21-content", "genai-openai-plain-event"] {
        for capture in scenario(name)
            .iter()
            .filter(|capture| capture.path == "/v1/logs")
        {
            for part in parts_of(capture) {
                let Item::Log(log) = part.item else { panic!() };
                assert!(log.event_name.starts_with("gen_ai."), "{name}");
                assert!(log.time_ns > 1_700_000_000_000_000_000, "{name}");
            }
        }
    }
}

#[test]
fn trap_7_a_setting_that_captures_nothing_gives_calls_without_content() {
    for name in [
        "openai-v2-plain-v24-true",
        "openai-v2-plain-v24-default",
        "openllmetry-openai-plain-nocontent",
    ] {
        let captures = scenario(name);
        if captures.is_empty() {
            return;
        }
        let events = assembled(captures.iter().flat_map(parts_of).collect()).events;
        assert!(
            events[0].kind.should_have_content() && !events[0].has_content(),
            "{name}"
        );
    }
}

#[test]
fn trap_8_errors_have_an_outcome_and_a_kind_and_no_answer() {
    for (name, calls, kind) in [
        ("genai-openai-err429-span", 1, "openai.RateLimitError"),
        (
            "openai-v2-err429-v24-latest-span",
            1,
            "openai.RateLimitError",
        ),
        ("openai-v2-err429-v21-content", 1, "RateLimitError"),
        ("openllmetry-openai-err429", 1, "RateLimitError"),
        ("openinference-openai-err429", 1, "openai.RateLimitError"),
        ("genai-openai-retry-span", 1, "openai.InternalServerError"),
        ("vercel-ai-err429-json", 2, "AI_APICallError"),
    ] {
        let Some(events) = events(name) else { return };
        assert_eq!(events.len(), calls, "{name}");
        for event in &events {
            assert_eq!(event["outcome"], "error", "{name}");
            assert_eq!(event["llm"]["error_type"], kind, "{name}");
            assert!(
                event.get("output").is_none() && event["llm"].get("response_id").is_none(),
                "{name}"
            );
        }
    }
}

#[test]
fn trap_9_an_answer_that_broke_off_is_no_success_and_missing_tokens_are_not_0() {
    for (name, outcome) in [
        ("genai-openai-stream-aborted-span", "error"),
        ("openai-v2-stream-aborted-v24-latest-span", "error"),
        ("openllmetry-openai-stream-aborted", "unknown"),
        ("openinference-openai-stream-aborted", "unknown"),
    ] {
        let Some(event) = first(name) else { return };
        assert_eq!(event["outcome"], outcome, "{name}");
        assert!(event["llm"].get("usage").is_none(), "{name}");
    }
    let Some(event) = first("openai-v2-stream-nousage-v21-content") else {
        return;
    };
    assert_eq!(event["outcome"], "success");
    assert!(event["llm"].get("usage").is_none());
}

#[test]
fn trap_10_each_choice_has_its_answer_and_its_reason() {
    for name in [
        "genai-openai-n2-stop-json-span",
        "openai-v2-n2-stop-json-v21-content",
        "openinference-openai-n2-stop-json",
        "openllmetry-openai-n2-stop-json",
    ] {
        let Some(event) = first(name) else { return };
        assert_eq!(
            event["output"]["messages"].as_array().unwrap().len(),
            2,
            "{name}"
        );
        assert_eq!(
            event["llm"]["finish_reasons"],
            serde_json::json!(["stop", "stop"]),
            "{name}"
        );
    }
}

#[test]
fn trap_11_reasons_have_one_spelling_and_keep_their_own() {
    for (name, own) in [
        ("openai-v2-stream-tools-v21-content", "tool_calls"),
        ("vercel-ai-tools-json", "tool-calls"),
        ("openinference-anthropic-tools", "tool_use"),
        ("openllmetry-anthropic-tools", "tool_call"),
    ] {
        let Some(event) = first(name) else { return };
        assert_eq!(event["llm"]["finish_reason"], "tool_calls", "{name}");
        assert_eq!(event["llm"]["finish_reasons"][0], own, "{name}");
    }
    let Some(event) = first("openinference-anthropic-plain") else {
        return;
    };
    assert_eq!(event["llm"]["finish_reason"], "stop");
    assert_eq!(event["llm"]["finish_reasons"][0], "end_turn");
}

#[test]
fn trap_12_tokens_are_those_of_the_provider_under_one_name() {
    for name in [
        "openllmetry-anthropic-plain",
        "openinference-anthropic-plain",
    ] {
        let Some(event) = first(name) else { return };
        let usage = &event["llm"]["usage"];
        assert_eq!(usage["input_tokens"], 100, "{name}");
        assert_eq!(usage["cached_input_tokens"], 32, "{name}");
        assert_eq!(usage["cache_write_input_tokens"], 11, "{name}");
    }
    for name in [
        "genai-openai-plain-span",
        "openllmetry-openai-plain",
        "openinference-openai-plain",
        "vercel-ai-plain-json",
    ] {
        let Some(event) = first(name) else { return };
        let usage = &event["llm"]["usage"];
        assert_eq!(
            (&usage["cached_input_tokens"], &usage["reasoning_tokens"]),
            (&32.into(), &8.into()),
            "{name}"
        );
    }
}

#[test]
fn trap_13_integers_are_integers_in_protobuf_and_in_json() {
    let (Some(json), Some(protobuf)) = (
        first("vercel-ai-tools-json"),
        first("vercel-ai-tools-proto"),
    ) else {
        return;
    };
    assert_eq!(json["llm"]["usage"], protobuf["llm"]["usage"]);
    assert_eq!(json["input"]["tools"], protobuf["input"]["tools"]);
}

#[test]
fn trap_14_large_content_images_and_batches_are_whole() {
    let Some(event) = first("genai-openai-large-span") else {
        return;
    };
    assert!(given(&event).len() > 500_000);
    let Some(event) = first("genai-openai-vision-span") else {
        return;
    };
    assert!(given(&event).contains("iVBORw0KGgo"));
    let Some(event) = first("openinference-openai-vision") else {
        return;
    };
    assert!(given(&event).contains("data:image/png;base64,iVBORw0KGgo"));
    let Some(event) = first("openllmetry-openai-vision") else {
        return;
    };
    assert!(event.get("input").is_none() && event.get("output").is_some());
    assert_eq!(
        events("genai-openai-batch300-span-gzip").unwrap().len(),
        300
    );
}

#[test]
fn trap_15_a_marker_of_hidden_content_is_no_content() {
    let Some(event) = first("openinference-openai-plain-hidden") else {
        return;
    };
    assert!(event.get("input").is_none() && event.get("output").is_none());
    assert_eq!(event["llm"]["usage"]["input_tokens"], 57);
}

#[test]
fn trap_16_odd_characters_arrive_as_they_were() {
    let Some(event) = first("openllmetry-openai-odd-text") else {
        return;
    };
    let text = event["input"]["messages"][0]["parts"][0]["content"]
        .as_str()
        .unwrap();
    for odd in ['\0', '\u{1b}', '\u{202e}', '\u{2028}', '\u{200d}'] {
        assert!(text.contains(odd), "{odd:?}");
    }
}

#[test]
fn trap_17_neither_the_scope_nor_the_name_of_a_span_decides() {
    for name in [
        "openai-v2-tools-v21-content",
        "openllmetry-openai-tools",
        "openinference-openai-tools",
        "vercel-ai-tools-json",
        "openllmetry-langchain-plain",
    ] {
        let captures = scenario(name);
        if captures.is_empty() {
            return;
        }
        let parts: Vec<Part> = captures.iter().flat_map(parts_of).collect();
        let renamed = parts.iter().cloned().map(|mut part| {
            part.scope = std::sync::Arc::new(trailkeep_otlp::telemetry::Scope {
                name: "someone.else".to_owned(),
                version: String::new(),
            });
            if let Item::Span(span) = &mut part.item {
                span.name = "something".to_owned();
            }
            part
        });
        let strip = |assembled: Assembled| {
            let events = assembled.events.into_iter().map(|mut event| {
                event.sections.remove("attributes");
                event.sections
            });
            events.collect::<Vec<_>>()
        };
        assert_eq!(
            strip(assembled(renamed.collect())),
            strip(assembled(parts)),
            "{name}"
        );
    }
}

#[test]
fn trap_18_keys_of_the_application_s_own_are_kept_inside_of_the_event() {
    let Some(event) = first("openinference-openai-context-user") else {
        return;
    };
    let kept = &event["attributes"]["otel"]["span"]["attributes"];
    assert!(
        kept["llm.prompt_template.variables"]
            .as_str()
            .unwrap()
            .contains("Zoë Müller")
    );
    assert_eq!(event["llm"]["prompt"]["version"], "v12");
    assert_eq!(event["llm"]["prompt"]["sha256"].as_str().unwrap().len(), 64);
    let Some(event) = first("openinference-openai-embeddings") else {
        return;
    };
    assert!(given(&event).contains("Zoë Müller"));
    let Some(event) = first("vercel-ai-plain-json") else {
        return;
    };
    assert_eq!(
        event["llm"]["prompt"],
        serde_json::json!({"name": "claims.summary", "version": "12"})
    );
}
