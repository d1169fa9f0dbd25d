//! Bundles: made by the real program, verified by it, by the offline verifier, and by a program that
//! somebody else wrote; hostile ones refused, each for its own reason.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says in a line what it did not try"
)]
#![allow(
    clippy::assigning_clones,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::struct_excessive_bools,
    reason = "the mutations of a bundle are small texts: they read best as they are written"
)]

mod differential;
mod members;
mod mutate;
mod shown;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Directory, said, succeeded, trailkeep};
use serde_json::{Value, json};
use trailkeep_core::journal::append::Incoming;
use trailkeep_proof::bundle::verify::{Finding, Question, Report, verify};
use trailkeep_proof::ledger::note::PublicKey;

fn vectors() -> PathBuf {
    crate::support::root().join("tests/bundle/vectors")
}

fn verifier() -> Command {
    crate::support::verifier()
}

/// What the offline verifier says, and how it ended.
fn check(bundle: &Path, key: &Path, more: &[&str]) -> (Value, Option<i32>) {
    let output = verifier()
        .arg(bundle)
        .arg("--key")
        .arg(key)
        .arg("--json")
        .args(more)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}: {output:?}", bundle.display()));
    (report, output.status.code())
}

fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

fn bundles_in(folder: &Path) -> Vec<PathBuf> {
    let mut bundles: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "zip"))
        .collect();
    bundles.sort();
    bundles
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Some events of one person each, with texts that a spreadsheet would calculate with.
fn events(count: usize) -> String {
    let event = |number: usize| {
        let action = if number.is_multiple_of(3) {
            "tool.call"
        } else {
            "chat.completion"
        };
        json!({
            "id": format!("=event-{number}"),
            "action": action,
            "occurred_at": "2026-11-24T09:30:00Z",
            "outcome": "success",
            "actor": {"id": format!("+user-{}", number % 5), "type": "user"},
            "subjects": [{"id": format!("person-{}", number % 7)}],
            "llm": {"provider": "@provider", "request_model": "-model", "usage": {"input_tokens": number}},
            "input": format!("\tquestion {number}, \"quoted\" \u{1F600}"),
            "output": {"text": format!("answer {number}\r\nnext line")},
        })
        .to_string()
    };
    (0..count).map(|number| event(number) + "\n").collect()
}

fn export(directory: &Directory, out: &Path, arguments: &[&str]) -> Value {
    let out = out.to_str().unwrap();
    let output =
        directory.run(&[&["export", "--json", "--force", "--out", out], arguments].concat());
    serde_json::from_slice(&succeeded(&output).stdout).unwrap()
}

/// Verifies with both programs of ours, which must agree.
fn verify_both(bundle: &Path, key: &Path, more: &[&str]) -> Value {
    let (report, code) = check(bundle, key, more);
    let other = trailkeep()
        .args(["bundle", "verify", "--json", "--key"])
        .arg(key)
        .arg(bundle)
        .args(more)
        .output()
        .unwrap();
    assert_eq!(other.status.code(), code);
    let other: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(other, report);
    report
}

#[test]
fn good_bundles_of_another_program_are_authentic() {
    let (folder, old) = (vectors(), vectors().join("old-checkpoint.txt"));
    let forked = vectors().join("forked-checkpoint.txt");
    let complete = ["full.zip", "range-middle.zip", "recorded.zip"];
    let bundles = bundles_in(&folder);
    assert_eq!(bundles.len(), 7);
    for bundle in bundles {
        let key = folder.join("public.pem");
        let (report, code) = check(&bundle, &key, &["--against", old.to_str().unwrap()]);
        assert_eq!(report["authentic"], true, "{}: {report}", bundle.display());
        let expected = complete.contains(&name(&bundle).as_str());
        assert_eq!(report["complete"], expected, "{}", bundle.display());
        // The others' statements do not say how much went out.
        let is_recorded = name(&bundle) == "recorded.zip";
        assert_eq!(report["export_recorded"], is_recorded, "{report}");
        let warnings = report["warnings"].as_array().unwrap().len();
        assert_eq!(warnings, usize::from(!is_recorded), "{report}");
        assert_eq!(code, Some(0));
        let (report, code) = check(&bundle, &key, &["--against", forked.to_str().unwrap()]);
        assert_eq!(
            (rules(&report), code),
            (vec!["against"], Some(3)),
            "{}",
            bundle.display()
        );
    }
    let changed = folder.join("key-change.zip");
    let (by_old, _) = check(&changed, &folder.join("public.pem"), &[]);
    let (by_new, _) = check(&changed, &folder.join("key-change-public.pem"), &[]);
    assert_eq!(
        (&by_old["key_changes"], &by_new["key_changes"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        (&by_old["authentic"], &by_new["authentic"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn a_bundle_of_a_closed_ledger_by_the_first_release_is_authentic() {
    let data = crate::support::root().join("tests/data");
    let (bundle, key) = (
        data.join("closed-ledger.zip"),
        data.join("closed-ledger.pem"),
    );
    let report = verify_both(&bundle, &key, &[]);
    assert_eq!(report["authentic"], true, "{report}");
    let counts = ["disclosed", "expired", "erased", "restricted", "withheld"];
    let counts = counts.map(|state| report["counts"][state].as_u64().unwrap());
    assert_eq!(counts, [8, 8, 4, 6, 4]);
    if let Some(theirs) = crate::support::word_of_python(&bundle, &key) {
        assert_eq!(theirs.status.code(), Some(0), "{theirs:?}");
    }
}

#[test]
fn hostile_bundles_are_refused_each_for_its_own_reason() {
    let folder = vectors().join("hostile");
    let expected: Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let bundles = bundles_in(&folder);
    assert_eq!(bundles.len(), expected.as_object().unwrap().len());
    for bundle in bundles {
        let (report, code) = check(&bundle, &vectors().join("public.pem"), &[]);
        let rule = expected[name(&bundle)]["rule"].as_str().unwrap();
        assert_eq!(report["authentic"], false, "{}", bundle.display());
        assert_eq!(report["complete"], false, "{}", bundle.display());
        assert!(
            rules(&report).contains(&rule),
            "{}: {report}",
            bundle.display()
        );
        assert_eq!(code, Some(3), "{}", bundle.display());
    }
}

#[test]
fn without_a_key_nothing_is_verified() {
    let bundle = vectors().join("full.zip");
    for command in [verifier(), {
        let mut command = trailkeep();
        command.args(["bundle", "verify"]);
        command
    }] {
        let mut command = command;
        let output = command.arg("--json").arg(&bundle).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["authentic"], false);
        assert_eq!(rules(&report), ["key"]);
        assert_eq!(output.status.code(), Some(2));
    }
}

/// Bytes of an archive that mean nothing: who made it, and how a file system is to show its members.
fn without_meaning(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let headers = bytes.windows(4).enumerate();
    let headers = headers.filter(|(_, four)| *four == b"PK\x01\x02");
    headers
        .flat_map(|(at, _)| {
            let (version_made_by, internal, external) =
                (at + 4..at + 6, at + 36..at + 37, at + 38..at + 42);
            [version_made_by, internal, external]
        })
        .chain(bytes.windows(4).enumerate().filter_map(|(at, four)| {
            // Versions in the ZIP64 end record, where there is one.
            (four == b"PK\x06\x06").then_some(at + 12..at + 16)
        }))
        .collect()
}

#[test]
fn every_byte_of_a_bundle_counts() {
    let directory = Directory::new();
    directory.append(&events(2));
    let out = directory.path.with_extension("zip");
    export(&directory, &out, &["--seq", "2..4"]);
    let bytes = std::fs::read(&out).unwrap();
    let key = PublicKey::parse(&std::fs::read_to_string(&directory.public_key).unwrap()).unwrap();
    let judge = |bytes: &Vec<u8>| -> Report {
        let question = Question {
            key: &key,
            against: None,
            witnesses: &[],
        };
        let report = verify(bytes, &question, &mut |_, _| ()).unwrap();
        let mut about_all = report.findings.iter().filter(|found| found.seq.is_none());
        let mut seen = std::collections::HashSet::new();
        let is_new = |found: &Finding| seen.insert((found.rule, found.detail.clone()));
        assert!(about_all.all(is_new), "{:?}", report.findings);
        report
    };
    assert!(judge(&bytes).authentic, "{:?}", judge(&bytes).findings);
    let meaningless = without_meaning(&bytes);
    let accepted: Vec<usize> = (0..bytes.len())
        .filter(|at| !meaningless.iter().any(|range| range.contains(at)))
        .filter(|at| {
            [0x01, 0x80].iter().any(|flip| {
                let mut changed = bytes.clone();
                changed[*at] ^= flip;
                judge(&changed).authentic
            })
        })
        .collect();
    // A deflate stream may say the same in other bits; what comes out is hashed, so nothing else may.
    let unexplained: Vec<usize> = accepted
        .into_iter()
        .filter(|at| !is_in_compressed_content(&bytes, *at))
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    for end in 0..bytes.len() {
        assert!(!judge(&bytes[..end].to_vec()).authentic, "cut at {end}");
    }
    for extra in [&[0][..], b"PK\x05\x06"] {
        assert!(!judge(&[&bytes, extra].concat()).authentic);
        assert!(!judge(&[extra, &bytes].concat()).authentic);
    }
}

fn is_in_compressed_content(bytes: &[u8], at: usize) -> bool {
    let number = |at: usize, count: usize| {
        (0..count)
            .rev()
            .fold(0, |sum, i| sum << 8 | usize::from(bytes[at + i]))
    };
    let headers = bytes.windows(4).enumerate();
    headers
        .filter(|(_, four)| *four == b"PK\x01\x02")
        .any(|(header, _)| {
            let (name, extra) = (number(header + 28, 2), number(header + 30, 2));
            let field = header + 46 + name;
            let mut compressed = number(header + 20, 4);
            if compressed == 0xFFFF_FFFF && extra >= 20 {
                compressed = number(field + 12, 8);
            }
            let local = number(header + 42, 4);
            let start = local + 30 + number(local + 26, 2) + number(local + 28, 2);
            (start..start + compressed).contains(&at)
        })
}

#[test]
fn what_is_exported_is_what_was_asked() {
    let directory = Directory::new();
    directory.append(&events(20));
    let old = directory.path.with_extension("checkpoint");
    std::fs::write(&old, directory.run(&["checkpoint"]).stdout).unwrap();
    directory.append(&events(40));
    let key = directory.public_key.clone();
    let out = directory.path.with_extension("zip");
    let against = ["--against", old.to_str().unwrap()];

    let summary = export(&directory, &out, &[]);
    assert_eq!(summary["counts"]["disclosed"], 40);
    let report = verify_both(&out, &key, &against);
    assert_eq!(
        (&report["authentic"], &report["complete"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(report["range"], json!({"first": 0, "last": 43}));
    let signed = report["signed_only"].as_array().unwrap();
    assert!(signed.contains(&json!("report.html")) && !signed.contains(&json!("events.jsonl")));

    export(
        &directory,
        &out,
        &["--seq", "30..35", "--redact", "input,output"],
    );
    let report = verify_both(&out, &key, &[]);
    assert_eq!(
        (&report["authentic"], &report["complete"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(report["redacted_sections"], json!(["input", "output"]));
    assert_eq!(report["counts"]["entries"], 6);
    // The range does not reach back to the older head, so its proof must be asked for.
    assert_eq!(rules(&verify_both(&out, &key, &against)), ["against"]);
    export(
        &directory,
        &out,
        &[&["--seq", "30..35"][..], &against].concat(),
    );
    assert_eq!(verify_both(&out, &key, &against)["authentic"], true);

    let summary = export(&directory, &out, &["--action", "tool.call"]);
    assert_eq!(
        (&summary["proof"], &summary["counts"]["disclosed"]),
        (&json!("selection"), &json!(14))
    );
    let report = verify_both(&out, &key, &[]);
    assert_eq!(
        (&report["authentic"], &report["complete"]),
        (&json!(true), &json!(false))
    );

    let summary = export(
        &directory,
        &out,
        &[
            "--from",
            "2000-01-01T00:00:00Z",
            "--to",
            "2100-01-01T00:00:00Z",
        ],
    );
    // A `to` in the future can't be proven, and is not claimed.
    assert_eq!(
        summary["recorded"],
        json!({"from": "2000-01-01T00:00:00.000Z", "to": null})
    );
    assert_eq!(verify_both(&out, &key, &[])["complete"], true);
    let summary = export(&directory, &out, &["--action", "nothing.like.it"]);
    assert_eq!(summary["counts"]["entries"], 0);
    assert_eq!(verify_both(&out, &key, &[])["authentic"], true);
    directory.assert_clean();
}

#[test]
fn the_edges_of_a_time_are_exact() {
    let directory = Directory::new();
    for part in events(6).lines() {
        directory.append(part);
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    let shown = |seq: &str| -> Value {
        serde_json::from_slice(&directory.run(&["show", seq, "--json"]).stdout).unwrap()
    };
    let at = |seq: &str| shown(seq)["recorded_at"].as_str().unwrap().to_owned();
    let out = directory.path.with_extension("zip");
    let summary = export(&directory, &out, &["--from", &at("4"), "--to", &at("7")]);
    assert_eq!(summary["range"], json!({"first": 4, "last": 6}));
    assert_eq!(summary["recorded"], json!({"from": at("4"), "to": at("7")}));
    assert_eq!(
        verify_both(&out, &directory.public_key, &[])["complete"],
        true
    );
}

#[test]
fn wrong_questions_are_told_so() {
    let directory = Directory::new();
    directory.append(&events(3));
    let out = directory.path.with_extension("zip");
    let old = directory.path.with_extension("old");
    std::fs::write(&old, "no checkpoint\n").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (
            &["--from", "2100-01-01T00:00:00Z"],
            "no entry is from this time",
        ),
        (
            &["--seq", "5..99"],
            "the range is not in the ledger, which has the entries 0 to",
        ),
        (
            &["--seq", "5..3"],
            "the range is not in the ledger, which has the entries 0 to",
        ),
        (&["--seq", "5"], "`seq` must be two numbers"),
        (&["--redact", "id"], "counts as withheld"),
        (&["--redact", "inptu"], "unknown section"),
        (&["--recipient", "age1nonsense"], "not an age recipient"),
        (
            &["--against", old.to_str().unwrap()],
            "not from this ledger",
        ),
    ];
    for (arguments, expected) in cases {
        let output =
            directory.run(&[&["export", "--out", out.to_str().unwrap()], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            said(&output).contains(expected),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    let nowhere = directory.run(&["export", "--out", "/nonexistent/b.zip"]);
    assert!(
        said(&nowhere).contains("can't write /nonexistent"),
        "{}",
        said(&nowhere)
    );
    // A wrong question is not recorded as an export, and leaves no file behind.
    assert_eq!(directory.assert_clean()["entries"], 7);
    let left = std::fs::read_dir(directory.path.parent().unwrap()).unwrap();
    let left: Vec<String> = left.map(|entry| name(&entry.unwrap().path())).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.contains("export") || name.contains("zip")),
        "{left:?}"
    );
}

fn tool(program: &str, arguments: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
    {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("{program} is not on this machine: not tried");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn the_usual_tools_read_it() {
    let directory = Directory::new();
    directory.append(&events(9));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    export(&directory, &folder.join("b.zip"), &[]);
    std::fs::copy(&directory.public_key, folder.join("PUBLIC.pem")).unwrap();
    let Some(unzipped) = tool("unzip", &["-q", "b.zip"], folder) else {
        return;
    };
    succeeded(&unzipped);
    if let Some(sums) = tool("sha256sum", &["--strict", "-c", "SHA256SUMS"], folder) {
        assert_eq!(
            String::from_utf8_lossy(&succeeded(&sums).stdout)
                .matches(": OK")
                .count(),
            15
        );
    }
    let arguments =
        "pkeyutl -verify -rawin -pubin -inkey PUBLIC.pem -in SHA256SUMS -sigfile SHA256SUMS.sig";
    if let Some(signature) = tool("openssl", &arguments.split(' ').collect::<Vec<_>>(), folder) {
        assert!(
            String::from_utf8_lossy(&succeeded(&signature).stdout)
                .contains("Verified Successfully")
        );
        let list = folder.join("SHA256SUMS");
        std::fs::write(
            &list,
            std::fs::read_to_string(&list)
                .unwrap()
                .replacen('a', "b", 1),
        )
        .unwrap();
        let changed = tool("openssl", &arguments.split(' ').collect::<Vec<_>>(), folder).unwrap();
        assert!(!changed.status.success());
    }
    let pem = std::fs::read(folder.join("public-key.pem")).unwrap();
    assert_eq!(pem, std::fs::read(folder.join("PUBLIC.pem")).unwrap());
}

#[test]
fn no_cell_of_the_table_is_a_formula() {
    let directory = Directory::new();
    directory.append(&events(9));
    let out = directory.path.with_extension("zip");
    export(&directory, &out, &[]);
    let shown = trailkeep()
        .args(["bundle", "show", "--member", "events.csv"])
        .arg(&out)
        .output()
        .unwrap();
    let mut reader = csv::Reader::from_reader(&succeeded(&shown).stdout[..]);
    let mut rows = 0;
    for record in reader.records() {
        let record = record.unwrap();
        rows += 1;
        let hostile = ['=', '+', '-', '@', '\t', '\r', '\n'];
        for cell in &record {
            assert!(!cell.starts_with(hostile), "{cell:?}");
        }
        assert!(record[3].starts_with("'=event-") && record[15].starts_with("'\tquestion"));
    }
    assert_eq!(rows, 9);
}

#[test]
fn only_the_recipient_opens_an_encrypted_bundle() {
    let directory = Directory::new();
    directory.append(&events(5));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("b.zip.age");
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let summary = export(&directory, &out, &["--recipient", &recipient]);
    assert_eq!(summary["encrypted"], true);
    let (report, _) = check(&out, &directory.public_key, &[]);
    assert!(
        report["findings"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("age -d"),
        "{report}"
    );

    let sealed = std::fs::read(&out).unwrap();
    assert!(age::decrypt(&age::x25519::Identity::generate(), &sealed).is_err());
    let opened = folder.path().join("b.zip");
    std::fs::write(&opened, age::decrypt(&identity, &sealed).unwrap()).unwrap();
    assert_eq!(
        verify_both(&opened, &directory.public_key, &[])["complete"],
        true
    );

    let key_file = folder.path().join("key.txt");
    let secret = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    std::fs::write(&key_file, secret + "\n").unwrap();
    if let Some(by_tool) = tool("age", &["-d", "-i", "key.txt", "b.zip.age"], folder.path()) {
        assert_eq!(succeeded(&by_tool).stdout, std::fs::read(&opened).unwrap());
    }
}

#[test]
fn the_page_of_python_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let script = crate::support::page_of_python(folder.path());
    let script = script.to_str().unwrap();
    if tool("openssl", &["version"], folder.path()).is_none()
        || tool("python3", &["--version"], folder.path()).is_none()
    {
        return;
    }
    let judge = |bundle: &Path, key: &Path, more: &[&str]| {
        let arguments = [
            &[script, bundle.to_str().unwrap(), key.to_str().unwrap()],
            more,
        ]
        .concat();
        tool("python3", &arguments, folder.path())
            .unwrap()
            .status
            .code()
    };
    let directory = Directory::new();
    directory.append(&events(30));
    let out = folder.path().join("b.zip");
    let old = folder.path().join("old.txt");
    std::fs::write(&old, directory.run(&["checkpoint"]).stdout).unwrap();
    let old = old.to_str().unwrap();
    directory.append(&events(50));
    let questions: [&[&str]; 4] = [
        &[],
        &["--seq", "10..20"],
        &["--action", "tool.call"],
        &["--redact", "input,output,actor"],
    ];
    for question in questions {
        export(&directory, &out, &[question, &["--against", old]].concat());
        assert_eq!(
            judge(&out, &directory.public_key, &[old]),
            Some(0),
            "{question:?}"
        );
        assert_eq!(
            judge(&out, &vectors().join("public.pem"), &[]),
            Some(3),
            "{question:?}"
        );
    }
    let key = vectors().join("public.pem");
    for bundle in bundles_in(&vectors()) {
        assert_eq!(judge(&bundle, &key, &[]), Some(0), "{}", bundle.display());
    }
    for bundle in bundles_in(&vectors().join("hostile")) {
        // The page does not count sources; it says so.
        let unseen = ["wrong-sources.zip"];
        let expected = if unseen.contains(&name(&bundle).as_str()) {
            0
        } else {
            3
        };
        assert_eq!(
            judge(&bundle, &key, &[]),
            Some(expected),
            "{}",
            bundle.display()
        );
    }
}

#[test]
fn an_export_while_writers_and_a_scrub_go_on() {
    use trailkeep_core::clock::SystemClock;
    use trailkeep_core::export::{ExportRequest, Scope, plan, write};
    use trailkeep_core::ops::open::{Files, StartOptions};
    use trailkeep_crypto::root::RootKeySource;
    use trailkeep_files::directory::DataDirectory;
    use trailkeep_store_sqlite::Sqlite;

    let directory = Directory::new();
    directory.append(&events(3_000));
    let files = DataDirectory::new(&directory.path);
    let root_key = RootKeySource::File(files.root_key());
    let engine = Files::open(Arc::new(Sqlite), files, &root_key).unwrap();
    let engine = Arc::new(
        engine
            .start(StartOptions::new(Arc::new(SystemClock)))
            .unwrap(),
    );
    let tenant = engine.journal.tenants().remove(0);
    let ledger = std::sync::Arc::clone(tenant.active());
    let stop = AtomicBool::new(false);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = PublicKey::parse(&std::fs::read_to_string(&directory.public_key).unwrap()).unwrap();
    std::thread::scope(|scope| {
        let writers = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let event =
                    json!({"id": format!("w{written}"), "action": "a.b", "actor": {"id": "x"}});
                let event =
                    trailkeep_proof::ledger::event::parse_event(event.to_string().as_bytes())
                        .unwrap();
                let event = Incoming {
                    event,
                    via: "http",
                    added: Vec::new(),
                    lacks_regimes: false,
                };
                let append = trailkeep_core::journal::append::append(
                    &engine.journal,
                    &tenant,
                    vec![event],
                    trailkeep_core::Effort::Long,
                );
                runtime.block_on(append).unwrap();
                written += 1;
            }
            written
        });
        let scrubs = scope.spawn(|| {
            let mut whole = 0;
            while !stop.load(Ordering::Relaxed) {
                whole += u32::from(engine.journal.ledgers.purge().unwrap());
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            whole
        });
        for _ in 0..5 {
            let request = ExportRequest {
                scope: Scope::Time {
                    from: None,
                    to: None,
                },
                action: None,
                person: None,
                redact: Vec::new(),
                recipients: Vec::new(),
                against: Vec::new(),
                asked_by: "test".to_owned(),
            };
            let plan = plan(&engine.journal, &ledger, request).unwrap();
            let exported = write(
                &engine.exports,
                &ledger,
                &plan,
                &AtomicBool::new(false),
                &mut |_, _| (),
            )
            .unwrap();
            let mut bytes = Vec::new();
            exported.file.reader().read_to_end(&mut bytes).unwrap();
            let question = Question {
                key: &key,
                against: None,
                witnesses: &[],
            };
            let report = verify(&bytes, &question, &mut |_, _| ()).unwrap();
            assert!(report.complete, "{:?}", report.findings);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writers.join().unwrap() > 0);
        assert!(
            scrubs.join().unwrap() > 0,
            "no scrub ever found the file free"
        );
    });
    drop(folder);
    engine.close().unwrap();
    drop(engine);
    directory.assert_clean();
}

#[test]
fn an_export_is_a_job_whose_file_comes_in_ranges() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let body = events(30).into_bytes();
    let headers = [("Content-Type", "application/x-ndjson")];
    assert_eq!(
        client
            .request("POST", "/v1/events", &headers, &body)
            .unwrap()
            .status,
        201
    );

    let bad = client
        .request(
            "POST",
            "/v1/exports",
            &[],
            b"{\"seq\":\"1..2\",\"from\":\"x\"}",
        )
        .unwrap();
    assert_eq!(bad.status, 422);
    assert_eq!(
        client
            .request("POST", "/v1/exports", &[], b"{\"form\":1}")
            .unwrap()
            .status,
        400
    );
    let started = client
        .request("POST", "/v1/exports", &[], b"{\"redact\":[\"input\"]}")
        .unwrap();
    assert_eq!(started.status, 202);
    let id = started.json()["id"].as_str().unwrap().to_owned();
    assert!(
        started.headers.contains(&format!("/v1/exports/{id}")),
        "{}",
        started.headers
    );
    let path = format!("/v1/exports/{id}");
    let done = loop {
        let shown = client.request("GET", &path, &[], b"").unwrap().json();
        if shown["state"] != "running" {
            break shown;
        }
    };
    assert_eq!(done["state"], "done", "{done}");
    let file = format!("{path}/file");
    let whole = client.request("GET", &file, &[], b"").unwrap();
    assert_eq!(
        (whole.status, whole.body.len() as u64),
        (200, done["bytes"].as_u64().unwrap())
    );
    let part = client
        .request("GET", &file, &[("Range", "bytes=10-29")], b"")
        .unwrap();
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..30]));
    let tail = client
        .request("GET", &file, &[("Range", "bytes=-22")], b"")
        .unwrap();
    assert_eq!(tail.body, whole.body[whole.body.len() - 22..]);
    let beyond = client
        .request("GET", &file, &[("Range", "bytes=99999999-")], b"")
        .unwrap();
    assert_eq!(beyond.status, 416);
    let out = directory.path.with_extension("zip");
    std::fs::File::create(&out)
        .unwrap()
        .write_all(&whole.body)
        .unwrap();
    assert_eq!(
        verify_both(&out, &directory.public_key, &[])["authentic"],
        true
    );

    assert_eq!(
        client.request("DELETE", &path, &[], b"").unwrap().status,
        204
    );
    assert_eq!(client.request("GET", &path, &[], b"").unwrap().status, 404);
    assert_eq!(client.request("GET", &file, &[], b"").unwrap().status, 404);

    // A command goes through the server's socket, and the server forgets nothing but the file at its end.
    let by_socket = export(&directory, &out, &["--seq", "0..5"]);
    assert_eq!(by_socket["counts"]["entries"], 6);
    server.stop();
    assert_eq!(
        verify_both(&out, &directory.public_key, &[])["complete"],
        true
    );
    directory.assert_clean();
    let left: Vec<String> = std::fs::read_dir(&directory.path)
        .unwrap()
        .map(|entry| name(&entry.unwrap().path()))
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.contains("tmp") || name.contains("export")),
        "{left:?}"
    );
}

#[test]
fn real_events_are_exported_and_verified_by_all() {
    let shared = std::env::var_os("TRAILKEEP_SHARED")
        .map_or_else(|| crate::support::root().join("../shared"), PathBuf::from);
    let directory = Directory::new();
    let mut count = 0;
    for name in ["llm-events.ndjson.zst", "cloudtrail-events.ndjson.zst"] {
        let path = shared.join("data").join(name);
        let Ok(packed) = std::fs::read(&path) else {
            eprintln!("{} is absent: not tried", path.display());
            return;
        };
        let text = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
        count += text.lines().count();
        directory.append(&text);
    }
    let folder = tempfile::tempdir().unwrap();
    let script = crate::support::page_of_python(folder.path());
    let out = folder.path().join("b.zip");
    let questions: [(&[&str], bool); 3] = [
        (&[], true),
        (&["--action", "chat.completion"], false),
        (&["--redact", "input,output"], false),
    ];
    for (question, complete) in questions {
        let summary = export(&directory, &out, question);
        let disclosed = summary["counts"]["disclosed"].as_u64().unwrap();
        assert!(disclosed > 0 && disclosed <= count as u64, "{summary}");
        let report = verify_both(&out, &directory.public_key, &[]);
        assert_eq!(report["authentic"], true, "{question:?}: {report}");
        assert_eq!(report["complete"], complete, "{question:?}");
        let arguments = [
            script.to_str().unwrap(),
            out.to_str().unwrap(),
            directory.public_key.to_str().unwrap(),
        ];
        if let Some(by_python) = tool("python3", &arguments, folder.path()) {
            assert_eq!(
                by_python.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&by_python.stdout)
            );
        }
    }
}

/// The bundle as a file manager packs the folder that it was unpacked into.
fn packed_with_folder(bundle: &Path, folder: &str, more: &[&str]) -> Vec<u8> {
    let bytes = std::fs::read(bundle).unwrap();
    let archive = trailkeep_proof::bundle::archive::Archive::open(&bytes).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.add_directory(folder, options).unwrap();
    for member in archive.members() {
        zip.start_file(format!("{folder}/{}", member.name), options)
            .unwrap();
        let content = archive.read_small(&member.name).unwrap().unwrap();
        zip.write_all(&content).unwrap();
    }
    for name in more {
        zip.start_file(*name, options).unwrap();
        zip.write_all(b"x").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The bundle with its members packed by another program, and files of that one's own beside them.
fn packed_again(bundle: &Path, more: &[&str]) -> Vec<u8> {
    use trailkeep_proof::bundle::archive::Archive;
    let bytes = std::fs::read(bundle).unwrap();
    let archive = Archive::open(&bytes).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for member in archive.members() {
        zip.start_file(&member.name, options).unwrap();
        let content = archive.read_small(&member.name).unwrap().unwrap();
        zip.write_all(&content).unwrap();
    }
    for name in more {
        zip.start_file(*name, options).unwrap();
        zip.write_all(b"x").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn what_archivers_add_is_damage_and_what_others_add_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let key = vectors().join("public.pem");
    let judge = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (report, code) = check(&path, &key, &[]);
        assert_eq!(report["authentic"] == true, code == Some(0), "{report}");
        (code, report["damaged"].clone())
    };
    let full = vectors().join("full.zip");
    let junk = [
        "__MACOSX/._manifest.json",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
    ];
    let damaged = (Some(5), json!(["junk-members"]));
    assert_eq!(judge("junk.zip", &packed_again(&full, &junk)), damaged);
    let other = (Some(3), json!([]));
    assert_eq!(
        judge("other.zip", &packed_again(&full, &["notes.txt"])),
        other
    );
    let hostile = vectors().join("hostile/wrong-sum.zip");
    assert_eq!(judge("hostile.zip", &packed_again(&hostile, &junk)), other);

    // As a file manager packs the folder that it unpacked into.
    let again = (Some(5), json!(["packed-again"]));
    let within = |more: &[&str]| packed_with_folder(&full, "evidence", more);
    assert_eq!(judge("within.zip", &within(&[])), again);
    let of_mac = ["__MACOSX/evidence/._manifest.json", "evidence/.DS_Store"];
    assert_eq!(judge("mac.zip", &within(&of_mac)), damaged);
    for strange in [
        "other/notes.txt",
        "evidence/notes.txt",
        "evidence/deep/x",
        "x",
    ] {
        assert_eq!(
            judge("strange.zip", &within(&[strange])),
            other,
            "{strange}"
        );
    }
    let hostile = packed_with_folder(&hostile, "evidence", &[]);
    assert_eq!(judge("hostile.zip", &hostile), other);
}

#[test]
fn an_unpacked_bundle_is_verified_but_for_the_archives_form() {
    use trailkeep_proof::bundle::archive::Archive;
    let key = vectors().join("public.pem");
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(vectors().join("full.zip")).unwrap();
    let archive = Archive::open(&bytes).unwrap();
    for member in archive.members() {
        let content = archive.read_small(&member.name).unwrap().unwrap();
        std::fs::write(folder.path().join(&member.name), content).unwrap();
    }
    let (report, code) = check(folder.path(), &key, &[]);
    assert_eq!((&report["complete"], code), (&json!(true), Some(0)));
    assert_eq!(report["archive_form_checked"], false);
    std::fs::write(folder.path().join(".DS_Store"), "x").unwrap();
    assert_eq!(check(folder.path(), &key, &[]).1, Some(5));
    std::fs::remove_file(folder.path().join(".DS_Store")).unwrap();
    std::fs::write(folder.path().join("._report.html"), "x").unwrap();
    assert_eq!(check(folder.path(), &key, &[]).1, Some(5));
    std::fs::remove_file(folder.path().join("._report.html")).unwrap();
    std::fs::write(folder.path().join(".hidden"), "x").unwrap();
    assert_eq!(check(folder.path(), &key, &[]).1, Some(3));
    std::fs::remove_file(folder.path().join(".hidden")).unwrap();
    std::fs::write(folder.path().join("report.html"), "other").unwrap();
    assert_eq!(check(folder.path(), &key, &[]).1, Some(3));
}
