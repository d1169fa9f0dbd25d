//! The tables, indexes and triggers of a file are those of its version: one more or less, or another one under the same
//! name, changes what the program writes and reads without a row being touched.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::FileKind;

/// What a schema holds, by kind and name: the table that it is of, and its text.
type Objects = BTreeMap<(String, String), (String, Option<String>)>;

/// How the schema of a file differs from that of its version; none where it does not.
pub(super) fn difference(
    kind: &FileKind,
    connection: &Connection,
    version: usize,
) -> rusqlite::Result<Option<String>> {
    let expected = objects(&of_version(kind, version)?)?;
    let mut found = objects(connection)?;
    found.retain(|(what, name), (table, text)| {
        let may_grow = what == "table" && name == table;
        let text = text.as_deref().unwrap_or_default();
        !(may_grow && kind.grows.is_some_and(|is_own| is_own(name, text)))
    });
    let mut said = Vec::new();
    for (object, definition) in &expected {
        let (what, name) = object;
        match found.remove(object) {
            None => said.push(format!("lacks the {what} `{name}`")),
            Some(found) if found != *definition => {
                said.push(format!("has another {what} `{name}`"));
            }
            Some(_) => {}
        }
    }
    said.extend(
        found
            .into_keys()
            .map(|(what, name)| format!("has a {what} `{name}` that does not belong to it")),
    );
    Ok((!said.is_empty()).then(|| format!("was changed by hand: it {}", said.join(", "))))
}

/// An empty file of a version.
fn of_version(kind: &FileKind, version: usize) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    for migration in kind.migrations.iter().take(version) {
        connection.execute_batch(migration)?;
    }
    Ok(connection)
}

fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?
        .query_map([], |row| {
            let text: Option<String> = row.get(3)?;
            let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
            Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, text.map(words))))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    static KIND: FileKind = FileKind {
        name: "thing.db",
        application_id: 1_234,
        migrations: &[
            "CREATE TABLE thing (name TEXT UNIQUE); CREATE INDEX by_name ON thing (name);",
            "CREATE TRIGGER stays BEFORE DELETE ON thing BEGIN SELECT RAISE(ABORT, 'no'); END;
             ALTER TABLE thing ADD COLUMN size INTEGER;",
        ],
        hint: "none",
        cache_kib: 1_024,
        grows: Some(|name, text| text == format!("CREATE TABLE {name} (run INTEGER)")),
    };

    fn said_after(change: &str) -> Option<String> {
        let connection = of_version(&KIND, 2).unwrap();
        connection.execute_batch(change).unwrap();
        difference(&KIND, &connection, 2).unwrap()
    }

    #[test]
    fn every_change_of_the_schema_is_named() {
        assert_eq!(said_after(""), None);
        assert_eq!(said_after("CREATE TABLE run_7 (run INTEGER)"), None);
        for (change, said) in [
            ("DROP TRIGGER stays", "lacks the trigger `stays`"),
            ("DROP INDEX by_name", "lacks the index `by_name`"),
            ("CREATE TABLE run_7 (run TEXT)", "has a table `run_7` that"),
            ("CREATE VIEW other AS SELECT 1", "has a view `other` that"),
            (
                "CREATE TRIGGER more AFTER INSERT ON thing BEGIN DELETE FROM thing; END",
                "has a trigger `more` that",
            ),
            (
                "DROP TRIGGER stays; CREATE TRIGGER stays BEFORE DELETE ON thing BEGIN SELECT 1; END",
                "has another trigger `stays`",
            ),
            (
                "ALTER TABLE thing ADD COLUMN more",
                "has another table `thing`",
            ),
            ("DROP TABLE thing", "lacks the table `thing`"),
        ] {
            let found = said_after(change).unwrap();
            assert!(found.contains(said), "{change}: {found}");
        }
    }

    #[test]
    fn an_older_version_is_compared_with_itself() {
        let old = of_version(&KIND, 1).unwrap();
        assert_eq!(difference(&KIND, &old, 1).unwrap(), None);
        assert!(difference(&KIND, &old, 2).unwrap().is_some());
    }
}
