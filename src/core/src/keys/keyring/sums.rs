//! The key of the vault's sums: made once, sealed like every other secret, and needed to write a row at all.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::NO_LEDGER;
use trailkeep_crypto::secret::RecordKey;
use trailkeep_ports::{ChangedPart, RowMac, SealedRecordRow};

/// The kind of its record.
pub(crate) const KIND: &str = "row-key";
/// It is one.
const ID: &str = "vault";
/// What it is, to stand in an error.
const WHAT: &str = "the key of its sums";

/// Makes the hashes of rows.
struct RowKey(RecordKey);

impl RowMac for RowKey {
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Keyring {
    /// Makes the vault take writes, where its rows are summed up. One whose key or sums somebody took away stays closed
    /// to writes: [`Self::begin_sums`] refuses it, and verifying says so.
    pub(crate) fn keep_sums(&self) -> Result<(), KeyError> {
        match self.row_key() {
            Ok(Some(key)) if self.vault().has_sums()? => Ok(self.vault().keep_sums(key)?),
            Ok(_) | Err(KeyError::DoesNotOpen(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Begins the sums where they did not begin yet: in a new vault, and in one of an earlier version. `true` where they
    /// began just now.
    pub(crate) fn begin_sums(&self) -> Result<bool, KeyError> {
        let known = self.row_key()?;
        match (known, self.vault().has_sums()?) {
            (Some(_), true) => return Ok(false),
            (None, false) => {}
            _ => return Err(KeyError::DoesNotOpen(WHAT)),
        }
        let key = RecordKey::random()?;
        let (epoch, sealed) = self.seal(key.expose(), &records::place(KIND, "", ID))?;
        let row = SealedRecordRow {
            kind: KIND.to_owned(),
            ledger: NO_LEDGER,
            id: ID.to_owned(),
            epoch,
            sealed,
        };
        self.vault().begin_sums(Arc::new(RowKey(key)), &row)?;
        Ok(true)
    }

    /// The parts of the vault whose rows are not those that the program wrote. Of persons and data keys, where there are more
    /// than `large_max`, only the numbers are compared. None of a vault of an earlier version, which has no sums.
    pub(crate) fn changed_parts(&self, large_max: u64) -> Result<Vec<ChangedPart>, KeyError> {
        match (self.row_key()?, self.vault().has_sums()?) {
            (Some(key), true) => Ok(self.vault().changed_parts(&*key, large_max)?),
            (None, false) => Ok(Vec::new()),
            _ => Ok(vec![ChangedPart {
                part: "sums".to_owned(),
                written: 1,
                found: 0,
            }]),
        }
    }

    /// What makes the hashes of rows; none in a vault of an earlier version.
    pub(crate) fn row_key(&self) -> Result<Option<Arc<dyn RowMac>>, KeyError> {
        let rows = self.vault().records(KIND, NO_LEDGER)?;
        let Some(row) = rows.into_iter().find(|row| row.id == ID) else {
            return Ok(None);
        };
        let place = records::place(KIND, "", ID);
        let key = self.unseal(row.epoch, &row.sealed, &place, WHAT)?;
        let key = RecordKey::from_slice(&key).ok_or(KeyError::DoesNotOpen(WHAT))?;
        Ok(Some(Arc::new(RowKey(key))))
    }
}
