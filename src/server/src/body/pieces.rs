//! Bytes of a body in pieces: a growing one is never copied, and takes at most twice what it holds while it is small.

use std::collections::VecDeque;

/// Bytes of a piece at most. jemalloc as `.cargo/config.toml` sets it up, and glibc with `MALLOC_MMAP_THRESHOLD_=131072`,
/// give one of that size back to the system when it is dropped.
const PIECE_BYTES: usize = 128 << 10;

/// Bytes that are added at the end and taken at the start.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// None is empty but for what was taken of the first.
    held: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that were taken.
    taken: usize,
    len: usize,
}

impl Pieces {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let last = self.held.back_mut();
            if let Some(last) = last.filter(|last| last.len() < last.capacity()) {
                let fits = bytes.len().min(last.capacity() - last.len());
                last.extend_from_slice(&bytes[..fits]);
                self.len += fits;
                bytes = &bytes[fits..];
            } else {
                let capacity = self.len.max(bytes.len()).min(PIECE_BYTES);
                self.held.push_back(Vec::with_capacity(capacity));
            }
        }
    }

    /// The bytes at the start that lie together: empty only where there are none.
    pub(super) fn first(&self) -> &[u8] {
        self.held.front().map_or(&[], |first| &first[self.taken..])
    }

    /// Takes bytes of the first ones.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        self.len -= count;
        if self.first().is_empty() {
            self.held.pop_front();
            self.taken = 0;
        }
    }

    /// Takes the first bytes that lie together.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let mut first = self.held.pop_front()?;
        first.drain(..std::mem::take(&mut self.taken));
        self.len -= first.len();
        Some(first)
    }

    /// Whether it begins with these bytes, or with as many of them as there are.
    pub(super) fn begins_like(&self, bytes: &[u8]) -> bool {
        let others = self.held.iter().skip(1).flatten();
        self.first()
            .iter()
            .chain(others)
            .zip(bytes)
            .all(|(one, other)| one == other)
    }

    /// All bytes together. Each piece is dropped as soon as it is copied.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        if self.taken == 0 && self.held.len() < 2 {
            return self.held.pop_front().unwrap_or_default();
        }
        let mut all = Vec::with_capacity(self.len);
        while !self.is_empty() {
            all.extend_from_slice(self.first());
            self.take(self.first().len());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_it_takes_is_little_more_than_what_it_holds() {
        let taken = |pieces: &Pieces| pieces.held.iter().map(Vec::capacity).sum::<usize>();
        for step in [1, 700, 16 << 10, 1 << 20] {
            let (mut pieces, bytes) = (Pieces::default(), vec![7; step]);
            while pieces.len() < 512 << 10 {
                pieces.push(&bytes);
                let most = (2 * pieces.len()).min(pieces.len() + PIECE_BYTES);
                assert!(taken(&pieces) <= most, "{step}: {}", taken(&pieces));
            }
            assert!(pieces.len() > PIECE_BYTES);
        }
    }

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
            steps in proptest::collection::vec(1_usize..30, 0..20),
        ) {
            let (mut pieces, mut all) = (Pieces::default(), parts.concat());
            for part in &parts {
                pieces.push(part);
            }
            for step in steps {
                prop_assert!(pieces.begins_like(&all[..all.len().min(step)]));
                prop_assert_eq!(pieces.first().is_empty(), all.is_empty());
                let step = step.min(pieces.first().len());
                prop_assert_eq!(&pieces.first()[..step], &all[..step]);
                pieces.take(step);
                all.drain(..step);
                prop_assert_eq!(pieces.len(), all.len());
            }
            let popped = pieces.pop().unwrap_or_default();
            prop_assert_eq!(popped.is_empty(), all.is_empty());
            prop_assert_eq!(&popped[..], &all[..popped.len()]);
            all.drain(..popped.len());
            prop_assert_eq!(pieces.len(), all.len());
            if let Some(first) = all.first() {
                prop_assert!(!pieces.begins_like(&[!first]));
            }
            prop_assert_eq!(pieces.into_vec(), all);
        }
    }
}
