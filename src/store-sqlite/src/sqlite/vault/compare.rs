//! Comparing the rows of the vault with their sums.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::file::{part_hash, row_hash, sealing, state_mac};
use super::sum::RowSum;
use super::summed::summed;
use trailkeep_ports::{ChangedPart, RowMac};

/// The parts whose rows are not those that the program wrote.
pub(super) fn changed_parts(
    tx: &Connection,
    mac_key: &dyn RowMac,
    large_max: u64,
) -> rusqlite::Result<Vec<ChangedPart>> {
    let mut changed = Vec::new();
    let mut known: BTreeMap<String, (i64, RowSum)> = BTreeMap::new();
    let mut sum = RowSum::default();
    for (part, rows, part_sum) in sums(tx)? {
        // One that is no sum fits no rows.
        let part_sum = <[u8; 32]>::try_from(part_sum).unwrap_or_default();
        sum.add(&part_hash(mac_key, &part, rows, &part_sum));
        known.insert(part, (rows, RowSum::from(part_sum)));
    }
    let stored: Vec<(Vec<u8>, Vec<u8>)> = tx
        .prepare("SELECT sum, mac FROM row_state")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // Only the first row of `sealing` is read elsewhere.
    let sealings: i64 = tx.query_row("SELECT count(*) FROM sealing", [], |row| row.get(0))?;
    let is_written = sealings == 1 && {
        let mac = state_mac(mac_key, &sum.bytes(), sealing(tx)?);
        stored == [(sum.bytes().to_vec(), mac.to_vec())]
    };
    if !is_written {
        changed.push(ChangedPart {
            part: "sums".to_owned(),
            written: 1,
            found: stored.len() as u64,
        });
    }
    let large = large_parts(tx)?;
    let all = large.values().map(|rows| rows.unsigned_abs()).sum::<u64>() <= large_max;
    let counted = large.into_iter().filter(|_| !all);
    let summed = summed_up(tx, mac_key, all)?.into_iter();
    let summed = summed.map(|(part, (rows, sum))| (part, rows, Some(sum)));
    for (part, rows, sum) in summed.chain(counted.map(|(part, rows)| (part, rows, None))) {
        let written = known.remove(&part);
        let is_it =
            |(written, known): (i64, RowSum)| written == rows && sum.is_none_or(|sum| sum == known);
        if !written.is_some_and(is_it) {
            changed.push(ChangedPart {
                part,
                written: written.map_or(0, |(rows, _)| rows.unsigned_abs()),
                found: rows.unsigned_abs(),
            });
        }
    }
    changed.extend(known.into_iter().map(|(part, (rows, _))| ChangedPart {
        part,
        written: rows.unsigned_abs(),
        found: 0,
    }));
    Ok(changed)
}

/// The sums as they are written, by part.
fn sums(tx: &Connection) -> rusqlite::Result<Vec<(String, i64, Vec<u8>)>> {
    tx.prepare("SELECT part, rows, sum FROM row_sum")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// The parts of the large tables, and how many rows each has. An index answers that.
fn large_parts(tx: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut parts = BTreeMap::new();
    for table in summed().filter(|table| table.is_large) {
        let (part, name) = (table.part(""), table.name);
        let sql = format!("SELECT {part}, count(*) FROM main.{name} GROUP BY ledger");
        let mut statement = tx.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            parts.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(parts)
}

/// The rows as they are, by part.
pub(super) fn summed_up(
    tx: &Connection,
    mac_key: &dyn RowMac,
    all: bool,
) -> rusqlite::Result<BTreeMap<String, (i64, RowSum)>> {
    let mut parts: BTreeMap<String, (i64, RowSum)> = BTreeMap::new();
    for table in summed().filter(|table| all || !table.is_large) {
        let sql = format!(
            "SELECT {}, {} FROM main.{}",
            table.part(""),
            table.text(""),
            table.name
        );
        let mut statement = tx.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let part: String = row.get(0)?;
            let hash = row_hash(mac_key, &part, row.get_ref(1)?.as_str()?);
            let (count, sum) = parts.entry(part).or_default();
            *count += 1;
            sum.add(&hash);
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use trailkeep_ports::{RowSums, VaultStore};

    use super::super::{FILE, SqliteVault, VaultFile};
    use super::*;
    use crate::sqlite::Database;
    use trailkeep_ports::{NewDataKey, VaultChanges};
    use trailkeep_proof::ids::LedgerNumber;

    struct Xor;

    impl RowMac for Xor {
        fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
            let mut mac = [0; 32];
            for (at, byte) in parts.concat().iter().enumerate() {
                mac[at % 32] ^= byte.rotate_left(u32::try_from(at / 32).unwrap());
            }
            mac
        }
    }

    fn key(number: u64) -> NewDataKey {
        let row = trailkeep_ports::DataKeyRow {
            key_id: trailkeep_proof::ids::KeyId::new(number),
            ledger: LedgerNumber::new(1),
            person: 0,
            class: trailkeep_proof::ids::ClassNumber::new(1),
            period: format!("2026-W{number}"),
            epoch: 1,
            sealed: vec![7; 40],
        };
        NewDataKey { person: None, row }
    }

    /// The parts that differ after somebody ran this, with all rows read and with the large tables counted.
    fn differing_after(sql: &str) -> [Vec<(String, u64, u64)>; 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        SqliteVault::create(&path, &"a".repeat(32)).unwrap();
        let database = Database::open(&FILE, &path, &"a".repeat(32)).unwrap();
        let vault = SqliteVault {
            file: VaultFile::new(database),
        };
        vault.file.begin(Arc::new(Xor), |_| Ok(())).unwrap();
        let changes = VaultChanges {
            data_keys: (1..=3).map(key).collect(),
            ..VaultChanges::default()
        };
        vault.commit(&changes).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        [u64::MAX, 2].map(|large_max| {
            let changed = vault.changed_parts(&Xor, large_max).unwrap().into_iter();
            changed
                .map(|part| (part.part, part.written, part.found))
                .collect()
        })
    }

    #[test]
    fn a_row_more_or_less_is_counted_where_there_are_too_many_to_read() {
        let put = "INSERT INTO data_key SELECT 9, ledger, 9, class, period, epoch, sealed FROM data_key LIMIT 1;";
        let of_another = "INSERT INTO data_key SELECT 9, 4, 9, class, period, epoch, sealed FROM data_key LIMIT 1;";
        let taken = "DELETE FROM data_key WHERE key_id = 2;";
        let found = |part: &str, written, found| vec![(part.to_owned(), written, found)];
        assert_eq!(differing_after(""), [vec![], vec![]]);
        for (sql, part, written, rows) in [
            (put, "data-key/1", 3, 4),
            (taken, "data-key/1", 3, 2),
            (of_another, "data-key/4", 0, 1),
            ("DELETE FROM data_key", "data-key/1", 3, 0),
        ] {
            let [read, counted] = differing_after(sql);
            assert_eq!(read, found(part, written, rows), "{sql}");
            assert_eq!(counted, read, "{sql}");
        }
        // One for another: the number is as it was.
        let [read, counted] = differing_after(&(put.to_owned() + taken));
        assert_eq!(read, found("data-key/1", 3, 3));
        assert!(counted.is_empty());
        let [_, counted] = differing_after("DELETE FROM row_state");
        assert_eq!(counted, found("sums", 1, 0));
    }
}
