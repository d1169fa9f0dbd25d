//! Opening a data directory: every file is looked at before any is used, and a ledger that is not the
//! one that the vault last saw is refused.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, RwLock};

use super::Engine;
use super::append::{AppendError, LedgerState, Newcomers, Writer, WriterThread, append_system};
use super::clock_guard::ClockGuard;
use super::keyring::{KeyError, Keyring};
use super::ledger::{Class, Ledger, LedgerKeys, Published, ReadTileError};
use super::merging::MergeThread;
use crate::ids::{ClassNumber, LedgerNumber, RootHash, Seq, TenantName, TreeHash};
use crate::ledger::chain::ChainHead;
use crate::ledger::checkpoint::{Checkpoint, CheckpointError};
use crate::ledger::entry::{Entry, EntryError, leaf_hash};
use crate::ledger::note::VerifierKey;
use crate::ledger::tile::{
    EdgeTiles, TILE_WIDTH, TileCoordinate, TileSource, hashes_from_bytes, tile_root,
};
use crate::policy::CalendarPeriod;
use crate::seal::epoch::{self, DirectoryId, EpochFileError};
use crate::seal::root::{RootKeyError, RootKeySource};
use crate::store::directory::{DataDirectory, DirectoryLock};
use crate::store::{Index, LedgerRecord, Ledgers, StoreError, StoredCheckpoint, Vault};
use crate::time::{Clock, UnixMillis};

/// Free space below which appends stop, unless set otherwise.
pub const MIN_FREE_BYTES_DEFAULT: u64 = 256 << 20;

/// Why a data directory can't be used. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file is missing, damaged, foreign or locked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// The epoch keys do not open.
    #[error(transparent)]
    EpochFile(#[from] EpochFileError),
    /// A secret does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The ledger is older than what the vault saw.
    #[error(
        "the ledger {origin} was rolled back: ledger.db has {found} entries, the vault saw {seen}; put the newest ledger.db back. \
         Nothing that was acknowledged may be forgotten, so the server does not go on from an older state"
    )]
    RolledBack {
        /// Which ledger.
        origin: String,
        /// Entries in the file.
        found: u64,
        /// Entries that the vault saw.
        seen: u64,
    },
    /// The ledger is another one than the vault saw.
    #[error(
        "the ledger {origin} is not the one that the vault saw: at size {size} it has another root; put the right ledger.db back, and keep this one for an investigation"
    )]
    AnotherHistory {
        /// Which ledger.
        origin: String,
        /// The size compared.
        size: u64,
    },
    /// The head does not fit the entries.
    #[error(
        "the ledger {origin} is damaged: {what}; run `trailkeep verify` for the findings, and restore ledger.db from a backup"
    )]
    Damaged {
        /// Which ledger.
        origin: String,
        /// What is wrong.
        what: String,
    },
    /// The confirmation of the clock could not be recorded.
    #[error("the confirmation of the clock could not be recorded: {0}")]
    ClockConfirmation(Box<AppendError>),
    /// A thread could not be started.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
}

/// How an engine is to run.
pub struct StartOptions {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Free space below which appends stop.
    pub min_free_bytes: u64,
    /// Somebody looked at the clock and says that it is right; this is recorded.
    pub confirm_clock: bool,
}

impl StartOptions {
    /// The usual options with a clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            min_free_bytes: MIN_FREE_BYTES_DEFAULT,
            confirm_clock: false,
        }
    }
}

/// The files of a data directory, open, with their keys; the ledgers in them are not looked at yet.
pub struct Files {
    /// Where they are.
    pub directory: DataDirectory,
    /// Entries and payloads.
    pub ledgers: Arc<Ledgers>,
    /// Look-ups.
    pub index: Arc<Index>,
    /// Keys, over the vault.
    pub keyring: Arc<Keyring>,
    /// Kept while the files are open.
    pub lock: DirectoryLock,
}

impl Files {
    /// Takes the lock and opens the files.
    pub fn open(directory: DataDirectory, root_key: &RootKeySource) -> Result<Self, OpenError> {
        let lock = directory.lock()?;
        let (keyring, id) = open_keys(&directory, root_key)?;
        let ledgers = Arc::new(Ledgers::open(&directory.ledger_db(), &id)?);
        let index = Arc::new(Index::open(&directory.index_db(), &id, &ledgers)?);
        Ok(Self {
            directory,
            ledgers,
            index,
            keyring: Arc::new(keyring),
            lock,
        })
    }

    /// A ledger's keys; its system key becomes known to the keyring.
    pub fn load_keys(&self, record: &LedgerRecord) -> Result<LedgerKeys, KeyError> {
        let keys = LedgerKeys::load(&self.keyring, record)?;
        self.keyring.add_system_key(&keys.system);
        Ok(keys)
    }

    /// Checks the ledgers and starts the writer.
    pub fn start(self, options: StartOptions) -> Result<Engine, OpenError> {
        let StartOptions {
            clock,
            min_free_bytes,
            confirm_clock,
        } = options;
        let mut last_seen = None;
        let mut states = HashMap::new();
        let mut tenants = HashMap::new();
        for record in self.ledgers.ledgers()? {
            let state = open_ledger(&self, &record)?;
            let watermark = self.keyring.vault().watermark(record.number)?;
            let seen = watermark
                .map(|mark| mark.seen_at)
                .into_iter()
                .chain([state.chain.last_recorded_at])
                .max();
            last_seen = last_seen.max(seen);
            tenants.insert(record.tenant.clone(), Arc::clone(&state.ledger));
            states.insert(record.number, state);
        }
        let Self {
            directory,
            ledgers,
            index,
            keyring,
            lock,
        } = self;
        let newcomers = Newcomers::default();
        let writer = Writer {
            ledgers: Arc::clone(&ledgers),
            index: Arc::clone(&index),
            keyring: Arc::clone(&keyring),
            clock: Arc::clone(&clock),
            states,
            newcomers: Arc::clone(&newcomers),
            directory: directory.path().to_owned(),
            min_free_bytes,
            clock_guard: ClockGuard::start(&*clock, last_seen, confirm_clock),
        };
        let writer = WriterThread::start(writer).map_err(OpenError::Thread)?;
        let merger = MergeThread::start(Arc::clone(&index)).map_err(OpenError::Thread)?;
        if confirm_clock {
            record_confirmation(&writer, &tenants, &clock, last_seen)?;
        }
        Ok(Engine {
            directory,
            ledgers,
            index,
            keyring,
            clock,
            writer,
            access_log: super::access_log::AccessLog::default(),
            exports: super::exports::Exports::default(),
            min_free_bytes,
            tenants: RwLock::new(tenants),
            newcomers,
            founding: Mutex::new(()),
            merger,
            _lock: lock,
        })
    }
}

/// Every ledger says that its clock was confirmed, and what time it was before.
fn record_confirmation(
    writer: &WriterThread,
    tenants: &HashMap<TenantName, Arc<Ledger>>,
    clock: &Arc<dyn Clock>,
    last_seen: Option<UnixMillis>,
) -> Result<(), OpenError> {
    let confirmed = serde_json::json!({
        "now": clock.wall().to_string(),
        "last_seen": last_seen.map(|moment| moment.to_string()),
    })
    .to_string();
    for ledger in tenants.values() {
        let sections: [(&str, &[u8]); 2] = [
            ("action", b"\"trailkeep.clock.confirm\""),
            ("clock", confirmed.as_bytes()),
        ];
        let recorded = append_system(writer, ledger, &sections);
        recorded.map_err(|error| OpenError::ClockConfirmation(Box::new(error)))?;
    }
    Ok(())
}

/// Opens the vault and what seals it, without the other files.
pub(super) fn open_keys(
    directory: &DataDirectory,
    root_key: &RootKeySource,
) -> Result<(Keyring, String), OpenError> {
    let id = Vault::directory_id(&directory.vault_db())?;
    let damaged = |what: &str| StoreError::Damaged {
        path: directory.vault_db(),
        what: what.to_owned(),
        hint: "put back the newest copy of vault.db, with its epoch.key",
    };
    let directory_id = DirectoryId::parse(&id).ok_or_else(|| damaged("names no data directory"))?;
    let path = directory.epoch_key();
    let text = fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StoreError::Missing {
            path: path.clone(),
            hint: "without it the vault stays closed: put back the copy that was made with the vault",
        },
        _ => StoreError::Io { path: path.clone(), error },
    })?;
    let epochs = epoch::decode(
        &root_key.load()?,
        directory_id,
        &String::from_utf8_lossy(&text),
    )?;
    let vault = Arc::new(Vault::open(&directory.vault_db(), &id)?);
    Ok((Keyring::new(vault, directory_id, epochs), id))
}

fn open_ledger(files: &Files, record: &LedgerRecord) -> Result<LedgerState, OpenError> {
    let keys = files.load_keys(record)?;
    let origin = record.origin.to_string();
    let damaged = |what: String| OpenError::Damaged {
        origin: origin.clone(),
        what,
    };
    let head = files
        .ledgers
        .checkpoint(record.number)?
        .ok_or_else(|| damaged("it has no checkpoint".to_owned()))?;
    let watermark = files.keyring.vault().watermark(record.number)?;
    let mark =
        watermark.ok_or_else(|| damaged("the vault does not remember its head".to_owned()))?;
    if mark.size > head.size {
        let seen = mark.size;
        return Err(OpenError::RolledBack {
            origin,
            found: head.size,
            seen,
        });
    }
    let verifier = VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
    check_signed_head(&head, &verifier).map_err(|error| damaged(error.to_string()))?;
    let edge =
        read_edge(files, record.number, head.size).map_err(|error| damaged(error.to_string()))?;
    if edge.root() != head.root {
        return Err(damaged(
            "its entries and tiles do not lead to the checkpoint's root".to_owned(),
        ));
    }
    if root_at(files, record.number, mark.size, &edge)
        .map_err(|error| damaged(error.to_string()))?
        != mark.root
    {
        return Err(OpenError::AnotherHistory {
            origin,
            size: mark.size,
        });
    }
    let chain = read_chain_head(files, record.number, head.size)
        .map_err(|error| damaged(error.to_string()))?;
    let classes = files.ledgers.classes(record.number)?;
    let default_class = classes
        .iter()
        .find_map(|row| parse_class(row.number, &row.definition));
    let default_class =
        default_class.ok_or_else(|| damaged("it has no retention class".to_owned()))?;
    let settings = super::settings::load(&files.keyring, record)?;
    let published = Published {
        head,
        edge: edge.clone(),
    };
    Ok(LedgerState {
        ledger: Arc::new(Ledger::new(
            record.clone(),
            &keys,
            default_class,
            settings,
            published,
        )),
        signing: keys.signing,
        chain,
        watermark_size: mark.size,
        merged_end: Seq::new(0),
        edge,
    })
}

/// Why the head of a ledger does not stand.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Its signature or form.
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The signed text says something else than the row.
    #[error("its checkpoint says {0} entries, its row {1}, or they name different roots")]
    Disagree(u64, u64),
    /// Its last entry.
    #[error("its last entry: {0}")]
    Entry(#[from] EntryError),
    /// There is no last entry.
    #[error("its last entry is missing")]
    Missing,
    /// A tile is missing.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks the signed note of a head against its row.
pub fn check_signed_head(head: &StoredCheckpoint, verifier: &VerifierKey) -> Result<(), HeadError> {
    let signed = Checkpoint::open(&head.note, verifier)?;
    if signed.size != head.size || signed.root != head.root {
        return Err(HeadError::Disagree(signed.size, head.size));
    }
    Ok(())
}

/// A class as its statement defines it: `{"number":1,"policies":[…],"minimum":"P0D","after":"P90D"}`.
pub fn parse_class(number: ClassNumber, definition: &str) -> Option<Class> {
    let definition: serde_json::Value = serde_json::from_str(definition).ok()?;
    let after = definition.get("after").and_then(serde_json::Value::as_str);
    let delete_after = after.map(CalendarPeriod::parse).transpose().ok()?;
    Some(Class {
        number,
        delete_after,
    })
}

fn read_chain_head(files: &Files, ledger: LedgerNumber, size: u64) -> Result<ChainHead, HeadError> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(ChainHead::EMPTY);
    };
    let (bytes, _) = files
        .ledgers
        .event(ledger, Seq::new(last))?
        .ok_or(HeadError::Missing)?;
    let entry = Entry::decode(&bytes)?;
    Ok(ChainHead {
        next: Seq::new(size),
        last_leaf: leaf_hash(&bytes),
        last_recorded_at: entry.recorded_at,
    })
}

/// The right edge of the tree: of leaves from the last entries, of higher levels from the full tiles below.
pub(super) fn read_edge(
    files: &Files,
    ledger: LedgerNumber,
    size: u64,
) -> Result<EdgeTiles, ReadTileError> {
    EdgeTiles::restore(
        size,
        &DerivedTiles {
            ledgers: &files.ledgers,
            ledger,
        },
    )
}

fn root_at(
    files: &Files,
    ledger: LedgerNumber,
    size: u64,
    edge: &EdgeTiles,
) -> Result<RootHash, ReadTileError> {
    if size == edge.size() {
        return Ok(edge.root());
    }
    Ok(read_edge(files, ledger, size)?.root())
}

/// Partial tiles, derived from what is below them.
struct DerivedTiles<'a> {
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
