//! A data directory that an earlier program wrote (tests/data) is opened, verified and gone on with, without a step.
#![allow(
    clippy::unwrap_used,
    reason = "a test that has not what it needs should panic"
)]

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use crate::support::{said, succeeded, trailkeep};
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data");
/// An hour after the directory was written: 2026-11-24T11:00:00Z.
const NOW_MS: &str = "1795518000000";

struct Old {
    temporary: tempfile::TempDir,
    path: PathBuf,
}

impl Old {
    fn copy() -> Self {
        Self::copy_of("first-release", NOW_MS)
    }

    fn copy_of(name: &str, now_ms: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("data");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        for file in std::fs::read_dir(format!("{DATA}/{name}")).unwrap() {
            let file = file.unwrap();
            let copy = path.join(file.file_name());
            std::fs::copy(file.path(), &copy).unwrap();
            std::fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(temporary.path().join("clock"), now_ms).unwrap();
        Self { temporary, path }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = trailkeep()
            .args(arguments)
            .arg("--dir")
            .arg(&self.path)
            .env("TRAILKEEP_TEST_CLOCK", self.temporary.path().join("clock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses at once does not read it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn json(&self, arguments: &[&str], input: &str) -> Value {
        serde_json::from_slice(&succeeded(&self.run(arguments, input)).stdout).unwrap()
    }
}

#[test]
fn what_the_first_release_wrote_is_verified_and_gone_on_with() {
    let old = Old::copy();
    let against = format!("{DATA}/first-release.checkpoint");
    let report = old.json(&["verify", "--json", "--against", &against], "");
    assert_eq!(
        (&report["ok"], &report["size"]),
        (&true.into(), &17.into()),
        "{report}"
    );
    let shown = old.run(&["show", "e-3"], "");
    let text = String::from_utf8_lossy(&succeeded(&shown).stdout).into_owned();
    assert!(text.contains("a made-up answer 3"), "{text}");

    let event = r#"{"id":"new","action":"chat.completion","actor":{"id":"agent"}}"#;
    old.json(&["append", "-", "--json"], event);
    // The same as before is the same event, the hold still stands, and the request is known.
    let repeated = r#"{"id":"a-1","action":"login","actor":{"id":"x"}}"#;
    old.json(&["append", "-", "--json", "--tenant", "acme"], repeated);
    let holds = succeeded(&old.run(&["hold", "list", "--json"], ""))
        .stdout
        .clone();
    assert_eq!(
        String::from_utf8_lossy(&holds)
            .matches("\"matter\"")
            .count(),
        1
    );
    let requests = succeeded(&old.run(&["privacy", "list", "--json"], ""))
        .stdout
        .clone();
    assert!(String::from_utf8_lossy(&requests).contains("erasure"));
    for tenant in ["default", "acme"] {
        let report = old.json(&["verify", "--json", "--tenant", tenant], "");
        assert_eq!(report["ok"], true, "{report}");
    }
    let report = old.json(&["verify", "--json", "--against", &against], "");
    assert_eq!(report["ok"], true, "{report}");
}

/// 0.1.0 took events of applications under the names of the server's own statements. What is recorded stays evidence.
#[test]
fn events_under_reserved_names_are_still_read_exported_and_verified() {
    let old = Old::copy_of("reserved-action", "1795985842000");
    let report = old.json(&["verify", "--json"], "");
    assert_eq!(report["ok"], true, "{report}");
    let page = old.json(&["query", "--action", "trailkeep.hold.place", "--json"], "");
    assert_eq!(page["events"][0]["id"], "own-hold", "{page}");
    succeeded(&old.run(&["show", "own-export"], ""));
    let bundle = old.temporary.path().join("all.zip");
    let bundle = bundle.to_str().unwrap();
    succeeded(&old.run(&["export", "--out", bundle], ""));
    let key = format!("{DATA}/reserved-action.pem");
    let checked = trailkeep()
        .args(["bundle", "verify", bundle, "--key", &key])
        .output();
    succeeded(&checked.unwrap());
    // The same event again is still the same; a new one is refused.
    let same = r#"{"id":"own-read","action":"trailkeep.access","actor":{"id":"local"}}"#;
    let refused = old.run(&["append", "-"], same);
    assert!(
        said(&refused).contains("actions that begin with"),
        "{refused:?}"
    );
}

#[test]
fn data_subjects_of_the_first_release_are_compared_by_spelling_too() {
    let old = Old::copy();
    let page = old.json(&["query", "--json"], "");
    let events = page["events"].as_array().unwrap();
    let mut subjects = events
        .iter()
        .filter_map(|one| one["event"]["subjects"][0]["id"].as_str());
    let id = subjects.next().unwrap();
    let other = id.to_uppercase();
    assert_ne!(id, other);
    let erase = [
        "privacy",
        "erase",
        "--subject",
        &other,
        "--dry-run",
        "--json",
    ];
    let dry = old.json(&erase, "");
    assert_eq!(dry["held"]["as_subject"], 0, "{dry}");
    assert_eq!(dry["near"]["complete"], true, "{dry}");
    assert_eq!(dry["near"]["persons"].as_array().unwrap().len(), 1, "{dry}");
    let report = old.json(&["verify", "--json"], "");
    assert_eq!(report["ok"], true, "{report}");
}

#[test]
fn a_directory_of_a_later_release_is_refused_and_left_as_it_is() {
    for name in ["ledger.db", "vault.db"] {
        let old = Old::copy();
        let path = old.path.join(name);
        {
            let file = rusqlite::Connection::open(&path).unwrap();
            file.execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)")
                .unwrap();
        }
        let before = std::fs::read(&path).unwrap();
        let output = old.run(&["query"], "");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("later version of trailkeep (schema 99"),
            "{said}"
        );
        assert!(said.contains("install that version again"), "{said}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

/// The file with nothing in its log, to be copied or changed.
fn emptied(old: &Old) -> rusqlite::Connection {
    let vault = rusqlite::Connection::open(old.path.join("vault.db")).unwrap();
    vault
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    vault
}

#[test]
fn rows_of_the_first_release_are_bound_once_and_then_what_the_ledger_states() {
    let old = Old::copy();
    let unbound = |tenant: &str| {
        let report = old.json(&["verify", "--json", "--tenant", tenant], "");
        assert_eq!(report["ok"], true, "{report}");
        report["unbound"].as_u64().unwrap()
    };
    succeeded(&old.run(&["hold", "list"], ""));
    let before = ["default", "acme"].map(unbound);
    assert!(before[0] > 3 && before[1] > 0, "{before:?}");
    let holds = old.json(&["hold", "list", "--json"], "");
    let hold = holds["holds"][0]["id"].as_str().unwrap().to_owned();
    let kept = old.temporary.path().join("vault.db");
    drop(emptied(&old));
    std::fs::copy(old.path.join("vault.db"), &kept).unwrap();

    let bound = old.json(&["vault", "bind", "--json"], "");
    for (tenant, rows) in [("default", before[0]), ("acme", before[1])] {
        let mut all = bound["bound"].as_array().unwrap().iter();
        let said = all.find(|one| one["tenant"] == tenant).unwrap();
        assert_eq!(said["rows"], rows, "{bound}");
        assert_eq!(unbound(tenant), 0);
        // The statement names the rows, and says nothing of what is in them.
        let seq = said["statements"][0].to_string();
        let shown = old.run(&["show", &seq, "--json", "--tenant", tenant], "");
        let shown = String::from_utf8_lossy(&succeeded(&shown).stdout).into_owned();
        assert!(shown.contains("trailkeep.vault.bind"), "{shown}");
        assert_eq!(shown.contains(&hold), tenant == "default", "{shown}");
    }
    let again = old.json(&["vault", "bind", "--json"], "");
    assert_eq!(again["bound"], serde_json::json!([]), "{again}");
    // What is bound is changed by commands as before.
    let lift = ["hold", "lift", &hold, "--reason", "over"];
    succeeded(&old.run(&lift, ""));
    assert_eq!(unbound("default"), 0);

    // A row that the ledger states is missed by name.
    let path = old.path.join("vault.db");
    drop(emptied(&old));
    let whole = std::fs::read(&path).unwrap();
    let vault = emptied(&old);
    vault
        .execute("DELETE FROM sealed_record WHERE kind = 'hold'", [])
        .unwrap();
    drop(vault);
    let start = old.run(&["hold", "list"], "");
    assert_eq!(start.status.code(), Some(3), "{}", said(&start));
    let found = old.run(&["verify", "--json"], "");
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.contains(&format!("hold {hold}: entry")), "{found}");

    // The vault from before the rows were bound lacks the statement.
    std::fs::write(&path, whole).unwrap();
    drop(emptied(&old));
    std::fs::copy(&kept, &path).unwrap();
    let start = old.run(&["hold", "list"], "");
    assert_eq!(start.status.code(), Some(3), "{}", said(&start));
    assert!(
        said(&start).contains("trailkeep.vault.bind"),
        "{}",
        said(&start)
    );
}
