//! The vault's tables whose rows are summed up, and how each row becomes a text.

/// A table whose rows are summed up.
pub(super) struct Summed {
    pub(super) name: &'static str,
    /// The part that a row belongs to, in SQL; `{row}` stands before each column.
    part: &'static str,
    columns: &'static [&'static str],
    /// Whether it may have hundreds of thousands of rows: then a start counts them, and verifying reads them.
    pub(super) is_large: bool,
}

/// All tables but the sums themselves and `sealing`, which the MAC covers.
const SUMMED: [Summed; 10] = [
    table("directory", "'directory'", &["id"]),
    large(
        "person",
        "'person/' || {row}ledger",
        &["id", "ledger", "tag", "epoch", "sealed"],
    ),
    large(
        "person_folded",
        "'person-folded/' || {row}ledger",
        &["person", "ledger", "folded"],
    ),
    large(
        "data_key",
        "'data-key/' || {row}ledger",
        &[
            "key_id", "ledger", "person", "class", "period", "epoch", "sealed",
        ],
    ),
    table(
        "ledger_secret",
        "'ledger-secret/' || {row}ledger",
        &["ledger", "kind", "key_id", "epoch", "sealed"],
    ),
    table("api_key", "'api-key'", &["id", "epoch", "sealed"]),
    table(
        "watermark",
        "'watermark/' || {row}ledger",
        &["ledger", "size", "root", "seen_at_ms"],
    ),
    table(
        "sealed_record",
        "{row}kind || '/' || {row}ledger",
        &["kind", "ledger", "id", "epoch", "sealed"],
    ),
    table("ledger", "'ledger'", &["number", "tenant", "origin"]),
    table(
        "copy_state",
        "'copy-state'",
        &[
            "target",
            "changes",
            "rows_epoch",
            "key_epoch",
            "copied_at_ms",
            "failed_at_ms",
            "error",
        ],
    ),
];
/// Which statements the rows have taken in.
const APPLIED: Summed = table("applied", "'applied'", &["ledger", "seq"]);

const fn table(name: &'static str, part: &'static str, columns: &'static [&'static str]) -> Summed {
    Summed {
        name,
        part,
        columns,
        is_large: false,
    }
}

const fn large(name: &'static str, part: &'static str, columns: &'static [&'static str]) -> Summed {
    Summed {
        is_large: true,
        ..table(name, part, columns)
    }
}

pub(super) fn summed() -> impl Iterator<Item = &'static Summed> {
    SUMMED.iter().chain([&APPLIED])
}

impl Summed {
    pub(super) fn part(&self, row: &str) -> String {
        self.part.replace("{row}", row)
    }

    /// One text that two different rows can't share: `quote` keeps types and contents apart.
    pub(super) fn text(&self, row: &str) -> String {
        let quoted: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("quote({row}{column})"))
            .collect();
        quoted.join(" || ',' || ")
    }

    pub(super) fn triggers(&self) -> String {
        let name = self.name;
        let note = |row: &str, sign: i64| {
            let (part, text) = (self.part(row), self.text(row));
            format!("INSERT INTO changed_row (part, sign, text) VALUES ({part}, {sign}, {text});")
        };
        let (added, taken) = (note("NEW.", 1), note("OLD.", -1));
        format!(
            "CREATE TEMP TRIGGER {name}_added AFTER INSERT ON main.{name} BEGIN {added} END;
             CREATE TEMP TRIGGER {name}_changed AFTER UPDATE ON main.{name} BEGIN {taken} {added} END;
             CREATE TEMP TRIGGER {name}_taken AFTER DELETE ON main.{name} BEGIN {taken} END;"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::FILE;
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn every_column_of_every_table_is_summed() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&FILE.migrations.concat()).unwrap();
        let mut tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        tables.retain(|name| !matches!(name.as_str(), "row_sum" | "row_state" | "sealing"));
        let mut known: Vec<&str> = summed().map(|table| table.name).collect();
        known.sort_unstable();
        assert_eq!(tables, known);
        for table in summed() {
            let columns: Vec<String> = connection
                .prepare(&format!(
                    "SELECT name FROM pragma_table_info('{}')",
                    table.name
                ))
                .unwrap()
                .query_map([], |row| row.get(0))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert_eq!(columns, table.columns, "{}", table.name);
        }
    }
}
