//! Work that takes long: on all processors, or on a thread where it keeps nobody waiting.

use std::{future::pending, num::NonZero, panic::resume_unwind, thread};

use tokio::task::JoinError;

/// For fewer items than this a thread isn't worth it.
pub(crate) const FEW: usize = 32;

/// Does work that takes long or waits for a disk on a blocking thread of the runtime, so that other tasks go on. It is
/// done to its end, even if nobody waits for it any more.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime ends, and the waiting task with it.
        Err(Err(_)) => pending().await,
    }
}

/// Like [`aside`], if the work takes long: a thread costs more than little work.
pub(crate) async fn aside_if<T: Send + 'static>(long: bool, work: impl FnOnce() -> T + Send + 'static) -> T {
    if long { aside(work).await } else { work() }
}

/// The results of `work` for all items, in their order.
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
                // No more threads could be started.
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
