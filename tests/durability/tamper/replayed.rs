//! Each row of each table of the vault is put back as it was before it changed, or before it was destroyed: the next start is
//! refused, and `verify` names the row, or the part of it where the row has no name.

use std::collections::BTreeSet;

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};

use super::vault::{findings, is_clean, lived, refuses_to_start, run_on, tampered};
use super::{columns, copy_to, rows, scratch_directory, tables};
use crate::support::{Clocked, said, succeeded};

/// Tables of one row, or of rows without a name of their own.
const WITHOUT_KEY: [&str; 3] = ["directory", "row_state", "sealing"];

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string(),
        _ => String::new(),
    }
}

/// What the findings say of a row that was put back.
fn named(table: &str, row: &[Cell]) -> String {
    let [first, second] = [0, 1].map(|at| row.get(at).map(text).unwrap_or_default());
    match table {
        "data_key" => format!("data_key {:016x} of class", first.parse::<i64>().unwrap()),
        "person" => format!("person row {first}: no event names this data subject"),
        "person_folded" => format!("person_folded row {first}: its data subject does not exist"),
        "api_key" => format!("api-key {first}: it is from entry"),
        "watermark" => format!("watermark/{first}"),
        "applied" | "ledger" => table.to_owned(),
        "copy_state" => "copy-state".to_owned(),
        "row_sum" | "row_state" | "sealing" => "sums".to_owned(),
        "sealed_record" => match first.as_str() {
            // Their ids say whom or what they are about.
            "trigger" => "trigger ".to_owned(),
            "hold" | "settings" | "privacy-request" => {
                let id = text(&row[2]);
                format!("{first} {id}: it is from entry")
            }
            kind => format!("{kind}/{second}"),
        },
        other => panic!("no row of {other} changes"),
    }
}

/// Puts a row in the place of what is there under its key.
fn put(vault: &Connection, table: &str, columns: &[String], row: &[Cell]) {
    let places = |between: &str| {
        let named = columns.iter().enumerate();
        let named = named.map(|(at, name)| match between {
            "" => format!("?{}", at + 1),
            sign => format!("{name} {sign} ?{}", at + 1),
        });
        named.collect::<Vec<_>>().join(", ")
    };
    let sql = if WITHOUT_KEY.contains(&table) {
        format!("UPDATE {table} SET {}", places("="))
    } else {
        format!("INSERT OR REPLACE INTO {table} VALUES ({})", places(""))
    };
    assert_eq!(
        vault.execute(&sql, params_from_iter(row)).unwrap(),
        1,
        "{table}"
    );
}

#[test]
fn every_row_of_the_vault_put_back_as_it_was() {
    let lived = lived();
    let scratch = scratch_directory();
    let original = &lived.directory.path;
    assert!(is_clean(&copy_to(original, scratch.path())));
    let now = Connection::open(original.join("vault.db")).unwrap();
    let then = Connection::open(lived.older.path().join("copy/vault.db")).unwrap();
    let (mut wrong, mut put_back) = (Vec::new(), BTreeSet::new());
    for table in tables(&then) {
        let columns = columns(&then, &table);
        let is_now = rows(&now, &table, &columns);
        for row in rows(&then, &table, &columns) {
            if is_now.contains(&row) {
                continue;
            }
            let copy = tampered(original, scratch.path(), |vault| {
                put(vault, &table, &columns, &row);
            });
            let what = match table.as_str() {
                "sealed_record" => text(&row[0]),
                table => table.to_owned(),
            };
            if !refuses_to_start(&copy) {
                wrong.push(format!(
                    "{what}: {}",
                    said(&run_on(&copy, &["hold", "list"]))
                ));
            }
            let (named, found) = (named(&table, &row), findings(&copy));
            if !found.contains(&named) {
                wrong.push(format!("{what}: {named} is not in {found}"));
            }
            put_back.insert(what);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for what in [
        "api_key",
        "applied",
        "data_key",
        "hold",
        "person",
        "person_folded",
        "privacy-request",
        "row_state",
        "row_sum",
        "sealing",
        "settings",
        "trigger",
        "watermark",
    ] {
        assert!(put_back.contains(what), "{what}: {put_back:?}");
    }
}

#[test]
fn what_an_erasure_destroyed_is_not_put_back() {
    let lived = lived();
    let scratch = scratch_directory();
    let original = &lived.directory.path;
    let then = lived.older.path().join("copy/vault.db");
    // All that the vault had of the person, at once: the rows fit each other.
    let copy = tampered(original, scratch.path(), |vault| {
        let then = then.to_str().unwrap();
        vault.execute("ATTACH ?1 AS older", [then]).unwrap();
        let mut made = 0;
        for table in ["person", "person_folded", "data_key"] {
            let sql = format!("INSERT OR IGNORE INTO {table} SELECT * FROM older.{table}");
            made += vault.execute(&sql, []).unwrap();
        }
        vault.execute_batch("DETACH older").unwrap();
        assert_eq!(made, 3);
    });
    let start = run_on(&copy, &["hold", "list"]);
    assert_eq!(start.status.code(), Some(3), "{}", said(&start));
    for part in ["data-key/1", "person/1", "person-folded/1"] {
        assert!(said(&start).contains(part), "{}", said(&start));
    }
    let found = findings(&copy);
    for named in ["data_key ", "person row "] {
        assert!(found.contains(named), "{found}");
    }
}

#[test]
fn what_an_expiry_destroyed_is_not_put_back() {
    let clocked = Clocked::at("2026-01-05T10:00:00Z");
    let event = r#"{"id":"e","action":"a.b","actor":{"id":"bot"},"subjects":[{"id":"anna"}]}"#;
    clocked.append(event);
    let older = scratch_directory();
    let vault = clocked.directory.path.join("vault.db");
    let then = older.path().join("vault.db");
    std::fs::copy(&vault, &then).unwrap();
    clocked.set("2026-06-01T10:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 1);
    clocked.verify();
    let now = std::fs::read(&vault).unwrap();
    let start = || clocked.output(&["hold", "list"]);

    // The whole vault: it lacks the statement.
    std::fs::copy(&then, &vault).unwrap();
    assert_eq!(start().status.code(), Some(3), "{}", said(&start()));
    assert!(
        said(&start()).contains("trailkeep.retention.expiry"),
        "{}",
        said(&start())
    );

    // The key alone.
    std::fs::write(&vault, now).unwrap();
    succeeded(&start());
    let file = Connection::open(&vault).unwrap();
    file.execute("ATTACH ?1 AS older", [then.to_str().unwrap()])
        .unwrap();
    let put = "INSERT INTO data_key SELECT * FROM older.data_key";
    assert_eq!(file.execute(put, []).unwrap(), 1);
    file.close().unwrap();
    assert_eq!(start().status.code(), Some(3), "{}", said(&start()));
    assert!(
        said(&start()).contains("`data-key/1` (0 rows written, 1 found)"),
        "{}",
        said(&start())
    );
    let found = clocked.output(&["verify", "--json"]);
    assert_eq!(found.status.code(), Some(3), "{}", said(&found));
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.contains("no event is encrypted under it"), "{found}");
}
