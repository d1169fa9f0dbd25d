//! Chain, leaves, tiles and root: what the entries say without any key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::audit::{Findings, Subject};
use crate::short_reads::short_reads;
use trailkeep_ports::Ledgers;
use trailkeep_ports::{StoreError, StoredCheckpoint};
use trailkeep_proof::ids::{LedgerNumber, RootHash, Seq, TreeHash};
use trailkeep_proof::ledger::chain::{ChainError, ChainHead};
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, leaf_hash};
use trailkeep_proof::ledger::merkle::Frontier;
use trailkeep_proof::ledger::tile::{
    EdgeTiles, TILE_WIDTH, TileCoordinate, hashes_to_bytes, tiles_of,
};

/// What the walk over the entries gives.
pub(super) struct Walked {
    pub(super) entries: u64,
    pub(super) roots: OldRoots,
    /// Roots at the sizes that were asked for.
    pub(super) roots_at: BTreeMap<u64, RootHash>,
}

/// Roots of the tree at earlier sizes.
pub(super) struct OldRoots(LedgerNumber);

impl OldRoots {
    /// The root over the first `size` entries.
    pub(super) fn root_at(&self, ledgers: &Ledgers, size: u64) -> Result<RootHash, StoreError> {
        let mut frontier = Frontier::default();
        for range in short_reads(0..size) {
            for entry in ledgers.entries(self.0, range)? {
                frontier.push(leaf_hash(&entry));
            }
        }
        Ok(frontier.root())
    }
}

/// Walks over all entries of the head.
pub(super) fn walk(
    subject: Subject<'_>,
    ledger: LedgerNumber,
    head: &StoredCheckpoint,
    wanted: &BTreeSet<u64>,
    findings: &mut Findings,
) -> Result<Walked, StoreError> {
    let mut roots_at = BTreeMap::new();
    let mut chain = ChainHead::EMPTY;
    let mut edge = EdgeTiles::default();
    let mut entries = 0;
    for range in short_reads(0..head.size) {
        let Range { start, end } = range;
        let rows = subject.ledgers.entry_rows(ledger, start..end)?;
        entries += rows.len() as u64;
        let mut expected = start;
        for (seq, bytes) in rows {
            for missing in expected..seq.get() {
                findings.add(
                    missing,
                    "entry-missing",
                    "the entry with this seq is missing",
                );
                chain.next = chain.next.next();
            }
            expected = seq.get() + 1;
            follow(&mut chain, seq, &bytes, findings);
            let leaf = EntryBytes::try_from(bytes)
                .map_or(trailkeep_proof::ids::LeafHash::ZERO, |bytes| {
                    leaf_hash(&bytes)
                });
            for (tile, hashes) in edge.push(leaf) {
                check_tile(subject, ledger, (tile, &hashes), findings)?;
            }
            if wanted.contains(&edge.size()) {
                roots_at.insert(edge.size(), edge.root());
            }
        }
        for missing in expected..end {
            findings.add(
                missing,
                "entry-missing",
                "the entry with this seq is missing",
            );
        }
    }
    if edge.root() != head.root {
        findings.add(
            None,
            "root",
            format!(
                "the entries have the root {}, the checkpoint signs {}",
                edge.root(),
                head.root
            ),
        );
    }
    let full = tiles_of(head.size)
        .filter(|(_, width)| usize::from(*width) == TILE_WIDTH)
        .count() as u64;
    let stored = subject.ledgers.tile_count(ledger)?;
    if stored > full
        && subject
            .ledgers
            .checkpoint(ledger)?
            .is_some_and(|now| now.size == head.size)
    {
        findings.add(
            None,
            "tile",
            format!("{stored} full tiles are stored, the tree has {full}"),
        );
    }
    Ok(Walked {
        entries,
        roots: OldRoots(ledger),
        roots_at,
    })
}

fn check_tile(
    subject: Subject<'_>,
    ledger: LedgerNumber,
    (tile, hashes): (TileCoordinate, &[TreeHash]),
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let stored = subject.ledgers.tile(ledger, tile)?;
    if stored.as_deref() != Some(&hashes_to_bytes(hashes)) {
        let what = if stored.is_some() {
            "differs from the entries"
        } else {
            "is missing"
        };
        let detail = format!("tile {}/{} {what}", tile.level, tile.index);
        findings.add(None, "tile", detail);
    }
    Ok(())
}

/// Follows the chain; after a break it goes on from what stands there, so that one change is one or two findings.
fn follow(chain: &mut ChainHead, seq: Seq, bytes: &[u8], findings: &mut Findings) {
    let Ok(bytes) = EntryBytes::try_from(bytes) else {
        findings.add(
            seq.get(),
            "entry",
            format!("the entry has {} bytes", bytes.len()),
        );
        chain.next = seq.next();
        return;
    };
    let Err(error) = chain.follow(&bytes) else {
        return;
    };
    let rule = match error {
        ChainError::Entry(_) => "entry",
        ChainError::Seq { .. } => "seq",
        ChainError::Link { .. } => "chain",
        ChainError::Time { .. } => "time",
    };
    findings.add(seq.get(), rule, error.to_string());
    let time = Entry::decode(&bytes).map_or(chain.last_recorded_at, |entry| entry.recorded_at);
    *chain = ChainHead {
        next: seq.next(),
        last_leaf: leaf_hash(&bytes),
        last_recorded_at: time,
    };
}
