//! A small seeded generator, so that the same seed always makes the same demo.

use std::fmt::Write as _;

/// The splitmix64 generator. Not for secrets: demo data must be repeatable.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator that repeats itself for the same seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` up to, but not including, `high`. Takes `low` when the range is empty.
    pub(super) const fn between(&mut self, low: u64, high: u64) -> u64 {
        let drawn = self.next();
        let width = high.saturating_sub(low);
        if width == 0 { low } else { low + drawn % width }
    }

    /// True in `percent` of a hundred draws.
    pub(super) const fn chance(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    /// One of the choices. The slice must not be empty.
    pub(super) const fn pick<'a, Choice>(&mut self, choices: &'a [Choice]) -> &'a Choice {
        &choices[self.between(0, choices.len() as u64) as usize]
    }

    /// `digits` lower-case hexadecimal digits.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            let _ = write!(text, "{:016x}", self.next());
        }
        text.truncate(digits);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_for_a_seed_and_stays_in_range() {
        let (mut one, mut other) = (Random::new(7), Random::new(7));
        for _ in 0..1_000 {
            let drawn = one.between(10, 20);
            assert!((10..20).contains(&drawn));
            assert_eq!(drawn, other.between(10, 20));
        }
        assert_eq!(one.hex(37).len(), 37);
        assert_eq!(one.between(5, 5), 5);
    }
}
