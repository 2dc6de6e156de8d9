//! Standard error, written in a thread of its own: who doesn't read it, as a pager that waits for its user, must not
//! keep a build from answering its daemon.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// So many bytes may wait to be read. Whoever writes more, waits as well.
const WAITING: usize = 16 << 20;
/// Written at once: what a pipe holds.
const PIECE: usize = 64 << 10;

/// What is not written yet.
#[derive(Default)]
struct Queue {
    texts: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Counts the pieces that are written.
    written: u64,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { texts: VecDeque::new(), bytes: 0, written: 0 });
/// Something was queued, or written.
static MOVED: Condvar = Condvar::new();
/// Whether there can be a thread.
static THREAD: LazyLock<bool> =
    LazyLock::new(|| thread::Builder::new().name("stderr".to_owned()).spawn(write_all).is_ok());

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all() {
    let mut queue = queue();
    loop {
        let Some(text) = queue.texts.pop_front() else {
            queue = MOVED.wait(queue).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        for piece in text.chunks(PIECE) {
            drop(queue);
            // Nobody is left to tell where it is closed.
            let _ = io::stderr().lock().write_all(piece);
            queue = self::queue();
            queue.bytes -= piece.len();
            queue.written += 1;
            MOVED.notify_all();
        }
    }
}

/// Standard error. What is written to it comes out whole, and in the order in which it was written.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Stderr {
    /// Waits until all that was written is out, or until nobody has read any of it for this long.
    pub fn settle(self, patience: Duration) {
        let mut queue = queue();
        while queue.bytes > 0 {
            let before = queue.written;
            let (now, waited) = MOVED.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner);
            queue = now;
            if waited.timed_out() && queue.written == before {
                return;
            }
        }
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() || !*THREAD {
            return io::stderr().lock().write(bytes);
        }
        let mut queue = queue();
        while queue.bytes >= WAITING {
            queue = MOVED.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.bytes += bytes.len();
        queue.texts.push_back(bytes.to_vec());
        MOVED.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
