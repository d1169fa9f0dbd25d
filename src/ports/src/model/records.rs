//! Sealed records, API keys and ledgers of the vault.

use std::collections::BTreeSet;

use trailkeep_proof::ids::{LedgerNumber, Seq};

use super::refused;
use super::vault::{MemoryVault, Tables, next};
use crate::{
    ApiKeyRow, ApiKeys, AppliedRows, LedgerRecord, LedgerSecretRow, SealedRecordRow, SealedRecords,
    StoreError, VaultLedgers, Watermark,
};

impl Tables {
    pub(super) fn put_record(&mut self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.check(row.epoch)?;
        let number = self.record_number(&row.kind, row.ledger, &row.id);
        let number = number.unwrap_or_else(|| next(&self.records));
        self.records.insert(number, row.clone());
        Ok(())
    }

    fn record_number(&self, kind: &str, ledger: LedgerNumber, id: &str) -> Option<i64> {
        let mut records = self.records.iter();
        let found =
            records.find(|(_, row)| (&*row.kind, row.ledger, &*row.id) == (kind, ledger, id));
        found.map(|(number, _)| *number)
    }

    fn put_api_key(&mut self, row: &ApiKeyRow) -> Result<(), StoreError> {
        self.check(row.epoch)?;
        let number = self.api_key_number(&row.id);
        let number = number.unwrap_or_else(|| next(&self.api_keys));
        self.api_keys.insert(number, row.clone());
        Ok(())
    }

    fn api_key_number(&self, id: &str) -> Option<i64> {
        let mut keys = self.api_keys.iter();
        keys.find(|(_, key)| key.id == id)
            .map(|(number, _)| *number)
    }

    fn delete_record(&mut self, kind: &str, ledger: LedgerNumber, id: &str) {
        if let Some(number) = self.record_number(kind, ledger, id) {
            self.records.remove(&number);
        }
    }
}

impl SealedRecords for MemoryVault {
    fn put_record(&self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.change(|tables| tables.put_record(row))
    }

    fn put_note(&self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.note(|tables| tables.put_record(row))
    }

    fn apply(&self, rows: &AppliedRows) -> Result<(), StoreError> {
        self.change(|tables| {
            for row in &rows.records {
                tables.put_record(row)?;
            }
            for row in &rows.api_keys {
                tables.put_api_key(row)?;
            }
            for (kind, ledger, id) in &rows.taken {
                tables.delete_record(kind, *ledger, id);
            }
            let applied = tables.applied.entry(rows.ledger).or_insert(rows.seq);
            *applied = rows.seq.max(*applied);
            Ok(())
        })
    }

    fn applied(&self, ledger: LedgerNumber) -> Result<Option<Seq>, StoreError> {
        Ok(self.tables.lock().applied.get(&ledger).copied())
    }

    fn record(
        &self,
        kind: &str,
        ledger: LedgerNumber,
        id: &str,
    ) -> Result<Option<SealedRecordRow>, StoreError> {
        let tables = self.tables.lock();
        let number = tables.record_number(kind, ledger, id);
        Ok(number.map(|number| tables.records[&number].clone()))
    }

    fn records(
        &self,
        kind: &str,
        ledger: LedgerNumber,
    ) -> Result<Vec<SealedRecordRow>, StoreError> {
        let mut rows = self.records_of(ledger)?;
        rows.retain(|row| row.kind == kind);
        Ok(rows)
    }

    fn records_of(&self, ledger: LedgerNumber) -> Result<Vec<SealedRecordRow>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.records.values().filter(|row| row.ledger == ledger);
        let mut rows: Vec<SealedRecordRow> = rows.cloned().collect();
        rows.sort_by(|one, other| (&one.kind, &one.id).cmp(&(&other.kind, &other.id)));
        Ok(rows)
    }

    fn ledgers_with_records(&self) -> Result<Vec<LedgerNumber>, StoreError> {
        let tables = self.tables.lock();
        let ledgers: BTreeSet<_> = tables.records.values().map(|row| row.ledger).collect();
        Ok(ledgers.into_iter().collect())
    }

    fn delete_record(&self, kind: &str, ledger: LedgerNumber, id: &str) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.delete_record(kind, ledger, id);
            Ok(())
        })
    }
}

impl ApiKeys for MemoryVault {
    fn replace_api_key(&self, row: &ApiKeyRow) -> Result<(), StoreError> {
        self.change(|tables| {
            if tables.api_key_number(&row.id).is_some() {
                tables.put_api_key(row)?;
            }
            Ok(())
        })
    }

    fn version(&self) -> Option<u64> {
        Some(self.tables.lock().changes)
    }

    fn api_key(&self, id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        let tables = self.tables.lock();
        let number = tables.api_key_number(id);
        Ok(number.map(|number| tables.api_keys[&number].clone()))
    }

    fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        let tables = self.tables.lock();
        let mut keys: Vec<ApiKeyRow> = tables.api_keys.values().cloned().collect();
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(keys)
    }
}

impl VaultLedgers for MemoryVault {
    fn add_ledger(
        &self,
        ledger: &LedgerRecord,
        rows: &[LedgerSecretRow],
    ) -> Result<(), StoreError> {
        self.change(|tables| {
            let is_taken = |known: &LedgerRecord| {
                known.number == ledger.number || known.origin == ledger.origin
            };
            if tables.ledgers.values().any(is_taken) {
                return Err(refused("the ledger is there"));
            }
            tables.ledgers.insert(ledger.number, ledger.clone());
            for row in rows {
                tables.check(row.epoch)?;
                let mut secrets = tables.secrets.values();
                if secrets.any(|known| (known.ledger, &known.kind) == (row.ledger, &row.kind)) {
                    return Err(refused("the secret is there"));
                }
                tables.secrets.insert(next(&tables.secrets), row.clone());
            }
            Ok(())
        })
    }

    fn remove_ledger(&self, ledger: LedgerNumber, api_key: &str) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.ledgers.remove(&ledger);
            tables.secrets.retain(|_, row| row.ledger != ledger);
            tables.records.retain(|_, row| row.ledger != ledger);
            tables.watermarks.remove(&ledger);
            tables.applied.remove(&ledger);
            tables.api_keys.retain(|_, row| row.id != api_key);
            Ok(())
        })
    }

    fn ledger_secrets(&self, ledger: LedgerNumber) -> Result<Vec<LedgerSecretRow>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.secrets.values().filter(|row| row.ledger == ledger);
        Ok(rows.cloned().collect())
    }

    fn last_ledger(&self) -> Result<Option<LedgerNumber>, StoreError> {
        let tables = self.tables.lock();
        Ok(tables.secrets.values().map(|row| row.ledger).max())
    }

    fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError> {
        Ok(self.tables.lock().ledgers.values().cloned().collect())
    }

    fn watermark(&self, ledger: LedgerNumber) -> Result<Option<Watermark>, StoreError> {
        Ok(self.tables.lock().watermarks.get(&ledger).cloned())
    }

    fn set_watermark(&self, ledger: LedgerNumber, mark: &Watermark) -> Result<(), StoreError> {
        self.note(|tables| {
            tables.watermarks.insert(ledger, mark.clone());
            Ok(())
        })
    }
}
