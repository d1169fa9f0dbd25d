//! Long work in parts: all cores work on parts, and the outcomes are taken in the order of the parts.

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
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (promise, promises) = sync_channel(AHEAD * cores);
    let queue = Mutex::new(Some(Queue { parts, promise }));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((part, answer)) = Queue::next(&queue) {
                    // Nobody waits for it any more where an earlier part failed.
                    let _ = answer.send(work(part));
                }
            });
        }
        take_all(promises, &mut take)
    })
}

/// The parts that nobody has begun, and where the outcome of each is promised.
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
