//! Copies of the vault and its rotation: nothing acknowledged is lost, whatever happens at whatever step, and what
//! was sealed before opens for nobody.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::{
    Directory, Server, events_about_persons as events, files_of, said, succeeded, trailkeep,
};
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

/// Another disk.
fn other_disk() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn add(directory: &Directory, path: &Path) -> String {
    let output = directory.run(&["vault-replica", "add", "--json", path.to_str().unwrap()]);
    let added = answer(succeeded(&output));
    added["id"].as_str().unwrap().to_owned()
}

fn targets(directory: &Directory) -> Vec<Value> {
    let listed = answer(succeeded(&directory.run(&[
        "vault-replica",
        "list",
        "--json",
    ])));
    listed["targets"].as_array().unwrap().clone()
}

fn status(directory: &Directory, server: &Server) -> Value {
    let _ = directory;
    server.client().get("/v1/vault").unwrap().json()
}

/// All events, with their texts.
fn assert_all_readable(directory: &Directory, count: usize) {
    let report = directory.assert_clean();
    assert_eq!(report["intact"], count, "{report}");
    let output = directory.run(&["query", "--limit", "100000", "--json"]);
    let page = answer(succeeded(&output));
    let found = page["events"].as_array().unwrap();
    assert_eq!(found.len(), count);
    for event in found {
        let id = event["id"].as_str().unwrap().replace("event-", "text ");
        assert_eq!(event["event"]["input"], id);
    }
}

/// The lines of an epoch.key, each an epoch's wrapped key.
fn epochs(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("epoch.key")).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("epoch "));
    lines.map(str::to_owned).collect()
}

/// Files below a folder with the key of an epoch, however it is wrapped.
fn holds(folder: &Path, epoch: u32) -> Vec<PathBuf> {
    let wanted = format!("\nepoch {epoch} ");
    let is_it = |window: &[u8]| window == wanted.as_bytes();
    let holds = |bytes: &[u8]| bytes.windows(wanted.len()).any(is_it);
    let files = files_of(folder).into_iter();
    files
        .filter(|(_, bytes)| holds(bytes))
        .map(|(path, _)| path)
        .collect()
}

/// The last entry of an action, as text.
fn entry_of(directory: &Directory, action: &str) -> String {
    let size = directory.verify()["size"].as_u64().unwrap();
    let found = (0..size).rev().find_map(|seq| {
        let shown = directory.run(&["show", &seq.to_string(), "--json"]);
        let text = String::from_utf8(shown.stdout).unwrap();
        text.contains(action).then_some(text)
    });
    found.unwrap_or_else(|| panic!("no entry of {action}"))
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "not so: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_copy_follows_new_keys_and_is_opened_by_check() {
    let (directory, disk) = (Directory::new(), other_disk());
    let path = disk.path().join("copy");
    let id = add(&directory, &path);
    assert!(targets(&directory)[0]["is_current"] == true);
    // A single command copies at its end.
    let before = std::fs::read(path.join("vault.db")).unwrap();
    directory.append(&events(0, 3));
    assert!(std::fs::read(path.join("vault.db")).unwrap() != before);
    assert!(targets(&directory)[0]["is_current"] == true);
    // So does a server, soon, and at its end.
    let server = directory.serve_with(&[("TRAILKEEP_TEST_COPY_AFTER_MS", "50")]);
    let body = events(3, 3);
    let posted = server
        .client()
        .post("application/x-ndjson", body.as_bytes());
    assert_eq!(posted.unwrap().status, 201);
    wait_for("the copy follows", || {
        status(&directory, &server)["targets"][0]["is_current"] == true
    });
    server.stop();
    succeeded(&directory.run(&["vault-replica", "--check"]));
    assert_all_readable(&directory, 6);
    // Each is an entry that names no path.
    let text = entry_of(&directory, "trailkeep.vault.copy-add");
    assert!(text.contains(&id), "{text}");
    assert!(!text.contains(disk.path().to_str().unwrap()), "{text}");

    // A copy that was changed is found.
    let mut bytes = std::fs::read(path.join("vault.db")).unwrap();
    bytes[8192..].fill(7);
    std::fs::write(path.join("vault.db"), bytes).unwrap();
    let output = directory.run(&["vault-replica", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(answer(&output)["targets"][0]["error"].is_string());

    // Removing destroys what is there.
    succeeded(&directory.run(&["vault-replica", "remove", &id]));
    assert_eq!(files_of(&path), []);
    assert!(targets(&directory).is_empty());
}

#[test]
fn places_that_are_none_are_refused() {
    let (directory, disk) = (Directory::new(), other_disk());
    let inside = directory.path.join("copy");
    let output = directory.run(&["vault-replica", "add", inside.to_str().unwrap()]);
    assert!(
        said(&output).contains("inside the data directory"),
        "{}",
        said(&output)
    );
    let output = directory.run(&["vault-replica", "add", "/nowhere/at/all"]);
    assert!(
        said(&output).contains("neither the directory nor its parent exists"),
        "{}",
        said(&output)
    );
    // Another ledger's directory, and another ledger's copy.
    let other = Directory::new();
    let output = directory.run(&["vault-replica", "add", other.path.to_str().unwrap()]);
    assert!(
        said(&output).contains("has another vault"),
        "{}",
        said(&output)
    );
    let path = disk.path().join("copy");
    add(&other, &path);
    let output = directory.run(&["vault-replica", "add", path.to_str().unwrap()]);
    assert!(
        said(&output).contains("has another vault"),
        "{}",
        said(&output)
    );
    assert!(targets(&directory).is_empty());

    // A disk that is not mounted: nothing is written to the folder under it.
    let mount = disk.path().join("mount");
    add(&directory, &mount);
    std::fs::rename(&mount, disk.path().join("away")).unwrap();
    std::fs::create_dir(&mount).unwrap();
    let output = directory.run(&["key", "create", "--role", "reader"]);
    assert!(
        said(&output).contains("check that its disk is mounted"),
        "{}",
        said(&output)
    );
    assert_eq!(files_of(&mount), []);
    std::fs::remove_dir(&mount).unwrap();
    std::fs::rename(disk.path().join("away"), &mount).unwrap();
    let output = directory.run(&["key", "create", "--role", "reader"]);
    assert!(!said(&output).contains("behind"), "{}", said(&output));
}

#[test]
fn a_rotation_seals_all_anew_and_ends_the_old_key() {
    let (directory, disk) = (Directory::new(), other_disk());
    let path = disk.path().join("copy");
    let id = add(&directory, &path);
    directory.append(&events(0, 20));
    let older_copy = disk.path().join("older");
    std::fs::create_dir(&older_copy).unwrap();
    std::fs::copy(path.join("vault.db"), older_copy.join("vault.db")).unwrap();

    let output = directory.run(&["key", "rotate-vault", "--json"]);
    let rotated = answer(succeeded(&output));
    assert_eq!(rotated["epoch"], 2);
    assert_eq!(rotated["copies_pending"], false);
    assert!(rotated["rows"].as_u64().unwrap() > 40, "{rotated}");
    let new = epochs(&directory.path);
    assert_eq!((new.len(), epochs(&path) == new), (1, true));
    assert!(new[0].starts_with("epoch 2 "));
    for folder in [&directory.path, &path] {
        assert_eq!(
            holds(folder, 1),
            Vec::<PathBuf>::new(),
            "the old epoch key is still there"
        );
        assert_eq!(holds(folder, 2), [folder.join("epoch.key")]);
    }
    assert_all_readable(&directory, 20);
    // It is an entry, with the target's id and no path.
    let entry = entry_of(&directory, "trailkeep.vault.rotate");
    assert!(entry.contains(&id) && entry.contains("in_reach"), "{entry}");
    assert!(!entry.contains(disk.path().to_str().unwrap()), "{entry}");

    // An older copy of the vault opens for nobody, not with the new key either.
    let copy_of = tempfile::tempdir().unwrap();
    let stolen = copy_of.path().join("data");
    std::fs::create_dir(&stolen).unwrap();
    for name in ["ledger.db", "index.db", "root.key", "epoch.key"] {
        std::fs::copy(directory.path.join(name), stolen.join(name)).unwrap();
    }
    std::fs::copy(older_copy.join("vault.db"), stolen.join("vault.db")).unwrap();
    let output = trailkeep()
        .args(["show", "event-1", "--dir"])
        .arg(&stolen)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("cannot be decrypted"),
        "{}",
        said(&output)
    );
}

#[test]
fn writers_go_on_during_rotations() {
    let (directory, disk) = (Directory::new(), other_disk());
    add(&directory, &disk.path().join("copy"));
    let server = directory.serve();
    let done = std::sync::atomic::AtomicBool::new(false);
    let posted = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (mut client, done) = (server.client(), &done);
                scope.spawn(move || {
                    let mut count = 0;
                    while !done.load(std::sync::atomic::Ordering::SeqCst) {
                        let body = events(writer * 1_000_000 + count, 5);
                        let answer = client
                            .post("application/x-ndjson", body.as_bytes())
                            .unwrap();
                        assert_eq!(answer.status, 201, "{}", answer.text());
                        count += 5;
                    }
                    count
                })
            })
            .collect();
        for _ in 0..5 {
            succeeded(&directory.run(&["key", "rotate-vault"]));
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum::<usize>()
    });
    server.stop();
    assert!(posted > 0);
    assert_all_readable(&directory, posted);
    assert!(epochs(&directory.path)[0].starts_with("epoch 6 "));
    succeeded(&directory.run(&["vault-replica", "check"]));
}

#[test]
fn a_target_out_of_reach_keeps_the_old_key_until_it_is_back() {
    let (directory, disk) = (Directory::new(), other_disk());
    let (here, away) = (disk.path().join("here"), disk.path().join("away"));
    let gone = disk.path().join("gone");
    add(&directory, &here);
    add(&directory, &away);
    directory.append(&events(0, 5));
    std::fs::rename(&away, &gone).unwrap();
    let output = directory.run(&["key", "rotate-vault", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(answer(&output)["copies_pending"], true);
    // The old key is where it was: here, and at every target.
    for folder in [&directory.path, &here, &gone] {
        assert!(!holds(folder, 1).is_empty());
    }
    assert_all_readable(&directory, 5);
    // The server says so, tries again, and ends it when the target is back.
    let server = directory.serve_with(&[("TRAILKEEP_TEST_RETRY_AFTER_MS", "50")]);
    wait_for("it is tried again", || {
        status(&directory, &server)["copies_pending"] == true
    });
    wait_for("the failing job is counted", || {
        let page = server.client().get("/metrics").unwrap().text();
        let failures = page
            .lines()
            .find_map(|line| line.strip_prefix("trailkeep_job_failures_total{name=\"vault\"} "));
        failures.unwrap().parse::<u64>().unwrap() > 1
    });
    let body = events(5, 5);
    let posted = server
        .client()
        .post("application/x-ndjson", body.as_bytes());
    assert_eq!(posted.unwrap().status, 201);
    std::fs::rename(&gone, &away).unwrap();
    wait_for("it is over", || {
        let status = status(&directory, &server);
        status["in_progress"] == false && status["copies_pending"] == false
    });
    server.stop();
    for folder in [&directory.path, &here, &away] {
        assert!(holds(folder, 1).is_empty(), "{}", folder.display());
    }
    assert_all_readable(&directory, 10);
}

#[test]
fn a_target_that_is_given_up_does_not_hold_a_rotation_up() {
    let (directory, disk) = (Directory::new(), other_disk());
    let (path, gone) = (disk.path().join("copy"), disk.path().join("gone"));
    let id = add(&directory, &path);
    std::fs::rename(&path, &gone).unwrap();
    assert_eq!(
        directory.run(&["key", "rotate-vault"]).status.code(),
        Some(1)
    );
    let output = directory.run(&["vault-replica", "remove", &id]);
    assert!(said(succeeded(&output)).contains("Destroy the replica there by hand"));
    let output = directory.run(&["key", "rotate-vault", "--json"]);
    let rotated = answer(succeeded(&output));
    assert_eq!(
        (&rotated["epoch"], &rotated["in_progress"]),
        (&json!(2), &json!(false))
    );
}

#[test]
fn a_command_keeps_a_copy_and_gives_it_back() {
    let (directory, disk) = (Directory::new(), other_disk());
    let file = disk.path().join("copy");
    let command = format!(
        "f={}; case $TRAILKEEP_COPY in put) cat > $f.new && mv $f.new $f;; get) cat $f;; remove) rm $f;; esac",
        file.display()
    );
    let output = directory.run(&["vault-replica", "add", "--json", "--command", &command]);
    let id = answer(succeeded(&output))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    directory.append(&events(0, 5));
    succeeded(&directory.run(&["vault-replica", "check"]));
    succeeded(&directory.run(&["key", "rotate-vault"]));
    assert!(holds(disk.path(), 1).is_empty());
    let text = std::fs::read(&file).unwrap();
    assert!(text.starts_with(b"trailkeep/vault-copy/v1\nepoch.key "));
    assert_all_readable(&directory, 5);
    // Over the network nobody has a command run.
    let server = directory.serve();
    let body = json!({"command": "true"}).to_string();
    let refused = server
        .client()
        .request("POST", "/v1/vault/copies", &[], body.as_bytes());
    assert_eq!(refused.unwrap().status, 404);
    server.stop();
    succeeded(&directory.run(&["vault-replica", "remove", &id]));
    assert!(!file.exists());
    // One that keeps nothing is no target.
    let output = directory.run(&["vault-replica", "add", "--command", "cat > /dev/null"]);
    assert_eq!(output.status.code(), Some(9));
    assert!(targets(&directory).is_empty());
}

/// Rotates with the process killed at a step. Gives whether the step was reached.
fn rotate_until(directory: &Directory, point: FailPoint) {
    let output = trailkeep()
        .args(["key", "rotate-vault", "--dir"])
        .arg(&directory.path)
        .env("TRAILKEEP_FAILPOINT", format!("{}=kill", point.name()))
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        None,
        "{} was not reached",
        point.name()
    );
}

#[test]
fn killed_at_each_step_of_a_rotation() {
    for point in FailPoint::ROTATION {
        let (directory, disk) = (Directory::new(), other_disk());
        let copies = [disk.path().join("one"), disk.path().join("two")];
        for copy in &copies {
            add(&directory, copy);
        }
        directory.append(&events(0, 10));
        rotate_until(&directory, point);
        // Everything is readable, and writers go on, before the rotation does.
        assert_all_readable(&directory, 10);
        directory.append(&events(10, 10));
        assert_all_readable(&directory, 20);
        // A server goes on with it by itself.
        let server = directory.serve();
        wait_for(point.name(), || {
            status(&directory, &server)["in_progress"] == false
        });
        server.stop();
        assert_all_readable(&directory, 20);
        assert_eq!(epochs(&directory.path).len(), 1, "{}", point.name());
        for folder in copies.iter().chain([&directory.path]) {
            assert!(
                holds(folder, 1).is_empty(),
                "{} {}",
                point.name(),
                folder.display()
            );
        }
        succeeded(&directory.run(&["vault-replica", "check"]));
    }
}

/// Whoever can write into a replica's directory puts links where files are replaced.
#[test]
fn links_in_a_replica_lead_nowhere() {
    let (directory, disk) = (Directory::new(), other_disk());
    directory.append(&events(0, 3));
    let path = disk.path().join("copy");
    add(&directory, &path);
    let victim = disk.path().join("victim");
    let precious = vec![7; 5_000];
    std::fs::write(&victim, &precious).unwrap();
    let is_whole = || assert!(std::fs::read(&victim).unwrap() == precious);

    // Names that one could guess are not used; a link there stands in nobody's way, and is not followed.
    for name in [
        "vault.db.new",
        "vault.db.old",
        "epoch.key.new",
        "epoch.key.0123456789abcdef.tmp",
    ] {
        std::os::unix::fs::symlink(&victim, path.join(name)).unwrap();
    }
    directory.append(&events(3, 1));
    succeeded(&directory.run(&["key", "rotate-vault"]));
    is_whole();
    assert_eq!(epochs(&path).len(), 1);
    assert_eq!(targets(&directory)[0]["error"], Value::Null);

    // In the place of a file itself it is refused, and said; when it is gone, it goes on.
    let planted = [
        (false, "vault.db", "symbolic link"),
        (true, "vault.db", "2 names"),
        (false, "epoch.key", "symbolic link"),
        (true, "epoch.key", "2 names"),
    ];
    for (is_hard, name, said) in planted {
        std::fs::remove_file(path.join(name)).unwrap();
        if is_hard {
            std::fs::hard_link(&victim, path.join(name)).unwrap();
        } else {
            std::os::unix::fs::symlink(&victim, path.join(name)).unwrap();
        }
        assert!(!directory.run(&["key", "rotate-vault"]).status.success());
        is_whole();
        let error = targets(&directory)[0]["error"].to_string();
        assert!(error.contains(said), "{name}: {error}");
        std::fs::remove_file(path.join(name)).unwrap();
        succeeded(&directory.run(&["key", "rotate-vault"]));
    }
    succeeded(&directory.run(&["vault-replica", "check"]));
    assert_all_readable(&directory, 4);
}

#[test]
fn a_replica_takes_a_fresh_volume_and_no_directory_with_files() {
    let (directory, disk) = (Directory::new(), other_disk());
    let (full, fresh) = (disk.path().join("full"), disk.path().join("fresh"));
    std::fs::create_dir_all(&full).unwrap();
    std::fs::write(full.join("other-file"), "keep").unwrap();
    let refused = directory.run(&["vault-replica", "add", full.to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(!said(&refused).contains("damaged"), "{refused:?}");
    assert!(said(&refused).contains("it has other-file"), "{refused:?}");
    assert_eq!(std::fs::read_dir(&full).unwrap().count(), 1);

    for name in ["lost+found", ".snapshots", ".Trash-1000"] {
        std::fs::create_dir_all(fresh.join(name)).unwrap();
    }
    let added = directory.run(&["vault-replica", "add", fresh.to_str().unwrap()]);
    succeeded(&added);
    // The system's directory for temporary files holds both.
    assert!(said(&added).contains("on the same disk"), "{added:?}");
    assert_eq!(targets(&directory)[0]["same_disk"], true);
}
