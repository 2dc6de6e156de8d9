//! One work on many items, on all processors.

use std::{num::NonZero, panic::resume_unwind, thread};

/// For fewer items than this a thread isn't worth it.
const FEW: usize = 32;

/// What `work` makes of each, in their order.
pub(crate) fn on_all_processors<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let all = &|part: &[I]| part.iter().map(&work).collect::<Vec<_>>();
    let mut parts = items.chunks(items.len().div_ceil(threads).max(FEW));
    let own = parts.next().unwrap_or_default();
    thread::scope(|scope| {
        let spawn = |part| (part, thread::Builder::new().spawn_scoped(scope, move || all(part)));
        let others: Vec<_> = parts.map(spawn).collect();
        let mut done = all(own);
        for (part, thread) in others {
            done.extend(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // No more threads can be started.
                Err(_) => all(part),
            });
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once_and_in_order() {
        for count in [0, 1, FEW, FEW + 1, 10 * FEW + 7] {
            let items: Vec<_> = (0..count).collect();
            let doubled: Vec<_> = items.iter().map(|item| item * 2).collect();
            assert_eq!(on_all_processors(&items, |item| item * 2), doubled);
        }
    }
}
