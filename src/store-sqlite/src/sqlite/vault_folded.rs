//! Folded tags of data subjects: what the spellings of one identifier have in common (docs/gdpr.md, "Near matches").
//! A person's row has at most one, which is deleted with it.

use rusqlite::{Connection, params};

use super::vault::Vault;
use trailkeep_ports::{StoreError, UnfoldedPerson};
use trailkeep_proof::ids::{LedgerNumber, Tag};

impl Vault {
    /// Persons of a ledger that have no folded row yet, at most `limit`: those of a file that an earlier version wrote.
    pub fn unfolded_persons(
        &self,
        ledger: LedgerNumber,
        limit: u32,
    ) -> Result<Vec<UnfoldedPerson>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> = self.file().read(|tx| {
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

    /// Keeps the folded tags of persons, or that they have none. A person who was deleted meanwhile gets none.
    pub fn put_folded(
        &self,
        ledger: LedgerNumber,
        rows: &[(i64, Option<Tag>)],
    ) -> Result<(), StoreError> {
        self.file().change(|tx| {
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
            put().map_err(|error| self.file().error(error))
        })
    }

    /// Numbers of folded rows of a ledger whose person is not there, at most `limit`.
    pub fn folded_of_nobody(
        &self,
        ledger: LedgerNumber,
        limit: u32,
    ) -> Result<Vec<i64>, StoreError> {
        self.file().read(|tx| {
            tx.prepare_cached(
                "SELECT person FROM person_folded WHERE ledger = ?1 AND NOT EXISTS
                 (SELECT 1 FROM person WHERE person.id = person_folded.person AND person.ledger = ?1) ORDER BY person LIMIT ?2",
            )?
            .query_map(params![ledger.get(), limit], |row| row.get(0))?
            .collect()
        })
    }

    /// The tags of the persons with a folded tag, at most `limit`.
    pub fn persons_folded_to(
        &self,
        ledger: LedgerNumber,
        folded: Tag,
        limit: u32,
    ) -> Result<Vec<Tag>, StoreError> {
        let tags: Vec<Vec<u8>> = self.file().read(|tx| {
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
pub(super) fn add(
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
