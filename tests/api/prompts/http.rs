//! The routes, with good and bad input.

use serde_json::{Value, json};

use super::Registry;
use crate::support::{Answer, Server};

const GREETING: &str = "/v1/prompts/greeting";

fn send(server: &Server, method: &str, path: &str, more: &[(&str, &str)], body: &Value) -> Answer {
    let headers = [&[("Content-Type", "application/json")], more].concat();
    let body = body.to_string();
    let sent = server
        .client()
        .request(method, path, &headers, body.as_bytes());
    sent.unwrap()
}

fn register(server: &Server, text: &str) {
    let made = send(
        server,
        "POST",
        &format!("{GREETING}/versions"),
        &[],
        &json!({"text": text}),
    );
    assert_eq!(made.status, 201, "{}", made.text());
}

fn label(server: &Server, to: u32, more: &[(&str, &str)]) -> Answer {
    let body = json!({"to": [{"version": to}]});
    send(
        server,
        "PUT",
        &format!("{GREETING}/labels/production"),
        more,
        &body,
    )
}

#[test]
fn of_two_moves_of_one_state_one_wins() {
    let registry = Registry::new();
    let server = registry.directory.serve();
    for number in 1..=9 {
        register(&server, &format!("text {number}"));
    }
    let first = label(&server, 1, &[("If-None-Match", "*")]);
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(label(&server, 2, &[("If-None-Match", "*")]).status, 412);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(
        tag,
        format!("\"{}\"", first.json()["move"].as_str().unwrap())
    );
    let answers: Vec<(u32, u16)> = std::thread::scope(|scope| {
        let moves: Vec<_> = (2..=9)
            .map(|to| {
                let (server, tag) = (&server, &tag);
                scope.spawn(move || (to, label(server, to, &[("If-Match", tag)]).status))
            })
            .collect();
        moves.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let won: Vec<u32> = answers
        .iter()
        .filter(|(_, status)| *status == 200)
        .map(|(to, _)| *to)
        .collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|(_, status)| [200, 412].contains(status)),
        "{answers:?}"
    );
    let mut client = server.client();
    let now = client
        .get(&format!("{GREETING}/labels/production"))
        .unwrap();
    assert_eq!(now.json()["to"][0]["version"], won[0]);
    let history = client.get(&format!("{GREETING}/history")).unwrap().json();
    assert_eq!(history["moves"].as_array().unwrap().len(), 2);
    // The loser is told what to do.
    let lost = label(&server, 3, &[("If-Match", &tag)]);
    assert_eq!(
        lost.json()["type"],
        "urn:trailkeep:problem:precondition-failed"
    );
    // Lists of tags and any tag are heard; a weak tag fits nothing.
    let tag = now.header("etag").unwrap();
    assert_eq!(
        label(&server, 4, &[("If-Match", &format!("W/{tag}"))]).status,
        412
    );
    assert_eq!(
        label(&server, 4, &[("If-Match", &format!("\"x\", {tag}"))]).status,
        200
    );
    let now = label(&server, 5, &[("If-Match", "*")]);
    assert_eq!(now.status, 200);
    let tag = now.header("etag").unwrap();
    let both = [("If-Match", tag), ("If-None-Match", "*")];
    assert_eq!(label(&server, 6, &both).status, 412);
    let weak = format!("W/{tag}");
    assert_eq!(label(&server, 6, &[("If-None-Match", &weak)]).status, 412);
    assert_eq!(label(&server, 6, &[("If-None-Match", "\"x\"")]).status, 200);
    let other = "/v1/prompts/greeting/labels/other";
    let body = json!({"to": [{"version": 1}]});
    let absent = send(&server, "PUT", other, &[("If-Match", "*")], &body);
    assert_eq!(absent.status, 412);
    server.stop();
    registry.directory.assert_clean();
}

#[test]
fn a_text_is_fetched_once_and_asked_after_from_then_on() {
    let registry = Registry::new();
    let server = registry.directory.serve();
    register(&server, "Hello {{name}}.");
    let mut client = server.client();
    assert_eq!(client.get(GREETING).unwrap().status, 404);
    assert_eq!(label(&server, 1, &[]).status, 200);
    let fetched = client.get(GREETING).unwrap();
    assert_eq!(fetched.status, 200);
    let cache = fetched.header("cache-control").unwrap();
    assert_eq!(cache, "max-age=60, stale-if-error=86400");
    let answer = fetched.json();
    assert_eq!(
        (&answer["text"], &answer["label"], &answer["version"]),
        (&json!("Hello {{name}}."), &json!("production"), &json!(1))
    );
    let tag = fetched.header("etag").unwrap().to_owned();
    let known = [("If-None-Match", tag.as_str())];
    assert_eq!(
        client.request("GET", GREETING, &known, b"").unwrap().status,
        304
    );
    register(&server, "Hi {{name}}.");
    assert_eq!(
        client.request("GET", GREETING, &known, b"").unwrap().status,
        304
    );
    assert_eq!(label(&server, 2, &[]).status, 200);
    let moved = client.request("GET", GREETING, &known, b"").unwrap();
    assert_eq!(
        (moved.status, &moved.json()["text"]),
        (200, &json!("Hi {{name}}."))
    );
    let old = client.get(&format!("{GREETING}?version=1")).unwrap().json();
    assert_eq!(
        (&old["text"], &old["label"]),
        (&json!("Hello {{name}}."), &Value::Null)
    );
    // Registered again it is the same version.
    let again = send(
        &server,
        "POST",
        &format!("{GREETING}/versions"),
        &[],
        &json!({"text": "Hi {{name}}."}),
    );
    assert_eq!((again.status, &again.json()["version"]), (200, &json!(2)));
    // A withdrawn version is not served by its number either, and shown to who may see prompts.
    let end = json!({"reason": "r"});
    let withdrawn = send(
        &server,
        "POST",
        &format!("{GREETING}/versions/1/withdraw"),
        &[],
        &end,
    );
    assert_eq!(withdrawn.status, 200, "{}", withdrawn.text());
    assert_eq!(
        client.get(&format!("{GREETING}?version=1")).unwrap().status,
        410
    );
    let shown = client
        .get(&format!("{GREETING}/versions/1"))
        .unwrap()
        .json();
    assert_eq!(
        (&shown["state"], &shown["text"]),
        (&json!("withdrawn"), &json!("Hello {{name}}."))
    );
    server.stop();
    registry.directory.assert_clean();
}

#[test]
fn input_that_is_wrong_changes_nothing() {
    let registry = Registry::new();
    let server = registry.directory.serve();
    register(&server, "one");
    let long = "y".repeat((256 << 10) + 1);
    let many: Vec<Value> = (1..=17)
        .map(|version| json!({"version": version, "weight": 1}))
        .collect();
    let reason = "r".repeat(1_001);
    for (method, path, body, status) in [
        ("POST", "/versions", json!({}), 400),
        ("POST", "/versions", json!({"text": 1}), 400),
        ("POST", "/versions", json!({"text": "x", "note": "y"}), 400),
        ("POST", "/versions", json!({"text": ""}), 422),
        ("POST", "/versions", json!({"text": long}), 422),
        (
            "POST",
            "/versions",
            json!({"text": "x", "git_commit": "main"}),
            422,
        ),
        ("POST", "/versions", json!({"text": "x", "path": ""}), 422),
        (
            "POST",
            "/versions",
            json!({"text": "x", "reason": " "}),
            422,
        ),
        (
            "POST",
            "/versions",
            json!({"text": "x", "reason": reason}),
            422,
        ),
        ("PUT", "/labels/production", json!({"to": []}), 422),
        ("PUT", "/labels/production", json!({"to": many}), 422),
        (
            "PUT",
            "/labels/production",
            json!({"to": [{"version": 1, "weight": 9}]}),
            422,
        ),
        (
            "PUT",
            "/labels/production",
            json!({"to": [{"version": 0}]}),
            404,
        ),
        (
            "PUT",
            "/labels/production",
            json!({"to": [{"version": -1}]}),
            400,
        ),
        (
            "PUT",
            "/labels/production",
            json!({"to": [{"version": 1}], "unit": "user"}),
            400,
        ),
        (
            "PUT",
            "/labels/latest",
            json!({"to": [{"version": 1}]}),
            422,
        ),
        (
            "PUT",
            "/labels/Production",
            json!({"to": [{"version": 1}]}),
            422,
        ),
        ("POST", "/rollback", json!({}), 400),
        ("POST", "/rollback", json!({"reason": ""}), 422),
        ("POST", "/rollback", json!({"reason": "r"}), 404),
        ("POST", "/versions/1/withdraw", json!({}), 400),
        ("POST", "/versions/1/erase", json!({"reason": "\n"}), 422),
        ("POST", "/versions/2/erase", json!({"reason": "r"}), 404),
        ("POST", "/versions/x/erase", json!({"reason": "r"}), 400),
        ("GET", "?version=1&label=production", json!(null), 422),
        ("GET", "?version=x", json!(null), 400),
        ("GET", "?unit=", json!(null), 400),
        ("GET", "?user=1", json!(null), 400),
        ("GET", "?version=7", json!(null), 404),
        ("GET", "/versions/7", json!(null), 404),
        ("GET", "/labels/production", json!(null), 404),
    ] {
        let answer = send(&server, method, &format!("{GREETING}{path}"), &[], &body);
        let shown = body.to_string();
        let shown = &shown[..shown.len().min(80)];
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {shown}: {}",
            answer.text()
        );
    }
    for name in [
        "Greeting",
        "a%2F3",
        "a%2F",
        "%2Fa",
        "a%20b",
        &"a".repeat(129),
    ] {
        let path = format!("/v1/prompts/{name}/versions");
        let answer = send(&server, "POST", &path, &[], &json!({"text": "x"}));
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
    }
    // A whole number is one however it is written.
    let whole = r#"{"to": [{"version": 1.0, "weight": 1e4}]}"#;
    let kind = [("Content-Type", "application/json")];
    let path = format!("{GREETING}/labels/other");
    let made = server
        .client()
        .request("PUT", &path, &kind, whole.as_bytes())
        .unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    let listed = server.client().get("/v1/prompts").unwrap().json();
    assert_eq!(listed["prompts"][0]["versions"], 1);
    assert_eq!(listed["prompts"].as_array().unwrap().len(), 1);
    server.stop();
    registry.directory.assert_clean();
}

#[test]
fn a_key_of_an_application_fetches_and_sees_no_more() {
    let registry = Registry::new();
    let key = |role: &str| {
        let made = registry.json(&["key", "create", "--role", role]);
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let (writer, operator) = (key("writer"), key("operator"));
    let server = registry.directory.serve();
    register(&server, "one");
    label(&server, 1, &[]);
    let status = |who: &str, method: &str, path: &str| {
        let body = json!({"text": "x", "to": [{"version": 1}], "reason": "r"});
        send(&server, method, path, &[("Authorization", who)], &body).status
    };
    for (method, path, of_writer, of_operator) in [
        ("GET", GREETING, 200, 200),
        ("GET", "/v1/prompts", 403, 200),
        ("GET", "/v1/prompts/greeting/history", 403, 200),
        ("GET", "/v1/prompts/greeting/versions/1", 403, 200),
        ("GET", "/v1/prompts/greeting/labels/production", 403, 200),
        ("POST", "/v1/prompts/greeting/versions", 403, 403),
        ("PUT", "/v1/prompts/greeting/labels/production", 403, 403),
        ("POST", "/v1/prompts/greeting/rollback", 403, 403),
        ("GET", "/metrics", 403, 200),
        ("GET", "/v1/events", 403, 403),
        ("GET", "/v1/key", 403, 403),
        ("GET", "/v1/access", 403, 403),
    ] {
        assert_eq!(
            status(&writer, method, path),
            of_writer,
            "writer {method} {path}"
        );
        assert_eq!(
            status(&operator, method, path),
            of_operator,
            "operator {method} {path}"
        );
    }
    // A password is a token on Langfuse's routes alone.
    let token = writer.strip_prefix("Bearer ").unwrap();
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("pk-any:{token}"),
    );
    let basic = format!("Basic {basic}");
    assert_eq!(
        status(&basic, "GET", "/api/public/v2/prompts/greeting"),
        200
    );
    assert_eq!(status(&basic, "GET", GREETING), 401);
    server.stop();
}

#[test]
fn an_event_with_another_text_than_its_version_is_flagged() {
    let registry = Registry::new();
    let server = registry.directory.serve();
    register(&server, "one");
    let sha256 = |text: &str| {
        use sha2::{Digest, Sha256};
        trailkeep_proof::ids::hex(&Sha256::digest(text))
    };
    for (id, prompt, flagged) in [
        (
            "same",
            json!({"name": "greeting", "version": "1", "sha256": sha256("one")}),
            false,
        ),
        (
            "other",
            json!({"name": "greeting", "version": "1", "sha256": sha256("two")}),
            true,
        ),
        ("silent", json!({"name": "greeting", "version": "1"}), false),
        (
            "later",
            json!({"name": "greeting", "version": "2", "sha256": sha256("two")}),
            false,
        ),
        (
            "own",
            json!({"name": "greeting", "version": "v1", "sha256": sha256("two")}),
            false,
        ),
        (
            "unknown",
            json!({"name": "nobody", "version": "1", "sha256": sha256("two")}),
            false,
        ),
    ] {
        let event = json!({"id": id, "action": "chat.completion", "actor": {"id": "a"}, "llm": {"prompt": prompt}});
        let sent = send(&server, "POST", "/v1/events", &[], &event);
        assert_eq!(sent.status, 201, "{id}: {}", sent.text());
        let shown = server
            .client()
            .get(&format!("/v1/events/{id}"))
            .unwrap()
            .text();
        assert_eq!(
            shown.contains(r#""prompt":"other-text""#),
            flagged,
            "{id}: {shown}"
        );
    }
    server.stop();
    registry.directory.assert_clean();
}

#[test]
fn the_document_s_pattern_of_names_is_the_one_that_is_checked() {
    use trailkeep_proof::prompts::PromptName;
    let routes =
        trailkeep_server::document()["paths"]["/v1/prompts/{name}/versions"]["post"]["parameters"]
            .clone();
    let name = routes
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "name");
    let schema = jsonschema::validator_for(&name.unwrap()["schema"]).unwrap();
    let long = "a".repeat(129);
    let names = [
        "a",
        "0",
        "3",
        "a/b",
        "a/3",
        "a/3b",
        "a/b3",
        "a/.",
        "a/",
        "a//",
        "a//b",
        "/a",
        ".a",
        "-a",
        "_a",
        "A",
        "a b",
        "a\n",
        "",
        &long,
        &long[1..],
        "a/03",
        "a/0_3",
        "3/3",
        "3/x/3",
        "a.b-c_d/e.f",
    ];
    for name in names {
        let accepted = PromptName::parse(name).is_ok();
        assert_eq!(schema.is_valid(&json!(name)), accepted, "{name:?}");
    }
}

#[test]
fn figures_tell_registered_prompts_and_versions_apart() {
    let registry = Registry::new();
    let server = registry.directory.serve();
    register(&server, "one");
    for (id, name, version) in [
        ("a", "greeting", "1"),
        ("b", "greeting", "7"),
        ("c", "nobody", "1"),
    ] {
        let event = json!({
            "id": id, "action": "chat.completion", "actor": {"id": "a"},
            "llm": {"provider": "openai", "request_model": "m", "prompt": {"name": name, "version": version}},
        });
        let sent = send(&server, "POST", "/v1/events", &[], &event);
        assert_eq!(sent.status, 201, "{id}: {}", sent.text());
    }
    let places = |id: &str| {
        let shown = server.client().get(&format!("/v1/events/{id}")).unwrap();
        let metered = shown.json()["event"]["metered"].clone();
        (metered[12].clone(), metered[13].clone())
    };
    assert_eq!(places("a"), (json!(1), json!(1)));
    assert_eq!(places("b"), (json!(1), Value::Null));
    assert_eq!(places("c"), (json!(0), Value::Null));
    server.stop();
    registry.directory.assert_clean();
}
