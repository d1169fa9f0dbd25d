//! The look-up index can be lost, damaged and derived again at any time: what is served is whole, or refused.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

use super::SmallDisk;
use crate::support::{Directory, said, succeeded};

/// Runs are written after so many events, so that a few hundred make several.
const ACTIVE_EVENTS: (&str, &str) = ("TRAILKEEP_TEST_ACTIVE_EVENTS", "50");
const EVENTS: usize = 230;
const PERSONS: usize = 7;

fn event(number: usize) -> Value {
    json!({
        "id": format!("event-{number}"),
        "action": "chat.completion",
        "actor": {"id": "tester"},
        "subjects": [{"id": format!("person-{}", number % PERSONS)}],
        "input": format!("question {number}"),
    })
}

fn command(directory: &Directory, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = crate::support::trailkeep();
    command.args(arguments).arg("--dir").arg(&directory.path);
    command.env("TRAILKEEP_MIN_FREE_BYTES", "0");
    command.envs([ACTIVE_EVENTS]);
    command.envs(environment.iter().copied());
    command
}

fn run(directory: &Directory, arguments: &[&str]) -> Output {
    command(directory, arguments, &[]).output().unwrap()
}

/// Events in four runs, and some in active rows.
fn fill(directory: &Directory) {
    let server = directory.serve_with(&[ACTIVE_EVENTS, ("TRAILKEEP_MIN_FREE_BYTES", "0")]);
    let mut client = server.client();
    for (round, start) in (0..EVENTS).step_by(55).enumerate() {
        let lines: Vec<String> = (start..EVENTS.min(start + 55))
            .map(|number| event(number).to_string())
            .collect();
        let answer = client.post("application/x-ndjson", lines.join("\n").as_bytes());
        assert_eq!(answer.unwrap().status, 201);
        let started = Instant::now();
        while runs(directory) < 4.min(round + 1) {
            assert!(started.elapsed() < Duration::from_secs(60), "no runs");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    server.stop();
}

fn index_db(directory: &Directory) -> Connection {
    Connection::open(directory.path.join("index.db")).unwrap()
}

fn runs(directory: &Directory) -> usize {
    let count = index_db(directory).query_row("SELECT count(*) FROM run", [], |row| row.get(0));
    count.unwrap_or(0)
}

fn active_rows(directory: &Directory) -> usize {
    let ledger = Connection::open(directory.path.join("ledger.db")).unwrap();
    let count = ledger.query_row("SELECT count(*) FROM active_index", [], |row| row.get(0));
    count.unwrap()
}

fn found_of_person(directory: &Directory, person: usize) -> usize {
    let subject = format!("person-{person}");
    let output = run(
        directory,
        &["query", "--subject", &subject, "--limit", "1000", "--json"],
    );
    let page: Value = serde_json::from_slice(&succeeded(&output).stdout).unwrap();
    page["events"].as_array().unwrap().len()
}

/// Every id and every person is found, and an id is known as recorded.
fn assert_whole(directory: &Directory) {
    directory.assert_clean();
    let server = directory.serve_with(&[ACTIVE_EVENTS, ("TRAILKEEP_MIN_FREE_BYTES", "0")]);
    let mut client = server.client();
    for number in 0..EVENTS {
        let answer = client.get(&format!("/v1/events/event-{number}")).unwrap();
        assert_eq!(answer.status, 200, "event-{number}: {}", answer.text());
    }
    for number in [0, EVENTS / 2, EVENTS - 1] {
        let again = event(number).to_string();
        let answer = client.post("application/json", again.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "event-{number} was recorded again");
    }
    server.stop();
    for person in 0..PERSONS {
        let expected = (0..EVENTS).filter(|number| number % PERSONS == person);
        assert_eq!(found_of_person(directory, person), expected.count());
    }
}

fn assert_refused(directory: &Directory, what: &str) {
    for arguments in [
        &["checkpoint"][..],
        &["serve", "--listen", "127.0.0.1:0"],
        &["query"],
    ] {
        let output = command(directory, arguments, &[]).output().unwrap();
        assert!(!output.status.success(), "{what}: {arguments:?} was served");
        let said = said(&output);
        assert!(said.contains("trailkeep index rebuild"), "{what}: {said}");
    }
}

fn rebuild(directory: &Directory) {
    succeeded(&run(directory, &["index", "rebuild"]));
}

fn copy_of(original: &Directory) -> Directory {
    let mut copy = Directory::new();
    std::fs::remove_dir_all(&copy.path).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .args([&original.path, &copy.path])
        .status();
    assert!(copied.unwrap().success());
    copy.token.clone_from(&original.token);
    copy
}

#[test]
fn a_rebuilt_index_finds_everything_again() {
    let directory = Directory::new();
    fill(&directory);
    assert!(active_rows(&directory) > 0, "nothing is active");
    // With the old index and its active rows, without the index, and without either.
    rebuild(&directory);
    assert_whole(&directory);
    std::fs::remove_file(directory.path.join("index.db")).unwrap();
    assert_refused(&directory, "index.db is gone");
    rebuild(&directory);
    assert_whole(&directory);
    let ledger = Connection::open(directory.path.join("ledger.db")).unwrap();
    ledger.execute("DELETE FROM active_index", []).unwrap();
    ledger.close().unwrap();
    rebuild(&directory);
    rebuild(&directory);
    assert_whole(&directory);

    // What is recorded behind a rebuild goes on in the same index.
    let more: Vec<String> = (0..120)
        .map(|number| {
            json!({"id": format!("later-{number}"), "action": "a.b", "actor": {"id": "x"}})
                .to_string()
        })
        .collect();
    directory.append(&more.join("\n"));
    rebuild(&directory);
    assert_whole(&directory);
}

#[test]
fn a_rebuilt_index_counts_an_erasure_whole_and_keeps_nothing_of_what_went() {
    let directory = Directory::new();
    fill(&directory);
    rebuild(&directory);
    let erase = |person: &str| {
        let output = run(
            &directory,
            &[
                "privacy",
                "erase",
                "--subject",
                person,
                "--identity-verified-by",
                "a test",
                "--yes",
                "--json",
            ],
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", said(&output));
        text
    };
    let _ = erase("person-3");
    let gone = (0..EVENTS).filter(|number| number % PERSONS == 3).count();
    let report = directory.assert_clean();
    assert_eq!(report["erased"], gone, "{report}");
    std::fs::remove_file(directory.path.join("index.db")).unwrap();
    rebuild(&directory);
    let report = directory.assert_clean();
    assert_eq!(report["erased"], gone, "{report}");
    assert_eq!(found_of_person(&directory, 3), 0);
    assert_eq!(found_of_person(&directory, 4), 33);
}

#[test]
fn a_rebuild_that_is_killed_leaves_the_old_index_or_the_new_one() {
    let directory = Directory::new();
    fill(&directory);
    for without_old in [false, true] {
        let before = copy_of(&directory);
        if without_old {
            std::fs::remove_file(before.path.join("index.db")).unwrap();
        }
        for point in FailPoint::OF_REBUILD {
            let copy = copy_of(&before);
            let kill = format!("{}=kill", point.name());
            let output = command(
                &copy,
                &["index", "rebuild"],
                &[("TRAILKEEP_FAILPOINT", &kill)],
            )
            .output();
            let status = output.unwrap().status;
            assert!(!status.success(), "{} was not reached", point.name());
            check_after_a_kill(&copy, without_old);
        }
        for round in 0..20_u64 {
            let copy = copy_of(&before);
            let mut child = command(&copy, &["index", "rebuild"], &[])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Spread over the whole of it; the numbers only have to differ.
            std::thread::sleep(Duration::from_micros(20_000 + (round * 79_190) % 900_000));
            let _ = child.kill();
            let _ = child.wait();
            check_after_a_kill(&copy, without_old);
        }
    }
}

/// What a killed rebuild left is served whole, or refused where there was no index before.
fn check_after_a_kill(directory: &Directory, may_refuse: bool) {
    let output = run(directory, &["checkpoint"]);
    if may_refuse && !output.status.success() {
        let said = said(&output);
        assert!(said.contains("trailkeep index rebuild"), "{said}");
        rebuild(directory);
    }
    let report = directory.assert_clean();
    assert_eq!(report["intact"], EVENTS);
    assert_eq!(found_of_person(directory, 2), 33);
    rebuild(directory);
    directory.assert_clean();
    let left: Vec<_> = std::fs::read_dir(&directory.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("unfinished"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_index_that_lacks_events_is_refused() {
    let directory = Directory::new();
    fill(&directory);
    let change = |what: &str, change: &dyn Fn(&Connection)| {
        let copy = copy_of(&directory);
        let index = index_db(&copy);
        change(&index);
        index.close().unwrap();
        assert_refused(&copy, what);
        rebuild(&copy);
        assert_eq!(copy.assert_clean()["intact"], EVENTS, "{what}");
    };
    let of_run = |which: &'static str| {
        move |index: &Connection| {
            let id: i64 = index
                .query_row(
                    &format!("SELECT id FROM run ORDER BY first_seq {which} LIMIT 1"),
                    [],
                    |row| row.get(0),
                )
                .unwrap();
            index
                .execute("DELETE FROM run WHERE id = ?1", [id])
                .unwrap();
        }
    };
    change("the oldest run is gone", &of_run("ASC"));
    change("the newest run is gone", &of_run("DESC"));
    change("no run is left", &|index| {
        index.execute("DELETE FROM run", []).unwrap();
    });
    change("a run between is gone", &|index| {
        let second = "(SELECT id FROM run ORDER BY first_seq LIMIT 1 OFFSET 1)";
        index
            .execute(&format!("DELETE FROM run WHERE id = {second}"), [])
            .unwrap();
    });
    change("the rows of a run are gone", &|index| {
        let newest = "DELETE FROM run_block WHERE run = (SELECT max(id) FROM run)";
        assert!(index.execute(newest, []).unwrap() > 0);
    });
    change("the table of the rows is gone", &|index| {
        index.execute_batch("DROP TABLE run_block").unwrap();
    });
}

#[test]
fn an_older_index_and_lost_active_rows_are_refused() {
    let directory = Directory::new();
    let older = std::fs::read(directory.path.join("index.db")).unwrap();
    fill(&directory);

    let copy = copy_of(&directory);
    std::fs::write(copy.path.join("index.db"), &older).unwrap();
    assert_refused(&copy, "an older index.db");
    rebuild(&copy);
    assert_whole(&copy);

    let copy = copy_of(&directory);
    let bytes = std::fs::read(copy.path.join("index.db")).unwrap();
    std::fs::write(copy.path.join("index.db"), &bytes[..bytes.len() / 2]).unwrap();
    assert_refused(&copy, "half of index.db");
    std::fs::write(copy.path.join("index.db"), b"").unwrap();
    assert_refused(&copy, "an empty index.db");
    rebuild(&copy);
    assert_whole(&copy);

    let copy = copy_of(&directory);
    let ledger = Connection::open(copy.path.join("ledger.db")).unwrap();
    let one = "(SELECT max(row) FROM active_index)";
    let deleted = ledger.execute(&format!("DELETE FROM active_index WHERE row = {one}"), []);
    assert_eq!(deleted.unwrap(), 1);
    ledger.close().unwrap();
    assert_refused(&copy, "an active row is gone");
    rebuild(&copy);
    assert_whole(&copy);
}

#[test]
fn a_rebuild_on_a_full_disk_leaves_the_old_index() {
    let Some(disk) = SmallDisk::new() else {
        println!("a file system can't be mounted here: the full disk was not tried");
        return;
    };
    let directory = Directory::at(disk.0.path().join("data"));
    fill(&directory);
    let filler = disk.0.path().join("filler");
    let free = |path: &std::path::Path| {
        let status = rustix::fs::statvfs(path).unwrap();
        usize::try_from(status.f_bavail * status.f_frsize).unwrap()
    };
    for left in [0, 30_000, 60_000] {
        std::fs::write(&filler, vec![0; free(disk.0.path()).saturating_sub(left)]).unwrap();
        let output = run(&directory, &["index", "rebuild"]);
        assert!(!output.status.success(), "{left} bytes were enough");
        let said = said(&output);
        assert!(said.contains("is full"), "{said}");
        assert!(said.contains("free space"), "{said}");
        std::fs::remove_file(&filler).unwrap();
        // Looking needs room, too: reads are recorded.
        assert_whole(&copy_of(&directory));
    }
    rebuild(&directory);
    assert_whole(&copy_of(&directory));
}

#[test]
fn what_stands_in_the_place_of_the_index_is_named_with_what_to_do() {
    let directory = Directory::new();
    directory.append(&event(1).to_string());
    let place = directory.path.join("index.db");
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    assert_refused(&directory, "index.db is a directory");
    let refused = run(&directory, &["query"]);
    let remedy = "is a directory, not a file; move it out of the data directory";
    assert!(said(&refused).contains(remedy), "{}", said(&refused));
    let refused = run(&directory, &["index", "rebuild"]);
    assert!(said(&refused).contains(remedy), "{}", said(&refused));
    std::fs::remove_dir(&place).unwrap();
    rebuild(&directory);
    directory.assert_clean();
}
