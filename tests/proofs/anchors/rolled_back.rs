//! Ledger and vault put back together to an older state: nothing here shows it, and whoever saw more does.

use super::*;
use crate::support::witness::Witness;
use crate::support::{Directory, said};

/// A ledger that a target has seen grow, and that was put back since.
fn rolled_back(sections: impl FnOnce(&Directory) -> String) -> (Directory, String) {
    let directory = Directory::new();
    append_some(&directory, "a", 3);
    let copy = beside(&directory, "older");
    copy_directory(&directory.path, &copy);
    append_some(&directory, "b", 3);
    let sections = sections(&directory);
    assert_eq!(anchor(&directory, &sections)[0].error, None);
    put_back(&directory, &copy);
    (directory, sections)
}

fn assert_stops(directory: &Directory, sections: &str, what: &str) {
    let outcomes = anchor(directory, sections);
    let error = outcomes[0].error.clone().unwrap();
    assert!(
        error.contains(what) && error.contains("rollback detected"),
        "{error}"
    );
    // The vault remembers it: other processes, with no target at all, refuse too.
    let refused = directory.run(&["key", "create", "--role", "reader"]);
    assert_eq!(refused.status.code(), Some(9));
    assert!(
        said(&refused).contains("rollback detected"),
        "{}",
        said(&refused)
    );
    let listed = directory.run(&["anchor", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    let why = listed["rolled_back"].as_str().unwrap();
    assert!(why.contains(what), "{why}");
}

#[test]
fn a_witness_that_has_seen_more_stops_the_ledger() {
    let mut witness = None;
    let (directory, sections) = rolled_back(|directory| {
        let made = witness.insert(Witness::new("witness.example/1", &[&ledger_key(directory)]));
        made.section("w1")
    });
    let size = directory.assert_clean()["size"].as_u64().unwrap();
    assert_stops(&directory, &sections, "`w1` has a checkpoint of");
    assert_eq!(directory.assert_clean()["size"], size);
}

#[test]
fn a_witness_that_has_seen_another_history_stops_the_ledger() {
    let mut witness = None;
    let (directory, sections) = rolled_back(|directory| {
        let made = witness.insert(Witness::new("witness.example/1", &[&ledger_key(directory)]));
        made.section("w1")
    });
    // It went on after the roll-back, beyond what the witness has seen.
    append_some(&directory, "c", 20);
    assert_stops(&directory, &sections, "`w1` has another history");
}

#[test]
fn a_directory_that_has_more_stops_the_ledger_and_is_not_written_over() {
    let place = tempfile::tempdir().unwrap();
    let section = format!(
        "[[anchor]]\nname = \"nas\"\ndirectory = \"{}\"\n",
        place.path().display()
    );
    let (directory, sections) = rolled_back(|_| section.clone());
    let newest = place.path().join(ORIGIN).join("checkpoint");
    let before = std::fs::read(&newest).unwrap();
    assert_stops(&directory, &sections, "entries, but the ledger has");
    assert_eq!(std::fs::read(&newest).unwrap(), before);
}

#[test]
fn a_directory_with_another_history_stops_the_ledger() {
    let place = tempfile::tempdir().unwrap();
    let section = format!(
        "[[anchor]]\nname = \"nas\"\ndirectory = \"{}\"\n",
        place.path().display()
    );
    let (directory, sections) = rolled_back(|_| section.clone());
    append_some(&directory, "c", 20);
    assert_stops(&directory, &sections, "`nas` has another history");
    // Its head, signed by the same key, is none of this ledger: a row that says so is a finding.
    let note = std::fs::read_to_string(place.path().join(ORIGIN).join("checkpoint")).unwrap();
    let size: i64 = note.lines().nth(1).unwrap().parse().unwrap();
    let ledger = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
    let row = "INSERT INTO anchored (ledger, size, cosigned, note) VALUES (1, ?1, 0, ?2)";
    ledger.execute(row, rusqlite::params![size, note]).unwrap();
    drop(ledger);
    let report = directory.verify();
    assert_eq!(report["findings"][0]["rule"], "anchored", "{report}");
}

#[test]
fn it_goes_on_once_what_was_rolled_back_is_there_again() {
    let directory = Directory::new();
    append_some(&directory, "a", 3);
    let (older, newer) = (beside(&directory, "older"), beside(&directory, "newer"));
    copy_directory(&directory.path, &older);
    append_some(&directory, "b", 3);
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let sections = witness.section("w1");
    anchor(&directory, &sections);
    copy_directory(&directory.path, &newer);
    put_back(&directory, &older);
    assert_stops(&directory, &sections, "`w1` has a checkpoint of");
    // The newest ledger with the vault that remembers the roll-back.
    std::fs::copy(newer.join("ledger.db"), directory.path.join("ledger.db")).unwrap();
    for stale in ["ledger.db-wal", "ledger.db-shm", "index.db"] {
        let _ = std::fs::remove_file(directory.path.join(stale));
    }
    std::fs::copy(newer.join("index.db"), directory.path.join("index.db")).unwrap();
    assert!(
        !directory
            .run(&["key", "create", "--role", "reader"])
            .status
            .success()
    );
    assert_eq!(anchor(&directory, &sections)[0].error, None);
    append_some(&directory, "c", 1);
    directory.assert_clean();
}

#[test]
fn what_is_lost_is_closed_and_continued() {
    let mut witness = None;
    let (directory, sections) = rolled_back(|directory| {
        let made = witness.insert(Witness::new("witness.example/1", &[&ledger_key(directory)]));
        made.section("w1")
    });
    assert_stops(&directory, &sections, "`w1` has a checkpoint of");
    let (backup, new) = (beside(&directory, "backup"), beside(&directory, "new"));
    let backup = backup.to_str().unwrap();
    succeeded(&directory.run(&["backup", "--out", backup]));
    std::fs::create_dir(&new).unwrap();
    std::fs::copy(directory.path.join("root.key"), new.join("root.key")).unwrap();
    let restored = crate::support::trailkeep()
        .args(["restore", "--continue", "--from", backup, "--to"])
        .arg(&new)
        .output()
        .unwrap();
    succeeded(&restored);
    // The next ledger is one that the witness does not know, and takes entries.
    let engine = open_at(&new, &sections);
    let outcomes = run(&engine.anchors, &default_tenant(&engine), Which::All).unwrap();
    let error = outcomes[0].error.clone().unwrap();
    assert!(
        error.contains("refuses checkpoints of this ledger"),
        "{error}"
    );
    assert!(default_tenant(&engine).active().rolled_back().is_none());
    engine.close().unwrap();
    drop(engine);
    let made = crate::support::trailkeep()
        .args(["key", "create", "--role", "reader", "--dir"])
        .arg(&new)
        .output();
    succeeded(&made.unwrap());
}

#[test]
fn a_target_that_errs_is_taken_out_and_the_operator_says_so() {
    let mut witness = None;
    let (directory, sections) = rolled_back(|directory| {
        let made = witness.insert(Witness::new("witness.example/1", &[&ledger_key(directory)]));
        made.section("w1")
    });
    assert_stops(&directory, &sections, "`w1` has a checkpoint of");
    let engine = open(&directory, &sections);
    let tenant = default_tenant(&engine);
    let stays = trailkeep_core::anchor::resume(&engine.anchors, &tenant, "local").unwrap_err();
    assert!(
        stays.to_string().contains("is still in the settings"),
        "{stays}"
    );
    engine.close().unwrap();
    drop((tenant, engine));
    assert_eq!(directory.run(&["anchor", "resume"]).status.code(), Some(2));
    let seq = directory.assert_clean()["size"].as_u64().unwrap();
    let resumed = directory.run(&["anchor", "resume", "--reviewed-history"]);
    succeeded(&resumed);
    append_some(&directory, "c", 1);
    directory.assert_clean();
    // It is recorded, and there is nothing more to resume.
    let shown = directory.run(&["show", &seq.to_string()]);
    assert!(String::from_utf8_lossy(&succeeded(&shown).stdout).contains("trailkeep.anchor.resume"));
    let again = directory.run(&["anchor", "resume", "--reviewed-history"]);
    assert!(String::from_utf8_lossy(&succeeded(&again).stdout).contains("was not stopped"));
}
