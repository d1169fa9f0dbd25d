//! Chat histories: what turns repeat is stored once, and is deleted with the last turn that refers to it.

use std::path::PathBuf;

use crate::support::{Clocked, Server, succeeded};
use rusqlite::Connection;
use serde_json::{Value, json};

/// A message that is long enough to be stored once.
fn message(conversation: &str, number: u32) -> Value {
    let words = format!("message {number} of {conversation}: ");
    json!({"role": if number.is_multiple_of(2) { "user" } else { "assistant" }, "content": words.repeat(12)})
}

/// A turn of a conversation: its input has all messages before, and one of its own.
fn turn(conversation: &str, number: u32, persons: &[&str], more: &Value) -> String {
    let subjects: Vec<Value> = persons.iter().map(|id| json!({"id": id})).collect();
    let messages: Vec<Value> = (0..=2 * number)
        .map(|number| message(conversation, number))
        .collect();
    let mut event = json!({
        "id": format!("{conversation}-{number}"),
        "action": "chat.completion",
        "outcome": "success",
        "actor": {"id": "support-bot", "type": "service"},
        "context": {"conversation": conversation},
        "subjects": subjects,
        "input": messages,
        "output": format!("answer {number}"),
    });
    let sections = event.as_object_mut().unwrap();
    sections.extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn turns(
    conversation: &str,
    numbers: std::ops::Range<u32>,
    persons: &[&str],
    more: &Value,
) -> String {
    numbers
        .map(|number| turn(conversation, number, persons, more))
        .collect()
}

fn ledger_db(path: &std::path::Path) -> Connection {
    Connection::open(path.join("ledger.db")).unwrap()
}

/// How many values a ledger has, how many references to them are counted, and how many events refer to any.
fn values_in(path: &std::path::Path) -> [u64; 3] {
    let connection = ledger_db(path);
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    [
        count("SELECT count(*) FROM value"),
        count("SELECT coalesce(sum(events), 0) FROM value_use"),
        count("SELECT count(*) FROM value_reference"),
    ]
}

fn values(clocked: &Clocked) -> [u64; 3] {
    values_in(&clocked.directory.path)
}

fn counts(clocked: &Clocked) -> [u64; 4] {
    let report = clocked.verify();
    ["intact", "expired", "erased", "restricted"].map(|state| report[state].as_u64().unwrap())
}

/// Its input is what was sent, byte for byte.
fn assert_shown(clocked: &Clocked, sent: &str, more: &[&str]) {
    let sent: Value = serde_json::from_str(sent).unwrap();
    let id = sent["id"].as_str().unwrap();
    let shown = clocked.json(&[&["show", id, "--json"], more].concat());
    let event = &shown["event"];
    for section in ["input", "output", "subjects"] {
        assert_eq!(event[section], sent[section], "{id} {section}: {shown}");
    }
}

fn post(server: &Server, event: &str) -> Value {
    let answer = server
        .client()
        .post("application/json", event.as_bytes())
        .unwrap();
    assert!(answer.status < 300, "{}", answer.text());
    answer.json()
}

fn hold(clocked: &Clocked, from: &str, to: &str) -> String {
    let place = ["hold", "place", "--reason", "r", "--matter", "m", "--json"];
    let placed = clocked.json(&[&place[..], &["--from", from, "--to", to]].concat());
    placed["id"].as_str().unwrap().to_owned()
}

fn release(clocked: &Clocked, hold: &str) {
    clocked.json(&["hold", "release", hold, "--reason", "over", "--json"]);
}

#[test]
fn a_history_is_stored_once_and_read_back_byte_for_byte() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let sent: Vec<String> = (0..6)
        .map(|number| turn("talk", number, &["anna"], &json!({})))
        .collect();
    for event in &sent {
        let first = post(&server, event);
        // A retry is the same event, and stores nothing.
        let again = post(&server, event);
        assert_eq!(again["seq"], first["seq"], "{again}");
    }
    server.stop();
    // The first turn is not known to come again. From the second one on all messages are stored once.
    let [stored, uses, events] = values(&clocked);
    assert_eq!((stored, events), (11, 5));
    assert_eq!(uses, 3 + 5 + 7 + 9 + 11);
    for event in &sent {
        assert_shown(&clocked, event, &[]);
    }
    let payloads: u64 = ledger_db(&clocked.directory.path)
        .query_row(
            "SELECT max(length(payload.bytes)) FROM payload JOIN value_reference USING (row)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(payloads < 600, "{payloads}");
    // Everything else reads them, too.
    let page = clocked.json(&["query", "--json", "--subject", "anna"]);
    assert_eq!(page["events"].as_array().unwrap().len(), 6, "{page}");
    clocked.export("all.zip");
    let report = clocked.verify_bundle("all.zip");
    assert_eq!(
        (&report["authentic"], &report["counts"]["disclosed"]),
        (&json!(true), &json!(6)),
        "{report}"
    );
    succeeded(&clocked.output(&["index", "rebuild"]));
    assert_eq!(counts(&clocked), [6, 0, 0, 0]);
    clocked.assert_residue_free("message 0 of talk");

    // A server that has just started knows no values: they are stored once more, and shared from there on.
    let later: Vec<String> = (6..9)
        .map(|number| turn("talk", number, &["anna"], &json!({})))
        .collect();
    clocked.append(&later.concat());
    for event in sent.iter().chain(&later) {
        assert_shown(&clocked, event, &[]);
    }
    assert_eq!(counts(&clocked), [9, 0, 0, 0]);
    assert_eq!(values(&clocked)[0], 11 + 17);
}

#[test]
fn single_answers_are_stored_as_before() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let single = |number: u32| {
        let input = json!({"input": [message("system", 0), message("question", number)]});
        turn(
            &format!("of-{number}"),
            0,
            &[&format!("person-{number}")],
            &input,
        )
    };
    let events: String = (0..10).map(single).collect();
    clocked.append(&events);
    assert_eq!(values(&clocked), [0, 0, 0]);
}

#[test]
fn an_expired_first_turn_leaves_what_later_turns_repeat() {
    let clocked = Clocked::at("2026-08-24T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let sent: Vec<String> = (0..4)
        .map(|number| turn("talk", number, &["anna"], &json!({})))
        .collect();
    post(&server, &sent[0]);
    post(&server, &sent[1]);
    server.stop();
    // The same week, so the same data key.
    clocked.set("2026-08-26T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let before = values(&clocked)[0];
    for event in &sent[2..] {
        post(&server, event);
    }
    server.stop();
    clocked.set("2026-11-23T02:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 2);
    assert_eq!(counts(&clocked), [2, 2, 0, 0]);
    for event in &sent[2..] {
        assert_shown(&clocked, event, &[]);
    }
    let [stored, uses, events] = values(&clocked);
    assert!(stored > 0 && before > 0 && events > 0, "{stored} {uses}");
    clocked.set("2026-11-25T02:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 2);
    assert_eq!(values(&clocked), [0, 0, 0]);
    assert_eq!(counts(&clocked), [0, 4, 0, 0]);
    clocked.assert_residue_free("of talk");
}

#[test]
fn an_expiry_in_the_middle_of_a_conversation_lets_it_go_on() {
    let clocked = Clocked::at("2026-08-24T10:00:00Z");
    clocked.append(&turns("talk", 0..3, &["anna"], &json!({})));
    let first = values(&clocked);
    assert_eq!(first, [5, 3 + 5, 2]);
    clocked.set("2026-08-26T10:00:00Z");
    clocked.append(&turns("talk", 3..5, &["anna"], &json!({})));
    let both = values(&clocked);
    clocked.set("2026-11-23T02:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 3);
    // The values that only the first three referred to went with them.
    let [stored, uses, events] = values(&clocked);
    assert_eq!(stored, both[0] - first[0]);
    assert_eq!((uses, events), (both[1] - first[1], both[2] - first[2]));
    assert_shown(&clocked, &turn("talk", 4, &["anna"], &json!({})), &[]);
    assert_eq!(counts(&clocked), [2, 3, 0, 0]);
}

#[test]
fn a_hold_on_the_last_turn_keeps_what_it_repeats() {
    let clocked = Clocked::at("2026-08-24T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let sent: Vec<String> = (0..5)
        .map(|number| turn("talk", number, &["anna"], &json!({})))
        .collect();
    for event in &sent[..4] {
        post(&server, event);
    }
    // The same process, so that the last turn refers to what those before brought.
    clocked.set_ms(clocked.now() + 60_000);
    post(&server, &sent[4]);
    server.stop();
    assert_eq!(values(&clocked), [9, 3 + 5 + 7 + 9, 4]);
    let held = hold(&clocked, "2026-08-24T10:01:00Z", "2026-08-25");
    clocked.set("2026-11-25T02:00:00Z");
    let report = clocked.run();
    assert_eq!(
        (&report["destroyed"], &report["held"]),
        (&json!(4), &json!(1)),
        "{report}"
    );
    assert_eq!(values(&clocked), [9, 9, 1]);
    assert_shown(&clocked, &sent[4], &[]);
    assert_eq!(counts(&clocked), [1, 4, 0, 0]);
    release(&clocked, &held);
    assert_eq!(clocked.run()["destroyed"], 1);
    assert_eq!(values(&clocked), [0, 0, 0]);
    assert_eq!(counts(&clocked), [0, 5, 0, 0]);
    clocked.assert_residue_free("of talk");
}

#[test]
fn an_erased_middle_turn_leaves_the_others_whole() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let sent: Vec<String> = (0..6)
        .map(|number| turn("talk", number, &["anna"], &json!({})))
        .collect();
    for event in &sent {
        post(&server, event);
        clocked.set_ms(clocked.now() + 60_000);
    }
    server.stop();
    let before = hold(&clocked, "2026-06-01", "2026-06-01T10:03:00Z");
    let after = hold(&clocked, "2026-06-01T10:04:00Z", "2026-06-02");
    let answer = clocked.erase("anna", &["--now"]);
    assert_eq!(answer["erased_events"], 1, "{answer}");
    assert_eq!(counts(&clocked), [0, 0, 1, 5]);
    let gone = clocked.output(&["show", "talk-3", "--purpose", "legal-claims: 17"]);
    assert!(!gone.status.success());
    // What stays was encrypted again, under another key, and refers to nothing.
    for number in [0, 1, 2, 4, 5] {
        assert_shown(&clocked, &sent[number], &["--purpose", "legal-claims: 17"]);
    }
    assert_eq!(values(&clocked), [0, 0, 0]);
    let again: u64 = ledger_db(&clocked.directory.path)
        .query_row(
            "SELECT count(*) FROM payload WHERE substr(bytes, 1, 1) = x'02'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(again, 5);
    // The conversation goes on, under the new key.
    clocked.append(&turns("talk", 6..8, &["anna"], &json!({})));
    assert_shown(&clocked, &turn("talk", 7, &["anna"], &json!({})), &[]);
    release(&clocked, &before);
    release(&clocked, &after);
    clocked.run();
    let [intact, _, erased, restricted] = counts(&clocked);
    assert_eq!((intact, erased, restricted), (2, 6, 0));
}

#[test]
fn nothing_is_shared_across_data_subjects() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let gdpr = json!({"regimes": ["gdpr-minimal"]});
    let hipaa = json!({"regimes": ["hipaa"]});
    let mut all = Vec::new();
    for (name, persons, more) in [
        ("anna", &["anna"][..], &gdpr),
        ("bert", &["bert"], &gdpr),
        ("both", &["anna", "bert"], &gdpr),
        ("chart", &["anna", "bert"], &hipaa),
    ] {
        for number in 0..3 {
            let mut event: Value =
                serde_json::from_str(&turn("talk", number, persons, more)).unwrap();
            event["id"] = json!(format!("{name}-{number}"));
            all.push(format!("{event}\n"));
        }
    }
    let server = clocked.serve_with(&[]);
    for event in &all {
        post(&server, event);
    }
    server.stop();
    // The same words under four sets of keys: no value is of two.
    assert_eq!(values(&clocked), [4 * 5, 4 * (3 + 5), 4 * 2]);
    let answer = clocked.erase("anna", &["--now"]);
    assert_eq!(
        (&answer["outcome"], &answer["erased_events"]),
        (&json!("partial"), &json!(6)),
        "{answer}"
    );
    // Bert's own stay as they were; the charts are encrypted again, for him alone.
    assert_eq!(values(&clocked), [5, 3 + 5, 2]);
    assert_eq!(counts(&clocked), [3, 0, 6, 3]);
    for event in &all[3..6] {
        assert_shown(&clocked, event, &[]);
    }
    for event in &all[9..] {
        assert_shown(&clocked, event, &["--purpose", "legal-claims: 17"]);
    }
    clocked.export("after.zip");
    assert_eq!(clocked.verify_bundle("after.zip")["authentic"], true);
    let answer = clocked.erase("bert", &["--now"]);
    assert_eq!(answer["erased_events"], 3, "{answer}");
    assert_eq!(values(&clocked), [0, 0, 0]);
}

/// Restores a backup in the place of a data directory that was lost.
fn lose_and_restore(clocked: &Clocked, backup: &std::path::Path, more: &[&str]) -> Value {
    let data = clocked.directory.path.clone();
    let key = data.with_file_name("root.key");
    std::fs::copy(data.join("root.key"), &key).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    let restored = crate::support::trailkeep()
        .args(["restore", "--json", "--from"])
        .arg(backup)
        .arg("--to")
        .arg(&data)
        .arg("--root-key-file")
        .arg(&key)
        .args(more)
        .output()
        .unwrap();
    let restored = serde_json::from_slice(&succeeded(&restored).stdout).unwrap();
    std::fs::copy(&key, data.join("root.key")).unwrap();
    restored
}

#[test]
fn a_backup_has_the_values_and_loses_them_with_its_next_run() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let backup: PathBuf = clocked.directory.path.with_file_name("backup");
    let back_up =
        || succeeded(&clocked.output(&["backup", "--out", backup.to_str().unwrap()])).status;
    let verified = || {
        let output = crate::support::trailkeep()
            .args(["verify", "--json", "--dir"])
            .arg(&backup)
            .arg("--root-key-file")
            .arg(clocked.directory.path.join("root.key"))
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["ok"], true, "{report}");
    };
    clocked.append(&turns("anna", 0..3, &["anna"], &json!({})));
    back_up();
    assert_eq!(values_in(&backup), [5, 3 + 5, 2]);
    verified();
    clocked.append(&turns("bert", 0..4, &["bert"], &json!({})));
    clocked.erase("anna", &["--now"]);
    back_up();
    assert_eq!(values_in(&backup), [7, 3 + 5 + 7, 3]);
    verified();
    lose_and_restore(&clocked, &backup, &[]);
    assert_eq!(values(&clocked), [7, 3 + 5 + 7, 3]);
    for number in 0..4 {
        assert_shown(&clocked, &turn("bert", number, &["bert"], &json!({})), &[]);
    }
    assert_eq!(counts(&clocked), [4, 0, 3, 0]);
    // Numbers go on behind those that the backup has.
    clocked.append(&turns("bert", 4..6, &["bert"], &json!({})));
    assert_eq!(counts(&clocked), [6, 0, 3, 0]);
}

#[test]
fn values_of_an_erased_person_go_again_after_an_older_ledger_was_restored() {
    let clocked = Clocked::at("2026-11-01T10:00:00Z");
    let beside = |name: &str| clocked.directory.path.with_file_name(name);
    let (replica, backup) = (beside("replica"), beside("backup"));
    std::fs::create_dir(&replica).unwrap();
    let replica = replica.to_str().unwrap();
    succeeded(&clocked.output(&["vault-replica", "add", replica]));
    clocked.append(&turns("anna", 0..3, &["anna"], &json!({})));
    clocked.append(&turns("bert", 0..3, &["bert"], &json!({})));
    succeeded(&clocked.output(&["backup", "--out", backup.to_str().unwrap()]));
    clocked.set("2026-11-02T10:00:00Z");
    let answer = clocked.erase("anna", &["--now"]);
    assert_eq!(answer["erased_events"], 3, "{answer}");
    assert_eq!(values(&clocked), [5, 3 + 5, 2]);
    clocked.set("2026-11-10T10:00:00Z");
    let restored = lose_and_restore(
        &clocked,
        &backup,
        &["--vault-replica", replica, "--continue"],
    );
    // Her values are back with her payloads, and nobody opens either.
    assert_eq!(restored["keys_missing"], 3, "{restored}");
    assert_eq!(values(&clocked), [10, 2 * (3 + 5), 4]);
    let name = restored["ledgers"][0]["origin"].as_str().unwrap();
    let name = name.rsplit('/').next().unwrap();
    let shown = clocked.output(&["show", "anna-2", "--ledger", name]);
    assert!(!shown.status.success());
    succeeded(&clocked.output(&["show", "bert-2", "--ledger", name]));
    // The end of her events' time is that of what is left of them.
    clocked.set("2027-02-01T10:00:00Z");
    succeeded(&clocked.output(&["retention", "resume", "--reviewed-holds"]));
    clocked.run();
    assert_eq!(values(&clocked), [0, 0, 0]);
    clocked.assert_residue_free("of anna");
}

#[test]
fn a_deletion_that_is_cut_off_deletes_each_value_once() {
    for point in [
        "some-texts-destroyed",
        "index-rows-destroyed",
        "texts-destroyed",
    ] {
        let clocked = Clocked::at("2026-06-01T10:00:00Z");
        clocked.append(&turns("anna", 0..5, &["anna"], &json!({})));
        clocked.append(&turns("bert", 0..5, &["bert"], &json!({})));
        let [stored, uses, events] = values(&clocked);
        clocked.erase_killed_at("anna", point, None);
        // The next start carries it out.
        clocked.serve_with(&[]).stop();
        assert_eq!(
            values(&clocked),
            [stored / 2, uses / 2, events / 2],
            "{point}"
        );
        assert_eq!(counts(&clocked), [5, 0, 5, 0], "{point}");
    }
}

#[test]
fn a_backup_that_was_cut_off_is_the_one_from_before() {
    for point in ["backup-rows-added", "backup-ledgers-done"] {
        let clocked = Clocked::at("2026-06-01T10:00:00Z");
        let backup: PathBuf = clocked.directory.path.with_file_name("backup");
        let arguments = ["backup", "--out", backup.to_str().unwrap()];
        clocked.append(&turns("anna", 0..3, &["anna"], &json!({})));
        succeeded(&clocked.output(&arguments));
        clocked.append(&turns("bert", 0..4, &["bert"], &json!({})));
        let kill = format!("{point}=kill");
        let killed = clocked.output_with(&arguments, &[("TRAILKEEP_FAILPOINT", &kill)]);
        assert!(!killed.status.success(), "{point}");
        if point == "backup-rows-added" {
            // Values of events behind its head are there already, as their payloads are, and are not counted.
            assert_eq!(values_in(&backup), [12, 3 + 5, 2]);
        }
        succeeded(&clocked.output(&arguments));
        assert_eq!(values_in(&backup), [12, 2 * (3 + 5) + 7, 5], "{point}");
        lose_and_restore(&clocked, &backup, &[]);
        assert_eq!(counts(&clocked), [7, 0, 0, 0]);
    }
}

#[test]
fn persons_are_erased_while_they_talk_and_are_read() {
    let directory = crate::support::Directory::new();
    let server = directory.serve();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let talk = |person: &str| {
        let (mut client, mut round) = (server.client(), 0);
        while !is_over.load(relaxed) {
            for number in 0..5 {
                let event = turn(&format!("{person}-{round}"), number, &[person], &json!({}));
                let answer = client.post("application/json", event.as_bytes()).unwrap();
                assert!(answer.status == 201, "{}", answer.text());
                let seq = answer.json()["seq"].to_string();
                // Each is there, or was erased meanwhile; none is damaged.
                let shown = client.get(&format!("/v1/entries/{seq}")).unwrap();
                assert!([200, 410].contains(&shown.status), "{}", shown.text());
            }
            round += 1;
        }
        round
    };
    std::thread::scope(|scope| {
        let talk = &talk;
        let talking: Vec<_> = ["anna", "bert"]
            .map(|person| scope.spawn(move || talk(person)))
            .into();
        for _ in 0..2 {
            std::thread::sleep(std::time::Duration::from_millis(300));
            for person in ["anna", "bert"] {
                let erase = ["privacy", "erase", "--subject", person, "--yes"];
                succeeded(&directory.run(&erase));
            }
        }
        is_over.store(true, relaxed);
        let rounds: u32 = talking.into_iter().map(|one| one.join().unwrap()).sum();
        assert!(rounds > 2, "{rounds}");
    });
    server.stop();
    let report = directory.assert_clean();
    assert!(report["erased"].as_u64() > Some(5), "{report}");
    for person in ["anna", "bert"] {
        succeeded(&directory.run(&["privacy", "erase", "--subject", person, "--yes"]));
    }
    directory.assert_clean();
    assert_eq!(values_in(&directory.path), [0, 0, 0]);
}
