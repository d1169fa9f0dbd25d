//! Opening one ledger: its head is checked against its entries and the vault's memory of it, and its classes are read.

use super::{Files, OpenError};
use std::sync::Arc;

use crate::append::LedgerState;
use crate::classes::{Class, ClassBook, StatedPolicy};
use crate::deletion::Tombstones;
use crate::ledger::{Ledger, Published, ReadTileError};
use crate::read::{ReadError, open_stored};
use trailkeep_policy::Policy;
use trailkeep_ports::{LedgerRecord, Ledgers, StoreError, StoredCheckpoint};
use trailkeep_proof::ids::{LedgerNumber, RootHash, Seq, TreeHash};
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::checkpoint::{Checkpoint, CheckpointError};
use trailkeep_proof::ledger::entry::{Entry, EntryError, leaf_hash};
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::tile::{
    EdgeTiles, TILE_WIDTH, TileCoordinate, TileSource, hashes_from_bytes, tile_root,
};

pub(super) fn open_ledger(files: &Files, record: &LedgerRecord) -> Result<LedgerState, OpenError> {
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
    let mark = watermark
        .ok_or_else(|| damaged("the vault has no record of its newest checkpoint".to_owned()))?;
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
    let edge = read_edge(&files.ledgers, record.number, head.size)
        .map_err(|error| damaged(error.to_string()))?;
    if edge.root() != head.root {
        return Err(damaged(
            "its entries and tiles do not lead to the checkpoint's root".to_owned(),
        ));
    }
    if root_at(&files.ledgers, record.number, mark.size, &edge)
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
    let stated = super::vault::newest(files, record, &head, &keys)?;
    let classes = load_classes(files, record).map_err(|error| damaged(error.to_string()))?;
    let covers = Tombstones::load(&files.ledgers, record.number)?;
    let settings = crate::settings::load(&files.keyring, record)?;
    let published = Published {
        head,
        edge: edge.clone(),
        last_recorded_at: chain.last_recorded_at,
    };
    Ok(LedgerState {
        ledger: Arc::new(Ledger::new(
            record.clone(),
            &keys,
            (classes, covers),
            settings,
            published,
        )),
        signing: keys.signing,
        chain,
        stated,
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
    #[error("its checkpoint has {0} entries, its row {1}, or their roots differ")]
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

/// The classes of a ledger, and the policies that it has stated.
fn load_classes(files: &Files, record: &LedgerRecord) -> Result<ClassBook, ClassesError> {
    let book = ClassBook::default();
    for row in files.ledgers.classes(record.number)? {
        let definition = serde_json::from_str(&row.definition).ok();
        let class = definition.and_then(|known| Class::from_definition(row.statement, known));
        let class = class.filter(|class| class.number == row.number);
        book.add(class.ok_or(ClassesError::Class(row.number.get()))?);
    }
    for (seq, kind, _) in files.ledgers.statements(record.number)? {
        if kind != "policy" {
            continue;
        }
        let opened = open_stored(
            &files.ledgers,
            &files.keyring,
            record,
            &Tombstones::default(),
            seq,
        )?;
        let section = opened.section("policy");
        let text = section
            .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok())
            .and_then(|section| Some(section.get("text")?.as_str()?.to_owned()));
        let policy = text.and_then(|text| Policy::parse(&text).ok());
        let policy = Arc::new(policy.ok_or(ClassesError::Policy(seq))?);
        let id = policy.id.clone();
        book.add_policy(StatedPolicy {
            statement: seq,
            policy,
        });
        if opened.section("action") == Some(SystemAction::PolicyDrop.section()) {
            book.set_dropped(&id);
        }
    }
    if book.all().is_empty() {
        return Err(ClassesError::None);
    }
    Ok(book)
}

/// Why the classes of a ledger can't be known.
#[derive(Debug, thiserror::Error)]
enum ClassesError {
    #[error("it has no retention class")]
    None,
    #[error("its retention class {0} is malformed")]
    Class(u16),
    #[error("its policy of entry {0} is malformed")]
    Policy(Seq),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn read_chain_head(files: &Files, ledger: LedgerNumber, size: u64) -> Result<ChainHead, HeadError> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(ChainHead::EMPTY);
    };
    let found = files.ledgers.entries(ledger, last..size)?;
    let bytes = found.first().ok_or(HeadError::Missing)?;
    let entry = Entry::decode(bytes)?;
    Ok(ChainHead {
        next: Seq::new(size),
        last_leaf: leaf_hash(bytes),
        last_recorded_at: entry.recorded_at,
    })
}

/// The right edge of the tree: of leaves from the last entries, of higher levels from the full tiles below.
pub(crate) fn read_edge(
    ledgers: &Ledgers,
    ledger: LedgerNumber,
    size: u64,
) -> Result<EdgeTiles, ReadTileError> {
    EdgeTiles::restore(size, &DerivedTiles { ledgers, ledger })
}

fn root_at(
    ledgers: &Ledgers,
    ledger: LedgerNumber,
    size: u64,
    edge: &EdgeTiles,
) -> Result<RootHash, ReadTileError> {
    if size == edge.size() {
        return Ok(edge.root());
    }
    Ok(read_edge(ledgers, ledger, size)?.root())
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
