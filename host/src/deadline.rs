//! Deadlines: a thread that counts time for the engine, so that a guest that never ends is stopped.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use wasmtime::Engine;

/// How exact a deadline is. Each tick costs a running guest one call, and the thread of the ticker one wake-up.
const TICK: Duration = Duration::from_millis(5);

/// Increments an engine's epoch until it is dropped.
pub(crate) struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Begins to count ticks.
    pub(crate) fn start(engine: &Engine) -> wasmtime::Result<Self> {
        let engine = engine.weak();
        let (stop, stopped) = mpsc::channel();
        let count = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new().name("flowhold-deadline".to_owned()).spawn(count)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// How many ticks a span of time has, at least one.
    pub(crate) fn ticks(&self, time: Duration) -> u32 {
        let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // Dropping the sender ends the thread.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
