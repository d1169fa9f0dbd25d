//! A sum of keyed hashes of rows: numbers of 256 bits, added without a carry out. The order of the rows does not
//! matter, and one row is taken off again without looking at the others (docs/decisions.md says why it is sound).

/// The sum of no rows, to begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowSum([u8; 32]);

impl From<[u8; 32]> for RowSum {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl RowSum {
    pub(super) const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    pub(super) fn add(&mut self, hash: &[u8; 32]) {
        let mut carry = 0_u16;
        for (byte, other) in self.0.iter_mut().zip(hash) {
            carry += u16::from(*byte) + u16::from(*other);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
    }

    pub(super) fn subtract(&mut self, hash: &[u8; 32]) {
        // The two's complement: all bits turned, and one more.
        self.add(&hash.map(|byte| !byte));
        let mut one = [0; 32];
        one[0] = 1;
        self.add(&one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_in_any_order_is_taken_off_again() {
        let (a, b, full) = ([0x81; 32], [0xFE; 32], [0xFF; 32]);
        let mut one = RowSum::default();
        one.add(&a);
        one.add(&b);
        one.add(&full);
        let mut other = RowSum::default();
        other.add(&full);
        other.add(&b);
        other.add(&a);
        assert_eq!(one, other);
        one.subtract(&b);
        assert_ne!(one, other);
        one.subtract(&full);
        assert_eq!(one, RowSum::from(a));
        one.subtract(&a);
        assert_eq!(one, RowSum::default());
        // Twice the same is not nothing.
        one.add(&a);
        one.add(&a);
        assert_ne!(one, RowSum::default());
        assert_ne!(one, RowSum::from(a));
    }
}
