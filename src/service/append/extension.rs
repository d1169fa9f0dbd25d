//! A ledger with events added that are not on disk yet: nothing of it is known to anybody before its commit.

use ed25519_dalek::SigningKey;

use super::{PreparedEvent, newest};
use crate::ids::{LedgerNumber, RootHash, Seq};
use crate::ledger::chain::ChainHead;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Entry, EntryBytes, EntryKind, leaf_hash};
use crate::ledger::tile::{EdgeTiles, hashes_to_bytes};
use crate::seal::payload::NumberedKey;
use crate::store::{LedgerBatch, LedgerRecord, Row, StoredCheckpoint};
use crate::time::UnixMillis;

/// The end of a ledger, growing.
pub(in crate::service) struct Extension {
    ledger: LedgerNumber,
    from_size: u64,
    merged_end: Seq,
    chain: ChainHead,
    edge: EdgeTiles,
    stated: Option<Seq>,
    rows: Vec<Row>,
    tiles: Vec<(crate::ledger::tile::TileCoordinate, Vec<u8>)>,
}

/// What an extension becomes once it is on disk.
pub(in crate::service) struct Extended {
    pub(in crate::service) batch: LedgerBatch,
    pub(in crate::service) chain: ChainHead,
    pub(in crate::service) edge: EdgeTiles,
    /// The last statement that changes the vault.
    pub(in crate::service) stated: Option<Seq>,
}

impl Extension {
    /// Starts at the end of what is on disk.
    /// `merged_end`: merged index runs hold all below it. `stated`: the last statement that changes the vault.
    pub(in crate::service) fn of(
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
    pub(in crate::service) fn place(
        &mut self,
        event: PreparedEvent,
        now: UnixMillis,
    ) -> EntryBytes {
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
            lookups: event.lookups,
            shown_persons: event.shown_persons,
            states: event.states,
            gaps: event.gaps,
        });
        bytes
    }

    /// Signs the new head.
    pub(in crate::service) fn sign(
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
