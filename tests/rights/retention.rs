//! Expiry, holds and triggers end to end: the real program under a clock that the test moves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod clock;
mod doors;

use std::process::Output;
use trailkeep_core::failpoint::FailPoint;

use crate::support::{Clocked, Random, said, succeeded};
use serde_json::{Value, json};

/// An event as NDJSON.
fn event(id: &str, more: &Value) -> String {
    let mut event = json!({
        "id": id,
        "action": "chat.completion",
        "actor": {"id": "support-bot"},
        "subjects": [{"id": format!("person-of-{id}")}],
        "input": format!("input of {id}"),
    });
    event
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&succeeded(output).stdout).unwrap()
}

#[test]
fn what_is_due_goes_and_the_ledger_proves_as_before() {
    let clocked = Clocked::at("2026-08-25T10:00:00Z");
    let old = clocked.append(&event("old", &json!({})))["seq"].to_string();
    clocked.set("2026-08-26T10:00:00Z");
    clocked.append(&event("young", &json!({})));
    let before = clocked.checkpoint();
    // 90 days after the 25th of August is the 23rd of November, which counts whole.
    clocked.set("2026-11-23T23:59:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2026-11-24T00:00:00Z");
    let preview = clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(preview["destroyed"], 1, "{preview}");
    assert_eq!(preview["classes"][0]["months"]["2026-08"], 1, "{preview}");
    let report = clocked.run();
    assert_eq!(report["destroyed"], 1, "{report}");
    assert_eq!(report["statements"].as_array().unwrap().len(), 1);
    // A second run changes nothing.
    let size = clocked.size();
    assert_eq!(clocked.run()["destroyed"], 0);
    assert_eq!(clocked.size(), size);

    let verified = clocked.verify();
    let counts = ["events", "intact", "expired", "erased", "held", "damaged"];
    let counts = counts.map(|name| verified[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1, 0, 0, 0]);
    let against = clocked.command(&["verify", "--json", "--against"], &[&before]);
    assert_eq!(json_of(&against)["ok"], true);

    let gone = clocked.output(&["show", &old, "--json"]);
    assert_eq!(gone.status.code(), Some(8));
    let error: Value = serde_json::from_slice(&gone.stderr).unwrap();
    assert_eq!(error["error"]["type"], "urn:trailkeep:problem:gone");
    assert_eq!(error["error"]["exit_code"], 8);
    assert!(said(&gone).contains("expired"), "{}", said(&gone));
    assert!(!clocked.output(&["show", "old"]).status.success());
    succeeded(&clocked.output(&["show", "young"]));
    for more in [&[][..], &["--action", "chat.completion"]] {
        let page = clocked.json(&[&["query", "--json"], more].concat());
        let found = page["events"].as_array().unwrap();
        assert_eq!((found.len(), &found[0]["id"]), (1, &json!("young")));
    }
    // The same id again is known, and nothing is stored.
    let again = clocked.append(&event("old", &json!({})));
    assert_eq!(again["already_recorded"], true, "{again}");
    assert_eq!(again["expired"], true, "{again}");
    let two = event("old", &json!({})) + &event("fresh", &json!({}));
    let again = clocked.append(&two);
    assert_eq!(
        (&again["accepted"], &again["unavailable"][0]["id"]),
        (&json!(1), &json!("old")),
        "{again}"
    );
    let explained = clocked.json(&["retention", "explain", &old, "--json"]);
    assert_eq!(explained["state"], "expired");
    clocked.assert_residue_free("input of old");
    clocked.assert_residue_free("person-of-old");
}

#[test]
fn a_bundle_counts_what_went_and_shows_what_covers_it() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let events: String = (0..40)
        .map(|n| event(&format!("e{n}"), &json!({})))
        .collect();
    clocked.append(&events);
    clocked.export("before.zip");
    clocked.set("2026-08-30T10:00:00Z");
    let young: String = (40..60)
        .map(|n| event(&format!("e{n}"), &json!({})))
        .collect();
    clocked.append(&young);
    clocked.set("2026-08-31T02:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 40);
    let summary = clocked.export("after.zip");
    let counts = &summary["counts"];
    assert_eq!(
        (&counts["expired"], &counts["disclosed"]),
        (&json!(40), &json!(20)),
        "{summary}"
    );
    for name in ["before.zip", "after.zip"] {
        let verified = clocked.verify_bundle(name);
        assert_eq!(verified["authentic"], true, "{verified}");
        assert_eq!(verified["complete"], true, "{verified}");
    }
}

#[test]
fn a_hold_keeps_what_is_due_until_it_is_lifted() {
    // T5: expired on the 25th at midnight, the hold comes at 01:00, the run at 02:00.
    let clocked = Clocked::at("2026-08-26T10:00:00Z");
    clocked.append(&(event("held", &json!({})) + &event("free", &json!({}))));
    clocked.set("2026-11-25T01:00:00Z");
    let placed = clocked.json(&[
        "hold",
        "place",
        "--reason",
        "litigation",
        "--matter",
        "Doe",
        "--subject",
        "person-of-held",
        "--json",
    ]);
    assert_eq!(placed["late"], 1, "{placed}");
    clocked.set("2026-11-25T02:00:00Z");
    let report = clocked.run();
    assert_eq!(
        (&report["destroyed"], &report["held"]),
        (&json!(1), &json!(1))
    );
    let verified = clocked.verify();
    assert_eq!(
        (&verified["expired"], &verified["intact"], &verified["held"]),
        (&json!(1), &json!(1), &json!(1)),
        "{verified}"
    );
    succeeded(&clocked.output(&["show", "held"]));
    // A hold of another matter comes too late for the other, and says so.
    clocked.set("2026-11-25T02:05:00Z");
    let late = clocked.json(&[
        "hold",
        "place",
        "--reason",
        "litigation",
        "--matter",
        "Roe",
        "--json",
    ]);
    assert_eq!(
        late["already_deleted"][0]["statement"], report["statements"][0],
        "{late}"
    );
    // T6: two holds; one lifted is not enough.
    let id = placed["id"].as_str().unwrap();
    succeeded(&clocked.output(&["hold", "release", id, "--reason", "settled"]));
    assert_eq!(clocked.run()["destroyed"], 0);
    let id = late["id"].as_str().unwrap();
    succeeded(&clocked.output(&["hold", "release", id, "--reason", "settled"]));
    assert_eq!(clocked.verify()["ok"], true);
    let report = clocked.run();
    assert_eq!(report["destroyed"], 1, "{report}");
    let verified = clocked.verify();
    assert_eq!(verified["expired"], 2, "{verified}");
    // A hold that was lifted can't be lifted again.
    let again = clocked.output(&["hold", "release", id, "--reason", "settled"]);
    assert_eq!(again.status.code(), Some(1));
}

#[test]
fn what_a_trigger_starts_waits_for_it() {
    // T18: sox waits for the audit, seven years and six months.
    let clocked = Clocked::at("2026-06-30T10:00:00Z");
    let sox = json!({"regimes": ["sox"], "retention": {"record": "audit-2026"}});
    clocked.append(&(event("paper", &sox) + &event("other", &json!({"regimes": ["sox"]}))));
    let preview = clocked.json(&[
        "retention",
        "preview",
        "--as-of",
        "2030-01-01T00:00:00Z",
        "--json",
    ]);
    assert_eq!(preview["awaiting_trigger"][0]["events"], 2, "{preview}");
    assert_eq!(preview["awaiting_trigger"][0]["review"], true, "{preview}");
    let explained = clocked.json(&["retention", "explain", "paper", "--json"]);
    assert_eq!(explained["keep_until"], Value::Null, "{explained}");
    clocked.set("2027-03-15T12:00:00Z");
    let fire = [
        "retention",
        "trigger",
        "audit_concluded",
        "--record",
        "audit-2026",
        "--at",
    ];
    succeeded(&clocked.command(&fire, &["2027-03-15T00:00:00Z"]));
    let earlier = clocked.command(&fire, &["2027-03-14T00:00:00Z"]);
    assert_eq!(earlier.status.code(), Some(4), "{}", said(&earlier));
    let explained = clocked.json(&["retention", "explain", "paper", "--json"]);
    assert_eq!(
        explained["keep_until"], "2034-03-17T00:00:00Z",
        "{explained}"
    );
    clocked.set("2034-09-15T23:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2034-09-16T00:00:00Z");
    let report = clocked.run();
    assert_eq!(report["destroyed"], 1, "{report}");
    let verified = clocked.verify();
    assert_eq!(
        (&verified["expired"], &verified["intact"]),
        (&json!(1), &json!(1))
    );
    clocked.export("bundle.zip");
    let verified = clocked.verify_bundle("bundle.zip");
    assert_eq!(verified["authentic"], true, "{verified}");
    let unknown = clocked.output(&[
        "retention",
        "trigger",
        "unheard_of",
        "--record",
        "r",
        "--at",
        "2027-03-15T00:00:00Z",
    ]);
    assert!(
        said(&unknown).contains("audit_concluded"),
        "{}",
        said(&unknown)
    );
}

#[test]
fn a_law_that_becomes_longer_keeps_what_is_recorded_and_nothing_shortens_it() {
    let policies = tempfile::tempdir().unwrap();
    let write_as = |force: &str, version: u32, keep: &str, delete: &str| {
        let text = format!(
            "schema = 1\nid = \"house\"\nversion = {version}\ntitle = \"House\"\nreview_by = 2030-01-01\n\
             [[authority]]\ncitation = \"Act 1\"\nkind = \"law\"\n\
             [retention]\nkeep_at_least = \"{keep}\"\nkeep_force = \"{force}\"\nkeep_law = [\"US\"]\n\
             delete_after = \"{delete}\"\nclock = \"received\"\nmax_clock = \"received\"\n\
             [erasure]\nrequest = \"restrict_until_minimum\"\njustification = \"House\"\n"
        );
        std::fs::write(policies.path().join("house.toml"), text).unwrap();
    };
    let write = |version, keep: &str, delete: &str| write_as("law", version, keep, delete);
    write(1, "P12M", "P14M");
    let clocked = Clocked::with_policies("2025-12-01T10:00:00Z", policies.path());
    clocked.append(&event("old", &json!({"regimes": ["house"]})));
    let keep_until = |at: &str| {
        let explained = clocked.json(&["retention", "explain", "old", "--json"]);
        assert_eq!(explained["keep_until"], at, "{explained}");
    };
    keep_until("2026-12-03T00:00:00Z");
    // T10.
    clocked.set("2026-11-01T10:00:00Z");
    write(2, "P3Y", "P4Y");
    keep_until("2028-12-03T00:00:00Z");
    clocked.set("2027-03-01T10:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    // T11: a law is not lowered; a custom in its place changes nothing for what is recorded.
    write(3, "P6M", "P8M");
    let refused = clocked.output(&["show", "0"]);
    assert!(
        said(&refused).contains("is below the statutory period"),
        "{}",
        said(&refused)
    );
    write_as("custom", 3, "P6M", "P8M");
    keep_until("2028-12-03T00:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.append(&event("new", &json!({"regimes": ["house"]})));
    clocked.set("2028-12-03T00:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 2);
    clocked.verify();
    // A changed file with the version of before is refused.
    write_as("custom", 3, "P6M", "P9M");
    let refused = clocked.output(&["show", "0"]);
    assert!(said(&refused).contains("version"), "{}", said(&refused));
}

#[test]
fn expiry_is_taken_up_wherever_it_was_killed() {
    for (number, point) in FailPoint::OF_DESTRUCTION.into_iter().enumerate() {
        let point = point.name();
        let clocked = Clocked::at("2026-06-01T10:00:00Z");
        let events: String = (0..700)
            .map(|n| event(&format!("e{n}"), &json!({})))
            .collect();
        clocked.append(&events);
        clocked.set("2026-07-01T10:00:00Z");
        clocked.append(&event("young", &json!({})));
        if number % 2 == 0 {
            clocked.hold("person-of-e5");
        }
        clocked.set("2026-08-31T02:00:00Z");
        let killed = clocked.output_with(
            &["retention", "run", "--confirm-clock"],
            &[("TRAILKEEP_FAILPOINT", &format!("{point}=kill"))],
        );
        assert!(!killed.status.success(), "{point}");
        // Verifying opens the files as they are: an open job is no finding, and no hole.
        let cut = clocked.verify();
        let gone = 700 - u64::from(number % 2 == 0);
        assert_eq!(cut["expired"], gone, "{point}: {cut}");
        // Any command takes the job up first.
        succeeded(&clocked.output(&["show", "young"]));
        let report = clocked.run();
        assert_eq!(report["destroyed"], 0, "{point}: {report}");
        let verified = clocked.verify();
        assert_eq!(
            (&verified["expired"], &verified["ok"]),
            (&json!(gone), &json!(true)),
            "{point}"
        );
        clocked.assert_residue_free("input of e6\"");
        clocked.assert_residue_free("person-of-e6\"");
        // The keys of a week go when all of it has.
        clocked.set("2026-09-06T02:00:00Z");
        clocked.run();
        clocked.assert_no_data_key_of("2026-W23", number % 2 == 0);
    }
}

#[test]
fn the_server_runs_daily_and_a_jump_of_the_clock_destroys_nothing() {
    let clocked = Clocked::at("2026-08-26T10:00:00Z");
    let old = clocked.append(&event("old", &json!({})))["seq"].clone();
    let old = format!("/v1/entries/{old}");
    clocked.set("2026-11-24T12:00:00Z");
    let server = clocked.serve();
    let mut client = server.client();
    let pause = || std::thread::sleep(std::time::Duration::from_millis(1_500));
    pause();
    // Its time is over, and the hour has not come.
    clocked.set("2026-11-25T01:59:00Z");
    pause();
    assert_eq!(client.get(&old).unwrap().status, 200);
    clocked.set("2026-11-25T02:00:00Z");
    let begun = std::time::Instant::now();
    while client.get(&old).unwrap().status != 410 {
        assert!(begun.elapsed().as_secs() < 30, "the daily run did not come");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    client
        .post("application/x-ndjson", event("late", &json!({})).as_bytes())
        .unwrap();
    // A jump of years is refused, by runs too.
    clocked.jump("2036-01-01T03:00:00Z");
    let refused = clocked.output(&["retention", "run", "--json"]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("clock"), "{}", said(&refused));
    server.stop();
    clocked.set("2026-11-25T03:00:00Z");
    assert_eq!(clocked.verify()["intact"], 1);
}

#[test]
fn a_month_of_days_agrees_with_a_simple_model() {
    let mut random = Random::new(17);
    let clocked = Clocked::at("2026-01-01T10:00:00Z");
    let day_ms = 86_400_000_u64;
    let start = clocked.now();
    // Of each event: its day, its person, whether it is there.
    let mut events: Vec<(u64, u64, bool)> = Vec::new();
    let mut holds: Vec<(String, u64)> = Vec::new();
    for day in (0..30).chain(88..125) {
        clocked.set_ms(start + day * day_ms);
        let mut lines = String::new();
        for _ in 0..random.below(4) {
            let person = random.below(5);
            let subject = json!({"subjects": [{"id": format!("p{person}")}]});
            lines.push_str(&event(&format!("e{}", events.len()), &subject));
            events.push((day, person, true));
        }
        if !lines.is_empty() {
            clocked.append(&lines);
        }
        if random.below(6) == 0 {
            let person = random.below(5);
            let subject = format!("p{person}");
            let placed = clocked.hold(&subject);
            holds.push((placed["id"].as_str().unwrap().to_owned(), person));
        }
        if !holds.is_empty() && random.below(5) == 0 {
            let (id, _) = holds.swap_remove(random.below(holds.len() as u64) as usize);
            succeeded(&clocked.output(&["hold", "release", &id, "--reason", "r"]));
        }
        if day < 88 {
            continue;
        }
        let mut destroyed = 0;
        for (of_day, person, is_there) in &mut events {
            let is_held = holds.iter().any(|(_, held)| held == person);
            if *is_there && day >= *of_day + 91 && !is_held {
                *is_there = false;
                destroyed += 1;
            }
        }
        assert_eq!(clocked.run()["destroyed"], destroyed, "day {day}");
        let verified = clocked.verify();
        let there = events.iter().filter(|event| event.2).count();
        assert_eq!(verified["intact"], there, "day {day}: {verified}");
        assert_eq!(verified["expired"], events.len() - there, "day {day}");
    }
    clocked.export("all.zip");
    assert_eq!(clocked.verify_bundle("all.zip")["complete"], true);
}

#[test]
fn a_hold_between_decision_and_deletion_is_told_that_it_came_too_late() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    clocked.append(&(event("old", &json!({})) + &event("other", &json!({}))));
    clocked.set("2026-08-31T02:00:00Z");
    let kill = [("TRAILKEEP_FAILPOINT", "destruction-stated=kill")];
    let killed = clocked.output_with(&["retention", "run", "--confirm-clock"], &kill);
    assert!(!killed.status.success());
    // It is stated; whoever comes now can't take it back.
    let placed = clocked.json(&["hold", "place", "--reason", "r", "--matter", "m", "--json"]);
    let statement = placed["already_deleted"][0]["statement"].as_u64().unwrap();
    assert!(statement < placed["seq"].as_u64().unwrap(), "{placed}");
    assert_eq!(placed["late"], 0, "{placed}");
    let verified = clocked.verify();
    assert_eq!(
        (&verified["expired"], &verified["held"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn what_the_tables_say_of_destruction_is_checked() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let sox = json!({"regimes": ["sox"], "retention": {"record": "audit-2026"}});
    clocked.append(&(event("a", &json!({})) + &event("held", &json!({})) + &event("paper", &sox)));
    clocked.hold("person-of-held");
    let fire = [
        "retention",
        "trigger",
        "audit_concluded",
        "--record",
        "audit-2026",
        "--at",
    ];
    succeeded(&clocked.command(&fire, &["2026-06-01T00:00:00Z"]));
    clocked.set("2034-01-01T02:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 2);
    clocked.append(&event("young", &json!({})));
    let verified = clocked.verify();
    assert_eq!(
        (&verified["expired"], &verified["intact"]),
        (&json!(2), &json!(2))
    );
    let database = clocked.directory.path.join("ledger.db");
    let whole = std::fs::read(&database).unwrap();
    for (change, rule) in [
        (
            "UPDATE expiry SET recorded_before_ms = recorded_before_ms + 1",
            "cover",
        ),
        ("UPDATE expiry SET class = class + 1", "payload-missing"),
        ("DELETE FROM expiry", "payload-missing"),
        ("UPDATE covered SET row = row - 1", "cover"),
        ("DELETE FROM covered", "payload-missing"),
        ("INSERT INTO overdue SELECT row FROM covered", "overdue"),
        ("DELETE FROM overdue", "covered-present"),
        ("DELETE FROM statement WHERE kind = 'expiry'", "statement"),
        (
            "UPDATE statement SET open = 1 WHERE kind = 'policy'",
            "statement",
        ),
        (
            "DELETE FROM payload WHERE row = (SELECT max(row) FROM payload)",
            "payload-missing",
        ),
        (
            "DELETE FROM payload WHERE row IN (SELECT row FROM overdue)",
            "payload-missing",
        ),
        (
            "INSERT INTO payload SELECT covered.row, payload.bytes FROM covered, payload LIMIT 1",
            "covered-present",
        ),
    ] {
        let connection = rusqlite::Connection::open(&database).unwrap();
        let changed = connection.execute(change, []).unwrap();
        assert!(changed > 0, "{change}");
        connection.close().unwrap();
        let output = clocked.output(&["verify", "--json"]);
        assert_eq!(output.status.code(), Some(3), "{change}: {}", said(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().any(|finding| finding["rule"] == rule);
        assert!(found, "{change}: {report}");
        let _ = std::fs::remove_file(database.with_extension("db-wal"));
        std::fs::write(&database, &whole).unwrap();
    }
    clocked.verify();
}

#[test]
fn odd_regimes_are_told() {
    let clocked = Clocked::at("2026-01-01T10:00:00Z");
    let eight = [
        "hipaa",
        "pci-dss",
        "soc2",
        "sox",
        "gdpr-minimal",
        "iso-27001",
        "nydfs-500",
        "ccpa",
    ];
    clocked.append(&event("eight", &json!({"regimes": eight})));
    clocked.append(&event("twice", &json!({"regimes": ["hipaa", "hipaa"]})));
    let unknown = event("unknown", &json!({"regimes": ["hipaa", "unheard-of"]}));
    let refused = clocked.append_output(&unknown);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("unheard-of"), "{}", said(&refused));
    let nine: Vec<String> = (0..9).map(|n| format!("r{n}")).collect();
    assert!(
        !clocked
            .append_output(&event("nine", &json!({"regimes": nine})))
            .status
            .success()
    );
    clocked.verify();
}

#[test]
fn a_hold_without_sense_is_told_so() {
    let clocked = Clocked::at("2026-01-01T10:00:00Z");
    for (more, what) in [
        (vec!["--regime", "unheard-of"], "regime"),
        (
            vec![
                "--from",
                "2026-02-01T00:00:00Z",
                "--to",
                "2026-01-01T00:00:00Z",
            ],
            "before",
        ),
        (vec!["--from", "yesterday"], "RFC 3339"),
        (vec!["--review", "P0D"], "review"),
        (vec!["--review", "soon"], "review"),
    ] {
        let mut command = vec!["hold", "place", "--reason", "r", "--matter", "m"];
        command.extend(more);
        let output = clocked.output(&command);
        assert!(!output.status.success());
        assert!(said(&output).contains(what), "{}", said(&output));
    }
    let listed = clocked.json(&["hold", "list", "--json"]);
    assert_eq!(listed["holds"], json!([]));
    let missing = clocked.output(&["hold", "release", "none", "--reason", "r"]);
    assert!(said(&missing).contains("hold list"), "{}", said(&missing));
}
