//! Nothing acknowledged is lost and nothing is invented, whatever ends the process.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it did not run"
)]

mod first_start;
mod index;
mod tenant;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Directory, Server, files_of, said};
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

/// What the writers were told, and what they had sent.
#[derive(Default)]
struct Told {
    /// Id to (seq, leaf hash), from answers.
    acknowledged: Mutex<HashMap<String, (u64, String)>>,
    /// Ids that were sent, answered or not.
    sent: Mutex<Vec<String>>,
    counter: AtomicU64,
}

impl Told {
    fn new_event(&self) -> (String, String) {
        let number = self.counter.fetch_add(1, Ordering::SeqCst);
        let id = format!("event-{number:06}");
        self.sent.lock().unwrap().push(id.clone());
        let event = json!({
            "id": id,
            "action": "chat.completion",
            "actor": {"id": format!("person-{}", number % 7)},
            // Most events bring a new person, and so a new key: vault and ledger must agree about it.
            "subjects": [{"id": format!("person-{}", number / 2)}],
            "input": format!("question {number}"),
        });
        (id, event.to_string())
    }

    fn note(&self, id: &str, event: &Value) {
        let place = (
            event["seq"].as_u64().unwrap(),
            event["leaf_hash"].as_str().unwrap().to_owned(),
        );
        let before = self
            .acknowledged
            .lock()
            .unwrap()
            .insert(id.to_owned(), place.clone());
        assert!(
            before.is_none_or(|before| before == place),
            "{id} was acknowledged in two places"
        );
    }
}

/// Writes single events and batches until the server dies or `stop` is set.
fn write_until(
    server: &Server,
    told: &Arc<Told>,
    stop: &Arc<AtomicBool>,
    batches: bool,
) -> std::thread::JoinHandle<()> {
    let (mut client, told, stop) = (server.client(), Arc::clone(told), Arc::clone(stop));
    std::thread::spawn(move || {
        while !stop.load(Ordering::SeqCst) {
            if batches {
                let events: Vec<(String, String)> = (0..20).map(|_| told.new_event()).collect();
                let body: Vec<&str> = events.iter().map(|(_, event)| event.as_str()).collect();
                let Ok(answer) = client.post("application/x-ndjson", body.join("\n").as_bytes())
                else {
                    return;
                };
                assert_eq!(answer.status, 201, "{}", answer.text());
                for event in answer.json()["events"].as_array().unwrap() {
                    told.note(event["id"].as_str().unwrap(), event);
                }
            } else {
                let (id, event) = told.new_event();
                let Ok(answer) = client.post("application/json", event.as_bytes()) else {
                    return;
                };
                assert_eq!(answer.status, 201, "{}", answer.text());
                told.note(&id, &answer.json());
            }
        }
    })
}

fn start_writers(
    server: &Server,
    told: &Arc<Told>,
    stop: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<()>> {
    (0..4)
        .map(|writer| write_until(server, told, stop, writer == 3))
        .collect()
}

/// After a crash: all that was acknowledged is there where it was said to be, nothing else but what was
/// sent is there, and every byte verifies.
fn check_against_told(directory: &Directory, told: &Told) {
    let report = directory.assert_clean();
    // Reads are recorded, and so need room as appends do: here the reserve is not what is tested.
    let output = crate::support::trailkeep()
        .args(["query", "--limit", "10000000", "--json", "--dir"])
        .arg(&directory.path)
        .env("TRAILKEEP_MIN_FREE_BYTES", "0")
        .output()
        .unwrap();
    let page: Value = serde_json::from_slice(&crate::support::succeeded(&output).stdout).unwrap();
    let mut found = HashMap::new();
    for event in page["events"].as_array().unwrap() {
        let place = (
            event["seq"].as_u64().unwrap(),
            event["leaf_hash"].as_str().unwrap().to_owned(),
        );
        let id = event["id"].as_str().unwrap().to_owned();
        assert!(
            found.insert(id.clone(), place).is_none(),
            "{id} is recorded twice"
        );
    }
    assert_eq!(report["events"].as_u64().unwrap(), found.len() as u64);
    for (id, place) in told.acknowledged.lock().unwrap().iter() {
        assert_eq!(found.get(id), Some(place), "{id} was acknowledged");
    }
    let sent = told.sent.lock().unwrap();
    let sent: std::collections::HashSet<&String> = sent.iter().collect();
    for id in found.keys() {
        assert!(sent.contains(id), "{id} was never sent");
    }
}

#[test]
fn killed_at_every_fail_point() {
    let of_writing = FailPoint::OF_WRITING.map(|point| (point, "50"));
    // Small runs are many after few events, so that they are merged.
    let of_merging = FailPoint::OF_MERGING.map(|point| (point, "9"));
    for (point, active_events) in of_writing.into_iter().chain(of_merging) {
        let directory = Directory::new();
        let told = Arc::new(Told::default());
        // The third time: some batches are through by then.
        let failpoint = format!("{}=kill@3", point.name());
        let mut server = directory.serve_with(&[
            ("TRAILKEEP_FAILPOINT", &failpoint),
            ("TRAILKEEP_TEST_ACTIVE_EVENTS", active_events),
        ]);
        let stop = Arc::new(AtomicBool::new(false));
        let writers = start_writers(&server, &told, &stop);
        let started = Instant::now();
        while !server.has_ended() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{} was not reached",
                point.name()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        server.kill();
        check_against_told(&directory, &told);

        // And it goes on: the same directory takes more.
        directory.append(r#"{"id":"afterwards","action":"test.append","actor":{"id":"tester"}}"#);
        told.sent.lock().unwrap().push("afterwards".to_owned());
        check_against_told(&directory, &told);
    }
}

#[test]
fn killed_at_100_random_moments() {
    let directory = Directory::new();
    let told = Arc::new(Told::default());
    for round in 0..100_u64 {
        let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "200")]);
        let stop = Arc::new(AtomicBool::new(false));
        let writers = start_writers(&server, &told, &stop);
        // Spread over the first batches; the numbers only have to differ.
        let before = told.acknowledged.lock().unwrap().len();
        std::thread::sleep(Duration::from_micros(1_000 + (round * 7_919) % 60_000));
        // On a busy machine nothing may be written by then: every other round waits for some events.
        let began = Instant::now();
        while round % 2 == 0
            && told.acknowledged.lock().unwrap().len() < before + 3
            && began.elapsed() < Duration::from_secs(10)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        server.kill();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        if round % 10 == 9 {
            check_against_told(&directory, &told);
        }
    }
    assert!(
        told.acknowledged.lock().unwrap().len() > 100,
        "too little was written to mean anything"
    );
}

#[test]
fn sigterm_under_load_loses_nothing() {
    let directory = Directory::new();
    let told = Arc::new(Told::default());
    let server = directory.serve();
    let stop = Arc::new(AtomicBool::new(false));
    let writers = start_writers(&server, &told, &stop);
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::SeqCst);
    server.stop();
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    assert!(!directory.path.join("serve.sock").exists());
    check_against_told(&directory, &told);
}

#[test]
fn one_process_has_the_directory_and_commands_reach_it() {
    let directory = Directory::new();
    let server = directory.serve();
    let second = crate::support::trailkeep()
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(&directory.path)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        said(&second).contains("another trailkeep process has locked"),
        "{}",
        said(&second)
    );

    directory.append(r#"{"id":"by-socket","action":"test.append","actor":{"id":"tester"}}"#);
    assert_eq!(
        server.client().get("/v1/events/by-socket").unwrap().status,
        200
    );
    for command in [
        &["show", "by-socket"][..],
        &["query"],
        &["checkpoint"],
        &["key", "public"],
        &["verify"],
    ] {
        crate::support::succeeded(&directory.run(command));
    }
    server.kill();
    // The socket of the killed server is left, and hinders nobody.
    assert!(directory.path.join("serve.sock").exists());
    crate::support::succeeded(&directory.run(&["show", "by-socket"]));
    let server = directory.serve();
    crate::support::succeeded(&directory.run(&["show", "by-socket"]));
    server.stop();
}

#[test]
fn an_older_ledger_is_refused() {
    let directory = Directory::new();
    directory.append(r#"{"id":"first","action":"test.append","actor":{"id":"tester"}}"#);
    let older = std::fs::read(directory.path.join("ledger.db")).unwrap();
    let older_vault = std::fs::read(directory.path.join("vault.db")).unwrap();
    directory.append(r#"{"id":"second","action":"test.append","actor":{"id":"tester"}}"#);
    let newer = std::fs::read(directory.path.join("ledger.db")).unwrap();

    std::fs::write(directory.path.join("ledger.db"), &older).unwrap();
    for command in [&["show", "first"][..], &["checkpoint"]] {
        let output = directory.run(command);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output).contains("rollback detected"),
            "{}",
            said(&output)
        );
    }
    let report = directory.verify();
    assert_eq!(report["findings"][0]["rule"], "rolled-back", "{report}");

    // Another event in the place of the second: the same size, another history.
    std::fs::remove_file(directory.path.join("index.db")).unwrap();
    let vault = std::fs::read(directory.path.join("vault.db")).unwrap();
    std::fs::write(directory.path.join("vault.db"), older_vault).unwrap();
    crate::support::succeeded(&directory.run(&["index", "rebuild"]));
    directory.append(r#"{"id":"other","action":"test.append","actor":{"id":"tester"}}"#);
    std::fs::write(directory.path.join("vault.db"), vault).unwrap();
    let output = directory.run(&["checkpoint"]);
    assert!(said(&output).contains("another root"), "{}", said(&output));

    std::fs::write(directory.path.join("ledger.db"), newer).unwrap();
    std::fs::remove_file(directory.path.join("index.db")).unwrap();
    crate::support::succeeded(&directory.run(&["index", "rebuild"]));
    directory.assert_clean();
}

#[test]
fn a_second_init_changes_nothing() {
    let directory = Directory::new();
    directory.append(r#"{"id":"first","action":"test.append","actor":{"id":"tester"}}"#);
    let before = files_of(&directory.path);
    let output = directory.run(&["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("already has a ledger"),
        "{}",
        said(&output)
    );
    assert!(files_of(&directory.path) == before, "init changed a file");
}

#[test]
fn an_init_that_was_killed_is_done_again() {
    let directory = Directory::new();
    for name in ["epoch.key", "vault.db", "root.key"] {
        std::fs::remove_file(directory.path.join(name)).unwrap();
    }
    std::fs::create_dir(directory.path.join("init.unfinished")).unwrap();
    crate::support::succeeded(&directory.run(&["init"]));
    directory.assert_clean();
}

#[test]
fn nothing_personal_stands_in_any_file() {
    const WORDS: [&str; 9] = [
        "Quetzalcoatlus-text",
        "quetzal-subject",
        "quetzal-actor",
        "quetzal-event-id",
        "quetzal-namespace",
        "quetzal-model",
        "quetzal-conversation",
        "quetzal-target",
        "quetzal.action",
    ];
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "20")]);
    let mut client = server.client();
    for number in 0..60 {
        let event = json!({
            "id": format!("quetzal-event-id-{number}"),
            "action": "quetzal.action",
            "actor": {"id": "quetzal-actor"},
            "subjects": [{"id": "quetzal-subject", "namespace": "quetzal-namespace"}],
            "targets": [{"id": "quetzal-target"}],
            "context": {"conversation": "quetzal-conversation"},
            "llm": {"request_model": "quetzal-model"},
            "input": "Quetzalcoatlus-text",
        });
        assert_eq!(
            client
                .post("application/json", event.to_string().as_bytes())
                .unwrap()
                .status,
            201
        );
    }
    let secret = directory.token.splitn(4, '_').last().unwrap().to_owned();
    let root_key = std::fs::read_to_string(directory.path.join("root.key")).unwrap();
    let search = |when: &str| {
        for (path, bytes) in files_of(&directory.path) {
            let holds = |text: &str| {
                bytes
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
            };
            for word in WORDS.iter().copied().chain([secret.as_str()]) {
                assert!(!holds(word), "{} holds {word} {when}", path.display());
            }
            assert!(
                path.ends_with("root.key") || !holds(root_key.trim()),
                "{} holds the root key",
                path.display()
            );
        }
    };
    search("while the server runs");
    let log = server.stop();
    assert!(WORDS.iter().all(|word| !log.contains(word)), "{log}");
    search("after the server");
    directory.assert_clean();
}

#[test]
fn the_same_id_is_recorded_once() {
    let directory = Directory::new();
    let server = directory.serve();
    let event = r#"{"id":"once","action":"test.append","actor":{"id":"tester"}}"#;
    let places: Vec<(u64, String)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let mut client = server.client();
                scope.spawn(move || {
                    let answer = client.post("application/json", event.as_bytes()).unwrap();
                    assert!([200, 201].contains(&answer.status), "{}", answer.text());
                    let answer = answer.json();
                    (
                        answer["seq"].as_u64().unwrap(),
                        answer["leaf_hash"].as_str().unwrap().to_owned(),
                    )
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");

    let mut client = server.client();
    let other = r#"{"id":"once","action":"test.other","actor":{"id":"tester"}}"#;
    assert_eq!(
        client
            .post("application/json", other.as_bytes())
            .unwrap()
            .status,
        409
    );
    let batch = format!("{{\"id\":\"new\",\"action\":\"a\",\"actor\":{{\"id\":\"t\"}}}}\n{other}");
    assert_eq!(
        client
            .post("application/x-ndjson", batch.as_bytes())
            .unwrap()
            .status,
        409
    );
    assert_eq!(client.get("/v1/events/new").unwrap().status, 404);
    let again = format!("{event}\n{{\"id\":\"new\",\"action\":\"a\",\"actor\":{{\"id\":\"t\"}}}}");
    let answer = client
        .post("application/x-ndjson", again.as_bytes())
        .unwrap()
        .json();
    assert_eq!(
        (answer["accepted"].as_u64(), answer["duplicates"].as_u64()),
        (Some(1), Some(1))
    );
    server.stop();
    assert_eq!(directory.assert_clean()["events"], 2);
}

#[test]
fn recorded_time_never_goes_back_and_a_jump_stops_appends() {
    let temporary = tempfile::tempdir().unwrap();
    let (clock, path) = (
        temporary.path().join("clock"),
        temporary.path().join("data"),
    );
    let now_ms = 1_795_600_000_000_u64;
    let server_at = |wall_ms: u64, boot_ms: u64| {
        std::fs::write(&clock, format!("{wall_ms} {boot_ms}")).unwrap();
    };
    server_at(now_ms, 1_000);
    let by_it = [("TRAILKEEP_TEST_CLOCK", clock.to_str().unwrap())];
    let directory = Directory::made_with(temporary, path, &by_it);
    let server = directory.serve_with(&by_it);
    let mut client = server.client();
    let mut post = || {
        client
            .post(
                "application/json",
                br#"{"action":"test.append","actor":{"id":"tester"}}"#,
            )
            .unwrap()
    };
    let first = post().json()["recorded_at"].as_str().unwrap().to_owned();
    server_at(now_ms - 3_600_000, 2_000);
    assert_eq!(
        post().json()["recorded_at"],
        first.as_str(),
        "time went back"
    );
    // An hour forward within a second: not believed.
    server_at(now_ms + 3_600_000, 3_000);
    let refused = post();
    assert_eq!(refused.status, 503);
    assert!(
        refused.text().contains("the clock jumped"),
        "{}",
        refused.text()
    );
    server_at(now_ms + 1_000, 3_600_000);
    assert_eq!(post().status, 201);
    server.stop();
}

/// A small file system of its own; none where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(folder.path())
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .output();
    }
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new() else {
        println!("a file system can't be mounted here: the full disk was not tried");
        return;
    };
    let directory = Directory::at(disk.0.path().join("data"));
    let filler = disk.0.path().join("filler");
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap();

    // Below the reserve nothing is even tried.
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "100000000")]);
    let event = br#"{"action":"test.append","actor":{"id":"tester"}}"#;
    assert_eq!(
        server
            .client()
            .post("application/json", event)
            .unwrap()
            .status,
        507
    );
    server.stop();

    let told = Told::default();
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "0")]);
    let mut client = server.client();
    let mut refused = 0;
    for _ in 0..2_000 {
        let (id, event) = told.new_event();
        let answer = client.post("application/json", event.as_bytes()).unwrap();
        match answer.status {
            201 => told.note(&id, &answer.json()),
            507 => refused += 1,
            other => panic!("{other}: {}", answer.text()),
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk never became full");
    std::fs::remove_file(&filler).unwrap();
    let (id, event) = told.new_event();
    let answer = client.post("application/json", event.as_bytes()).unwrap();
    assert_eq!(answer.status, 201, "with room again: {}", answer.text());
    told.note(&id, &answer.json());
    let log = server.stop();
    // Five refusals are one line, and the end of it another.
    for line in [
        "the disk is full: nothing is recorded until space is freed",
        "the disk has room again",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
    check_against_told(&directory, &told);
}
