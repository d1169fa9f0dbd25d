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
    (
        "PATCH",
        "/v1/tenants/{name}",
        "/v1/tenants/walked",
        r#"{"public_log":false}"#,
        Right::ManageTenants,
    ),
    (
        "POST",
        "/v1/tenants/{name}/close",
        "/v1/tenants/walked/close",
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

/// A server with a second tenant, `acme`, and the token of its admin.
fn with_acme() -> (Directory, Server, String) {
    let directory = Directory::new();
    let server = directory.serve();
    let made = directory.run(&["tenant", "create", "acme", "--json"]);
    let made: Value = serde_json::from_slice(&succeeded(&made).stdout).unwrap();
    let token = made["token"].as_str().unwrap().to_owned();
    (directory, server, token)
}

#[test]
fn a_log_is_open_to_everybody_only_where_it_is_set_so() {
    let (directory, server, acme) = with_acme();
    let paths = |tenant: &str| {
        ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"]
            .map(|path| format!("/v1/log/{tenant}/{path}"))
    };
    let ask_anonymously = |server: &Server, path: &str| {
        let basic = [("Authorization", "Basic bm9ib2R5")];
        let mut client = server.client();
        client.request("GET", path, &basic, b"").unwrap().status
    };
    let anonymous = |path: &str| ask_anonymously(&server, path);
    for path in paths("acme")
        .iter()
        .chain(&paths("default"))
        .chain(&paths("nobody"))
    {
        assert_eq!(anonymous(path), 401, "{path}");
    }
    succeeded(&directory.run(&["tenant", "set", "acme", "--public-log", "on"]));
    for path in paths("acme") {
        assert_eq!(anonymous(&path), 200, "{path}");
        assert_eq!(
            send(&server, &directory.token, "GET", &path, "").0,
            200,
            "{path}"
        );
    }
    for path in paths("default").iter().chain(&paths("nobody")) {
        assert_eq!(anonymous(path), 401, "{path}");
        assert_eq!(send(&server, &acme, "GET", path, "").0, 404, "{path}");
    }
    for path in [
        "/v1/checkpoint",
        "/v1/key",
        "/v1/events",
        "/v1/entries/1",
        "/v1/entries/1/proof",
    ] {
        assert_eq!(anonymous(path), 401, "{path}");
    }
    // It survives a restart, and ends when it is ended.
    server.stop();
    let server = directory.serve();
    let checkpoint = "/v1/log/acme/checkpoint";
    assert_eq!(ask_anonymously(&server, checkpoint), 200);
    succeeded(&directory.run(&["tenant", "set", "acme", "--public-log", "off"]));
    assert_eq!(ask_anonymously(&server, checkpoint), 401);
    let listed = directory.run(&["access", "list", "--tenant", "acme", "--json"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    let set: Vec<&Value> = listed["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|access| access["action"] == "trailkeep.tenant.set")
        .map(|access| &access["detail"]["public_log"])
        .collect();
    assert_eq!(set, [true, false]);
}

#[test]
fn a_closed_tenant_takes_nothing_new_and_shows_what_it_has() {
    let (directory, server, acme) = with_acme();
    assert_eq!(send(&server, &acme, "POST", "/v1/events", EVENT).0, 201);
    let bundle = directory.path.join("acme.zip");
    let out = bundle.to_str().unwrap();
    let closed = directory.run(&["tenant", "close", "acme", "--out", out, "--json"]);
    let closed: Value = serde_json::from_slice(&succeeded(&closed).stdout).unwrap();
    assert_eq!(closed["bundle"]["counts"]["disclosed"], 1);
    let again = EVENT.replace("an-event", "another");
    for _ in 0..2 {
        let (status, answer) = send(&server, &acme, "POST", "/v1/events", &again);
        assert_eq!(
            (status, &answer["type"]),
            (409, &"urn:trailkeep:problem:tenant-closed".into())
        );
    }
    // A repeated one has its receipt already; reading goes on; other tenants don't notice.
    assert_eq!(send(&server, &acme, "POST", "/v1/events", EVENT).0, 200);
    assert_eq!(
        send(&server, &acme, "GET", "/v1/events/an-event", "").0,
        200
    );
    assert_eq!(
        send(&server, &directory.token, "POST", "/v1/events", &again).0,
        201
    );
    server.stop();
    let refused = directory.run(&["append", "--tenant", "acme", "-"]);
    assert!(!refused.status.success());
    // Closing again exports again; the operator's own can't be closed.
    let repeated = directory.run(&["tenant", "close", "acme", "--out", out, "--json"]);
    let repeated: Value = serde_json::from_slice(&succeeded(&repeated).stdout).unwrap();
    assert_eq!(repeated["closed_at"], closed["closed_at"]);
    assert!(
        said(&directory.run(&["tenant", "close", "default", "--without-export"]))
            .contains("can't be closed")
    );
    assert!(
        said(&directory.run(&["tenant", "close", "nobody", "--without-export"]))
            .contains("no such tenant")
    );
    let listed = directory.run(&["tenant", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    assert_eq!(listed["tenants"][0]["closed_at"], closed["closed_at"]);
    directory.assert_clean();
}

#[test]
fn settings_taken_out_of_the_vault_are_missed() {
    let (directory, server, _) = with_acme();
    server.stop();
    let vault = rusqlite::Connection::open(directory.path.join("vault.db")).unwrap();
    vault
        .execute("DELETE FROM sealed_record WHERE ledger = 2", [])
        .unwrap();
    drop(vault);
    let refused = directory.run(&["tenant", "list"]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("a tenant's settings"),
        "{}",
        said(&refused)
    );
}

#[test]
fn the_read_audit_is_switched_off_for_one_tenant_and_says_so() {
    let (directory, server, acme) = with_acme();
    assert_eq!(send(&server, &acme, "POST", "/v1/events", EVENT).0, 201);
    succeeded(&directory.run(&["tenant", "set", "acme", "--read-audit", "off"]));
    assert_eq!(
        send(&server, &acme, "GET", "/v1/events/an-event", "").0,
        200
    );
    succeeded(&directory.run(&["tenant", "set", "acme", "--read-audit", "on"]));
    assert_eq!(send(&server, &acme, "GET", "/v1/entries/3", "").0, 200);
    server.stop();
    let listed = directory.run(&["access", "list", "--tenant", "acme", "--json"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    let actions: Vec<&str> = listed["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|access| access["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "trailkeep.tenant.set",
            "trailkeep.tenant.set",
            "trailkeep.access"
        ]
    );
}

#[test]
fn a_read_leaves_whom_it_showed() {
    let directory = Directory::new();
    directory.append(
        r#"[{"id":"one","action":"a","actor":{"id":"x"},"subjects":[{"id":"kim"},{"id":"lee"}]},
            {"id":"two","action":"a","actor":{"id":"x"},"subjects":[{"id":"kim"}]},
            {"id":"three","action":"a","actor":{"id":"x"}}]"#,
    );
    let rows = || -> Vec<(Vec<u8>, i64)> {
        let ledger = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
        let mut query = ledger
            .prepare("SELECT reference, row & 1099511627775 FROM person_read ORDER BY row")
            .unwrap();
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    succeeded(&directory.run(&["show", "three"]));
    assert_eq!(rows(), []);
    succeeded(&directory.run(&["show", "two"]));
    let (kim, first) = rows()[0].clone();
    assert_eq!(rows().len(), 1);
    succeeded(&directory.run(&["query", "--action", "a"]));
    let second: Vec<(Vec<u8>, i64)> = rows().into_iter().filter(|(_, seq)| *seq > first).collect();
    // Two persons of three events, each once; the reference is the person's and not their id.
    assert_eq!(second.len(), 2);
    assert!(second.iter().any(|(reference, _)| *reference == kim));
    directory.assert_clean();
}

/// Commands on the socket and on the files act as the directory's owner; over the network as their token.
#[test]
fn commands_may_do_what_their_way_in_may_do() {
    let directory = Directory::new();
    directory.append(EVENT);
    let out = directory.path.join("b.zip");
    let commands: &[(&[&str], Right)] = &[
        (&["show", "an-event"], Right::Read),
        (&["query", "--action", "chat.completion"], Right::Read),
        (&["export", "--out", out.to_str().unwrap()], Right::Export),
        (&["key", "list"], Right::ManageKeys),
        (&["tenant", "list"], Right::ManageTenants),
        (&["access", "list"], Right::SeeAccess),
        (&["verify"], Right::Verify),
    ];
    let tokens = Role::ALL.map(|role| (role, make_key(&directory, role, &[]).1));
    for (command, _) in commands {
        succeeded(&directory.run(command));
    }
    let server = directory.serve();
    for (command, right) in commands {
        succeeded(&directory.run(command));
        for (role, token) in &tokens {
            let mut network = support::trailkeep();
            network
                .args(*command)
                .args(["--url", &format!("http://{}", server.address)]);
            let ended = network.env("TRAILKEEP_TOKEN", token).output().unwrap();
            assert_eq!(
                ended.status.success(),
                role.may(*right),
                "{role} {command:?}: {}",
                said(&ended)
            );
        }
        let mut nobody = support::trailkeep();
        nobody
            .args(*command)
            .args(["--url", &format!("http://{}", server.address)])
            .env("TRAILKEEP_TOKEN", "trailkeep_admin_00_x");
        assert!(!nobody.output().unwrap().status.success(), "{command:?}");
    }
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
