//! The Merkle tree of RFC 6962 section 2.1, and checking its proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

use sha2::{Digest, Sha256};

use crate::ids::{LeafHash, RootHash, TreeHash};

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside of the tree.
    #[error("index {index} is outside of a tree of {size}")]
    Index {
        /// The leaf's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The sizes can't be compared.
    #[error("a tree of {from} can't grow to one of {to}; a proof from an empty tree says nothing")]
    Sizes {
        /// The older size.
        from: u64,
        /// The newer size.
        to: u64,
    },
    /// Too few or too many hashes.
    #[error("the proof has a wrong number of hashes")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> RootHash {
    RootHash::new(Sha256::digest([]).into())
}

/// SHA-256(0x01 || left || right).
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    let hash = Sha256::new()
        .chain_update([1])
        .chain_update(left.as_bytes())
        .chain_update(right.as_bytes());
    TreeHash::new(hash.finalize().into())
}

/// The roots of the whole subtrees that a tree consists of: enough to grow it and to know its root.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    // Largest first: one for each bit that is set in `size`.
    roots: Vec<TreeHash>,
}

impl Frontier {
    /// The frontier of a tree of `size` leaves from the roots of its whole subtrees, largest first; `None`
    /// unless there is one for each bit that is set in the size.
    pub fn from_roots(size: u64, roots: Vec<TreeHash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: LeafHash) {
        let mut node = TreeHash::from(leaf);
        let mut carried = self.size;
        while carried & 1 == 1 {
            // A bit that is set has its root on the stack.
            if let Some(left) = self.roots.pop() {
                node = node_hash(&left, &node);
            }
            carried >>= 1;
        }
        self.roots.push(node);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub fn root(&self) -> RootHash {
        let folded = self
            .roots
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right));
        folded.map_or_else(empty_root, RootHash::from)
    }
}

/// The root that an inclusion path leads to.
pub fn root_from_inclusion(
    index: u64,
    size: u64,
    leaf: &LeafHash,
    path: &[TreeHash],
) -> Result<RootHash, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (mut first, mut last) = (index, size - 1);
    let mut node = TreeHash::from(*leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == last {
            node = node_hash(sibling, &node);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        first >>= 1;
        last >>= 1;
    }
    if last == 0 {
        Ok(node.into())
    } else {
        Err(ProofError::Length)
    }
}

/// The hashes of an inclusion path that stand left of the leaf, largest subtree first: the frontier of the
/// tree of all leaves before it.
pub fn left_of(index: u64, size: u64, path: &[TreeHash]) -> Result<Frontier, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (mut first, mut last) = (index, size - 1);
    let mut roots = Vec::new();
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == last {
            roots.push(*sibling);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        }
        first >>= 1;
        last >>= 1;
    }
    roots.reverse();
    Frontier::from_roots(index, roots).ok_or(ProofError::Length)
}

/// Checks that a leaf stands at an index of the tree with a size and root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &LeafHash,
    path: &[TreeHash],
    root: &RootHash,
) -> Result<(), ProofError> {
    if root_from_inclusion(index, size, leaf, path)? == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of size `to` begins with the tree of size `from`, which is not empty.
pub fn verify_consistency(
    from: u64,
    to: u64,
    from_root: &RootHash,
    to_root: &RootHash,
    path: &[TreeHash],
) -> Result<(), ProofError> {
    if from == 0 || from > to {
        return Err(ProofError::Sizes { from, to });
    }
    if from == to {
        return match (path.is_empty(), from_root == to_root) {
            (true, true) => Ok(()),
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
        };
    }
    let start = TreeHash::from(*from_root);
    let (seed, rest) = if from.is_power_of_two() && !path.is_empty() {
        (&start, path)
    } else {
        path.split_first().ok_or(ProofError::Length)?
    };
    let (mut first, mut last) = (from - 1, to - 1);
    while first & 1 == 1 {
        first >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*seed, *seed);
    for node in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == last {
            old = node_hash(node, &old);
            new = node_hash(node, &new);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, node);
        }
        first >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if RootHash::from(old) == *from_root && RootHash::from(new) == *to_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}
