//! Work that is divided among the cores. Outcomes are taken in the order of the parts that they are of.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::Mutex;

/// Parts for each core that are begun and not taken: few outcomes wait in memory at any time.
const AHEAD: usize = 2;

/// Does `work` on each part and gives the outcomes to `take`, in order. The first error ends it.
pub(crate) fn in_order<P, T, E>(
    parts: impl Iterator<Item = P> + Send,
    work: impl Fn(P) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    P: Send,
    T: Send,
    E: Send,
{
    let cores = core_count();
    let (promise, promises) = sync_channel(AHEAD * cores);
    let queue = Mutex::new(Some(Queue { parts, promise }));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((part, answer)) = Queue::next(&queue) {
                    // After an earlier part failed, its outcome is not read.
                    let _ = answer.send(work(part));
                }
            });
        }
        take_all(promises, &mut take)
    })
}

/// Items for which another core is worth a thread.
const SHARE_MIN: usize = 32;

/// Does the work of all items, a share of neighbours on each core. Gives the outcome of each share, in order.
pub(crate) fn on_all_cores<T: Send, R: Send, E: Send>(
    items: Vec<T>,
    work: impl Fn(Vec<T>) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let share = items.len().div_ceil(core_count()).max(SHARE_MIN);
    if items.len() <= share {
        return Ok(vec![work(items)?]);
    }
    let count = items.len().div_ceil(share);
    let mut items = items.into_iter();
    let shares = std::iter::repeat_with(|| items.by_ref().take(share).collect()).take(count);
    let mut done = Vec::with_capacity(count);
    in_order(shares, work, |outcome| {
        done.push(outcome);
        Ok(())
    })?;
    Ok(done)
}

/// Does two things at the same time.
pub(crate) fn beside<A: Send, B>(
    other: impl FnOnce() -> A + Send,
    own: impl FnOnce() -> B,
) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let own = own();
        match other.join() {
            Ok(other) => (other, own),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn core_count() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The parts that are left, and a channel with a place for the outcome of each part that was begun.
struct Queue<I, T> {
    parts: I,
    promise: SyncSender<Receiver<T>>,
}

impl<I: Iterator, T> Queue<I, T> {
    /// Takes the next part. The promises stand in the order of the parts, since both are taken under one lock.
    fn next(queue: &Mutex<Option<Self>>) -> Option<(I::Item, SyncSender<T>)> {
        let mut queue = queue.lock();
        let open = queue.as_mut()?;
        let (answer, outcome) = sync_channel(1);
        let begun = open
            .parts
            .next()
            .filter(|_| open.promise.send(outcome).is_ok());
        if begun.is_none() {
            // The taker's promises end here.
            *queue = None;
        }
        begun.map(|part| (part, answer))
    }
}

fn take_all<T, E>(
    promises: Receiver<Receiver<Result<T, E>>>,
    take: &mut impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    for outcome in promises {
        // A worker that panicked gives none; the scope passes its panic on.
        let Ok(outcome) = outcome.recv() else { break };
        take(outcome?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn outcomes_come_in_order_and_all_of_them() {
        let mut taken = Vec::new();
        let work = |part: u64| {
            // Earlier parts take longer.
            std::thread::sleep(Duration::from_micros(200 - part));
            Ok::<_, ()>(part * 2)
        };
        in_order(0..200, work, |outcome| {
            taken.push(outcome);
            Ok(())
        })
        .unwrap();
        assert_eq!(taken, (0..200).map(|part| part * 2).collect::<Vec<_>>());
    }

    #[test]
    fn every_item_is_worked_on_once_and_in_order() {
        for items in [0, 1, SHARE_MIN, 5 * SHARE_MIN + 3] {
            let all: Vec<usize> = (0..items).collect();
            let shares = on_all_cores(all.clone(), Ok::<_, ()>).unwrap();
            assert_eq!(shares.concat(), all);
        }
        let failed = on_all_cores((0..99).collect(), |items: Vec<usize>| {
            let fits = items.iter().all(|item| *item < 98);
            fits.then_some(()).ok_or("refused")
        });
        assert!(failed.is_err());
        assert_eq!(beside(|| 1, || 2), (1, 2));
    }

    #[test]
    fn an_error_of_either_side_ends_it() {
        let work = |part: u64| if part == 7 { Err(part) } else { Ok(part) };
        let mut taken = Vec::new();
        let outcome = in_order(0..1_000_000, work, |outcome| {
            taken.push(outcome);
            Ok(())
        });
        assert_eq!((outcome, taken.len()), (Err(7), 7));
        let take = |outcome| if outcome == 3 { Err(outcome) } else { Ok(()) };
        assert_eq!(in_order(0..1_000_000, Ok, take), Err(3));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_worker_is_passed_on() {
        let work = |part: u64| {
            assert_ne!(part, 5);
            Ok::<_, ()>(part)
        };
        let _ = in_order(0..1_000, work, |_| Ok(()));
    }
}
