//! Standard error, written in a thread of its own: who doesn't read it, as a pager that waits for its user, must not
//! keep a build from answering its daemon.

use std::{
    io::{self, Write},
    sync::{
        LazyLock,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// So much may wait to be read. Whoever writes more, waits as well.
const WAITING: usize = 1 << 14;

enum Order {
    Write(Vec<u8>),
    /// Says so when all before is written.
    Tell(SyncSender<()>),
}

/// None where there can be no further thread.
static QUEUE: LazyLock<Option<SyncSender<Order>>> = LazyLock::new(|| {
    let (give, take) = sync_channel(WAITING);
    let thread = thread::Builder::new().name("stderr".to_owned());
    thread.spawn(move || carry_out(&take)).is_ok().then_some(give)
});

fn carry_out(orders: &Receiver<Order>) {
    for order in orders {
        match order {
            // Nobody is left to tell where it is closed.
            Order::Write(bytes) => drop(io::stderr().lock().write_all(&bytes)),
            Order::Tell(whom) => drop(whom.send(())),
        }
    }
}

/// Standard error. What is written comes out in order, and whole.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Stderr {
    /// Waits until all that was written is out, or so long.
    pub fn settle(self, patience: Duration) {
        let (tell, told) = sync_channel(1);
        if let Some(queue) = QUEUE.as_ref()
            && queue.try_send(Order::Tell(tell)).is_ok()
        {
            let _ = told.recv_timeout(patience);
        }
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let order = Order::Write(bytes.to_vec());
        match QUEUE.as_ref().and_then(|queue| queue.send(order).ok()) {
            Some(()) => Ok(bytes.len()),
            None => io::stderr().lock().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
