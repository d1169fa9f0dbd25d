//! Who may do what: every route with every role, and with keys that are none, revoked, expired, or changed
//! in the vault by hand.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use support::{Directory, Server, said, succeeded};
use trailkeep::service::access::{Right, Role};

const EVENT: &str =
    r#"{"id":"an-event","action":"chat.completion","actor":{"id":"x"},"input":"hello"}"#;

/// Every route: method, path as the router has it, path to ask for, body, and the right that it needs.
const ROUTES: &[(&str, &str, &str, &str, Right)] = &[
    ("POST", "/v1/events", "/v1/events", EVENT, Right::Append),
    ("GET", "/v1/events", "/v1/events", "", Right::Read),
    (
        "GET",
        "/v1/events/{id}",
        "/v1/events/an-event",
        "",
        Right::Read,
    ),
    (
        "GET",
        "/v1/events/{id}/proof",
        "/v1/events/an-event/proof",
        "",
        Right::Prove,
    ),
    ("GET", "/v1/entries/{seq}", "/v1/entries/3", "", Right::Read),
    (
        "GET",
        "/v1/entries/{seq}/proof",
        "/v1/entries/3/proof",
        "",
        Right::Prove,
    ),
    ("GET", "/v1/checkpoint", "/v1/checkpoint", "", Right::Prove),
    ("GET", "/v1/key", "/v1/key", "", Right::Prove),
    (
        "GET",
        "/v1/log/{tenant}/checkpoint",
        "/v1/log/default/checkpoint",
        "",
        Right::Prove,
    ),
    (
        "GET",
        "/v1/log/{tenant}/tile/{*path}",
        "/v1/log/default/tile/0/000.p/1",
        "",
        Right::Prove,
    ),
    ("POST", "/v1/exports", "/v1/exports", "{}", Right::Export),
    (
        "GET",
        "/v1/exports/{id}",
        "/v1/exports/none",
        "",
        Right::Export,
    ),
    (
        "DELETE",
        "/v1/exports/{id}",
        "/v1/exports/none",
        "",
        Right::Export,
    ),
    (
        "GET",
        "/v1/exports/{id}/file",
        "/v1/exports/none/file",
        "",
        Right::Export,
    ),
    (
        "POST",
        "/v1/keys",
        "/v1/keys",
        r#"{"role":"reader","expires":"P1D"}"#,
        Right::ManageKeys,
    ),
    ("GET", "/v1/keys", "/v1/keys", "", Right::ManageKeys),
    (
        "DELETE",
        "/v1/keys/{id}",
        "/v1/keys/none",
        "",
        Right::ManageKeys,
    ),
    (
        "POST",
        "/v1/tenants",
        "/v1/tenants",
        r#"{"name":"walked"}"#,
        Right::ManageTenants,
    ),
    (
        "GET",
        "/v1/tenants",
        "/v1/tenants",
        "",
        Right::ManageTenants,
    ),
    ("GET", "/v1/access", "/v1/access", "", Right::SeeAccess),
    ("POST", "/v1/verify", "/v1/verify", "", Right::Verify),
];

/// Routes that need no key.
const OPEN: &[&str] = &["/healthz"];

fn ask(
    server: &Server,
    token: &str,
    (method, _, path, body, _): &(&str, &str, &str, &str, Right),
) -> u16 {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Content-Type", "application/json")];
    headers.push(("Authorization", &bearer));
    let mut client = server.client();
    client
        .request(method, path, &headers, body.as_bytes())
        .unwrap()
        .status
}

fn make_key(directory: &Directory, role: Role, more: &[&str]) -> (String, String) {
    let arguments = [&["key", "create", "--json", "--role", role.as_str()], more].concat();
    let output = directory.run(&arguments);
    let made: Value = serde_json::from_slice(&succeeded(&output).stdout).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    assert!(text("token").starts_with(&format!("trailkeep_{role}_{}_", text("id"))));
    (text("id"), text("token"))
}

#[test]
fn the_table_of_routes_is_the_router_s() {
    let source = include_str!("../src/http/mod.rs");
    let routes: Vec<&str> = source
        .split(".route(")
        .skip(1)
        .map(|rest| rest.trim_start().split('"').nth(1).unwrap())
        .collect();
    assert!(routes.len() > 10);
    for route in &routes {
        let known = ROUTES.iter().any(|(_, path, ..)| path == route) || OPEN.contains(route);
        assert!(known, "{route} is not in the table of this test");
    }
    for (method, path, ..) in ROUTES {
        assert!(
            routes.contains(path),
            "{method} {path} is not in the router"
        );
    }
}

#[test]
fn every_route_with_every_role() {
    let directory = Directory::new();
    directory.append(EVENT);
    let keys = Role::ALL.map(|role| (role, make_key(&directory, role, &[]).1));
    let server = directory.serve();
    for (role, token) in &keys {
        for route in ROUTES {
            let status = ask(&server, token, route);
            if role.may(route.4) {
                let fine = [200, 201, 202, 204, 404];
                assert!(
                    fine.contains(&status),
                    "{role}: {} {}: {status}",
                    route.0,
                    route.2
                );
            } else {
                assert_eq!(status, 403, "{role}: {} {}", route.0, route.2);
            }
        }
    }
    // Another role's name in front of the same secret opens nothing.
    let forged = keys[0].1.replacen("_writer_", "_admin_", 1);
    assert_eq!(ask(&server, &forged, &ROUTES[1]), 401);
    server.stop();
    directory.assert_clean();
}

#[test]
fn revoked_and_expired_keys_open_nothing() {
    let directory = Directory::new();
    let (id, token) = make_key(&directory, Role::Admin, &[]);
    let (_, expired) = make_key(&directory, Role::Admin, &["--expires", "P0D"]);
    let (_, lasting) = make_key(&directory, Role::Admin, &["--expires", "P1D"]);
    let server = directory.serve();
    assert_eq!(ask(&server, &token, &ROUTES[1]), 200);
    assert_eq!(ask(&server, &lasting, &ROUTES[1]), 200);
    // Through the socket of the running server; it works at once.
    succeeded(&directory.run(&["key", "revoke", &id]));
    std::thread::scope(|scope| {
        for route in ROUTES {
            let (token, expired, server) = (&token, &expired, &server);
            scope.spawn(move || {
                for wrong in [
                    token.as_str(),
                    expired,
                    "",
                    "trailkeep_admin_0000000000000000_AAAA",
                    "x",
                ] {
                    assert_eq!(ask(server, wrong, route), 401, "{} {}", route.0, route.2);
                }
                let none = server
                    .client()
                    .request(route.0, route.2, &[("Authorization", "")], b"");
                assert_eq!(none.unwrap().status, 401);
            });
        }
    });
    let listed: Value =
        serde_json::from_slice(&directory.run(&["key", "list", "--json"]).stdout).unwrap();
    let listed = listed["keys"].as_array().unwrap();
    assert_eq!(listed.len(), 4);
    assert_eq!(
        listed
            .iter()
            .filter(|key| !key["revoked_at"].is_null())
            .count(),
        1
    );
    let text = serde_json::to_string(listed).unwrap();
    assert!(
        !text.contains("sha256") && !text.contains("token"),
        "{text}"
    );
    server.stop();
    // A restart forgets nothing, and the making and revoking are entries of the ledger.
    let server = directory.serve();
    assert_eq!(ask(&server, &token, &ROUTES[1]), 401);
    server.stop();
    let entry = directory.run(&["show", "3", "--json"]);
    let entry: Value = serde_json::from_slice(&succeeded(&entry).stdout).unwrap();
    assert_eq!(entry["event"]["action"], "trailkeep.key.create");
    assert_eq!(entry["event"]["key"]["by"], "local");
    directory.assert_clean();
}

#[test]
fn a_key_s_row_changed_by_hand_gives_no_access() {
    let directory = Directory::new();
    let (writer, token) = make_key(&directory, Role::Writer, &[]);
    let (revoked, revoked_token) = make_key(&directory, Role::Admin, &[]);
    let database = directory.path.join("vault.db");
    let sealed = |id: &str| -> Vec<u8> {
        let connection = rusqlite::Connection::open(&database).unwrap();
        let query = "SELECT sealed FROM api_key WHERE id = ?1";
        connection.query_row(query, [id], |row| row.get(0)).unwrap()
    };
    let put = |id: &str, sealed: &[u8]| {
        let connection = rusqlite::Connection::open(&database).unwrap();
        let query = "UPDATE api_key SET sealed = ?2 WHERE id = ?1";
        assert_eq!(
            connection
                .execute(query, rusqlite::params![id, sealed])
                .unwrap(),
            1
        );
    };
    let before = sealed(&revoked);
    succeeded(&directory.run(&["key", "revoke", &revoked]));
    // An administrator's rights put under the writer's id.
    put(&writer, &before);
    let server = directory.serve();
    assert!([401, 500].contains(&ask(&server, &token, &ROUTES[1])));
    assert!([401, 500].contains(&ask(&server, &token, &ROUTES[0])));
    assert_eq!(ask(&server, &revoked_token, &ROUTES[1]), 401);
    server.stop();
    let output = directory.run(&["verify", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
}

fn send(server: &Server, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", &bearer),
    ];
    let mut client = server.client();
    let answer = client
        .request(method, path, &headers, body.as_bytes())
        .unwrap();
    let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status, value)
}

fn event_of(text: &str) -> String {
    serde_json::json!({
        "id": "same-id", "action": "chat.completion", "actor": {"id": "same-person"},
        "subjects": [{"id": "same-person"}], "context": {"conversation": "same"}, "input": text,
    })
    .to_string()
}

#[test]
fn two_tenants_never_meet() {
    let directory = Directory::new();
    let server = directory.serve();
    // Made through the socket while the server runs, and usable at once.
    let made = directory.run(&["tenant", "create", "acme", "--json"]);
    let made: Value = serde_json::from_slice(&succeeded(&made).stdout).unwrap();
    assert_eq!(made["origin"], "audit.example.com/acme");
    let acme = made["token"].as_str().unwrap().to_owned();
    let own = directory.token.clone();
    for (token, text) in [(&own, "of the operator"), (&acme, "of acme")] {
        for _ in 0..2 {
            let (status, answer) = send(&server, token, "POST", "/v1/events", &event_of(text));
            assert!([200, 201].contains(&status), "{answer}");
        }
        let (status, _) = send(&server, token, "POST", "/v1/events", &event_of("another"));
        assert_eq!(status, 409);
        let (_, shown) = send(&server, token, "GET", "/v1/events/same-id", "");
        assert_eq!(shown["event"]["input"], text);
        let (_, page) = send(
            &server,
            token,
            "GET",
            "/v1/events?action=chat.completion",
            "",
        );
        assert_eq!(page["events"].as_array().unwrap().len(), 1);
        assert_eq!(page["events"][0]["event"]["input"], text);
    }
    // Whatever is named of the other does not exist.
    let (_, export) = send(&server, &own, "POST", "/v1/exports", "{}");
    let id = export["id"].as_str().unwrap();
    let (_, keys) = send(&server, &own, "GET", "/v1/keys", "");
    let key = keys["keys"][0]["id"].as_str().unwrap();
    for (method, path) in [
        ("GET", format!("/v1/exports/{id}")),
        ("GET", format!("/v1/exports/{id}/file")),
        ("DELETE", format!("/v1/exports/{id}")),
        ("DELETE", format!("/v1/keys/{key}")),
        ("GET", "/v1/log/default/checkpoint".to_owned()),
        ("GET", "/v1/log/default/tile/0/000.p/1".to_owned()),
    ] {
        let (status, answer) = send(&server, &acme, method, &path, "");
        assert_eq!(status, 404, "{method} {path}");
        assert!(!answer.to_string().contains("default/"), "{answer}");
    }
    let (_, keys) = send(&server, &acme, "GET", "/v1/keys", "");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    // Only the operator knows of tenants.
    assert_eq!(send(&server, &acme, "GET", "/v1/tenants", "").0, 403);
    assert_eq!(
        send(&server, &acme, "POST", "/v1/tenants", r#"{"name":"x"}"#).0,
        403
    );
    assert_eq!(
        send(&server, &own, "POST", "/v1/tenants", r#"{"name":"acme"}"#).0,
        409
    );
    assert_eq!(
        send(&server, &own, "POST", "/v1/tenants", r#"{"name":"A"}"#).0,
        400
    );
    server.kill();

    // A tenant survives a crash, verifies alone, and exports what is its own.
    for (tenant, text) in [("default", "of the operator"), ("acme", "of acme")] {
        let report = directory.run(&["verify", "--json", "--tenant", tenant]);
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        assert_eq!(report["ok"], true, "{tenant}: {report}");
        assert_eq!(report["origin"], format!("audit.example.com/{tenant}"));
        let shown = directory.run(&["show", "same-id", "--json", "--tenant", tenant]);
        let shown: Value = serde_json::from_slice(&succeeded(&shown).stdout).unwrap();
        assert_eq!(shown["event"]["input"], text);
        let out = directory.path.with_extension(tenant);
        let key = directory.path.with_extension("pem");
        let out = out.to_str().unwrap();
        succeeded(&directory.run(&["export", "--tenant", tenant, "--out", out]));
        let public = directory.run(&["key", "public", "--tenant", tenant]);
        std::fs::write(&key, &succeeded(&public).stdout).unwrap();
        let verify = std::process::Command::new(env!("CARGO_BIN_EXE_trailkeep-verify"))
            .arg(out)
            .arg("--key")
            .arg(&key)
            .output()
            .unwrap();
        succeeded(&verify);
    }
    let unknown = directory.run(&["query", "--tenant", "nobody"]);
    assert!(
        said(&unknown).contains("no such tenant"),
        "{}",
        said(&unknown)
    );
    assert_no_tag_in_common(&directory);
}

/// The same ids and persons have other look-up keys in each ledger.
fn assert_no_tag_in_common(directory: &Directory) {
    let connection = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
    let mut query = connection
        .prepare("SELECT row >> 40, keys FROM active_index")
        .unwrap();
    let rows = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let mut tags: std::collections::HashMap<[u8; 16], i64> = std::collections::HashMap::new();
    let mut ledgers = std::collections::BTreeSet::new();
    for row in rows {
        let (ledger, keys): (i64, Vec<u8>) = row.unwrap();
        ledgers.insert(ledger);
        for tag in keys.as_chunks::<16>().0 {
            assert_eq!(
                *tags.entry(*tag).or_insert(ledger),
                ledger,
                "a tag of two ledgers"
            );
        }
    }
    assert_eq!(ledgers.len(), 2);
    assert!(tags.len() > 4);
}

fn accesses(directory: &Directory) -> Vec<Value> {
    let listed = directory.run(&["access", "list", "--json"]);
    let mut listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    serde_json::from_value(listed["accesses"].take()).unwrap()
}

#[test]
fn who_looks_is_seen() {
    let directory = Directory::new();
    directory.append(EVENT);
    let (id, token) = make_key(&directory, Role::Reader, &[]);
    let server = directory.serve();
    for _ in 0..3 {
        assert_eq!(
            send(&server, &token, "GET", "/v1/events/an-event", "").0,
            200
        );
    }
    let (status, _) = send(
        &server,
        &token,
        "GET",
        "/v1/events?action=chat.completion&limit=5",
        "",
    );
    assert_eq!(status, 200);
    // What shows no text is no read, and neither is what was not there.
    assert_eq!(
        send(&server, &token, "GET", "/v1/events/another", "").0,
        404
    );
    assert_eq!(
        send(&server, &token, "GET", "/v1/events/an-event/proof", "").0,
        200
    );
    assert_eq!(send(&server, &token, "GET", "/v1/checkpoint", "").0, 200);
    succeeded(&directory.run(&["show", "an-event", "--purpose", "case 17"]));
    server.stop();

    let listed = accesses(&directory);
    let reads: Vec<&Value> = listed
        .iter()
        .filter(|access| access["action"] == "trailkeep.access")
        .map(|access| &access["detail"])
        .collect();
    // The first read, the query, the command, and at the end the two repetitions of the first.
    assert_eq!(reads.len(), 4, "{listed:?}");
    assert_eq!(
        (&reads[0]["by"], &reads[0]["count"]),
        (&Value::from(id), &Value::from(1))
    );
    assert_eq!(reads[0]["seq"], 3);
    assert_eq!(reads[1]["filters"], serde_json::json!(["action"]));
    assert!(reads[1]["seq"].is_null());
    assert_eq!(
        (&reads[2]["by"], &reads[2]["purpose"]),
        (&Value::from("local"), &Value::from("case 17"))
    );
    assert_eq!(reads[3]["count"], 2);
    // No value of a filter, no id of an event, and nothing of a person.
    let text = serde_json::to_string(&listed).unwrap();
    assert!(
        !text.contains("chat.completion") && !text.contains("an-event"),
        "{text}"
    );
    assert!(
        listed
            .iter()
            .any(|access| access["action"] == "trailkeep.key.create")
    );
    directory.assert_clean();
}

#[test]
fn a_read_that_can_not_be_recorded_is_not_answered() {
    let directory = Directory::new();
    directory.append(EVENT);
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18446744073709551615")]);
    let (status, answer) = send(&server, &directory.token, "GET", "/v1/events/an-event", "");
    assert_eq!(status, 507, "{answer}");
    assert!(!answer.to_string().contains("hello"), "{answer}");
    assert_eq!(
        send(&server, &directory.token, "GET", "/v1/checkpoint", "").0,
        200
    );
    server.stop();
}

#[test]
fn no_header_does_harm() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    let token = directory.token.clone();
    let mangled = prop_oneof![
        "[ -~]{0,80}",
        "(?i)bearer [ -~]{0,80}",
        (0..token.len(), "[ -~]").prop_map(move |(at, c)| {
            let mut changed = token.clone();
            changed.replace_range(at..=at, &c);
            format!("Bearer {changed}")
        }),
    ];
    let right = format!("Bearer {}", directory.token);
    runner
        .run(&mangled, |header| {
            let answer =
                server
                    .client()
                    .request("GET", "/v1/events", &[("Authorization", &header)], b"");
            let status = answer.unwrap().status;
            prop_assert!(status == 401 || header == right, "{status}");
            Ok(())
        })
        .unwrap();
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn wrong_questions_about_keys_are_told_so() {
    let directory = Directory::new();
    for (arguments, expected) in [
        (&["key", "create", "--role", "king"][..], "is not a role"),
        (
            &["key", "create", "--role", "reader", "--expires", "90 days"],
            "is not a calendar period",
        ),
        (
            &["key", "create", "--role", "reader", "--expires", "P9999Y"],
            "after the year 9999",
        ),
        (
            &["key", "revoke", "0000000000000000"],
            "there is no such key",
        ),
    ] {
        let output = directory.run(arguments);
        assert!(!output.status.success());
        assert!(
            said(&output).contains(expected),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    assert_eq!(directory.assert_clean()["entries"], 3);
}
