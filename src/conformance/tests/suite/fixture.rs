//! Empty stores of an engine, and rows to put into them.

use std::sync::Arc;

use tempfile::TempDir;
use trailkeep_files::directory::DataDirectory;
use trailkeep_ports::model::MemoryStorage;
use trailkeep_ports::{
    Claim, Claims, LedgerBatch, LedgerRecord, Ledgers, Row, RowMac, RunStore, SealedRecordRow,
    ShardId, Staging, Storage, StoredCheckpoint, Vault,
};
use trailkeep_proof::ids::{
    ClassNumber, LedgerNumber, LogName, LookupKey, Origin, PersonReference, RootHash, Seq, Tag,
    TenantName, ValueNumber,
};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_store_sqlite::Sqlite;

/// The id of every data directory here.
pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef";

/// An engine, and a place for directories.
pub(crate) struct Fixture {
    pub(crate) storage: Arc<dyn Storage>,
    folder: TempDir,
}

/// The stores of one data directory.
pub(crate) struct Stores {
    pub(crate) directory: DataDirectory,
    pub(crate) claims: Arc<dyn Claims>,
    pub(crate) taken: Vec<Claim>,
    pub(crate) ledgers: Ledgers,
    pub(crate) runs: Arc<dyn RunStore>,
    pub(crate) vault: Vault,
    pub(crate) inbox: Staging,
}

impl Fixture {
    pub(crate) fn sqlite() -> Self {
        Self::of(Arc::new(Sqlite))
    }

    pub(crate) fn memory() -> Self {
        Self::of(Arc::new(MemoryStorage::default()))
    }

    fn of(storage: Arc<dyn Storage>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { storage, folder }
    }

    /// A directory without stores.
    pub(crate) fn directory(&self, name: &str) -> DataDirectory {
        let directory = DataDirectory::new(self.folder.path().join(name));
        directory.create().unwrap();
        directory
    }

    /// The stores of a new directory, open, with all shards taken.
    pub(crate) fn stores(&self, name: &str) -> Stores {
        let directory = self.directory(name);
        self.storage.create(&directory, ID).unwrap();
        let stores = self.open(&directory);
        let key = record("vault", 0, "sums", 1, 0);
        stores.vault.begin_sums(Arc::new(Folded), &key).unwrap();
        stores
    }

    /// The stores of a directory.
    pub(crate) fn open(&self, directory: &DataDirectory) -> Stores {
        let claims = self.storage.claims(directory);
        let taken = claims.take(ShardId::ALL).unwrap().unwrap();
        let vault = self.storage.open_vault(&directory.vault_db(), ID).unwrap();
        Stores {
            claims,
            taken: vec![taken],
            ledgers: self.storage.open_ledgers(directory, ID).unwrap(),
            runs: self.storage.open_runs(directory, ID).unwrap(),
            inbox: self.storage.open_staging(directory, ID).unwrap(),
            vault,
            directory: directory.clone(),
        }
    }
}

/// A keyed hash that is none: the sums are no matter here.
pub(crate) struct Folded;

impl RowMac for Folded {
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = [7_u8; 32];
        for (at, byte) in parts.concat().iter().enumerate() {
            mac[at % 32] = mac[at % 32].rotate_left(3) ^ byte.wrapping_mul(31);
        }
        mac
    }
}

pub(crate) fn ledger(number: u32) -> LedgerNumber {
    LedgerNumber::new(number)
}

pub(crate) fn class(number: u16) -> ClassNumber {
    ClassNumber::new(number)
}

pub(crate) fn seqs(numbers: impl IntoIterator<Item = u64>) -> Vec<Seq> {
    numbers.into_iter().map(Seq::new).collect()
}

pub(crate) fn tag(number: u8) -> Tag {
    Tag::new([number; 16])
}

pub(crate) fn key(number: u8) -> LookupKey {
    LookupKey::new([number; 16])
}

pub(crate) fn person(number: u8) -> PersonReference {
    PersonReference::new([number; 16])
}

/// A ledger of a tenant of its own.
pub(crate) fn ledger_record(number: u32) -> LedgerRecord {
    let tenant = TenantName::new(&format!("tenant-{number}")).unwrap();
    LedgerRecord {
        number: ledger(number),
        origin: Origin::of(&LogName::new("log.example").unwrap(), &tenant),
        tenant,
    }
}

/// An entry as far as a store looks into it: class and time.
pub(crate) fn entry(of_class: u16, seq: u64) -> EntryBytes {
    let mut bytes: EntryBytes = [0; 84];
    bytes[2..4].copy_from_slice(&of_class.to_be_bytes());
    bytes[4..12].copy_from_slice(&seq.to_be_bytes());
    bytes[12..20].copy_from_slice(&(1_000 + 10 * seq).to_be_bytes());
    bytes
}

/// An event of a class, found by one key.
pub(crate) fn row(of_class: u16, seq: u64) -> Row {
    let number = u8::try_from(seq % 251).unwrap();
    Row {
        entry: entry(of_class, seq),
        payload: vec![number; 24],
        values: Vec::new(),
        refers: Vec::new(),
        lookups: vec![key(number)],
        shown_persons: Vec::new(),
        states: None,
        gaps: Vec::new(),
    }
}

/// Numbers of values.
pub(crate) fn numbers(numbers: impl IntoIterator<Item = u64>) -> Vec<ValueNumber> {
    numbers.into_iter().map(ValueNumber::new).collect()
}

/// An event with values of its own, which refers to others, too.
pub(crate) fn referring(
    seq: u64,
    new: impl IntoIterator<Item = u64>,
    mut refers: Vec<ValueNumber>,
) -> Row {
    let mut row = row(2, seq);
    for number in new {
        refers.push(ValueNumber::new(number));
        let fill = u8::try_from((number + seq) % 251).unwrap();
        row.values.push((ValueNumber::new(number), vec![fill; 30]));
    }
    refers.sort_unstable();
    row.refers = refers;
    row
}

/// A commit of rows behind `from`.
pub(crate) fn batch(number: u32, from: u64, rows: Vec<Row>) -> LedgerBatch {
    let size = from + rows.len() as u64;
    LedgerBatch {
        ledger: ledger(number),
        expected_size: from,
        rows,
        tiles: Vec::new(),
        merged_end: Seq::new(0),
        checkpoint: StoredCheckpoint {
            size,
            root: RootHash::new([u8::try_from(size % 251).unwrap(); 32]),
            note: format!("ledger {number} at {size}"),
            stated: None,
        },
    }
}

/// Events of class 1 behind `from`.
pub(crate) fn events(number: u32, from: u64, count: u64) -> LedgerBatch {
    let rows = (from..from + count).map(|seq| row(1, seq));
    batch(number, from, rows.collect())
}

/// A sealed record; what is sealed is its fill.
pub(crate) fn record(kind: &str, of: u32, id: &str, epoch: u32, fill: u8) -> SealedRecordRow {
    SealedRecordRow {
        kind: kind.to_owned(),
        ledger: ledger(of),
        id: id.to_owned(),
        epoch,
        sealed: vec![fill; 8],
    }
}

impl Stores {
    /// Ledgers with a first entry each.
    pub(crate) fn with_ledgers(self, numbers: impl IntoIterator<Item = u32>) -> Self {
        for number in numbers {
            let first = batch(number, 0, vec![row(0, 0)]);
            let record = ledger_record(number);
            self.ledgers.create_ledger(&record, &first).unwrap();
        }
        self
    }

    /// A commit that must go through.
    pub(crate) fn commit(&mut self, batches: &[LedgerBatch]) {
        let committed = self.ledgers.commit(&mut self.taken, batches).unwrap();
        assert!(matches!(committed, trailkeep_ports::Committed::All));
    }

    pub(crate) fn size(&self, number: u32) -> u64 {
        let head = self.ledgers.checkpoint(ledger(number)).unwrap();
        head.map_or(0, |head| head.size)
    }
}
