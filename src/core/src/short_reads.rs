//! Many entries are read in short transactions: a long one would keep the write-ahead log from being emptied.

use std::ops::Range;

/// Entries of one read.
pub(crate) const ENTRIES_PER_READ: u64 = 1_000;

/// The parts of a range of entries, ascending, each for one read.
pub(crate) fn short_reads(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let Range { start, end } = range;
    let starts = (start..end).step_by(ENTRIES_PER_READ as usize);
    starts.map(move |start| start..end.min(start + ENTRIES_PER_READ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another_and_leave_nothing_out() {
        let parts = |start, end| {
            let parts = short_reads(start..end).map(|part| (part.start, part.end));
            parts.collect::<Vec<_>>()
        };
        assert_eq!(parts(0, 0), []);
        assert_eq!(parts(7, 3), []);
        assert_eq!(parts(3, 4), [(3, 4)]);
        assert_eq!(parts(0, 1_000), [(0, 1_000)]);
        assert_eq!(
            parts(5, 2_100),
            [(5, 1_005), (1_005, 2_005), (2_005, 2_100)]
        );
    }
}
