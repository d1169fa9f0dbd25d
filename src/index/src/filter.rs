//! A Bloom filter over the keys of one run: says of most runs at once that a key is not in them.
//!
//! The keys are keyed hashes or random numbers, so their own bytes serve as the hash functions.

use trailkeep_proof::ids::{LookupKey, Seq};

/// With 7 probes about 0.8 % of absent keys pass.
const BITS_PER_KEY: u64 = 10;
const PROBES: u64 = 7;

/// The filter of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFilter(Vec<u8>);

impl KeyFilter {
    /// An empty filter for so many distinct keys.
    pub(super) fn for_keys(count: u64) -> Self {
        let bytes = (count.max(1) * BITS_PER_KEY).div_ceil(8);
        Self(vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)])
    }

    /// The filter of sorted rows.
    pub(super) fn of_sorted(rows: &[(LookupKey, Seq)]) -> Self {
        let keys = || rows.chunk_by(|(one, _), (other, _)| one == other);
        let mut filter = Self::for_keys(keys().count() as u64);
        for (key, _) in keys().filter_map(<[_]>::first) {
            filter.insert(*key);
        }
        filter
    }

    /// So many distinct keys it was made for, or a few more.
    pub(super) fn keys_max(&self) -> u64 {
        self.0.len() as u64 * 8 / BITS_PER_KEY
    }

    /// A stored filter.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The bytes to store.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn insert(&mut self, key: LookupKey) {
        for bit in self.probes(key) {
            self.0[bit / 8] |= 1 << (bit % 8);
        }
    }

    /// Whether the key may be in the run; `false` is certain.
    pub(super) fn may_contain(&self, key: LookupKey) -> bool {
        self.probes(key)
            .all(|bit| self.0[bit / 8] & (1 << (bit % 8)) != 0)
    }

    fn probes(&self, key: LookupKey) -> impl Iterator<Item = usize> + use<> {
        let (halves, _) = key.as_bytes().as_chunks::<8>();
        let (first, step) = (
            u64::from_le_bytes(halves[0]),
            u64::from_le_bytes(halves[1]) | 1,
        );
        let bits = self.0.len() as u64 * 8;
        (0..PROBES).map(move |probe| (first.wrapping_add(probe.wrapping_mul(step)) % bits) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> LookupKey {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(number.to_be_bytes());
        LookupKey::from_slice(&digest[..16]).unwrap()
    }

    #[test]
    fn what_is_in_is_found_and_little_else() {
        let mut filter = KeyFilter::for_keys(1000);
        (0..1000).for_each(|number| filter.insert(key(number)));
        assert!((0..1000).all(|number| filter.may_contain(key(number))));
        let wrong = (1000..11_000)
            .filter(|number| filter.may_contain(key(*number)))
            .count();
        assert!(wrong < 300, "{wrong} of 10,000 absent keys pass");
    }
}
