//! Whenever the first start or an `init` is ended, the next one finds nothing half made.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Directory, said, succeeded};

/// Starts a command and kills it after a while; whether it was still running.
fn killed_after(mut command: Command, wait: Duration) -> bool {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(wait);
    let was_running = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    let _ = child.wait();
    was_running
}

/// Waits that reach from the first instruction to behind the last; the numbers only have to differ.
fn waits() -> impl Iterator<Item = Duration> {
    (0..40_u64).map(|round| Duration::from_micros(2_000 + round * 5_500))
}

#[test]
fn a_first_start_that_is_killed_is_done_again() {
    let made = Directory::new();
    let before = made.path.with_file_name("before");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
    };
    copy(&made.path, &before);
    assert!(!made.path.join("staging.db").exists());
    let mut running = 0;
    for wait in waits() {
        std::fs::remove_dir_all(&made.path).unwrap();
        copy(&before, &made.path);
        let mut first = crate::support::trailkeep();
        first.args(["checkpoint", "--dir"]).arg(&made.path);
        running += u32::from(killed_after(first, wait));
        made.append(r#"{"id":"first","action":"test.append","actor":{"id":"tester"}}"#);
        made.assert_clean();
    }
    assert!(running > 5, "{running} first starts were ended");
}

#[test]
fn an_init_that_is_killed_anywhere_is_done_again_or_is_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("data");
    let init = || {
        let mut init = crate::support::trailkeep();
        init.args(["init", "--name", "audit.example.com", "--dir"])
            .arg(&path);
        init
    };
    for wait in waits() {
        let _ = std::fs::remove_dir_all(&path);
        killed_after(init(), wait);
        let again = init().output().unwrap();
        let is_whole = said(&again).contains("trailkeep key create");
        assert!(again.status.success() || is_whole, "{}", said(&again));
        let mut verify = crate::support::trailkeep();
        succeeded(
            &verify
                .args(["verify", "--dir"])
                .arg(&path)
                .output()
                .unwrap(),
        );
    }
}

#[test]
fn a_file_that_an_older_program_did_not_finish_is_named() {
    let directory = Directory::new();
    directory.append(r#"{"id":"first","action":"test.append","actor":{"id":"tester"}}"#);
    let staging = directory.path.join("staging.db");
    std::fs::remove_file(&staging).unwrap();
    // What 0.1.0 left of it: a header with our mark, and no table.
    let half = rusqlite::Connection::open(&staging).unwrap();
    half.execute_batch("PRAGMA page_size = 8192; PRAGMA application_id = 0x544B5347; VACUUM;")
        .unwrap();
    half.close().unwrap();
    let output = directory.run(&["checkpoint"]);
    assert!(
        said(&output).contains("was never completed"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("move it away"), "{}", said(&output));
    std::fs::remove_file(&staging).unwrap();
    succeeded(&directory.run(&["checkpoint"]));
}

#[test]
fn a_changed_schema_is_named_and_refused() {
    let directory = Directory::new();
    directory.append(r#"{"id":"first","action":"test.append","actor":{"id":"tester"}}"#);
    for (file, change, said_of_it) in [
        (
            "ledger.db",
            "DROP TRIGGER entry_is_never_changed",
            "lacks the trigger `entry_is_never_changed`",
        ),
        (
            "ledger.db",
            "DROP INDEX covered_by",
            "lacks the index `covered_by`",
        ),
        (
            "vault.db",
            "DROP TRIGGER person_insert_epoch",
            "lacks the trigger `person_insert_epoch`",
        ),
        (
            "vault.db",
            "CREATE TRIGGER more AFTER INSERT ON api_key BEGIN DELETE FROM sealed_record; END",
            "has a trigger `more`",
        ),
        (
            "index.db",
            "CREATE TABLE run_9 (key, seq)",
            "has a table `run_9`",
        ),
        (
            "staging.db",
            "ALTER TABLE part ADD COLUMN more INTEGER",
            "has another table `part`",
        ),
        (
            "staging.db",
            "DROP INDEX part_by_state",
            "lacks the index `part_by_state`",
        ),
    ] {
        let path = directory.path.join(file);
        let before = std::fs::read(&path).unwrap();
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch(change).unwrap();
        database.close().unwrap();
        for command in ["checkpoint", "verify"] {
            let output = directory.run(&[command]);
            assert_eq!(output.status.code(), Some(3), "{change}: {}", said(&output));
            assert!(
                said(&output).contains(said_of_it),
                "{change}: {}",
                said(&output)
            );
            assert!(said(&output).contains(file), "{change}: {}", said(&output));
        }
        std::fs::write(&path, before).unwrap();
        directory.assert_clean();
    }
}
