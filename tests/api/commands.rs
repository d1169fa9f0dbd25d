//! The command lines, as written in the README; the API's answers; and real events of others.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it did not run"
)]

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::support::{Directory, said, succeeded, trailkeep};
use serde_json::Value;
use trailkeep_proof::ids::LeafHash;
use trailkeep_proof::ledger::merkle::Frontier;

const EVENT: &str =
    r#"{"id":"order-4711","action":"chat.completion","actor":{"id":"bot"},"input":"hello"}"#;

fn verifier(arguments: &[&str]) -> std::process::Output {
    crate::support::verifier().args(arguments).output().unwrap()
}

#[test]
fn every_command_as_written() {
    let directory = Directory::new();
    let folder = directory.path.parent().unwrap().to_owned();
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let json = |output: &std::process::Output| -> Value {
        serde_json::from_slice(&succeeded(output).stdout).unwrap()
    };

    let first = json(&directory.run(&["append", &file("one.json", EVENT.as_bytes()), "--json"]));
    for field in ["id", "seq", "recorded_at", "leaf_hash", "receipt"] {
        assert!(!first[field].is_null(), "{field} is missing");
    }
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(EVENT).unwrap())
        .unwrap()
        .replace("4711", "4712");
    json(&directory.run(&["append", &file("pretty.json", pretty.as_bytes()), "--json"]));
    let lines = format!("{EVENT}\n{}\n", EVENT.replace("4711", "4713"));
    let many = json(&directory.run(&["append", &file("many.ndjson", lines.as_bytes()), "--json"]));
    assert_eq!(
        (many["accepted"].as_u64(), many["duplicates"].as_u64()),
        (Some(1), Some(1))
    );

    assert_eq!(
        json(&directory.run(&["show", "4", "--json"]))["id"],
        "order-4711"
    );
    assert_eq!(
        json(&directory.run(&["show", "order-4711", "--json"]))["seq"],
        4
    );
    assert_eq!(directory.run(&["show", "nobody"]).status.code(), Some(7));
    let page = json(&directory.run(&[
        "query",
        "--action",
        "chat.completion",
        "--limit",
        "2",
        "--json",
    ]));
    assert_eq!(page["events"].as_array().unwrap().len(), 2);
    assert!(page["next_cursor"].is_string());
    let none = json(&directory.run(&["query", "--to", "2020-01-01T00:00:00Z", "--json"]));
    assert_eq!(none["events"].as_array().unwrap().len(), 0);

    let checkpoint = file(
        "checkpoint.txt",
        &succeeded(&directory.run(&["checkpoint"])).stdout,
    );
    let pem = file(
        "key.pem",
        &succeeded(&directory.run(&["key", "public"])).stdout,
    );
    let vkey = file(
        "key.vkey",
        &succeeded(&directory.run(&["key", "public", "--format", "vkey"])).stdout,
    );
    assert_eq!(
        directory
            .run(&["key", "public", "--tenant", "other"])
            .status
            .code(),
        Some(7)
    );
    let receipt = file(
        "r.tlog-proof",
        first["receipt"].as_str().unwrap().as_bytes(),
    );
    for key in [&pem, &vkey] {
        for subject in [&receipt, &checkpoint] {
            let output = verifier(&[subject, "--key", key, "--json"]);
            assert_eq!(json(&output)["verified"], true);
        }
        succeeded(
            &crate::support::trailkeep()
                .args(["receipt", "verify", &receipt, "--key", key])
                .output()
                .unwrap(),
        );
    }
    let changed = file(
        "changed.tlog-proof",
        first["receipt"]
            .as_str()
            .unwrap()
            .replace("index 4", "index 3")
            .as_bytes(),
    );
    assert_eq!(verifier(&[&changed, "--key", &pem]).status.code(), Some(3));
    assert_eq!(
        verifier(&[&receipt]).status.code(),
        Some(2),
        "without a key nothing is verified"
    );
    let stranger = Directory::new();
    let foreign = stranger.public_key.to_str().unwrap();
    assert_eq!(
        verifier(&[&receipt, "--key", foreign]).status.code(),
        Some(3)
    );

    directory.append(&EVENT.replace("4711", "4714"));
    succeeded(&directory.run(&["verify", "--against", &checkpoint]));
    let other = file(
        "other.txt",
        &succeeded(&stranger.run(&["checkpoint"])).stdout,
    );
    assert_eq!(
        directory
            .run(&["verify", "--against", &other])
            .status
            .code(),
        Some(3)
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            !succeeded(
                &crate::support::trailkeep()
                    .args(["completions", shell])
                    .output()
                    .unwrap()
            )
            .stdout
            .is_empty()
        );
    }
    assert_eq!(
        crate::support::trailkeep()
            .arg("nonsense")
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        directory
            .run(&["init", "--name", "Not A Name"])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn errors_are_json_under_json() {
    let directory = Directory::new();
    let error = |arguments: &[&str]| {
        let output = directory.run(arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let error: serde_json::Value = serde_json::from_str(&text).unwrap();
        let error = error["error"].clone();
        assert_eq!(
            error["exit_code"].as_i64(),
            output.status.code().map(i64::from)
        );
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
        assert!(
            error["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
        (
            error["type"].as_str().unwrap().to_owned(),
            error["exit_code"].as_u64().unwrap(),
        )
    };
    let kind = |name: &str| format!("urn:trailkeep:{name}");
    assert_eq!(
        error(&["show", "nobody", "--json"]),
        (kind("problem:not-found"), 7)
    );
    assert_eq!(
        error(&["query", "--json", "--nonsense"]),
        (kind("exit:usage"), 2)
    );
    assert_eq!(
        error(&["append", "--json", "/nowhere"]),
        (kind("exit:failed"), 1)
    );
}

#[test]
fn over_the_network() {
    let directory = Directory::new();
    let server = directory.serve();
    let url = format!("http://{}", server.address);
    let run = |token: &str, arguments: &[&str]| {
        crate::support::trailkeep()
            .args(arguments)
            .args(["--url", &url, "--token", token])
            .output()
            .unwrap()
    };
    let file = directory.path.with_file_name("event.json");
    std::fs::write(&file, EVENT).unwrap();
    succeeded(&run(&directory.token, &["append", file.to_str().unwrap()]));
    for command in [
        &["show", "order-4711"][..],
        &["query"],
        &["checkpoint"],
        &["receipt", "get", "3"],
        &["verify"],
    ] {
        succeeded(&run(&directory.token, command));
        let refused = run("wrong", command);
        assert_eq!(refused.status.code(), Some(6));
        assert!(
            said(&refused).contains("valid API token"),
            "{}",
            said(&refused)
        );
    }
    server.stop();
}

#[test]
fn the_demo_shows_the_main_job() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("demo");
    let output = crate::support::trailkeep()
        .args(["demo", "--dir"])
        .arg(&dir)
        .output()
        .unwrap();
    let text = String::from_utf8(succeeded(&output).stdout.clone()).unwrap();
    for part in [
        "VERIFIED",
        "OK: 304 entries, 300 of 300 events intact",
        "NOT OK",
        "Try next",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    succeeded(
        &crate::support::trailkeep()
            .args(["verify", "--dir"])
            .arg(&dir)
            .output()
            .unwrap(),
    );
    succeeded(
        &crate::support::trailkeep()
            .args(["show", "demo-000001", "--dir"])
            .arg(&dir)
            .output()
            .unwrap(),
    );
}

#[test]
fn the_tiles_alone_give_the_checkpoint_s_root() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let lines: Vec<String> = (0..700)
        .map(|n| EVENT.replace("order-4711", &format!("e-{n}")))
        .collect();
    assert_eq!(
        client
            .post("application/x-ndjson", lines.join("\n").as_bytes())
            .unwrap()
            .status,
        201
    );
    let note = client.get("/v1/checkpoint").unwrap().text();
    let (size, root) = (note.lines().nth(1).unwrap(), note.lines().nth(2).unwrap());
    assert_eq!(size, "704");
    let mut frontier = Frontier::default();
    for tile in ["000", "001", "002.p/192"] {
        let hashes = client
            .get(&format!("/v1/log/default/tile/0/{tile}"))
            .unwrap()
            .body;
        hashes
            .chunks(32)
            .for_each(|hash| frontier.push(LeafHash::from_slice(hash).unwrap()));
        let entries = client
            .get(&format!("/v1/log/default/tile/entries/{tile}"))
            .unwrap()
            .body;
        assert_eq!(entries.len(), hashes.len() / 32 * 86);
    }
    assert_eq!(frontier.root().to_string(), root);
    assert_eq!(
        client
            .get("/v1/log/default/tile/1/000.p/2")
            .unwrap()
            .body
            .len(),
        64
    );
    assert_eq!(
        client.get("/v1/log/default/tile/1/000.p/3").unwrap().status,
        404
    );

    // Pages are stable while others write.
    let first = client.get("/v1/events?limit=300").unwrap().json();
    client.post("application/json", EVENT.as_bytes()).unwrap();
    let mut seen = first["events"].as_array().unwrap().len();
    let mut cursor = first["next_cursor"].clone();
    while let Some(next) = cursor.as_str() {
        let page = client
            .get(&format!("/v1/events?limit=300&cursor={next}"))
            .unwrap()
            .json();
        seen += page["events"].as_array().unwrap().len();
        cursor = page["next_cursor"].clone();
    }
    assert_eq!(seen, 700);
    server.stop();
}

/// The real events, a line each; or a line that says that they are absent.
fn real_events() -> Option<Vec<String>> {
    let shared = std::env::var_os("TRAILKEEP_SHARED")
        .map_or_else(|| crate::support::root().join("../shared"), PathBuf::from);
    let mut lines = Vec::new();
    for name in ["llm-events.ndjson.zst", "cloudtrail-events.ndjson.zst"] {
        let path = shared.join("data").join(name);
        let Ok(file) = std::fs::File::open(&path) else {
            println!("{} is absent: the real events were not run", path.display());
            return None;
        };
        let text = String::from_utf8(zstd::decode_all(file).unwrap()).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    Some(lines)
}

#[test]
fn real_events_are_kept_shown_and_proven() {
    let Some(events) = real_events() else { return };
    assert_eq!(events.len(), 7_454);
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "1000")]);
    let mut client = server.client();
    for some in events.chunks(500) {
        let answer = client
            .post("application/x-ndjson", some.join("\n").as_bytes())
            .unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let key = trailkeep_proof::ledger::note::PublicKey::parse(
        &std::fs::read_to_string(&directory.public_key).unwrap(),
    )
    .unwrap();
    for (number, event) in events.iter().enumerate() {
        let sent: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(event).unwrap();
        let id: String = serde_json::from_str(sent["id"].get()).unwrap();
        let shown = client.get(&format!("/v1/events/{id}")).unwrap().text();
        for (name, value) in &sent {
            assert!(
                shown.contains(&format!("\"{name}\":{}", value.get())),
                "{id}: {name} was changed"
            );
        }
        if number % 20 == 0 {
            let receipt = client
                .get(&format!("/v1/events/{id}/proof"))
                .unwrap()
                .text();
            let question = trailkeep_proof::bundle::verify::Question {
                key: &key,
                against: None,
                witnesses: &[],
            };
            assert!(
                trailkeep_verify::offline::check(&receipt, &question).verified,
                "{id}"
            );
        }
    }
    let again = client
        .post("application/x-ndjson", events[..500].join("\n").as_bytes())
        .unwrap()
        .json();
    assert_eq!(
        (again["accepted"].as_u64(), again["duplicates"].as_u64()),
        (Some(0), Some(500))
    );
    server.stop();
    assert_eq!(directory.assert_clean()["intact"], 7_454);
}

/// An auditor's screen shows what events say, and obeys none of it.
#[test]
fn no_text_of_an_event_steers_the_screen() {
    let directory = Directory::new();
    let folder = directory.path.parent().unwrap().to_owned();
    let nasty = "x\u{1b}[2J\u{9b}31m\u{202e}evil\u{202c}\u{2066}y\u{7f}\u{85}\rALL VERIFIED\nOK";
    let event = |id: &str, line: &str| {
        serde_json::json!({
            "id": id, "action": "a.b", "actor": {"id": line, "name": nasty, "role": line}, "subjects": [{"id": line}],
            "targets": [{"id": line, "type": line, "name": nasty}], "input": nasty, "output": {nasty: nasty},
            "attributes": {nasty: nasty}, "source": {"name": line, "seq": 4}, "llm": {"request_model": line},
        })
    };
    // What is a line by the schema may have no controls; overrides of direction it may.
    let line = "p\u{202e}evil\u{202c}\u{2066}\u{feff}";
    directory.append(&format!("{}\n", event("e-1", line)));
    let raw = |text: &str| -> String {
        let steers = |c: &char| trailkeep_proof::text::steers(*c) && *c != '\n' && *c != '\t';
        text.chars().filter(steers).collect()
    };
    let quiet = |arguments: &[&str]| {
        let output = directory.run(arguments);
        let (out, error) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        // CSV ends its lines so (RFC 4180).
        let out = out.replace("\r\n", "\n");
        assert_eq!(raw(&out), "", "{arguments:?}: {out:?}");
        assert_eq!(raw(&error), "", "{arguments:?}: {error:?}");
        out
    };
    let columns =
        "seq,id,actor_id,subjects,targets,request_model,input,output,/actor/name,/attributes";
    let table = quiet(&["query", "--columns", columns]);
    assert!(table.contains("\\u001b[2J\\u009b31m\\u202eevil"), "{table}");
    // A cell with a line end can't pretend to be another row.
    assert!(table.contains("\\u000dALL VERIFIED\\u000aOK"), "{table}");
    let csv = quiet(&["query", "--csv"]);
    assert!(
        csv.contains("\\u001b[2J") && csv.contains("ALL VERIFIED\nOK"),
        "{csv}"
    );
    quiet(&["show", "e-1"]);
    quiet(&["sources"]);
    quiet(&["show", nasty]);
    quiet(&[
        "hold",
        "place",
        "--reason",
        nasty,
        "--matter",
        nasty,
        "--subject",
        line,
    ]);
    assert!(quiet(&["hold", "list"]).contains("\\u001b[2J"));
    quiet(&[
        "privacy",
        "file",
        "--type",
        "access",
        "--subject",
        line,
        "--reference",
        nasty,
    ]);
    quiet(&["privacy", "list"]);
    quiet(&["access", "list", "--purpose", "p\u{202e}"]);
    quiet(&["tenant", "create", "\u{1b}[31m"]);
    quiet(&["doctor"]);
    let zip = folder.join("x.zip").to_str().unwrap().to_owned();
    quiet(&["export", "--out", &zip]);
    let person = folder.join("p.zip").to_str().unwrap().to_owned();
    quiet(&[
        "privacy",
        "access",
        "--subject",
        line,
        "--reference",
        "R",
        "--out",
        &person,
        "--include-others",
        nasty,
    ]);
    for bundle in [&zip, &person] {
        let shown = trailkeep()
            .args(["bundle", "show", bundle])
            .output()
            .unwrap();
        assert_eq!(raw(&String::from_utf8(shown.stdout).unwrap()), "");
        let mut archive = zip::ZipArchive::new(std::fs::File::open(bundle).unwrap()).unwrap();
        for place in 0..archive.len() {
            let mut member = archive.by_index(place).unwrap();
            let name = member.name().unwrap().into_owned();
            if Path::new(&name)
                .extension()
                .is_some_and(|end| end == "html")
            {
                let mut page = String::new();
                member.read_to_string(&mut page).unwrap();
                assert_eq!(raw(&page), "", "{name}");
                assert!(
                    page.contains("\\u202eevil") || !page.contains("evil"),
                    "{page}"
                );
            }
        }
    }
    // Programs get the bytes as they were recorded.
    let json = String::from_utf8(
        succeeded(&directory.run(&["show", "e-1", "--json"]))
            .stdout
            .clone(),
    )
    .unwrap();
    assert!(json.contains('\u{202e}'), "{json}");
}

#[test]
fn old_command_names_work_and_name_the_new_ones() {
    let directory = Directory::new();
    let listed = directory.run(&["vault-copy", "list"]);
    assert!(
        said(succeeded(&listed))
            .contains("`trailkeep vault-copy` is now `trailkeep vault-replica`")
    );
    let placed = directory.run(&[
        "hold", "place", "--matter", "M-1", "--reason", "r", "--json",
    ]);
    let placed: Value = serde_json::from_slice(&succeeded(&placed).stdout).unwrap();
    let id = placed["id"].as_str().unwrap();
    let lifted = directory.run(&["hold", "lift", id, "--reason", "settled"]);
    assert!(
        said(succeeded(&lifted)).contains("`trailkeep hold lift` is now `trailkeep hold release`")
    );
    for group in [&["--help"][..], &["hold", "--help"]] {
        let help = trailkeep().args(group).output().unwrap();
        let help = String::from_utf8_lossy(&succeeded(&help).stdout).into_owned();
        assert!(
            !help.contains("vault-copy") && !help.contains("lift"),
            "{help}"
        );
    }
}
