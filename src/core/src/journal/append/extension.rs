//! A ledger with events added that are not on disk yet: nothing of it is known to anybody before its commit.

use ed25519_dalek::SigningKey;

use crate::journal::append::{PreparedEvent, newest};
use trailkeep_crypto::payload::NumberedKey;
use trailkeep_ports::{LedgerBatch, LedgerRecord, Row, StoredCheckpoint};
use trailkeep_proof::ids::{LedgerNumber, RootHash, Seq};
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, EntryKind, leaf_hash};
use trailkeep_proof::ledger::tile::{EdgeTiles, hashes_to_bytes};
use trailkeep_proof::time::UnixMillis;

/// The end of a ledger, growing.
pub(crate) struct Extension {
    ledger: LedgerNumber,
    from_size: u64,
    merged_end: Seq,
    chain: ChainHead,
    edge: EdgeTiles,
    stated: Option<Seq>,
    rows: Vec<Row>,
    tiles: Vec<(trailkeep_proof::ledger::tile::TileCoordinate, Vec<u8>)>,
}

/// What an extension becomes once it is on disk.
pub(crate) struct Extended {
    pub(crate) batch: LedgerBatch,
    pub(crate) chain: ChainHead,
    pub(crate) edge: EdgeTiles,
    /// The last statement that changes the vault.
    pub(crate) stated: Option<Seq>,
}

impl Extension {
    /// Starts at the end of what is on disk.
    /// `merged_end`: merged index runs hold all below it. `stated`: the last statement that changes the vault.
    pub(crate) fn of(
        ledger: LedgerNumber,
        (chain, edge): (ChainHead, EdgeTiles),
        merged_end: Seq,
        stated: Option<Seq>,
    ) -> Self {
        let from_size = edge.size();
        Self {
            ledger,
            from_size,
            merged_end,
            chain,
            edge,
            stated,
            rows: Vec::new(),
            tiles: Vec::new(),
        }
    }

    /// Gives an event its place: seq, time, link to the one before, leaf of the tree.
    pub(crate) fn place(&mut self, event: PreparedEvent, now: UnixMillis) -> EntryBytes {
        let entry = Entry {
            kind: if self.chain.next == Seq::new(0) {
                EntryKind::Genesis
            } else {
                event.kind
            },
            class: event.class,
            seq: self.chain.next,
            // The wall clock may step back; recorded time does not.
            recorded_at: now.max(self.chain.last_recorded_at),
            prev: self.chain.last_leaf,
            commitment: event.commitment,
        };
        if event.changes_vault {
            self.stated = Some(entry.seq);
        }
        let bytes = entry.encode();
        let leaf = leaf_hash(&bytes);
        self.chain = ChainHead {
            next: entry.seq.next(),
            last_leaf: leaf,
            last_recorded_at: entry.recorded_at,
        };
        let full = self
            .edge
            .push(leaf)
            .into_iter()
            .map(|(tile, hashes)| (tile, hashes_to_bytes(&hashes)));
        self.tiles.extend(full);
        self.rows.push(Row {
            entry: bytes,
            payload: event.payload,
            values: event.values,
            refers: event.refers,
            lookups: event.lookups,
            shown_persons: event.shown_persons,
            states: event.states,
            gaps: event.gaps,
        });
        bytes
    }

    /// Signs the new head.
    pub(crate) fn sign(
        self,
        record: &LedgerRecord,
        key: &SigningKey,
        system_key: &NumberedKey,
    ) -> Extended {
        let (size, root): (u64, RootHash) = (self.edge.size(), self.edge.root());
        let note = Checkpoint {
            origin: record.origin.clone(),
            size,
            root,
        }
        .sign(key);
        let batch = LedgerBatch {
            ledger: self.ledger,
            expected_size: self.from_size,
            rows: self.rows,
            tiles: self.tiles,
            merged_end: self.merged_end,
            checkpoint: StoredCheckpoint {
                size,
                root,
                note,
                stated: Some(newest::encode(self.stated, (size, root), system_key)),
            },
        };
        Extended {
            batch,
            chain: self.chain,
            edge: self.edge,
            stated: self.stated,
        }
    }
}
