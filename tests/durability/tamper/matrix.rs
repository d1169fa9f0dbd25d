//! Each row of each table of the vault is taken away, changed, or added a second time under another name: `verify` says in which
//! part of the vault.

use std::path::Path;

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};

use super::vault::{findings, is_clean, lived, places, tampered};
use super::{columns, copy_to, rows, scratch_directory, tables};

/// Cells that make a row another one: those of its keys.
fn keys_of(table: &str) -> &'static [usize] {
    match table {
        "data_key" | "person" | "ledger" => &[0, 2],
        "sealed_record" => &[2],
        _ => &[0],
    }
}

fn another(cell: &Cell) -> Cell {
    match cell {
        Cell::Integer(number) => Cell::Integer(number + 1_000),
        Cell::Text(text) => Cell::Text(format!("{text}.2")),
        Cell::Blob(bytes) => Cell::Blob(bytes.iter().map(|byte| byte ^ 1).collect()),
        other => other.clone(),
    }
}

/// What `verify` calls the part of the vault that a row belongs to.
fn part_of(table: &str, columns: &[String], row: &[Cell]) -> Vec<String> {
    let text = |name: &str| {
        let at = columns.iter().position(|column| column == name).unwrap();
        match &row[at] {
            Cell::Text(text) => text.clone(),
            Cell::Integer(number) => number.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let named = match table {
        "sealed_record" => format!("{}/{}", text("kind"), text("ledger")),
        "person" | "person_folded" | "data_key" | "ledger_secret" | "watermark" => {
            format!("{}/{}", table.replace('_', "-"), text("ledger"))
        }
        "row_sum" | "row_state" | "sealing" => "sums".to_owned(),
        table => table.replace('_', "-"),
    };
    // Without their key the sums say nothing of any part.
    let is_of_sums = named == "row-key/0";
    let sums = is_of_sums.then(|| "sums".to_owned());
    std::iter::once(named).chain(sums).collect()
}

/// Deletes, changes and adds; says what of that no finding names, and how much was done.
fn tried(original: &Path, scratch: &Path, table: &str, row: &[Cell]) -> (Vec<String>, usize) {
    let reader = Connection::open(original.join("vault.db")).unwrap();
    let columns = columns(&reader, table);
    let here = places(&columns, 1);
    let last = columns.last().unwrap();
    let changed = format!(
        "UPDATE {table} SET {last} = CASE typeof({last}) WHEN 'blob' THEN CAST({last} || x'00' AS BLOB) ELSE coalesce({last}, '') || '1' END WHERE {here}"
    );
    let values: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
    let added = format!("INSERT INTO {table} VALUES ({})", values.join(", "));
    let mut other = row.to_vec();
    for at in keys_of(table) {
        other[*at] = another(&row[*at]);
    }
    let (mut unnamed, mut done) = (Vec::new(), 0);
    for (sql, row) in [
        (format!("DELETE FROM {table} WHERE {here}"), row),
        (changed, row),
        (added, &other[..]),
    ] {
        let mut made = 0;
        let copy = tampered(original, scratch, |vault| {
            made = vault.execute(&sql, params_from_iter(row)).unwrap_or(0);
        });
        // What the types of the columns refuse can't be made.
        if made == 0 {
            continue;
        }
        done += 1;
        let found = findings(&copy);
        let is_named = match table {
            // A vault of another directory is not opened at all.
            "directory" => !is_clean(&copy),
            _ => part_of(table, &columns, row)
                .iter()
                .any(|part| found.contains(part)),
        };
        if !is_named {
            unnamed.push(format!("{sql}: {row:?}: {found}"));
        }
    }
    (unnamed, done)
}

#[test]
fn every_row_of_the_vault_taken_away_changed_or_added() {
    let lived = lived();
    let scratch = scratch_directory();
    let original = &lived.directory.path;
    assert!(is_clean(&copy_to(original, scratch.path())));
    let reader = Connection::open(original.join("vault.db")).unwrap();
    let (mut unnamed, mut total) = (Vec::new(), 0);
    for table in tables(&reader) {
        let columns = columns(&reader, &table);
        for row in rows(&reader, &table, &columns) {
            let (of_row, done) = tried(original, scratch.path(), &table, &row);
            unnamed.extend(of_row);
            total += done;
        }
    }
    assert!(total > 90, "only {total}");
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}
