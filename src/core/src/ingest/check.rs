//! Whether what waits is what came: each text opens under the key of its day in its place, and its row says of it what it
//! says itself.

use std::collections::BTreeMap;

use crate::ingest::flush::place_of_event;
use crate::ingest::intake::{PartTags, place_of_part};
use crate::ingest::keys::{DAY_MS, all_of};
use crate::keys::keyring::{KeyError, Keyring};
use trailkeep_crypto::secret::{DataKey, IndexKey};
use trailkeep_crypto::staged::open_staged;
use trailkeep_otlp::classify::{Keep, is_about_a_person};
use trailkeep_otlp::telemetry::Part;
use trailkeep_ports::{LedgerRecord, PartRow, StagedText, Staging};
use trailkeep_proof::ids::Tag;

/// Rows that are read at once.
const ROWS_PER_READ: u32 = 500;

/// What is wrong with a row, without a word of its text.
pub(crate) struct Fault {
    /// Whether nothing was changed as far as is known: the vault does not have the key of the day.
    pub(crate) is_missing_key: bool,
    /// The table and the row, and what is wrong.
    pub(crate) detail: String,
}

/// Checks all that waits of a ledger. A server may run: what went meanwhile is no fault.
pub(crate) fn check(
    (keyring, file): (&Keyring, &Staging),
    ledger: &LedgerRecord,
    index_key: &IndexKey,
    found: &mut dyn FnMut(Fault),
) -> Result<(), KeyError> {
    let mut check = Check {
        keyring,
        file,
        ledger,
        index_key,
        keys: all_of(keyring, ledger)?,
    };
    let mut after = i64::MIN;
    loop {
        let rows = file.part_rows(ledger.number, after, ROWS_PER_READ)?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in &rows {
            check.twice("part", &row.text, found, |check| check.part(row))?;
        }
    }
    after = i64::MIN;
    loop {
        let rows = file.assembled_rows(ledger.number, after, ROWS_PER_READ)?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in &rows {
            check.twice("assembled", row, found, |check| check.assembled(row))?;
        }
    }
    Ok(())
}

struct Check<'a> {
    keyring: &'a Keyring,
    file: &'a Staging,
    ledger: &'a LedgerRecord,
    index_key: &'a IndexKey,
    keys: BTreeMap<i64, DataKey>,
}

/// Why a row is not right.
enum Wrong {
    KeyMissing,
    Is(&'static str),
}

impl Check<'_> {
    /// A key may have come since the keys were read, and the row may have become an event.
    fn twice(
        &mut self,
        table: &str,
        row: &StagedText,
        found: &mut dyn FnMut(Fault),
        judge: impl Fn(&Self) -> Result<(), Wrong>,
    ) -> Result<(), KeyError> {
        if judge(self).is_ok() {
            return Ok(());
        }
        self.keys = all_of(self.keyring, self.ledger)?;
        let Err(wrong) = judge(self) else {
            return Ok(());
        };
        if !self.file.still_has(row)? {
            return Ok(());
        }
        let (is_missing_key, what) = match wrong {
            Wrong::KeyMissing => (true, "the vault does not have the staging key of its day"),
            Wrong::Is(what) => (false, what),
        };
        let id = row.id;
        found(Fault {
            is_missing_key,
            detail: format!("staging.db, table {table}, row {id}: {what}"),
        });
        Ok(())
    }

    fn open(&self, row: &StagedText, place: &str) -> Result<Vec<u8>, Wrong> {
        let opens = |key: &DataKey| open_staged(key, &row.sealed, place).ok();
        let of_day = self.keys.get(&row.day);
        if let Some(text) = of_day.and_then(opens) {
            return Ok(text.to_vec());
        }
        if self.keys.values().any(|key| opens(key).is_some()) {
            return Err(Wrong::Is("it is encrypted under the key of another day"));
        }
        Err(match of_day {
            Some(_) => Wrong::Is("its payload cannot be decrypted in its place"),
            None => Wrong::KeyMissing,
        })
    }

    fn part(&self, row: &PartRow) -> Result<(), Wrong> {
        let [tag, trace, span, answer] = &row.tags;
        let tag = tag.as_deref().and_then(Tag::from_slice);
        let tag = tag.ok_or(Wrong::Is("its tag is not valid"))?;
        let day_ms = DAY_MS.cast_signed();
        if row.arrived_at_ms.div_euclid(day_ms) != row.text.day {
            return Err(Wrong::Is("it did not arrive on the day of its key"));
        }
        let text = self.open(&row.text, &place_of_part(self.ledger, tag))?;
        let part = serde_json::from_slice::<Part>(&text);
        let part = part.map_err(|_| Wrong::Is("its payload is not telemetry"))?;
        let tags = PartTags::of(self.index_key, &part, &text);
        let is = |stored: &Option<Vec<u8>>, tag: Option<Tag>| {
            stored.as_deref() == tag.as_ref().map(|tag| &tag.as_bytes()[..])
        };
        let fits = tags.part == tag
            && is(trace, Some(tags.trace))
            && is(span, Some(tags.span))
            && is(answer, tags.answer);
        if !fits {
            return Err(Wrong::Is("its tags do not match its payload"));
        }
        if row.is_root != i64::from(part.is_local_root()) {
            return Err(Wrong::Is(
                "its end-of-trace mark does not match its payload",
            ));
        }
        match row.state {
            0 => Ok(()),
            // Which spans become events is a setting: with the one that makes the fewest, the most are kept.
            1 if is_about_a_person(&part, Keep::Calls) => Ok(()),
            1 => Err(Wrong::Is("it is kept for later calls, but names no user")),
            2 => Err(Wrong::Is(
                "it is marked as not decryptable, but it can be decrypted",
            )),
            _ => Err(Wrong::Is("its state is not valid")),
        }
    }

    fn assembled(&self, row: &StagedText) -> Result<(), Wrong> {
        let text = self.open(row, &place_of_event(self.ledger))?;
        match serde_json::from_slice::<serde_json::Value>(&text) {
            Ok(serde_json::Value::Object(_)) => Ok(()),
            _ => Err(Wrong::Is("its payload is not an event")),
        }
    }
}
