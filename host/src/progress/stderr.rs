//! Standard error, written on a thread of its own: a reader that doesn't read, such as a pager that waits for its user,
//! must not keep a build from answering its daemon.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How many bytes may wait to be read; a writer of more waits as well.
const WAITING: usize = 16 << 20;
/// How many bytes are written at once: as many as a pipe holds.
const PIECE: usize = 64 << 10;

/// Texts that are not written yet.
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
/// Whether the thread could be started.
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
            // If stderr is closed, nobody is left to tell.
            let _ = io::stderr().lock().write_all(piece);
            queue = self::queue();
            queue.bytes -= piece.len();
            queue.written += 1;
            MOVED.notify_all();
        }
    }
}

/// Standard error. Texts that are written to it come out whole, and in their order.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Stderr {
    /// Waits until all texts are written, or until nobody has read any of them for `patience`.
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
