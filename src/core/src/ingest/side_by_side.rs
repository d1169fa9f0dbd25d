//! Work that is divided among the cores.

use std::num::NonZeroUsize;

use crate::ingest::StagingError;

/// Items for which another core is worth a thread.
const SHARE_MIN: usize = 32;

/// Does the work of all items, a share of neighbours on each core. Gives what each share came to, in order.
pub(super) fn on_all_cores<T: Send, R: Send>(
    mut items: Vec<T>,
    work: impl Fn(Vec<T>) -> Result<R, StagingError> + Sync,
) -> Result<Vec<R>, StagingError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = items.len().div_ceil(cores).max(SHARE_MIN);
    let mut shares = Vec::new();
    while items.len() > share {
        shares.push(items.split_off(items.len() - share));
    }
    std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = shares
            .into_iter()
            .rev()
            .map(|share| scope.spawn(move || work(share)))
            .collect();
        let mut done = vec![work(items)?];
        for other in others {
            done.push(joined(other)?);
        }
        Ok(done)
    })
}

/// Does two things at a time.
pub(super) fn beside<A: Send, B>(
    other: impl FnOnce() -> A + Send,
    own: impl FnOnce() -> B,
) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let own = own();
        (joined(other), own)
    })
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_in_order() {
        for items in [0, 1, SHARE_MIN, 5 * SHARE_MIN + 3] {
            let all: Vec<usize> = (0..items).collect();
            let shares = on_all_cores(all.clone(), Ok).unwrap();
            assert_eq!(shares.concat(), all);
        }
        let failed = on_all_cores((0..99).collect(), |items: Vec<usize>| {
            let fits = items.iter().all(|item| *item < 98);
            fits.then_some(()).ok_or(StagingError::Busy)
        });
        assert!(failed.is_err());
        assert_eq!(beside(|| 1, || 2), (1, 2));
    }
}
