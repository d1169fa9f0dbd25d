//! Persons, and the folded tags of those who are data subjects: what the spellings of one identifier have in common
//! (docs/gdpr.md, "Near matches"). A person's row has at most one, which is deleted with it.

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteVault;
use trailkeep_ports::{PersonRow, Persons, StoreError, UnfoldedPerson};
use trailkeep_proof::ids::{LedgerNumber, Tag};

impl Persons for SqliteVault {
    fn person(&self, ledger: LedgerNumber, tag: Tag) -> Result<Option<PersonRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT id, epoch, sealed FROM person WHERE ledger = ?1 AND tag = ?2",
            )?
            .query_row(params![ledger.get(), &tag.as_bytes()[..]], |row| {
                Ok(PersonRow {
                    id: row.get(0)?,
                    epoch: row.get(1)?,
                    sealed: row.get(2)?,
                })
            })
            .optional()
        })
    }

    fn person_tags(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT id, tag FROM person WHERE ledger = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map(params![ledger.get(), after, limit], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect()
        })
    }

    fn person_tag(&self, person: i64) -> Result<Option<Tag>, StoreError> {
        self.file.read(|tx| {
            let tag: Option<Vec<u8>> = tx
                .prepare_cached("SELECT tag FROM person WHERE id = ?1")?
                .query_row([person], |row| row.get(0))
                .optional()?;
            Ok(tag.and_then(|tag| Tag::from_slice(&tag)))
        })
    }

    fn person_has_keys(&self, ledger: LedgerNumber, person: i64) -> Result<bool, StoreError> {
        self.file.read(|tx| {
            let found: Option<i64> = tx
                .prepare_cached("SELECT 1 FROM data_key WHERE ledger = ?1 AND person = ?2 LIMIT 1")?
                .query_row(params![ledger.get(), person], |row| row.get(0))
                .optional()?;
            Ok(found.is_some())
        })
    }

    fn delete_persons(&self, persons: &[i64]) -> Result<(), StoreError> {
        if persons.is_empty() {
            return Ok(());
        }
        self.file.change(|tx| {
            let delete = || -> rusqlite::Result<()> {
                let mut delete = tx.prepare_cached("DELETE FROM person WHERE id = ?1")?;
                let mut folded =
                    tx.prepare_cached("DELETE FROM person_folded WHERE person = ?1")?;
                for person in persons {
                    delete.execute([person])?;
                    folded.execute([person])?;
                }
                Ok(())
            };
            delete().map_err(|error| self.file.error(error))
        })
    }

    fn unfolded_persons(
        &self,
        ledger: LedgerNumber,
        limit: u32,
    ) -> Result<Vec<UnfoldedPerson>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> = self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT id, tag FROM person WHERE ledger = ?1 AND NOT EXISTS
                 (SELECT 1 FROM person_folded WHERE person_folded.person = person.id) ORDER BY id LIMIT ?2",
            )?
            .query_map(params![ledger.get(), limit], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect()
        })?;
        let row = |(id, tag): (i64, Vec<u8>)| {
            let tag = Tag::from_slice(&tag)?;
            Some(UnfoldedPerson { id, tag })
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }

    fn put_folded(
        &self,
        ledger: LedgerNumber,
        rows: &[(i64, Option<Tag>)],
    ) -> Result<(), StoreError> {
        self.file.change(|tx| {
            let put = || -> rusqlite::Result<()> {
                for (person, folded) in rows {
                    let folded = folded.as_ref().map(|tag| &tag.as_bytes()[..]);
                    tx.prepare_cached(
                        "INSERT OR IGNORE INTO person_folded (person, ledger, folded)
                         SELECT id, ledger, ?3 FROM person WHERE id = ?1 AND ledger = ?2",
                    )?
                    .execute(params![person, ledger.get(), folded])?;
                }
                Ok(())
            };
            put().map_err(|error| self.file.error(error))
        })
    }

    fn folded_of_nobody(&self, ledger: LedgerNumber, limit: u32) -> Result<Vec<i64>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT person FROM person_folded WHERE ledger = ?1 AND NOT EXISTS
                 (SELECT 1 FROM person WHERE person.id = person_folded.person AND person.ledger = ?1) ORDER BY person LIMIT ?2",
            )?
            .query_map(params![ledger.get(), limit], |row| row.get(0))?
            .collect()
        })
    }

    fn persons_folded_to(
        &self,
        ledger: LedgerNumber,
        folded: Tag,
        limit: u32,
    ) -> Result<Vec<Tag>, StoreError> {
        let tags: Vec<Vec<u8>> = self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT person.tag FROM person_folded JOIN person ON person.id = person_folded.person
                 WHERE person_folded.ledger = ?1 AND person_folded.folded = ?2 ORDER BY person.id LIMIT ?3",
            )?
            .query_map(params![ledger.get(), &folded.as_bytes()[..], limit], |row| row.get(0))?
            .collect()
        })?;
        Ok(tags.iter().filter_map(|tag| Tag::from_slice(tag)).collect())
    }
}

/// The folded row of a person who was added just now.
pub(super) fn add_folded(
    tx: &Connection,
    (person, ledger): (i64, LedgerNumber),
    folded: Option<&Tag>,
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO person_folded (person, ledger, folded) VALUES (?1, ?2, ?3)")?
        .execute(params![
            person,
            ledger.get(),
            folded.map(|tag| &tag.as_bytes()[..])
        ])
        .map(drop)
}
