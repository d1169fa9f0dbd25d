use std::sync::Arc;

use super::super::telemetry::{Item, Scope};
use super::*;

fn part(name: &str, attributes: &Value) -> Part {
    let log = LogRecord {
        event_name: name.to_owned(),
        time_ns: 1_795_974_672_000_000_000,
        record: Some("log:00ff".to_owned()),
        attributes: attributes.as_object().unwrap().clone(),
        ..LogRecord::default()
    };
    Part {
        resource: Arc::new(
            json!({"service.name": "agent", "user.email": "dev@example.org"})
                .as_object()
                .unwrap()
                .clone(),
        ),
        scope: Arc::new(Scope::default()),
        item: Item::Log(log),
        altered: Vec::new(),
    }
}

fn event(name: &str, attributes: &Value) -> Value {
    let part = part(name, attributes);
    let Item::Log(log) = &part.item else { panic!() };
    let sections = map(&part, log).sections;
    let text = serde_json::to_vec(&sections).unwrap();
    trailkeep_proof::ledger::event::parse_event(&text).unwrap();
    Value::Object(sections)
}

#[test]
fn records_of_each_agent_have_their_facts() {
    let prompt = event(
        "user_prompt",
        &json!({"user.id": "u", "session.id": "s", "prompt": "delete it", "prompt_length": "9"}),
    );
    assert_eq!(prompt["action"], "gen_ai.user_prompt");
    assert_eq!(
        prompt["subjects"],
        json!([{"id": "u"}, {"id": "dev@example.org"}])
    );
    assert_eq!(prompt["context"]["session"], "s");
    assert_eq!(
        prompt["input"]["messages"][0]["parts"][0]["content"],
        "delete it"
    );
    assert!(prompt["attributes"]["otel"]["log"].get("prompt").is_none());

    let request = event(
        "claude_code.api_request",
        &json!({"model": "m", "cost_usd": "0.03", "input_tokens": "1000", "output_tokens": 50, "cache_read_tokens": "7", "duration_ms": "12"}),
    );
    assert_eq!(request["action"], "gen_ai.chat");
    assert_eq!(
        request["llm"],
        json!({"operation": "chat", "request_model": "m", "latency_ms": 12.0, "cost": {"amount": 0.03, "currency": "USD"},
               "usage": {"input_tokens": 1000, "output_tokens": 50, "cached_input_tokens": 7}})
    );

    let codex = event(
        "codex.sse_event",
        &json!({"conversation.id": "c", "event.kind": "response.completed", "input_token_count": "5", "output_token_count": "6", "model": "m"}),
    );
    assert_eq!(
        (&codex["action"], &codex["context"]["conversation"]),
        (&json!("gen_ai.chat"), &json!("c"))
    );

    let decision = event(
        "tool_decision",
        &json!({"session.id": "s", "tool_name": "Bash", "decision": "reject", "source": "user_reject", "tool_use_id": "t-1"}),
    );
    assert_eq!(
        (&decision["action"], &decision["outcome"]),
        (&json!("gen_ai.tool_decision"), &json!("denied"))
    );
    assert_eq!(decision["downstream"][0]["name"], "Bash");
    assert_eq!(decision["attributes"]["decision_source"], "user_reject");

    let result = event(
        "gemini_cli.tool_call",
        &json!({"function_name": "read", "function_args": "{\"p\":1}", "success": false, "error": "no such file", "duration_ms": 3}),
    );
    assert_eq!(
        (&result["action"], &result["outcome"]),
        (&json!("gen_ai.execute_tool"), &json!("error"))
    );
    assert_eq!(result["input"]["arguments"], json!({"p": 1}));

    let failure = event(
        "api_error",
        &json!({"session.id": "s", "model": "m", "status_code": "529", "error": "Overloaded"}),
    );
    assert_eq!(
        (&failure["outcome"], &failure["llm"]["error_type"]),
        (&json!("error"), &json!("529"))
    );
    assert_eq!(failure["output"]["error"], "Overloaded");
}

#[test]
fn what_was_not_captured_is_no_content_and_other_records_are_kept_when_asked_for() {
    let hidden = event(
        "user_prompt",
        &json!({"session.id": "s", "prompt": "<REDACTED>"}),
    );
    assert!(hidden.get("input").is_none());
    for (name, attributes, calls, agents, all) in [
        ("user_prompt", json!({"session.id": "s"}), true, true, true),
        ("user_prompt", json!({}), false, false, true),
        ("codex.conversation_starts", json!({}), false, true, true),
        (
            "http.request",
            json!({"session.id": "s"}),
            false,
            false,
            true,
        ),
    ] {
        let part = part(name, &attributes);
        let Item::Log(log) = &part.item else { panic!() };
        let kept = [Keep::Calls, Keep::Agents, Keep::All].map(|keep| is_recorded(log, keep));
        assert_eq!(kept, [calls, agents, all], "{name}");
    }
}
