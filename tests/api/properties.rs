//! Properties of the pure core, against a tree written down as RFC 6962 says it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::convert::Infallible;

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use trailkeep_proof::ids::{ClassNumber, Commitment, LeafHash, Origin, RootHash, Seq, TreeHash};
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::commitment::commitment_of;
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, EntryKind, leaf_hash};
use trailkeep_proof::ledger::merkle::{
    Frontier, ProofError, empty_root, left_of, node_hash, root_from_inclusion, verify_consistency,
    verify_inclusion,
};
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::proof::Receipt;
use trailkeep_proof::ledger::tile::{
    EdgeTiles, TILE_WIDTH, TileCoordinate, TilePath, TileSource, consistency_path, inclusion_path,
    tile_width, tiles_of, tree_root,
};
use trailkeep_proof::time::UnixMillis;

fn leaf(number: u64) -> LeafHash {
    LeafHash::new(Sha256::digest(number.to_be_bytes()).into())
}

fn leaves(count: u64) -> Vec<LeafHash> {
    (0..count).map(leaf).collect()
}

/// MTH(D[n]) of RFC 6962 section 2.1.
fn naive_root(leaves: &[LeafHash]) -> TreeHash {
    match leaves {
        [] => empty_root().into(),
        [one] => (*one).into(),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// PATH(m, D[n]) of section 2.1.1.
fn naive_path(index: usize, leaves: &[LeafHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - middle, right), naive_root(left))
    };
    path.push(sibling);
    path
}

fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// Tiles that a tree left behind while it grew: the full ones as given out, the edge as it stands.
#[derive(Default)]
struct Grown {
    edge: EdgeTiles,
    full: HashMap<TileCoordinate, Vec<TreeHash>>,
}

impl Grown {
    fn push(&mut self, leaf: LeafHash) {
        let full = self.edge.push(leaf);
        assert!(full.iter().all(|(_, hashes)| hashes.len() == TILE_WIDTH));
        self.full.extend(full);
    }
}

impl TileSource for Grown {
    type Error = Infallible;

    fn tile(&self, tile: TileCoordinate, width: u16) -> Result<Vec<TreeHash>, Infallible> {
        let hashes = self
            .full
            .get(&tile)
            .map_or(self.edge.level(tile.level), Vec::as_slice);
        assert!(
            hashes.len() >= usize::from(width),
            "{tile:?} has {} of {width}",
            hashes.len()
        );
        Ok(hashes.to_vec())
    }
}

#[test]
fn every_inclusion_up_to_300_leaves() {
    let leaves = leaves(300);
    let mut grown = Grown::default();
    let mut frontier = Frontier::default();
    for size in 1..=300_u64 {
        grown.push(leaves[size as usize - 1]);
        frontier.push(leaves[size as usize - 1]);
        let tree = &leaves[..size as usize];
        let root = RootHash::from(naive_root(tree));
        assert_eq!(
            (grown.edge.root(), frontier.root(), tree_root(size, &grown)),
            (root, root, Ok(root))
        );
        for (index, leaf) in (0..).zip(tree) {
            let Ok(path) = inclusion_path(index, size, &grown);
            assert_eq!(path, naive_path(index as usize, tree), "{index} of {size}");
            verify_inclusion(index, size, leaf, &path, &root).unwrap();
            let other = (index + 1) % size;
            assert!(size == 1 || verify_inclusion(other, size, leaf, &path, &root).is_err());
            let mut longer = path.clone();
            longer.push(root.into());
            assert_eq!(
                verify_inclusion(index, size, leaf, &longer, &root),
                Err(ProofError::Length)
            );
            if let Some((_, shorter)) = path.split_last() {
                assert!(verify_inclusion(index, size, leaf, shorter, &root).is_err());
            }
        }
    }
}

/// As bundle/verify does it: the leaves of a range grow the tree left of the first, and must give the tree left
/// of the last with the last, which is in the tree.
fn range_leads_to(
    root: &RootHash,
    size: u64,
    first: u64,
    range: &[LeafHash],
    paths: [&[TreeHash]; 2],
) -> bool {
    let last = first + range.len() as u64 - 1;
    let (Ok(mut grown), Ok(mut expected)) = (
        left_of(first, size, paths[0]),
        left_of(last, size, paths[1]),
    ) else {
        return false;
    };
    range.iter().for_each(|leaf| grown.push(*leaf));
    expected.push(range[range.len() - 1]);
    grown.root() == expected.root()
        && verify_inclusion(last, size, &range[range.len() - 1], paths[1], root).is_ok()
}

#[test]
fn every_range_up_to_40_leaves() {
    for size in 1..=40 {
        let leaves = leaves(size);
        let root = RootHash::from(naive_root(&leaves));
        let paths: Vec<_> = (0..size as usize)
            .map(|index| naive_path(index, &leaves))
            .collect();
        for first in 0..size as usize {
            let left = left_of(first as u64, size, &paths[first]).unwrap();
            assert_eq!(
                left.root(),
                naive_root(&leaves[..first]).into(),
                "{first} of {size}"
            );
            for last in first..size as usize {
                let ends = [paths[first].as_slice(), paths[last].as_slice()];
                let holds = |range: &[LeafHash], ends| {
                    range_leads_to(&root, size, first as u64, range, ends)
                };
                assert!(
                    holds(&leaves[first..=last], ends),
                    "{first}..={last} of {size}"
                );
                for changed in first..=last {
                    let mut range = leaves[first..=last].to_vec();
                    range[changed - first] = leaf(1_000);
                    assert!(
                        !holds(&range, ends),
                        "{changed} in {first}..={last} of {size}"
                    );
                }
                if first < last {
                    assert!(
                        !holds(&leaves[first..last], ends),
                        "the last dropped, {first}..={last} of {size}"
                    );
                    assert!(
                        !holds(&leaves[first + 1..=last], ends),
                        "the first dropped, {first}..={last} of {size}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_consistency_up_to_300_leaves() {
    let leaves = leaves(300);
    let roots: Vec<RootHash> = (0..=300)
        .map(|size| naive_root(&leaves[..size]).into())
        .collect();
    let mut grown = Grown::default();
    for to in 1..=300_u64 {
        grown.push(leaves[to as usize - 1]);
        for from in 1..=to {
            let Ok(path) = consistency_path(from, to, &grown);
            let (old, new) = (&roots[from as usize], &roots[to as usize]);
            verify_consistency(from, to, old, new, &path)
                .unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
            assert!(
                from == to
                    || verify_consistency(from, to, &roots[from as usize - 1], new, &path).is_err()
            );
            assert!(
                from == to
                    || verify_consistency(from, to, old, &roots[to as usize - 1], &path).is_err()
            );
        }
    }
}

#[test]
fn tiles_around_their_edges() {
    let mut grown = Grown::default();
    let mut frontier = Frontier::default();
    for number in 0..65_800_u64 {
        grown.push(leaf(number));
        frontier.push(leaf(number));
        let size = number + 1;
        if [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_800].contains(&size) {
            assert_eq!(tree_root(size, &grown), Ok(frontier.root()), "size {size}");
            assert_eq!(grown.edge.root(), frontier.root());
            let Ok(restored) = EdgeTiles::restore(size, &grown);
            assert_eq!((restored.size(), restored.root()), (size, frontier.root()));
            for index in [0, size / 2, size - 1] {
                let Ok(path) = inclusion_path(index, size, &grown);
                verify_inclusion(index, size, &leaf(index), &path, &frontier.root()).unwrap();
            }
        }
    }
}

#[test]
fn tile_paths_of_the_specification() {
    let hashes = |level, index, width| TilePath::Hashes {
        tile: TileCoordinate { level, index },
        width,
    };
    let good = [
        ("0/000", hashes(0, 0, 256)),
        ("0/256", hashes(0, 256, 256)),
        ("1/x001/x234/067", hashes(1, 1_234_067, 256)),
        ("0/x001/x234/067.p/8", hashes(0, 1_234_067, 8)),
        ("63/000.p/255", hashes(63, 0, 255)),
        (
            "entries/000",
            TilePath::Entries {
                index: 0,
                width: 256,
            },
        ),
        (
            "entries/x001/000.p/1",
            TilePath::Entries {
                index: 1000,
                width: 1,
            },
        ),
    ];
    for (text, path) in good {
        assert_eq!(TilePath::parse(text), Some(path), "{text}");
        assert_eq!(path.to_string(), text);
    }
    for bad in [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/000",
        "0/001/000",
        "0/x1/000",
        "00/000",
        "64/000",
        "-1/000",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "0/000.p",
        "0/000/",
        "0//000",
        "data/000",
        "0/+00",
        "entries/0",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(TilePath::parse(bad), None, "{bad}");
    }
    let widths: Vec<_> = tiles_of(70_000).filter(|(_, width)| *width < 256).collect();
    let at = |level, index, width| (TileCoordinate { level, index }, width);
    assert_eq!(widths, [at(0, 273, 112), at(1, 1, 17), at(2, 0, 1)]);
    assert_eq!(tiles_of(70_000).count(), 274 + 2 + 1);
    assert_eq!(
        tiles_of(256).collect::<Vec<_>>(),
        [at(0, 0, 256), at(1, 0, 1)]
    );
}

#[test]
fn sizes_at_the_end_of_the_range_do_no_harm() {
    let (root, leaf) = (RootHash::new([1; 32]), leaf(1));
    for index in [0, 1, u64::MAX - 1, u64::MAX] {
        for size in [0, 1, u64::MAX - 1, u64::MAX] {
            for length in [0, 1, 63, 64, 65, 200] {
                let path = vec![TreeHash::new([2; 32]); length];
                let _ = root_from_inclusion(index, size, &leaf, &path);
                let _ = verify_consistency(index, size, &root, &root, &path);
                let _ = tile_width(TileCoordinate { level: 63, index }, size);
            }
        }
    }
}

fn entry(seq: u64, prev: LeafHash) -> Entry {
    let kind = if seq == 0 {
        EntryKind::Genesis
    } else {
        EntryKind::Event
    };
    let class = ClassNumber::new(u16::from(seq != 0));
    let recorded_at = UnixMillis::new(1_000 + seq);
    Entry {
        kind,
        class,
        seq: Seq::new(seq),
        recorded_at,
        prev,
        commitment: Commitment::new([seq as u8; 32]),
    }
}

#[test]
fn a_changed_byte_breaks_the_chain_there_or_at_the_next_entry() {
    let mut chain: Vec<EntryBytes> = Vec::new();
    let mut prev = LeafHash::ZERO;
    for seq in 0..4 {
        chain.push(entry(seq, prev).encode());
        prev = leaf_hash(&chain[seq as usize]);
    }
    let follow = |chain: &[EntryBytes]| {
        let mut head = ChainHead::EMPTY;
        chain.iter().position(|entry| head.follow(entry).is_err())
    };
    assert_eq!(follow(&chain), None);
    for at in 0..3 {
        for byte in 0..84 {
            let mut changed = chain.clone();
            changed[at][byte] ^= 1;
            let broken = follow(&changed);
            assert!(
                broken == Some(at) || broken == Some(at + 1),
                "entry {at} byte {byte}: {broken:?}"
            );
        }
    }
}

/// A receipt for the third of five entries.
fn receipt(key: &SigningKey) -> Receipt {
    let mut grown = Grown::default();
    let entries: Vec<EntryBytes> = (0..5)
        .map(|seq| entry(seq, LeafHash::ZERO).encode())
        .collect();
    for entry in &entries {
        grown.push(leaf_hash(entry));
    }
    let origin = Origin::parse("audit.example.com/default").unwrap();
    let checkpoint = Checkpoint {
        origin,
        size: 5,
        root: grown.edge.root(),
    }
    .sign(key);
    let Ok(path) = inclusion_path(2, 5, &grown);
    Receipt {
        entry: entries[2],
        index: 2,
        path,
        checkpoint,
    }
}

#[test]
fn any_change_of_a_receipt_s_text_is_refused() {
    let key = SigningKey::from_bytes(&[5; 32]);
    let verifier = VerifierKey::from_public("audit.example.com/default", &key.verifying_key());
    let receipt = receipt(&key);
    let text = receipt.to_text();
    assert_eq!(Receipt::parse(&text).as_ref(), Ok(&receipt));
    receipt.verify(&verifier).unwrap();
    let accepted = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        Receipt::parse(text).ok()?.verify(&verifier).ok()
    };
    for length in 0..text.len() {
        assert!(
            accepted(&text.as_bytes()[..length]).is_none(),
            "cut at {length}"
        );
    }
    for at in 0..text.len() {
        for change in [1, 2, 0x20, 0x80] {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= change;
            assert!(
                accepted(&changed).is_none(),
                "byte {at} changed by {change}"
            );
        }
    }
}

proptest! {
    #[test]
    fn commitments_bind_every_name_byte_and_salt(
        sections in prop::collection::btree_map("[a-z]{1,6}", prop::collection::vec(any::<u8>(), 0..40), 1..6),
        salt in any::<[u8; 32]>(),
        pick in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let origin = Origin::parse("a.b/x").unwrap();
        let commit = |sections: &std::collections::BTreeMap<String, Vec<u8>>, salt: &[u8; 32], origin: &Origin| {
            commitment_of(origin, salt, sections.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
        };
        let whole = commit(&sections, &salt, &origin);
        let name = sections.keys().nth(pick.index(sections.len())).unwrap().clone();

        let mut changed = sections.clone();
        changed.get_mut(&name).unwrap().push(flip);
        prop_assert_ne!(commit(&changed, &salt, &origin), whole);
        let mut renamed = sections.clone();
        let bytes = renamed.remove(&name).unwrap();
        prop_assert_ne!(commit(&renamed, &salt, &origin), whole);
        renamed.insert(format!("{name}0"), bytes);
        prop_assert_ne!(commit(&renamed, &salt, &origin), whole);
        let mut other_salt = salt;
        other_salt[pick.index(32)] ^= flip;
        prop_assert_ne!(commit(&sections, &other_salt, &origin), whole);
        prop_assert_ne!(commit(&sections, &salt, &Origin::parse("a.b/y").unwrap()), whole);
    }

    #[test]
    fn nothing_that_is_read_panics(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Receipt::parse(&text);
        let _ = Checkpoint::parse(&text);
        let _ = VerifierKey::parse(&text);
        let _ = TilePath::parse(&text);
        let _ = Origin::parse(&text);
        let _ = Entry::decode(&bytes);
    }
}
