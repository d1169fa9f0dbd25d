//! A histogram of milliseconds with a bounded relative error, in integers alone: whatever the order in which values come, the
//! counts are the same (docs/format.md, "Histogram").

use std::collections::BTreeMap;

/// Buckets of an octave, as a power of two.
const SUB_BITS: u32 = 6;
/// Buckets of an octave. Values below this have a bucket each.
const SUB: u64 = 1 << SUB_BITS;

/// Counts of values by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: BTreeMap<u32, u64>,
    values: u64,
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        *self.counts.entry(bucket_of(value)).or_default() += 1;
        self.values += 1;
    }

    /// Adds the counts of another one.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
        self.values += other.values;
    }

    /// How many values there are.
    pub const fn len(&self) -> u64 {
        self.values
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.values == 0
    }

    /// The value of a rank of so many in a hundred: the nearest rank, to 1/128 of the value. None where there are too few values:
    /// above the median, one of them must lie above the rank.
    pub fn percentile(&self, in_hundred: u64) -> Option<u64> {
        let above = 100_u64.checked_sub(in_hundred).filter(|above| *above > 0)?;
        let is_tail = in_hundred > 50;
        let is_enough = self.values > 0 && (!is_tail || self.values.saturating_mul(above) >= 100);
        if !is_enough {
            return None;
        }
        let rank = (u128::from(self.values) * u128::from(in_hundred)).div_ceil(100);
        let mut passed = 0_u128;
        for (bucket, count) in &self.counts {
            passed += u128::from(*count);
            if passed >= rank {
                return Some(middle_of(*bucket));
            }
        }
        None
    }

    /// The buckets with their counts, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.counts.iter().map(|(bucket, count)| (*bucket, *count))
    }
}

/// The bucket of a value: its own below 64; above, 64 to each octave.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there are 64 octaves of 64 buckets at most"
)]
pub fn bucket_of(value: u64) -> u32 {
    if value < SUB {
        return value as u32;
    }
    let octave = value.ilog2() - SUB_BITS;
    let within = (value >> octave) - SUB;
    (octave + 1) * SUB as u32 + within as u32
}

/// The value that stands for a bucket: the middle of it.
pub fn middle_of(bucket: u32) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < SUB {
        return bucket;
    }
    let octave = bucket / SUB - 1;
    let low = (SUB + bucket % SUB) << octave;
    low + ((1 << octave) - 1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_buckets_are_those_of_the_format() {
        for (value, bucket, middle) in [
            (0, 0, 0),
            (63, 63, 63),
            (64, 64, 64),
            (127, 127, 127),
            (128, 128, 128),
            (129, 128, 128),
            (255, 191, 254),
            (256, 192, 257),
            (1_840, 371, 1_847),
            (60_000, 693, 60_159),
        ] {
            assert_eq!(
                (bucket_of(value), middle_of(bucket)),
                (bucket, middle),
                "{value}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), 3_775);
    }

    #[test]
    fn a_rank_is_said_only_of_enough_values() {
        let mut histogram = Histogram::default();
        (1..=99).for_each(|value| histogram.add(value));
        assert_eq!(histogram.percentile(99), None);
        assert_eq!(histogram.percentile(95), Some(95));
        assert_eq!(histogram.percentile(50), Some(50));
        histogram.add(1_000);
        assert_eq!(histogram.percentile(99), Some(99));
        assert_eq!(histogram.percentile(100), None);
        assert_eq!(Histogram::default().percentile(50), None);
        let mut few = Histogram::default();
        (0..19).for_each(|_| few.add(7));
        assert_eq!(few.percentile(95), None);
        few.add(7);
        assert_eq!(few.percentile(95), Some(7));
    }

    proptest! {
        #[test]
        fn a_value_is_told_to_one_part_in_128(value in 0..=(1_u64 << 53)) {
            let told = middle_of(bucket_of(value));
            prop_assert!(told.abs_diff(value) * 128 <= value, "{value} {told}");
        }

        #[test]
        fn the_order_of_values_does_not_matter(mut values in proptest::collection::vec(0..1_000_000_u64, 0..200), cut in 0..200_usize) {
            let mut all = Histogram::default();
            values.iter().for_each(|value| all.add(*value));
            let (one, other) = values.split_at(cut.min(values.len()));
            let (mut first, mut second) = (Histogram::default(), Histogram::default());
            one.iter().for_each(|value| first.add(*value));
            other.iter().rev().for_each(|value| second.add(*value));
            second.merge(&first);
            prop_assert_eq!(&all, &second);
            values.sort_unstable();
            for rank in [50, 95, 99] {
                let at = (values.len() * rank).div_ceil(100);
                if let Some(told) = all.percentile(rank as u64) {
                    let exact = values[at - 1];
                    prop_assert!(told.abs_diff(exact) * 128 <= exact, "{exact} {told}");
                }
            }
        }
    }
}
