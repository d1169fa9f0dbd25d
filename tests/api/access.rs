//! Who may do what: every route with every role, and with keys that are none, revoked, expired, or changed
//! in the vault by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::{Clocked, Directory, Server, said, succeeded};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use trailkeep_core::keys::role::Role;

const EVENT: &str =
    r#"{"id":"an-event","action":"chat.completion","actor":{"id":"x"},"input":"hello"}"#;

fn make_key(directory: &Directory, role: Role, more: &[&str]) -> (String, String) {
    let arguments = [&["key", "create", "--json", "--role", role.as_str()], more].concat();
    let output = directory.run(&arguments);
    let made: Value = serde_json::from_slice(&succeeded(&output).stdout).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    assert!(text("token").starts_with(&format!("trailkeep_{role}_{}_", text("id"))));
    (text("id"), text("token"))
}

#[test]
fn keys_are_listed_without_their_secrets_and_recorded() {
    let directory = Directory::new();
    let (id, token) = make_key(&directory, Role::Reader, &["--expires", "P1D"]);
    succeeded(&directory.run(&["key", "revoke", &id]));
    let listed = directory.run(&["key", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    let made = keys.iter().find(|key| key["id"] == *id).unwrap();
    assert!(!made["revoked_at"].is_null() && !made["expires_at"].is_null());
    let text = listed.to_string();
    // The secret is base64url and may hold `_` itself: all that follows the id is the secret.
    let secret = token
        .strip_prefix(&format!("trailkeep_reader_{id}_"))
        .unwrap();
    assert!(secret.len() > 20, "{secret}");
    for hidden in ["sha256", "token", secret] {
        assert!(!text.contains(hidden), "{text}");
    }
    let recorded = accesses(&directory);
    let recorded: Vec<(&Value, &Value)> = recorded
        .iter()
        .map(|access| (&access["action"], &access["detail"]))
        .collect();
    // The first key of all is stated, too.
    let first = keys.iter().find(|key| key["id"] != *id).unwrap();
    let expected = [
        ("trailkeep.key.create", &first["id"], "init"),
        ("trailkeep.key.create", &made["id"], "local"),
        ("trailkeep.key.revoke", &made["id"], "local"),
    ];
    let recorded: Vec<_> = recorded
        .iter()
        .map(|(action, detail)| {
            let by = detail["by"].as_str().unwrap();
            (action.as_str().unwrap(), &detail["id"], by)
        })
        .collect();
    assert_eq!(recorded, expected);
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
    let own = sealed(&writer);
    put(&writer, &before);
    let refused = directory.run(&["key", "list"]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("`api-key`"), "{}", said(&refused));
    let output = directory.run(&["verify", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    // Put right again, it is served, and the keys are what they were.
    put(&writer, &own);
    let server = directory.serve();
    assert_eq!(send(&server, &token, "POST", "/v1/events", EVENT).0, 201);
    assert_eq!(send(&server, &token, "GET", "/v1/events", "").0, 403);
    let (status, _) = send(&server, &revoked_token, "GET", "/v1/events", "");
    assert_eq!(status, 401);
    // Changed while the server runs, it gives no access, either.
    put(&writer, &before);
    for (method, body) in [("GET", ""), ("POST", EVENT)] {
        let (status, _) = send(&server, &token, method, "/v1/events", body);
        assert!([401, 500].contains(&status), "{status}");
    }
    server.stop();
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
        let verify = crate::support::verifier()
            .arg(out)
            .arg("--key")
            .arg(&key)
            .output()
            .unwrap();
        succeeded(&verify);
        assert_bundle_is_of(out, tenant, text);
    }
    let unknown = directory.run(&["query", "--tenant", "nobody"]);
    assert!(
        said(&unknown).contains("tenant not found"),
        "{}",
        said(&unknown)
    );
    assert_no_tag_in_common(&directory);
}

/// Nothing in any file of a tenant's bundle is of the other.
fn assert_bundle_is_of(bundle: &str, tenant: &str, text: &str) {
    let show = |more: &[&str]| {
        let mut command = crate::support::trailkeep();
        let output = command.args(["bundle", "show", bundle]).args(more).output();
        succeeded(&output.unwrap()).stdout.clone()
    };
    let listed: Value = serde_json::from_slice(&show(&["--json"])).unwrap();
    let (other, others_text) = match tenant {
        "acme" => ("default", "of the operator"),
        _ => ("acme", "of acme"),
    };
    let mut shown = 0;
    for member in listed["members"].as_array().unwrap() {
        let name = member["name"].as_str().unwrap();
        let content = String::from_utf8_lossy(&show(&["--member", name])).into_owned();
        shown += usize::from(content.contains(text));
        assert!(!content.contains(others_text), "{name} of {tenant}");
        // The operator's ledger says that it made the other; nothing of its origin stands elsewhere.
        let is_said = tenant == "default" && name == "statements.jsonl";
        let origin = format!("audit.example.com/{other}");
        assert!(is_said || !content.contains(&origin), "{name} of {tenant}");
    }
    assert!(shown > 0);
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
    // Closing again exports again; the operator's own cannot be closed.
    let repeated = directory.run(&["tenant", "close", "acme", "--force", "--out", out, "--json"]);
    let repeated: Value = serde_json::from_slice(&succeeded(&repeated).stdout).unwrap();
    assert_eq!(repeated["closed_at"], closed["closed_at"]);
    assert!(
        said(&directory.run(&["tenant", "close", "default", "--without-export"]))
            .contains("cannot be closed")
    );
    assert!(
        said(&directory.run(&["tenant", "close", "nobody", "--without-export"]))
            .contains("tenant not found")
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
        said(&refused).contains("`settings/2`"),
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
            "trailkeep.key.create",
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
    assert_eq!(reads[0]["seq"], 4);
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
fn pages_of_accesses_join_to_the_list_whatever_one_may_cost() {
    use trailkeep_core::journal::access_log::{PageLimits, list};
    let directory = Directory::new();
    for id in 0..5 {
        directory.append(&EVENT.replace("an-event", &format!("event-{id}")));
        succeeded(&directory.run(&["show", &format!("event-{id}")]));
    }
    let engine = crate::support::open_engine(&directory);
    let tenant = engine.journal.tenants().pop().unwrap();
    let pages = |limits: PageLimits| {
        let (mut found, mut start) = (Vec::new(), None);
        let mut pages = 0;
        loop {
            let page = list(
                &engine.journal,
                tenant.active(),
                (None, None),
                start,
                limits,
            );
            let page = page.unwrap();
            assert!(page.accesses.len() <= limits.accesses);
            found.extend(page.accesses.iter().map(|access| access.seq));
            pages += 1;
            match page.next {
                Some(next) => start = Some(next),
                None => return (found, pages),
            }
        }
    };
    let (all, one) = pages(PageLimits::of(1_000));
    assert_eq!(
        (all.len(), one),
        (6, 1),
        "the first key and five reads: {all:?}"
    );
    for (accesses, entries) in [(1, 100), (2, 100), (100, 1), (100, 3), (1, 2)] {
        let (found, pages) = pages(PageLimits { accesses, entries });
        assert_eq!(found, all);
        assert!(pages > 1, "{accesses} accesses of {entries} entries");
    }
    engine.close().unwrap();
}

#[test]
fn a_read_that_can_not_be_recorded_is_not_answered() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(EVENT);
    let server = clocked.serve_with(&[]);
    clocked.jump("2026-11-24T12:00:00Z");
    let token = &clocked.directory.token;
    let (status, answer) = send(&server, token, "GET", "/v1/events/an-event", "");
    assert_eq!(status, 503, "{answer}");
    assert!(!answer.to_string().contains("hello"), "{answer}");
    assert_eq!(send(&server, token, "GET", "/v1/checkpoint", "").0, 200);
    server.kill();
}

#[test]
fn below_its_reserve_the_disk_serves_reads_and_takes_no_event() {
    let directory = Directory::new();
    directory.append(EVENT);
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18446744073709551615")]);
    let token = &directory.token;
    let (status, answer) = send(&server, token, "GET", "/v1/events/an-event", "");
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = send(&server, token, "POST", "/v1/events", &event_of("more"));
    assert_eq!(status, 507, "{answer}");
    // Who makes room is seen, too: a hold is released, a key revoked.
    let hold = r#"{"matter":"m","reason":"r"}"#;
    assert_eq!(send(&server, token, "POST", "/v1/holds", hold).0, 201);
    let log = server.stop();
    assert!(
        log.contains("below its reserve: events are refused"),
        "{log}"
    );
    let reads = accesses(&directory);
    let read = reads
        .iter()
        .find(|access| access["detail"]["route"] == "/v1/events/{id}");
    assert!(read.is_some(), "{reads:?}");
    directory.assert_clean();
}

#[test]
fn refused_tokens_are_in_the_log_without_the_token() {
    let directory = Directory::new();
    let server = directory.serve();
    for _ in 0..3 {
        assert_eq!(
            send(
                &server,
                "trailkeep_admin_00_secret",
                "GET",
                "/v1/events/x",
                ""
            )
            .0,
            401
        );
    }
    let log = server.stop();
    let lines = log
        .lines()
        .filter(|line| line.contains("without a valid API token"));
    assert_eq!(lines.count(), 1, "{log}");
    assert!(!log.contains("secret") && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn a_key_s_label_and_owner_stand_wherever_its_id_does() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_slice(&succeeded(&clocked.output(arguments)).stdout).unwrap()
    };
    let made = json(&[
        "key",
        "create",
        "--role",
        "admin",
        "--label",
        "checkout",
        "--owner",
        "team-payments",
        "--json",
    ]);
    assert_eq!(
        (&made["label"], &made["owner"]),
        (&"checkout".into(), &"team-payments".into())
    );
    let (id, token) = (&made["id"], made["token"].as_str().unwrap());
    let plain = json(&["key", "create", "--role", "writer", "--json"]);
    for wrong in ["", "  ", "two\nlines", &"x".repeat(65)] {
        let refused = clocked.output(&["key", "create", "--role", "writer", "--label", wrong]);
        assert!(
            said(&refused).contains("`label` of an API key must be"),
            "{}",
            said(&refused)
        );
    }

    let server = clocked.serve_with(&[]);
    clocked.set("2026-11-24T10:20:00Z");
    assert_eq!(send(&server, token, "POST", "/v1/events", EVENT).0, 201);
    assert_eq!(
        send(&server, token, "GET", "/v1/events/an-event", "").0,
        200
    );
    let hold = r#"{"matter":"m","reason":"r"}"#;
    assert_eq!(send(&server, token, "POST", "/v1/holds", hold).0, 201);
    let name = serde_json::json!({"label": "checkout", "owner": "team-payments"});
    let (_, holds) = send(&server, token, "GET", "/v1/holds", "");
    assert_eq!(holds["holds"][0]["placed_by_name"], name, "{holds}");
    let (_, page) = send(&server, token, "GET", "/v1/access", "");
    let accesses = page["accesses"].as_array().unwrap();
    let of = |action: &str, key: &Value| {
        let found = accesses.iter().find(|access| {
            access["action"] == action
                && (access["detail"]["by"] == *key || access["detail"]["id"] == *key)
        });
        found.unwrap_or_else(|| panic!("{action}: {page}")).clone()
    };
    assert_eq!(of("trailkeep.access", id)["by_name"], name);
    let stated = of("trailkeep.key.create", id)["detail"].clone();
    assert_eq!(
        (&stated["label"], &stated["owner"]),
        (&"checkout".into(), &"team-payments".into())
    );
    let stated = of("trailkeep.key.create", &plain["id"])["detail"].clone();
    assert!(
        stated.get("label").is_none() && stated.get("owner").is_none(),
        "{stated}"
    );
    for line in ["access list", "hold list"] {
        let shown = clocked.output(&line.split(' ').collect::<Vec<_>>());
        let shown = String::from_utf8(succeeded(&shown).stdout.clone()).unwrap();
        let beside = format!("checkout ({})", id.as_str().unwrap());
        assert!(shown.contains(&beside), "{shown}");
    }

    // The last use is known at once, and written with the next hourly mark.
    let last_used = |id: &Value| {
        let listed = json(&["key", "list", "--json"]);
        let keys = listed["keys"].as_array().unwrap();
        keys.iter().find(|key| key["id"] == *id).unwrap()["last_used_at"].clone()
    };
    assert_eq!(last_used(id), "2026-11-24T10:20:00.000Z");
    assert_eq!(last_used(&plain["id"]), Value::Null);
    clocked.set("2026-11-24T11:30:00Z");
    std::thread::sleep(std::time::Duration::from_secs(3));
    server.kill();
    assert_eq!(last_used(id), "2026-11-24T10:20:00.000Z");
    let report = clocked.json(&["verify", "--json"]);
    assert_eq!(report["findings"], serde_json::json!([]), "{report}");
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
        (&["key", "create", "--role", "king"][..], "unknown role"),
        (
            &["key", "create", "--role", "reader", "--expires", "90 days"],
            "is not a calendar period",
        ),
        (
            &["key", "create", "--role", "reader", "--expires", "P9999Y"],
            "after the year 9999",
        ),
        (&["key", "revoke", "0000000000000000"], "API key not found"),
    ] {
        let output = directory.run(arguments);
        assert!(!output.status.success());
        assert!(
            said(&output).contains(expected),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    assert_eq!(directory.assert_clean()["entries"], 4);
}
