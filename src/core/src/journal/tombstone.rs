//! Statements on single events: the tree over their items, and each item's opening (docs/format.md, "Cover").

use std::collections::HashMap;
use std::sync::Arc;

use crate::journal::read::ReadError;
use crate::tenant::deletion::{DeletionCause, Hidden};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::payload::{EVENT_NONCE_BYTES, OpenError, event_nonce};
use trailkeep_crypto::secret::{DataKey, item_salt};
use trailkeep_ports::{Ledgers, StoreError};
use trailkeep_proof::bundle::line::{ItemOpening, PayloadState, Tombstone, WithheldReason};
use trailkeep_proof::bundle::tombstone::item_leaf;
use trailkeep_proof::ids::{LedgerNumber, RootHash, Seq, TreeHash};
use trailkeep_proof::ledger::merkle::node_hash;

/// Trees that are kept while many items are opened.
const TREES_KEPT: usize = 64;

/// The RFC 6962 tree over the events that one statement covers.
pub(crate) struct ItemTree {
    items: Vec<Seq>,
    salts: Vec<[u8; 16]>,
    /// From the leaves to the root.
    levels: Vec<Vec<TreeHash>>,
}

impl ItemTree {
    /// Builds the tree. `nonce` is the event nonce of the statement's payload: the 16 random bytes from which, with
    /// the ledger's system key, the items' salts come.
    pub(crate) fn new(
        system_key: &DataKey,
        nonce: &[u8; EVENT_NONCE_BYTES],
        items: Vec<Seq>,
    ) -> Self {
        let salts: Vec<[u8; 16]> = items
            .iter()
            .map(|seq| item_salt(system_key, nonce, *seq))
            .collect();
        let leaves = salts.iter().zip(&items);
        let leaves = leaves.map(|(salt, seq)| TreeHash::from(item_leaf(salt, *seq)));
        let mut levels: Vec<Vec<TreeHash>> = vec![leaves.collect()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let pairs = below.chunks(2);
            let above = pairs.map(|pair| match pair {
                [left, right] => node_hash(left, right),
                // A node without a sibling stands for itself on the next level.
                lone => lone[0],
            });
            levels.push(above.collect());
        }
        Self {
            items,
            salts,
            levels,
        }
    }

    /// How many events it is over.
    pub(crate) fn size(&self) -> u64 {
        self.items.len() as u64
    }

    /// Its root.
    pub(crate) fn root(&self) -> RootHash {
        let root = self.levels.last().and_then(|level| level.first());
        root.map_or_else(trailkeep_proof::ledger::merkle::empty_root, |root| {
            RootHash::new(*root.as_bytes())
        })
    }

    /// The opening of one event's item.
    pub(crate) fn opening(&self, seq: Seq) -> Option<ItemOpening> {
        let index = self.items.binary_search(&seq).ok()?;
        let mut place = index;
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(place ^ 1));
            place /= 2;
        }
        Some(ItemOpening {
            salt: self.salts[index],
            index: index as u64,
            path,
        })
    }
}

/// Opens items of the statements of one ledger.
pub(crate) struct ItemTrees<'a> {
    ledgers: &'a Ledgers,
    ledger: &'a Ledger,
    number: LedgerNumber,
    system_key: &'a DataKey,
    /// By statement, and whether the items are those that it restricts.
    trees: HashMap<(Seq, bool), Arc<ItemTree>>,
}

impl<'a> ItemTrees<'a> {
    /// None is built yet.
    pub(crate) fn new(ledgers: &'a Ledgers, ledger: &'a Ledger) -> Self {
        Self {
            ledgers,
            ledger,
            number: ledger.record.number,
            system_key: &ledger.system_key.key,
            trees: HashMap::new(),
        }
    }

    /// What a bundle says of an event whose text is not shown.
    pub(crate) fn payload_state(
        &mut self,
        seq: Seq,
        hidden: Hidden,
    ) -> Result<PayloadState, ReadError> {
        let (by, is_item) = match hidden {
            Hidden::Deleted(gone) => (gone.by, gone.is_item),
            Hidden::Restricted(by) => (by, true),
        };
        // What went since the ledger was closed is stated in another one, which a bundle of this can't prove.
        if self.ledger.place_of(by).0.number != self.number {
            return Ok(PayloadState::Withheld(WithheldReason::Filtered));
        }
        let item = if is_item {
            let tree = self.tree(by, matches!(hidden, Hidden::Restricted(_)))?;
            Some(tree.opening(seq).ok_or(ReadError::PayloadMissing(seq))?)
        } else {
            None
        };
        let covered = Tombstone { by, item };
        Ok(match hidden {
            Hidden::Restricted(_) => PayloadState::Restricted(covered),
            Hidden::Deleted(gone) => match gone.deletion_cause {
                DeletionCause::Expired => PayloadState::Expired(covered),
                DeletionCause::Erased => PayloadState::Erased(covered),
            },
        })
    }

    fn tree(&mut self, statement: Seq, is_restricted: bool) -> Result<Arc<ItemTree>, ReadError> {
        let place = (statement, is_restricted);
        if let Some(tree) = self.trees.get(&place) {
            return Ok(Arc::clone(tree));
        }
        if self.trees.len() >= TREES_KEPT {
            self.trees.clear();
        }
        let nonce = statement_nonce(self.ledgers, self.number, statement)?;
        let items = if is_restricted {
            self.ledgers.restricted_by(self.number, statement)?
        } else {
            self.ledgers.tombstone_items(self.number, statement)?
        };
        let tree = Arc::new(ItemTree::new(self.system_key, &nonce, items));
        self.trees.insert(place, Arc::clone(&tree));
        Ok(tree)
    }
}

/// The event nonce of a statement's payload.
pub(crate) fn statement_nonce(
    ledgers: &Ledgers,
    ledger: LedgerNumber,
    statement: Seq,
) -> Result<[u8; EVENT_NONCE_BYTES], ReadError> {
    let found: Result<_, StoreError> = ledgers.event(ledger, statement);
    let payload = found?.and_then(|row| row.payload);
    let payload = payload.ok_or(ReadError::PayloadMissing(statement))?;
    event_nonce(&payload).map_err(|error: OpenError| ReadError::Payload {
        seq: statement,
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_proof::ledger::merkle::{Frontier, verify_inclusion};

    #[test]
    fn every_item_opens_to_the_root_that_a_frontier_gives() {
        let key = DataKey::new([7; 32]);
        for size in 0..40_u64 {
            let items: Vec<Seq> = (0..size).map(|item| Seq::new(3 * item + 1)).collect();
            let tree = ItemTree::new(&key, &[9; EVENT_NONCE_BYTES], items.clone());
            let mut frontier = Frontier::default();
            for seq in &items {
                frontier.push(item_leaf(
                    &item_salt(&key, &[9; EVENT_NONCE_BYTES], *seq),
                    *seq,
                ));
            }
            assert_eq!(tree.root(), frontier.root(), "{size}");
            for seq in &items {
                let ItemOpening { salt, index, path } = tree.opening(*seq).unwrap();
                let leaf = item_leaf(&salt, *seq);
                verify_inclusion(index, size, &leaf, &path, &tree.root()).unwrap();
            }
            assert_eq!(tree.opening(Seq::new(3 * size + 1)), None);
        }
    }
}
