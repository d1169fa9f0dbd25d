//! Backups and restores: what was acknowledged is there again, what was destroyed is not, and a ledger that went back
//! is never signed again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lacking;

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{
    Directory, events_about_persons as events, files_of, said, succeeded, trailkeep,
};
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// A directory, other disks, and what is done with them.
struct Site {
    directory: Directory,
    disk: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self {
            directory: Directory::new(),
            disk: tempfile::tempdir().unwrap(),
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    fn root_key(&self) -> PathBuf {
        let kept = self.place("root.key");
        if !kept.exists() {
            std::fs::copy(self.directory.path.join("root.key"), &kept).unwrap();
        }
        kept
    }

    fn back_up(&self, name: &str) -> Value {
        let out = self.place(name);
        let output = self
            .directory
            .run(&["backup", "--json", "--out", out.to_str().unwrap()]);
        answer(succeeded(&output))
    }

    fn add_copy(&self, name: &str) {
        let path = self.place(name);
        succeeded(
            &self
                .directory
                .run(&["vault-replica", "add", path.to_str().unwrap()]),
        );
    }

    /// `restore --from BACKUP --to NEW`, with more arguments.
    fn restore(&self, from: &str, to: &str, more: &[&str]) -> Output {
        trailkeep()
            .args(["restore", "--json", "--from"])
            .arg(self.place(from))
            .arg("--to")
            .arg(self.place(to))
            .arg("--root-key-file")
            .arg(self.root_key())
            .args(more)
            .output()
            .unwrap()
    }

    /// A command on a restored directory or a backup.
    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        trailkeep()
            .args(arguments)
            .arg("--dir")
            .arg(self.place(name))
            .arg("--root-key-file")
            .arg(self.root_key())
            .output()
            .unwrap()
    }

    fn assert_clean(&self, name: &str, events: usize) {
        let output = self.run(name, &["verify", "--json"]);
        let report = answer(&output);
        assert_eq!(report["ok"], true, "{report}");
        assert_eq!(report["intact"], events, "{report}");
    }

    /// Every text, by what it says.
    fn assert_readable(&self, name: &str, numbers: std::ops::Range<usize>, more: &[&str]) {
        let arguments = [&["query", "--limit", "100000", "--json"], more].concat();
        let page = answer(succeeded(&self.run(name, &arguments)));
        let mut texts: Vec<String> = page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event"]["input"].as_str().unwrap().to_owned())
            .collect();
        let mut wanted: Vec<String> = numbers.map(|number| format!("text {number}")).collect();
        texts.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(texts, wanted);
    }
}

fn holds(folder: &Path, wanted: &[u8]) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    files_of(folder).iter().any(|(_, bytes)| holds(bytes))
}

/// Takes a payload out, as a destruction does. Gives its ciphertext.
fn destroy_payload(directory: &Directory, seq: i64) -> Vec<u8> {
    let ledger = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
    ledger.execute_batch("PRAGMA secure_delete = ON").unwrap();
    let row = (1 << 40) | seq;
    let bytes: Vec<u8> = ledger
        .query_row("SELECT bytes FROM payload WHERE row = ?1", [row], |found| {
            found.get(0)
        })
        .unwrap();
    ledger
        .execute("DELETE FROM payload WHERE row = ?1", [row])
        .unwrap();
    bytes
}

#[test]
fn a_backup_grows_beside_writers_and_is_verified_as_it_is() {
    let site = Site::new();
    site.directory.append(&events(0, 1_500));
    let server = site.directory.serve();
    let first = std::thread::scope(|scope| {
        let mut client = server.client();
        let writing = scope.spawn(move || {
            for number in 1_500..1_550 {
                let answer = client.post("application/json", events(number, 1).as_bytes());
                assert_eq!(answer.unwrap().status, 201);
            }
        });
        let first = site.back_up("backup");
        writing.join().unwrap();
        first
    });
    assert!(first["new_entries"].as_u64().unwrap() >= 1_500, "{first}");
    let second = site.back_up("backup");
    server.stop();
    assert!(second["new_entries"].as_u64().unwrap() < 60, "{second}");
    assert_eq!(second["gone_payloads"], 0);
    site.assert_clean("backup", 1_550);
    // It is no data directory: nothing appends to it.
    for command in [
        &["query"][..],
        &["index", "rebuild"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let output = site.run("backup", command);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("is a backup"), "{}", said(&output));
    }
    let restored = answer(succeeded(&site.restore("backup", "new", &[])));
    assert_eq!(
        (&restored["events"], &restored["keys_missing"]),
        (&json!(1_550), &json!(0))
    );
    site.assert_clean("new", 1_550);
    site.assert_readable("new", 0..1_550, &[]);
    // The same, from the same backup again: a restore changes nothing in it.
    site.assert_clean("backup", 1_550);
}

#[test]
fn what_was_destroyed_leaves_the_backup_with_its_next_run() {
    let site = Site::new();
    site.directory.append(&events(0, 20));
    site.back_up("backup");
    let gone = destroy_payload(&site.directory, 10);
    assert!(holds(&site.place("backup"), &gone));
    let second = site.back_up("backup");
    assert_eq!(second["gone_payloads"], 1, "{second}");
    assert!(
        !holds(&site.place("backup"), &gone),
        "it is still in the backup"
    );
    let report = answer(&site.run("backup", &["verify", "--json"]));
    assert_eq!(report["findings"][0]["rule"], "payload-missing");
    assert_eq!(report["findings_total"], 1, "{report}");
}

#[test]
fn places_that_are_none_and_other_histories_are_refused() {
    let site = Site::new();
    site.directory.append(&events(0, 3));
    let try_at = |directory: &Directory, path: &Path| {
        let output = directory.run(&["backup", "--out", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        said(&output)
    };
    let unmounted = site.place("unmounted");
    assert!(try_at(&site.directory, &unmounted.join("backup")).contains("does not exist"));
    assert!(!unmounted.exists());
    let inside = site.directory.path.join("backup");
    assert!(try_at(&site.directory, &inside).contains("inside the data directory"));
    let full = site.place("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("file"), b"x").unwrap();
    assert!(try_at(&site.directory, &full).contains("neither empty nor a backup"));
    let file = try_at(&site.directory, &full.join("file"));
    let remedy =
        "it is no directory: name an empty directory, or an earlier backup of this data directory";
    assert!(file.contains(remedy), "{file}");
    site.back_up("backup");
    let other = Directory::new();
    assert!(try_at(&other, &site.place("backup")).contains("of another data directory"));
    // Nobody makes one over the network.
    let server = site.directory.serve();
    let body = json!({"out": full}).to_string();
    let refused = server
        .client()
        .request("POST", "/v1/backup", &[], body.as_bytes());
    assert_eq!(refused.unwrap().status, 404);
    server.stop();
    // A restore fills no directory that is in use.
    let output = site.restore("backup", "full", &[]);
    assert!(said(&output).contains("is not empty"), "{}", said(&output));
    let output = trailkeep()
        .args(["restore", "--from"])
        .arg(site.place("backup"))
        .arg("--to")
        .arg(&site.directory.path)
        .output()
        .unwrap();
    assert!(
        said(&output).contains("is a data directory"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_backup_that_was_killed_is_the_one_from_before_or_the_new_one() {
    for point in FailPoint::BACKUP {
        let site = Site::new();
        site.directory.append(&events(0, 10));
        site.back_up("backup");
        let gone = destroy_payload(&site.directory, 5);
        site.directory.append(&events(10, 10));
        let output = trailkeep()
            .args(["backup", "--out"])
            .arg(site.place("backup"))
            .arg("--dir")
            .arg(&site.directory.path)
            .env("TRAILKEEP_FAILPOINT", format!("{}=kill", point.name()))
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            None,
            "{} was not reached",
            point.name()
        );
        let restored = answer(succeeded(&site.restore("backup", "half", &[])));
        let (events, missing) = (&restored["events"], &restored["keys_missing"]);
        if point == FailPoint::BackupLedgersDone {
            // The keys of the new events are in the newest copy of the vault, not in the backup's yet.
            assert_eq!(
                (events, missing),
                (&json!(9), &json!(10)),
                "{}",
                point.name()
            );
        } else {
            assert_eq!(
                (events, missing),
                (&json!(10), &json!(0)),
                "{}",
                point.name()
            );
        }
        // The next run mends it.
        site.back_up("backup");
        assert!(!holds(&site.place("backup"), &gone), "{}", point.name());
        let restored = answer(succeeded(&site.restore("backup", "new", &[])));
        assert_eq!(restored["events"], 19, "{}", point.name());
        site.assert_readable(
            "new",
            10..20,
            &["--from", &time_of_event(&site, "event-10")],
        );
    }
}

fn time_of_event(site: &Site, id: &str) -> String {
    let shown = answer(succeeded(&site.directory.run(&["show", id, "--json"])));
    shown["recorded_at"].as_str().unwrap().to_owned()
}

#[test]
fn after_the_loss_of_the_directory_the_newest_vault_copy_loses_nothing() {
    for point in FailPoint::ROTATION.map(Some).into_iter().chain([None]) {
        let site = Site::new();
        site.add_copy("copy");
        site.directory.append(&events(0, 10));
        let mut command = trailkeep();
        command
            .args(["key", "rotate-vault", "--dir"])
            .arg(&site.directory.path);
        let name = point.map_or("none", FailPoint::name);
        if point.is_some() {
            command.env("TRAILKEEP_FAILPOINT", format!("{name}=kill"));
        }
        let status = command.output().unwrap().status;
        assert_eq!(
            status.code().is_none(),
            point.is_some(),
            "{name} was not reached"
        );
        // The ledger alone, from a backup of files made at this moment; the vault from its target.
        site.root_key();
        let ledger = site.place("ledger-only");
        std::fs::create_dir(&ledger).unwrap();
        for file in ["ledger.db", "ledger.db-wal"] {
            let from = site.directory.path.join(file);
            if from.exists() {
                std::fs::copy(from, ledger.join(file)).unwrap();
            }
        }
        std::fs::remove_dir_all(&site.directory.path).unwrap();
        let copy = site.place("copy");
        let restored = site.restore(
            "ledger-only",
            "new",
            &["--vault-replica", copy.to_str().unwrap()],
        );
        let restored = answer(succeeded(&restored));
        assert_eq!(
            (&restored["events"], &restored["keys_missing"]),
            (&json!(10), &json!(0)),
            "{name}"
        );
        site.assert_clean("new", 10);
        site.assert_readable("new", 0..10, &[]);
    }
}

#[test]
fn a_vault_from_before_a_rotation_is_refused_and_an_older_one_too() {
    let site = Site::new();
    site.add_copy("copy");
    site.directory.append(&events(0, 3));
    site.back_up("old");
    let keep = |from: &str, to: &str| {
        std::fs::create_dir(site.place(to)).unwrap();
        for file in ["vault.db", "epoch.key"] {
            std::fs::copy(site.place(from).join(file), site.place(to).join(file)).unwrap();
        }
    };
    keep("copy", "older");
    site.directory.append(&events(3, 3));
    keep("copy", "before");
    succeeded(&site.directory.run(&["key", "rotate-vault"]));
    site.back_up("backup");
    let vault_copy = |name: &str| {
        [
            "--vault-replica".to_owned(),
            site.place(name).display().to_string(),
        ]
    };
    let try_with = |backup: &str, copy: Option<&str>| {
        let more = copy
            .map(vault_copy)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let output = site.restore(backup, "never", &more);
        assert_eq!(output.status.code(), Some(1));
        assert!(!site.place("never").exists(), "something was left");
        said(&output)
    };
    // With its own epoch.key it would open; the backup's own vault, or the ledger, tells.
    assert!(try_with("backup", Some("before")).contains("has a newer vault"));
    std::fs::remove_file(site.place("backup").join("vault.db")).unwrap();
    let refused = try_with("backup", Some("before"));
    assert!(
        refused.contains("from before a rotation: the ledger records"),
        "{refused}"
    );
    // With the key of today it opens for nobody.
    std::fs::copy(
        site.directory.path.join("epoch.key"),
        site.place("before").join("epoch.key"),
    )
    .unwrap();
    assert!(try_with("backup", Some("before")).contains("from before a rotation: its rows"));
    // The backup's own vault is older than what a registered target holds.
    assert!(try_with("old", None).contains("has a newer vault"));
    // And where nothing better is known, it is said how.
    assert!(try_with("old", Some("nowhere")).contains("a vault replica is a directory"));
    // The newest loses nothing.
    let newest = vault_copy("copy");
    let newest: Vec<&str> = newest.iter().map(String::as_str).collect();
    let restored = answer(succeeded(&site.restore("backup", "new", &newest)));
    assert_eq!(restored["events"], 6);
    site.assert_clean("new", 6);
}

#[test]
fn keys_that_are_missing_are_that_and_no_tampering() {
    let site = Site::new();
    site.directory.append(&events(0, 3));
    site.back_up("old");
    site.directory.append(&events(3, 3));
    site.back_up("backup");
    for file in ["vault.db", "epoch.key"] {
        std::fs::copy(
            site.place("old").join(file),
            site.place("backup").join(file),
        )
        .unwrap();
    }
    let restored = answer(succeeded(&site.restore("backup", "new", &[])));
    assert_eq!(
        (&restored["events"], &restored["keys_missing"]),
        (&json!(3), &json!(3))
    );
    let output = site.run("new", &["verify", "--json"]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "not 3: nothing was tampered with"
    );
    let report = answer(&output);
    let rules: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| &finding["rule"])
        .collect();
    assert_eq!(rules, ["key-missing"; 3]);
    let output = site.run("new", &["verify"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("nothing was changed"), "{text}");
}

#[test]
fn an_older_ledger_is_closed_and_continued_and_never_signed_again() {
    let site = Site::new();
    site.add_copy("copy");
    succeeded(&site.directory.run(&["tenant", "create", "early"]));
    site.directory.append(&events(0, 5));
    site.back_up("backup");
    site.directory.append(&events(5, 5));
    succeeded(&site.directory.run(&["tenant", "create", "late"]));
    let key = answer(succeeded(
        &site
            .directory
            .run(&["key", "create", "--role", "reader", "--json"]),
    ));
    let id = key["id"].as_str().unwrap();
    succeeded(&site.directory.run(&["key", "revoke", id]));
    let server = site.directory.serve();
    server.stop();
    let copy = site.place("copy");
    let copy = ["--vault-replica", copy.to_str().unwrap()];

    let refused = site.restore("backup", "new", &copy);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("older than the vault"),
        "{}",
        said(&refused)
    );
    assert!(said(&refused).contains("are lost"), "{}", said(&refused));
    assert!(!site.place("new").exists());

    let restored = site.restore("backup", "new", &[&copy[..], &["--continue"]].concat());
    let restored = answer(succeeded(&restored));
    let ledgers = restored["ledgers"].as_array().unwrap();
    let named = |name: &str| {
        ledgers
            .iter()
            .find(|one| one["origin"] == format!("audit.example.com/{name}"))
            .unwrap()
    };
    assert_eq!(
        named("default")["continued_by"],
        "audit.example.com/default.2"
    );
    assert!(named("default")["lost"].as_u64().unwrap() >= 5);
    assert_eq!(named("late")["size"], 0);

    // The closed one: its head is the one of the backup, it verifies, is read and exported, and takes nothing.
    let closed = ["--ledger", "default"];
    let report = answer(&site.run("new", &["verify", "--json", "--ledger", "default"]));
    assert_eq!(
        (&report["ok"], &report["intact"]),
        (&json!(true), &json!(5)),
        "{report}"
    );
    let size = report["size"].clone();
    site.assert_readable("new", 0..5, &closed);
    let exported = site.place("closed.zip");
    let key = site.place("closed.pem");
    let public = succeeded(&site.run("new", &["key", "public", "--ledger", "default"]))
        .stdout
        .clone();
    std::fs::write(&key, public).unwrap();
    succeeded(&site.run(
        "new",
        &[
            "export",
            "--ledger",
            "default",
            "--out",
            exported.to_str().unwrap(),
        ],
    ));
    let verified = crate::support::verifier()
        .arg(&exported)
        .arg("--key")
        .arg(&key)
        .arg("--json")
        .output()
        .unwrap();
    let verdict = answer(succeeded(&verified));
    assert_eq!(
        (&verdict["authentic"], &verdict["complete"]),
        (&json!(true), &json!(true)),
        "{verdict}"
    );
    let head = succeeded(&site.run("new", &["checkpoint", "--ledger", "default"]))
        .stdout
        .clone();
    assert_eq!(
        String::from_utf8_lossy(&head).lines().nth(1),
        Some(size.to_string().as_str())
    );
    let mut refused = trailkeep();
    refused
        .args(["append", "-", "--ledger", "default", "--dir"])
        .arg(site.place("new"));
    refused
        .arg("--root-key-file")
        .arg(site.root_key())
        .stdin(std::process::Stdio::piped());
    refused
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    let mut refused = refused.spawn().unwrap();
    std::io::Write::write_all(&mut refused.stdin.take().unwrap(), events(77, 1).as_bytes())
        .unwrap();
    let refused = refused.wait_with_output().unwrap();
    assert!(said(&refused).contains("superseded"), "{}", said(&refused));

    // The next one names it, goes on, and records the restore and the reads of the closed one.
    let report = answer(&site.run("new", &["verify", "--json"]));
    assert_eq!(
        (&report["ok"], &report["origin"]),
        (&json!(true), &json!("audit.example.com/default.2")),
        "{report}"
    );
    let genesis = String::from_utf8(
        succeeded(&site.run("new", &["show", "0", "--json"]))
            .stdout
            .clone(),
    )
    .unwrap();
    assert!(
        genesis.contains("continues") && genesis.contains("audit.example.com/default"),
        "{genesis}"
    );
    let accesses =
        String::from_utf8(site.run("new", &["access", "list", "--json"]).stdout).unwrap();
    assert!(
        accesses.contains("\"ledger\":\"audit.example.com/default\""),
        "{accesses}"
    );
    // Tenants that were made since are there again, empty; a name is not given twice.
    let listed = answer(&site.run("new", &["tenant", "list", "--json"]));
    assert!(
        listed.to_string().contains("audit.example.com/late.2"),
        "{listed}"
    );
    let again = site.run("new", &["tenant", "create", "late"]);
    assert!(said(&again).contains("never reused"), "{}", said(&again));
    // No revoked key came back.
    let keys = answer(&site.run("new", &["key", "list", "--json"]));
    let revoked = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == id)
        .unwrap();
    assert!(revoked["revoked_at"].is_string());
    // Backed up and restored again, both are as they are.
    let out = site.place("again");
    succeeded(&site.run("new", &["backup", "--out", out.to_str().unwrap()]));
    answer(succeeded(&site.restore("again", "newer", &[])));
    site.assert_readable("newer", 0..5, &closed);
    let report = answer(&site.run("newer", &["verify", "--json"]));
    assert_eq!(report["ok"], true, "{report}");
}

#[test]
fn nothing_is_destroyed_after_a_restore_until_the_holds_were_reviewed() {
    let site = Site::new();
    site.directory.append(&events(0, 3));
    let resume = ["retention", "resume", "--reviewed-holds", "--json"];
    assert_eq!(
        answer(succeeded(&site.directory.run(&resume)))["was_paused"],
        false
    );
    site.back_up("backup");
    succeeded(&site.restore("backup", "new", &[]));
    let unsaid = site.run("new", &["retention", "resume"]);
    assert_eq!(unsaid.status.code(), Some(2));
    assert_eq!(
        answer(succeeded(&site.run("new", &resume)))["was_paused"],
        true
    );
    assert_eq!(
        answer(succeeded(&site.run("new", &resume)))["was_paused"],
        false
    );
    site.assert_clean("new", 3);
}

#[test]
fn a_restore_that_was_interrupted_is_begun_again() {
    let site = Site::new();
    site.directory.append(&events(0, 3));
    site.back_up("backup");
    // What a kill in the middle of moving leaves: nothing was ever started there.
    succeeded(&site.restore("backup", "new", &[]));
    let new = site.place("new");
    std::fs::remove_file(new.join("staging.db")).unwrap();
    std::fs::create_dir(new.join("restore.unfinished")).unwrap();
    std::fs::rename(
        new.join("epoch.key"),
        new.join("restore.unfinished/epoch.key"),
    )
    .unwrap();
    succeeded(&site.restore("backup", "new", &[]));
    site.assert_clean("new", 3);
}

#[test]
fn a_restored_ledger_brings_no_revoked_key_back() {
    let site = Site::new();
    site.add_copy("copy");
    let role = ["key", "create", "--json", "--role", "reader"];
    let [kept, revoked] = [0, 1].map(|_| answer(succeeded(&site.directory.run(&role))));
    site.directory.append(&events(0, 3));
    site.back_up("backup");
    succeeded(
        &site
            .directory
            .run(&["key", "revoke", revoked["id"].as_str().unwrap()]),
    );
    let copy = site.place("copy");
    let newest = ["--vault-replica", copy.to_str().unwrap(), "--continue"];
    succeeded(&site.restore("backup", "new", &newest));
    let listed = answer(succeeded(&site.run("new", &["key", "list", "--json"])));
    let is_revoked = |key: &Value| {
        let keys = listed["keys"].as_array().unwrap().iter();
        let listed = keys.clone().find(|one| one["id"] == key["id"]).unwrap();
        !listed["revoked_at"].is_null()
    };
    assert!(is_revoked(&revoked) && !is_revoked(&kept), "{listed}");

    // And by what the server answers.
    let mut server = trailkeep()
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(site.place("new"))
        .arg("--root-key-file")
        .arg(site.root_key())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let said = server.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line).unwrap();
    let url = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();
    let ask = |key: &Value| {
        let token = key["token"].as_str().unwrap();
        let mut query = trailkeep();
        query.args(["query", "--json", "--url", &url, "--token", token]);
        query.output().unwrap().status.success()
    };
    let opened = [ask(&kept), ask(&revoked)];
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(opened, [true, false]);
}

#[test]
fn links_in_a_backup_lead_nowhere_and_a_fresh_volume_counts_as_empty() {
    let (directory, disk) = (Directory::new(), tempfile::tempdir().unwrap());
    directory.append(r#"{"id":"a","action":"a.b","actor":{"id":"x"},"subjects":[{"id":"p"}]}"#);
    let victim = disk.path().join("victim");
    std::fs::write(&victim, b"precious").unwrap();
    let is_whole = || assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    let out = disk.path().join("backup");
    let back_up = || directory.run(&["backup", "--out", out.to_str().unwrap()]);
    for name in ["lost+found", ".snapshot", "System Volume Information"] {
        std::fs::create_dir_all(out.join(name)).unwrap();
    }
    for name in ["lock", "ledger.db", "backup.json"] {
        std::os::unix::fs::symlink(&victim, out.join(name)).unwrap();
        assert!(!back_up().status.success(), "{name}");
        is_whole();
        std::fs::remove_file(out.join(name)).unwrap();
    }
    let _ = std::fs::remove_file(out.join("lock"));
    succeeded(&back_up());
    for name in [
        "backup.new",
        "vault.db.new",
        "vault.db.old",
        "epoch.key.new",
        "ledger.db-journal",
    ] {
        std::os::unix::fs::symlink(&victim, out.join(name)).unwrap();
        let again = back_up();
        assert_eq!(
            again.status.success(),
            name != "ledger.db-journal",
            "{again:?}"
        );
        is_whole();
        std::fs::remove_file(out.join(name)).unwrap();
    }

    let restored = disk.path().join("restored");
    std::fs::create_dir_all(restored.join("lost+found")).unwrap();
    std::fs::copy(directory.path.join("root.key"), restored.join("root.key")).unwrap();
    let (from, to) = (out.to_str().unwrap(), restored.to_str().unwrap());
    let restore = || {
        trailkeep()
            .args(["restore", "--from", from, "--to", to])
            .output()
            .unwrap()
    };
    std::fs::write(restored.join("other"), "").unwrap();
    assert!(said(&restore()).contains("it has other"));
    std::fs::remove_file(restored.join("other")).unwrap();
    succeeded(&restore());
}

#[test]
fn files_of_the_directory_are_no_links_and_nobody_else_can_replace_them() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let at = |name: &str| directory.path.join(name);
    directory.assert_clean();
    let refused = |said_so: &str| {
        let output = directory.run(&["verify"]);
        assert_eq!(output.status.code(), Some(1), "{said_so}: {output:?}");
        assert!(said(&output).contains(said_so), "{output:?}");
    };
    for name in [
        "ledger.db",
        "vault.db",
        "index.db",
        "staging.db",
        "epoch.key",
    ] {
        let moved = directory.path.with_file_name(name);
        std::fs::rename(at(name), &moved).unwrap();
        std::os::unix::fs::symlink(&moved, at(name)).unwrap();
        refused("symbolic link");
        std::fs::remove_file(at(name)).unwrap();
        std::fs::hard_link(&moved, at(name)).unwrap();
        refused("2 names");
        std::fs::remove_file(&moved).unwrap();
    }
    for name in ["ledger.db-wal", "vault.db-journal", "lock"] {
        let _ = std::fs::remove_file(at(name));
        std::os::unix::fs::symlink("/dev/null", at(name)).unwrap();
        refused("symbolic link");
        std::fs::remove_file(at(name)).unwrap();
    }
    // A link to the directory, and to the root key, is followed.
    let (link, key) = (directory.path.with_file_name("link"), at("root.key"));
    std::os::unix::fs::symlink(&directory.path, &link).unwrap();
    std::fs::rename(&key, directory.path.with_file_name("key")).unwrap();
    std::os::unix::fs::symlink(directory.path.with_file_name("key"), &key).unwrap();
    let through = trailkeep().args(["verify", "--dir"]).arg(&link).output();
    succeeded(&through.unwrap());

    let set_mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&directory.path, mode).unwrap();
    };
    set_mode(0o777);
    refused("has mode 0777");
    let served = directory.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said(&served).contains("has mode 0777"), "{served:?}");
    set_mode(0o1777);
    succeeded(&directory.run(&["verify"]));
    set_mode(0o700);
}

/// Whatever the umask says, others can reach nothing that the program makes.
#[test]
fn what_the_program_makes_is_its_owners_alone() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    fn modes(folder: &Path, wrong: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let found = path.symlink_metadata().unwrap();
            let wanted = if found.is_dir() { 0o700 } else { 0o600 };
            let mode = found.permissions().mode() & 0o7777;
            if mode != wanted {
                wrong.push(format!("{} has mode {mode:o}", path.display()));
            }
            if found.is_dir() {
                modes(&path, wrong);
            }
        }
    }
    for umask in ["000", "077", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_trailkeep");
        let run = |command: &str| {
            let script = format!("umask {umask}; exec {program} {command}");
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &script])
                .current_dir(folder.path())
                .output();
            succeeded(&output.unwrap());
        };
        run("init --dir data");
        run("tenant create acme --dir data");
        run("vault-replica add copy --dir data");
        run("export --out all.zip --dir data");
        run("privacy erase --yes --subject nobody --out certificate.json --dir data");
        run("backup --out backup --dir data");
        run(
            "restore --from backup --vault-replica copy --to restored --root-key-file data/root.key",
        );
        let serve = format!("umask {umask}; exec {program} serve --dir data --listen 127.0.0.1:0");
        let mut server = std::process::Command::new("/bin/sh")
            .args(["-c", &serve])
            .current_dir(folder.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = server.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        let socket = folder.path().join("data/serve.sock").symlink_metadata();
        assert!(socket.unwrap().file_type().is_socket());
        let mut wrong = Vec::new();
        modes(folder.path(), &mut wrong);
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(wrong.is_empty(), "umask {umask}: {wrong:#?}");
    }
}
