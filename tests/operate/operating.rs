//! What an operator sees of the real program: whether it is ready, its figures, its log. No text and no id of anybody.
#![allow(
    clippy::unwrap_used,
    reason = "a test that has not what it needs should panic"
)]

use std::process::Command;

use crate::support::{Clocked, Directory, Server, succeeded};
use serde_json::Value;

fn ready(server: &Server) -> (u16, Value) {
    let answer = server.client().get("/readyz").unwrap();
    (answer.status, answer.json())
}

fn assert_not_ready(server: &Server, reason: &str) {
    let (status, said) = ready(server);
    assert_eq!(
        (status, &said["ready"]),
        (503, &Value::Bool(false)),
        "{said}"
    );
    let reasons = said["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{said}");
    assert!(reasons[0].as_str().unwrap().starts_with(reason), "{said}");
}

/// The value of a figure, from the page of metrics.
fn figure(server: &Server, name: &str) -> f64 {
    let page = server.client().get("/metrics").unwrap().text();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(&format!("trailkeep_{name} ")));
    let line = line.unwrap_or_else(|| panic!("there is no {name} in {page}"));
    line.parse().unwrap()
}

#[test]
fn ready_until_the_disk_is_full() {
    let directory = Directory::new();
    let server = directory.serve();
    let (status, said) = ready(&server);
    assert_eq!(
        (status, &said["ready"]),
        (200, &Value::Bool(true)),
        "{said}"
    );
    server.stop();
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "9000000000000000")]);
    assert_not_ready(&server, "disk: ");
    assert!((figure(&server, "ready") - 0.0).abs() < f64::EPSILON);
    server.stop();
}

#[test]
fn not_ready_while_the_clock_is_not_believed() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let server = clocked.serve_with(&[]);
    assert_eq!(ready(&server).0, 200);
    clocked.jump("2026-11-24T11:00:00Z");
    assert_not_ready(&server, "clock: ");
    clocked.jump("2026-11-24T10:00:01Z");
    assert_eq!(ready(&server).0, 200);
    server.kill();
}

#[test]
fn not_ready_while_a_rotation_waits_for_a_copy() {
    let directory = Directory::new();
    directory.append(r#"{"id":"e-1","action":"a.b","actor":{"id":"u"}}"#);
    let target = directory.path.with_file_name("copy");
    let target_text = target.to_str().unwrap();
    succeeded(&directory.run(&["vault-replica", "add", target_text]));
    let server = directory.serve();
    assert_eq!(ready(&server).0, 200);
    std::fs::remove_dir_all(&target).unwrap();
    let rotated = directory.run(&["key", "rotate-vault"]);
    assert_eq!(rotated.status.code(), Some(1));
    assert_not_ready(&server, "copies_pending: ");
    assert!((figure(&server, "copies_pending") - 1.0).abs() < f64::EPSILON);
    assert!(
        !ready(&server).1.to_string().contains("copy\""),
        "a path is named"
    );
    server.stop();
}

#[test]
fn not_ready_when_the_vault_cannot_be_read() {
    let directory = Directory::new();
    let server = directory.serve();
    assert_eq!(ready(&server).0, 200);
    // Somebody took a table out.
    let vault = rusqlite::Connection::open(directory.path.join("vault.db")).unwrap();
    vault.execute_batch("DROP TABLE sealed_record").unwrap();
    assert_not_ready(&server, "vault: ");
    let log = server.kill();
    assert!(log.contains("the vault cannot be read"), "{log}");
}

/// A file that can't grow is no full disk: SQLite gives another error, and nobody knows what is on disk.
#[test]
fn a_writer_that_fails_ends_the_server_and_nothing_acknowledged_is_lost() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let directory = Directory::new();
    let mut command = Command::new("bash");
    command
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "bash"])
        .arg(env!("CARGO_BIN_EXE_trailkeep"))
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(&directory.path);
    let server = directory.serve_by(command);
    let mut client = server.client();
    let mut append = |number: usize| {
        let text = "text ".repeat(2_000);
        let event = serde_json::json!({
            "id": format!("e{number}"),
            "action": "chat.completion",
            "actor": {"id": "bot"},
            "input": format!("{number} {text}"),
        });
        client.post("application/json", event.to_string().as_bytes())
    };
    for number in 0..20 {
        assert_eq!(append(number).unwrap().status, 201);
    }
    let log = directory.path.join("ledger.db-wal");
    let limit = Some(log.metadata().unwrap().len());
    let process = Pid::from_child(&server.child);
    let limits = Rlimit {
        current: limit,
        maximum: limit,
    };
    prlimit(Some(process), Resource::Fsize, limits).unwrap();
    let mut told = 20;
    loop {
        match append(told) {
            Ok(answer) if answer.status == 201 => told += 1,
            Ok(answer) => {
                assert!(answer.status >= 500, "{}", answer.text());
                break;
            }
            Err(_) => break,
        }
    }
    // Whoever still gets an answer hears that it is not ready.
    if let Ok(answer) = server.client().get("/readyz") {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.text().contains("writer: "), "{}", answer.text());
    }
    let (status, log) = server.ended();
    assert!(
        !status.success() && status.code().is_some(),
        "{status}: {log}"
    );
    let report = directory.assert_clean();
    // The one whose outcome was unknown may be there.
    let events = report["events"].as_u64().unwrap() as usize;
    assert!((told..=told + 1).contains(&events), "{told}: {report}");
    for number in 0..told {
        succeeded(&directory.run(&["show", &format!("e{number}")]));
    }
}

#[test]
fn figures_of_what_expired_and_was_erased() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let event = |id: &str, person: &str| {
        let event = serde_json::json!({
            "id": id,
            "action": "chat.completion",
            "actor": {"id": "bot"},
            "subjects": [{"id": person}],
        });
        format!("{event}\n")
    };
    clocked.append(&(event("a", "anna") + &event("b", "anna") + &event("c", "bert")));
    let is = |name: &str, expected: f64| {
        let found = figure(&server, name);
        assert!((found - expected).abs() < f64::EPSILON, "{name}: {found}");
    };
    is("erased_events_total", 0.0);
    let erase = [
        "privacy",
        "erase",
        "--yes",
        "--subject",
        "anna",
        "--reference",
        "R",
    ];
    succeeded(&clocked.output(&erase));
    is("erased_events_total", 2.0);
    is("expired_events_total", 0.0);
    is("rotation_due", 1.0);
    is("open_destroying_jobs", 0.0);
    // 90 days later, in steps that the clock is believed.
    for day in ["2026-12-20", "2027-01-15", "2027-02-10", "2027-02-24"] {
        clocked.set(&format!("{day}T10:00:00Z"));
        succeeded(&clocked.output(&["retention", "run"]));
    }
    is("expired_events_total", 1.0);
    is("erased_events_total", 2.0);
    server.stop();
}

#[test]
fn figures_of_what_was_written_and_refused() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let events = r#"[{"id":"a","action":"a.b","actor":{"id":"u"}},{"id":"b","action":"a.b","actor":{"id":"u"}}]"#;
    assert_eq!(
        client
            .post("application/json", events.as_bytes())
            .unwrap()
            .status,
        201
    );
    for _ in 0..3 {
        let refused = br#"{"id":"a","action":"c.d","actor":{"id":"u"}}"#;
        assert_eq!(
            client.post("application/json", refused).unwrap().status,
            409
        );
    }
    let is = |name: &str, value: f64| {
        let found = figure(&server, name);
        assert!((found - value).abs() < f64::EPSILON, "{name} is {found}");
    };
    is("events_total", 2.0);
    is("problems_total{type=\"id-conflict\"}", 3.0);
    is("queue_events", 0.0);
    assert!(figure(&server, "event_bytes_total") > 100.0);
    for name in ["append", "vault_commit", "ledger_commit", "sync"] {
        assert!(
            figure(&server, &format!("{name}_seconds_count")) >= 1.0,
            "{name}"
        );
        assert!(
            figure(&server, &format!("{name}_seconds_sum")) > 0.0,
            "{name}"
        );
    }
    assert!(figure(&server, "batch_entries_sum") >= 2.0);
    assert!(figure(&server, "checkpoint_age_seconds") < 3_600.0);
    assert!(client.get("/metrics").unwrap().text().ends_with("# EOF\n"));
    server.stop();
}

/// Stands in each place of an event where an application may put something personal.
const MARKER: &str = "zq7marker";

fn marked(id: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{MARKER}-{id}","action":"chat.completion","actor":{{"id":"{MARKER}-actor","name":"{MARKER}"}},"subjects":[{{"id":"{MARKER}-subject"}}],"input":"{MARKER} text","attributes":{{"{MARKER}":1}}{more}}}"#
    )
}

fn spans() -> String {
    let attributes = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "openai"),
        ("gen_ai.request.model", MARKER),
        ("enduser.id", MARKER),
        ("gen_ai.prompt", MARKER),
    ];
    let attributes = attributes
        .map(|(key, value)| serde_json::json!({"key": key, "value": {"stringValue": value}}));
    serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
        "name": MARKER, "kind": 3, "startTimeUnixNano": "1764000000000000000",
        "endTimeUnixNano": "1764000001000000000", "attributes": attributes,
    }]}]}]})
    .to_string()
}

#[test]
fn neither_log_nor_figures_hold_what_events_say() {
    let directory = Directory::new();
    let server = directory.serve_as(
        &[
            "--log-level",
            "debug",
            "--log-format",
            "json",
            "--otlp-quiet-ms",
            "10",
        ],
        &[],
    );
    let mut client = server.client();
    let mut send = |method: &str, path: &str, body: &str| {
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Request-Id", "r-1"),
        ];
        client
            .request(method, path, &headers, body.as_bytes())
            .unwrap()
            .status
    };
    assert_eq!(send("POST", "/v1/events", &marked("1", "")), 201);
    // Every kind of refusal whose reason is in the event.
    assert_eq!(
        send("POST", "/v1/events", &marked("1", ",\"output\":1")),
        409
    );
    assert_eq!(
        send(
            "POST",
            "/v1/events",
            &marked("2", &format!(",\"{MARKER}\":1"))
        ),
        422
    );
    assert_eq!(
        send(
            "POST",
            "/v1/events",
            &marked("3", &format!(",\"regimes\":[\"{MARKER}\"]"))
        ),
        422
    );
    assert_eq!(
        send("POST", "/v1/events", &format!("{{\"id\":\"{MARKER}\"")),
        422
    );
    assert_eq!(send("GET", &format!("/v1/events/{MARKER}-1"), ""), 200);
    assert_eq!(send("GET", &format!("/v1/events/{MARKER}-absent"), ""), 404);
    assert_eq!(send("GET", &format!("/{MARKER}"), ""), 404);
    assert_eq!(
        send("GET", &format!("/v1/events?conversation={MARKER}"), ""),
        200
    );
    let subject = format!(r#"{{"subject":["{MARKER}-subject"]}}"#);
    assert!(send("POST", "/v1/events/query", &subject) < 500);
    assert_eq!(send("POST", "/v1/traces", &spans()), 200);
    assert_eq!(send("POST", "/v1/traces", &format!("{{\"{MARKER}\"")), 400);
    let mut wrong = server.client();
    let token = format!("Bearer trailkeep_admin_{MARKER}_{MARKER}");
    let answer = wrong.request("GET", "/v1/events", &[("Authorization", &token)], b"");
    assert_eq!(answer.unwrap().status, 401);
    // Through the socket, by the command line.
    directory.append(&marked("cli", ""));
    let subject = format!("{MARKER}-subject");
    directory.run(&["privacy", "erase", "--subject", &subject, "--dry-run"]);
    directory.run(&[
        "hold",
        "place",
        "--reason",
        MARKER,
        "--matter",
        MARKER,
        "--subject",
        &subject,
    ]);

    let figures = client.get("/metrics").unwrap().text();
    let readiness = client.get("/readyz").unwrap().text();
    let token = server.token.clone();
    let log = server.stop();
    assert!(log.matches("\"answered\"").count() > 10, "{log}");
    assert!(log.contains("/v1/events/{id}"), "{log}");
    for (name, text) in [("log", log), ("figures", figures), ("readiness", readiness)] {
        for line in text.lines() {
            assert!(!line.contains(MARKER), "the {name} holds it: {line}");
            assert!(!line.contains(&token), "the {name} holds a token: {line}");
        }
    }
}

/// Another program that keeps a read transaction on a file of the directory.
fn reader_of(directory: &Directory, file: &str) -> rusqlite::Connection {
    let reader = rusqlite::Connection::open(directory.path.join(file)).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = "SELECT count(*) FROM sqlite_master";
    reader
        .query_row(count, [], |row| row.get::<_, i64>(0))
        .unwrap();
    reader
}

const ERASE: [&str; 9] = [
    "privacy",
    "erase",
    "--subject",
    "anna",
    "--reference",
    "R",
    "--now",
    "--yes",
    "--json",
];
const ABOUT_ANNA: &str =
    r#"{"action":"a.b","actor":{"id":"bot"},"subjects":[{"id":"anna"}],"input":"x"}"#;

#[test]
fn an_erasure_says_which_program_it_waits_for_and_carries_out_the_rotation() {
    let directory = Directory::new();
    // Without a daily run, what is open goes on nevertheless.
    let server = directory.serve_as(
        &["--retention-hour", "none"],
        &[("TRAILKEEP_TEST_RETRY_AFTER_MS", "200")],
    );
    directory.append(ABOUT_ANNA);
    let reader = reader_of(&directory, "ledger.db");
    let path = directory.path.clone();
    let command = std::thread::spawn(move || {
        let mut command = crate::support::trailkeep();
        command.args(ERASE).arg("--dir").arg(path).output().unwrap()
    });
    let begun = std::time::Instant::now();
    let note = loop {
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(60),
            "no note"
        );
        let (_, said) = ready(&server);
        if let Some(note) = said["notes"].as_array().unwrap().first() {
            break note.to_string();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    assert!(
        note.contains("waiting: ") && note.contains("ledger.db"),
        "{note}"
    );
    let doctor = directory.run(&["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let finding = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["check"] == "deletion");
    assert!(finding.is_some(), "{found}");
    // Long enough that the server has given its first answer.
    std::thread::sleep(std::time::Duration::from_secs(13).saturating_sub(begun.elapsed()));
    drop(reader);
    let done = command.join().unwrap();
    let said = crate::support::said(&done);
    if done.status.success() {
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(
            (&report["erased_events"], &report["rotated"]),
            (&1.into(), &true.into()),
            "{report}"
        );
        assert!(report["replicas_destroyed_at"].is_string(), "{report}");
    } else {
        // The server's first answer came before the command asked on.
        assert!(said.contains("another program reads the files"), "{said}");
    }
    let ended = std::time::Instant::now();
    while figure(&server, "rotation_due") > 0.0 || figure(&server, "open_destroying_jobs") > 0.0 {
        assert!(
            ended.elapsed() < std::time::Duration::from_secs(60),
            "it does not go on"
        );
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let (_, ready) = ready(&server);
    assert_eq!(ready["notes"], serde_json::json!([]));
    let log = server.stop();
    assert!(log.contains("a deletion waits"), "{log}");
    assert!(!log.contains("anna"), "{log}");
    directory.assert_clean();
}

#[test]
fn an_erasure_that_is_not_carried_out_does_not_end_well() {
    for file in ["ledger.db", "vault.db"] {
        let directory = Directory::new();
        directory.append(ABOUT_ANNA);
        let reader = reader_of(&directory, file);
        let done = directory.run(&ERASE);
        let said = crate::support::said(&done);
        assert!(!done.status.success(), "{file}: {said}");
        assert!(said.contains("another program reads"), "{file}: {said}");
        drop(reader);
        succeeded(&directory.run(&["retention", "run"]));
        directory.assert_clean();
    }
}

#[test]
fn what_only_grows_is_a_counter_and_refused_tokens_count() {
    let directory = Directory::new();
    let server = directory.serve();
    let wrong = [
        ("Authorization", "Bearer x"),
        ("Content-Type", "application/json"),
    ];
    for path in ["/v1/events", "/v1/traces", "/v1/logs"] {
        let answer = server
            .client()
            .request("POST", path, &wrong, b"{}")
            .unwrap();
        assert_eq!(answer.status, 401);
    }
    assert!((figure(&server, "problems_total{type=\"unauthorized\"}") - 3.0).abs() < f64::EPSILON);
    let page = server.client().get("/metrics").unwrap().text();
    let mut families: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let counters = families
        .iter()
        .filter(|(name, kind)| name.starts_with("trailkeep_telemetry_") && *kind == "counter");
    assert!(counters.count() >= 13, "{page}");
    let count = families.len();
    families.sort_unstable();
    families.dedup_by_key(|(name, _)| *name);
    assert_eq!(families.len(), count, "a family has two types");
    for (name, kind) in families {
        let sample = if kind == "counter" {
            format!("{name}_total")
        } else {
            name.to_owned()
        };
        let is_counted = page
            .lines()
            .any(|line| !line.starts_with('#') && line.starts_with(&sample));
        assert!(
            is_counted || kind == "gauge" || kind == "counter",
            "{name} has no {sample}"
        );
    }
    server.stop();
}

#[test]
fn exports_leave_the_room_that_appends_have() {
    let directory = Directory::new();
    directory.append(ABOUT_ANNA);
    let free = trailkeep_files::directory::free_bytes(&directory.path).unwrap();
    for (setting, value) in [
        ("TRAILKEEP_MIN_FREE_BYTES", free / 3 * 2),
        ("TRAILKEEP_LIMITS_EXPORT_BYTES", 0),
    ] {
        let server = directory.serve_with(&[(setting, &value.to_string())]);
        let mut client = server.client();
        let kind = "application/json";
        let event = br#"{"action":"a.b","actor":{"id":"bot"}}"#;
        assert_eq!(client.post(kind, event).unwrap().status, 201);
        let before = client.get("/v1/checkpoint").unwrap().text();
        let headers = [("Content-Type", kind)];
        let answer = client
            .request("POST", "/v1/exports", &headers, b"{}")
            .unwrap();
        assert_eq!(answer.status, 507, "{setting}: {}", answer.text());
        assert!(answer.text().contains("fetch") || answer.text().contains("Fetch"));
        // What was refused is not recorded.
        assert_eq!(client.get("/v1/checkpoint").unwrap().text(), before);
        server.stop();
    }
}
