//! A ledger as the running program knows it: its names, its keys, and its published head.

use std::sync::Arc;
use std::sync::OnceLock;

use ed25519_dalek::SigningKey;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::keys::keyring::{KeyError, Keyring};
use crate::tenant::Successor;
use crate::tenant::classes::ClassBook;
use crate::tenant::deletion::Tombstones;
use crate::tenant::metering::Metering;
use crate::tenant::prompts::Prompts;
use crate::tenant::rolled_back::RolledBack;
use crate::tenant::settings::TenantSettings;
use trailkeep_crypto::payload::NumberedKey;
use trailkeep_crypto::secret::{DataKey, IndexKey};
use trailkeep_ports::LedgerSecretRow;
use trailkeep_ports::Ledgers;
use trailkeep_ports::{LedgerRecord, StoreError, StoredCheckpoint};
use trailkeep_proof::ids::KeyId;
use trailkeep_proof::ids::{LedgerNumber, Seq, TreeHash};
use trailkeep_proof::ledger::checkpoint::{Checkpoint, CheckpointError};
use trailkeep_proof::ledger::entry::leaf_hash;
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::proof::{Receipt, ReceiptError};
use trailkeep_proof::ledger::tile::inclusion_path;
use trailkeep_proof::ledger::tile::{
    EdgeTiles, TILE_WIDTH, TileCoordinate, TileSource, hashes_from_bytes, tile_root,
};
use trailkeep_proof::time::UnixMillis;

/// A ledger and its keys.
pub struct Ledger {
    /// Number, tenant and origin.
    pub record: LedgerRecord,
    /// Makes look-up tags.
    pub index_key: IndexKey,
    /// Seals system events; never destroyed.
    pub system_key: NumberedKey,
    /// Checks this ledger's signatures.
    pub verifier: VerifierKey,
    /// Its retention classes.
    pub classes: ClassBook,
    /// The statements by which texts went.
    pub tombstones: Tombstones,
    settings: RwLock<Arc<TenantSettings>>,
    prompts: RwLock<Arc<Prompts>>,
    published: RwLock<Arc<Published>>,
    pub(crate) successor: OnceLock<Successor>,
    rolled_back: RwLock<Option<Arc<RolledBack>>>,
    anchoring: Mutex<()>,
    metering: RwLock<Option<Arc<Metering>>>,
}

/// The head of a ledger that is on disk: what may leave the process.
#[derive(Debug)]
pub struct Published {
    /// Size, root and signed note.
    pub head: StoredCheckpoint,
    /// The right edge of the tree of that size.
    pub edge: EdgeTiles,
    /// When its last entry was recorded.
    pub last_recorded_at: UnixMillis,
    checked: OnceLock<Checkpoint>,
}

impl Published {
    pub(crate) fn new(
        head: StoredCheckpoint,
        edge: EdgeTiles,
        last_recorded_at: UnixMillis,
    ) -> Self {
        Self {
            head,
            edge,
            last_recorded_at,
            checked: OnceLock::new(),
        }
    }

    /// The head as its signed note says it. The signature is checked for the first receipt under the head, and holds for
    /// all of them.
    fn checked(&self, verifier: &VerifierKey) -> Result<&Checkpoint, CheckpointError> {
        if let Some(checked) = self.checked.get() {
            return Ok(checked);
        }
        let opened = Checkpoint::open(&self.head.note, verifier)?;
        Ok(self.checked.get_or_init(|| opened))
    }
}

/// The secrets of a ledger, opened.
pub struct LedgerKeys {
    /// Signs checkpoints, bundles and certificates.
    pub signing: SigningKey,
    /// Makes look-up tags.
    pub index: IndexKey,
    /// Seals system events.
    pub system: NumberedKey,
}

impl Ledger {
    /// A ledger with the head that is on disk.
    pub fn new(
        record: LedgerRecord,
        keys: &LedgerKeys,
        (classes, tombstones): (ClassBook, Tombstones),
        settings: TenantSettings,
        published: Published,
    ) -> Self {
        let verifier =
            VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
        Self {
            verifier,
            index_key: keys.index.clone(),
            system_key: keys.system.clone(),
            classes,
            tombstones,
            settings: RwLock::new(Arc::new(settings)),
            prompts: RwLock::default(),
            published: RwLock::new(Arc::new(published)),
            successor: OnceLock::new(),
            rolled_back: RwLock::default(),
            anchoring: Mutex::default(),
            metering: RwLock::default(),
            record,
        }
    }

    /// What is set for the tenant: of a superseded ledger too, what holds now.
    pub fn settings(&self) -> Arc<TenantSettings> {
        let settings = self.recorder().settings.read();
        Arc::clone(&settings)
    }

    /// Takes other settings, once they are recorded.
    pub(crate) fn set_settings(&self, settings: TenantSettings) {
        let mut current = self.settings.write();
        *current = Arc::new(settings);
    }

    /// The prompts of the tenant: of a superseded ledger too, those of now.
    pub fn prompts(&self) -> Arc<Prompts> {
        let prompts = self.recorder().prompts.read();
        Arc::clone(&prompts)
    }

    /// Takes other prompts, once they are recorded.
    pub(crate) fn set_prompts(&self, prompts: Prompts) {
        let mut current = self.prompts.write();
        *current = Arc::new(prompts);
    }

    /// What somebody outside has seen of it that is not there: it takes no entry.
    pub fn rolled_back(&self) -> Option<Arc<RolledBack>> {
        let known = self.rolled_back.read();
        known.clone()
    }

    /// Stops it, or lets it go on.
    pub(crate) fn set_rolled_back(&self, found: Option<Arc<RolledBack>>) {
        let mut known = self.rolled_back.write();
        *known = found;
    }

    /// Prices and names as they were last read.
    pub(crate) fn metering(&self) -> Option<Arc<Metering>> {
        self.metering.read().clone()
    }

    /// Keeps prices and names as they were read; none: they have changed, and are read again when they are needed.
    pub(crate) fn keep_metering(&self, read: Option<Arc<Metering>>) {
        *self.metering.write() = read;
    }

    /// Held while its head is given away: one after the other, so that no smaller head follows a larger one.
    pub(crate) fn anchoring(&self) -> MutexGuard<'_, ()> {
        self.anchoring.lock()
    }

    /// The head that is on disk.
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.read())
    }

    /// Replaces the head, after the commit that made it.
    pub(crate) fn publish(&self, published: Published) {
        *self.published.write() = Arc::new(published);
    }

    /// The proof that the entry at `seq` is in the published head.
    pub fn receipt(
        &self,
        ledgers: &Ledgers,
        published: &Published,
        seq: Seq,
        entry: trailkeep_proof::ledger::entry::EntryBytes,
    ) -> Result<Receipt, ReadTileError> {
        let head = (published.head.size, published.head.note.as_str());
        self.receipt_under(ledgers, published, head, (seq, entry))
    }

    /// Checks a receipt under a published head, as its reader will check it.
    pub fn check_receipt(
        &self,
        published: &Published,
        receipt: &Receipt,
    ) -> Result<(), ReceiptError> {
        let checkpoint = published.checked(&self.verifier)?;
        receipt.verify_under(checkpoint).map(drop)
    }

    /// The proof that an entry is in a head, by size and note, that is the published one or an older one.
    pub(crate) fn receipt_under(
        &self,
        ledgers: &Ledgers,
        published: &Published,
        (size, note): (u64, &str),
        (seq, entry): (Seq, trailkeep_proof::ledger::entry::EntryBytes),
    ) -> Result<Receipt, ReadTileError> {
        let tiles = StoredTiles {
            ledgers,
            ledger: self.record.number,
            published,
        };
        let path = inclusion_path(seq.get(), size, &tiles)?;
        Ok(Receipt {
            entry,
            index: seq.get(),
            path,
            checkpoint: note.to_owned(),
        })
    }
}

/// The tiles of a published head: full ones from disk, the right edge from memory.
pub struct StoredTiles<'a> {
    /// The store.
    pub ledgers: &'a Ledgers,
    /// The ledger.
    pub ledger: trailkeep_proof::ids::LedgerNumber,
    /// The head.
    pub published: &'a Published,
}

/// A tile that should be there could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadTileError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A full tile is missing or has a wrong length.
    #[error("tile {level}/{index} is missing from ledger.db: run `trailkeep verify`")]
    Missing {
        /// Level of the tile.
        level: u8,
        /// Its position in the level.
        index: u64,
    },
}

impl TileSource for StoredTiles<'_> {
    type Error = ReadTileError;

    fn tile(&self, coordinate: TileCoordinate, width: u16) -> Result<Vec<TreeHash>, ReadTileError> {
        let TileCoordinate { level, index } = coordinate;
        // The published tree may have filled a tile since the asker's width was worked out.
        let edge_index = self.published.edge.size() >> (8 * (u32::from(level) + 1).min(7));
        let edge = self.published.edge.level(level);
        if index == edge_index && edge.len() >= usize::from(width) {
            return Ok(edge.to_vec());
        }
        let stored = self.ledgers.tile(self.ledger, coordinate)?;
        stored
            .and_then(|bytes| hashes_from_bytes(&bytes))
            .ok_or(ReadTileError::Missing { level, index })
    }

    fn known_subtree(&self, start: u64, height: u32) -> Option<TreeHash> {
        self.published.edge.whole_subtree(start, height)
    }
}

impl LedgerKeys {
    /// New random secrets.
    pub fn random() -> Result<Self, trailkeep_crypto::secret::RandomError> {
        Ok(Self {
            signing: SigningKey::from_bytes(&trailkeep_crypto::secret::random_bytes()?),
            index: IndexKey::random()?,
            system: NumberedKey {
                id: KeyId::new(u64::from_be_bytes(trailkeep_crypto::secret::random_bytes()?)),
                key: Arc::new(DataKey::random()?),
            },
        })
    }

    /// The rows that hold them in the vault.
    pub fn seal(
        &self,
        keyring: &Keyring,
        record: &LedgerRecord,
    ) -> Result<Vec<LedgerSecretRow>, trailkeep_crypto::secret::RandomError> {
        let zero = KeyId::new(0);
        let secrets: [(&str, KeyId, &[u8; 32]); 3] = [
            ("signing", zero, self.signing.as_bytes()),
            ("index", zero, self.index.expose()),
            ("system", self.system.id, self.system.key.expose()),
        ];
        secrets
            .into_iter()
            .map(|(kind, key_id, secret)| {
                let (epoch, sealed) =
                    keyring.seal(secret, &secret_place(record.origin.as_str(), kind, key_id))?;
                Ok(LedgerSecretRow {
                    ledger: record.number,
                    kind: kind.to_owned(),
                    key_id,
                    epoch,
                    sealed,
                })
            })
            .collect()
    }

    /// Opens them from the vault.
    pub fn load(keyring: &Keyring, record: &LedgerRecord) -> Result<Self, KeyError> {
        let rows = keyring.vault().ledger_secrets(record.number)?;
        let open = |kind: &'static str| {
            let row = rows
                .iter()
                .find(|row| row.kind == kind)
                .ok_or(KeyError::DoesNotOpen("a ledger secret"))?;
            let secret = keyring.unseal(
                row.epoch,
                &row.sealed,
                &secret_place(record.origin.as_str(), kind, row.key_id),
                "a ledger secret",
            )?;
            let secret: [u8; 32] = secret
                .as_slice()
                .try_into()
                .map_err(|_| KeyError::DoesNotOpen("a ledger secret"))?;
            Ok::<_, KeyError>((row.key_id, zeroize::Zeroizing::new(secret)))
        };
        let (id, system) = open("system")?;
        Ok(Self {
            signing: SigningKey::from_bytes(&open("signing")?.1),
            index: IndexKey::new(*open("index")?.1),
            system: NumberedKey {
                id,
                key: Arc::new(DataKey::new(*system)),
            },
        })
    }
}

/// What the sealing of a secret is bound to.
pub(crate) fn secret_place(origin: &str, kind: &str, key_id: KeyId) -> String {
    format!(
        "trailkeep/ledger-secret/v1\n{origin}\n{kind}\n{:016x}",
        key_id.get()
    )
}

/// The right edge of the tree: of leaves from the last entries, of higher levels from the full tiles below.
pub(crate) fn read_edge(
    ledgers: &Ledgers,
    ledger: LedgerNumber,
    size: u64,
) -> Result<EdgeTiles, ReadTileError> {
    EdgeTiles::restore(size, &DerivedTiles { ledgers, ledger })
}

/// Partial tiles, derived from what is below them.
pub(crate) struct DerivedTiles<'a> {
    ledgers: &'a Ledgers,
    ledger: LedgerNumber,
}

impl TileSource for DerivedTiles<'_> {
    type Error = ReadTileError;

    fn tile(&self, tile: TileCoordinate, width: u16) -> Result<Vec<TreeHash>, ReadTileError> {
        let first = tile.index * TILE_WIDTH as u64;
        let range = first..first + u64::from(width);
        let Some(below) = tile.level.checked_sub(1) else {
            let entries = self.ledgers.entries(self.ledger, range)?;
            return Ok(entries
                .iter()
                .map(|entry| TreeHash::from(leaf_hash(entry)))
                .collect());
        };
        range
            .map(|index| {
                let full = TileCoordinate {
                    level: below,
                    index,
                };
                let bytes = self.ledgers.tile(self.ledger, full)?;
                let hashes = bytes.and_then(|bytes| hashes_from_bytes(&bytes));
                let hashes = hashes.ok_or(ReadTileError::Missing {
                    level: below,
                    index,
                })?;
                Ok(tile_root(&hashes))
            })
            .collect()
    }
}
