//! Exit codes and signals.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use flowhold::{Failure, FailureKind};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How messages name the adding of flows to a directory.
pub(crate) const ADDING: &str = "adding flows";

/// The exit code of a failure, by who can do something about it; 69 and 75 are from `sysexits.h`.
pub(crate) fn code(failure: &Failure) -> ExitCode {
    ExitCode::from(match failure.kind {
        FailureKind::Input => 1,
        FailureKind::Unavailable => 69,
        FailureKind::Retry => 75,
        FailureKind::Interrupted => 130,
    })
}

/// Cancelled by the first Ctrl-C, SIGTERM, or SIGHUP of a closed terminal; the second signal ends the process at once.
pub(crate) fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    on_signals(move |mut signals| async move {
        signals.next().await;
        cancel.cancel();
        signals.next().await;
    });
    token
}

/// What signals ask of a running flow: the first to end, the second to end at once. The third ends the process.
#[derive(Default, Clone)]
pub(crate) struct EndOfFlow {
    pub(crate) stop: CancellationToken,
    pub(crate) kill: CancellationToken,
    from_terminal: Arc<AtomicBool>,
}

impl EndOfFlow {
    pub(crate) fn on_signals() -> Self {
        let end = Self::default();
        let asked = end.clone();
        on_signals(|mut signals| async move {
            let terminates = signals.next().await;
            asked.from_terminal.store(!terminates, Ordering::Relaxed);
            asked.stop.cancel();
            signals.next().await;
            asked.kill.cancel();
            signals.next().await;
        });
        end
    }

    /// Whether a terminal sent the signal, which then reaches the whole process group.
    pub(crate) fn is_known_to_all(&self) -> bool {
        let from_terminal = self.from_terminal.load(Ordering::Relaxed) && std::fs::File::open("/dev/tty").is_ok();
        cfg!(not(unix)) || from_terminal
    }
}

/// Runs `act` with the signals that come. When it is done, the process ends.
fn on_signals<F: Future>(act: impl FnOnce(Signals) -> F + Send + 'static) {
    let (ready, wait) = std::sync::mpsc::channel();
    // On a thread of its own: the main thread may be writing to somebody who doesn't read. If no more threads can be
    // started, signals have their default effect.
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let _ = thread.spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let signals = Signals::listen();
            let _ = ready.send(());
            act(signals).await;
            std::process::exit(130);
        });
    });
    // From here on no signal is missed.
    let _ = wait.recv();
}

/// The failure of work that a signal has stopped.
pub(crate) fn interrupted(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Interrupted, "interrupted", message)
}

/// Does work that may be dropped at any moment, until a signal comes.
pub(crate) async fn until<T>(
    interrupt: &CancellationToken,
    doing: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = interrupt.cancelled() => Err(interrupted(format!("interrupted while {doing}"))),
        done = work => done,
    }
}

/// Does work that may wait for the reader or writer at the other end, and abandons it when a signal comes.
pub(crate) async fn until_blocked<T: Send + 'static>(
    interrupt: &CancellationToken,
    doing: &str,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let stopped = |error| Failure::new(FailureKind::Unavailable, "stopped", format!("{error}"));
    let work = tokio::task::spawn_blocking(work);
    until(interrupt, doing, async { work.await.unwrap_or_else(|error| Err(stopped(error))) }).await
}

/// The signals, registered once, so that none is missed in between.
#[cfg(unix)]
struct Signals(Vec<(SignalKind, Signal)>);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        let hangup = (!hangups_are_left_alone()).then(SignalKind::hangup);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(hangup);
        Self(kinds.filter_map(|kind| Some((kind, signal(kind).ok()?))).collect())
    }

    /// Waits for a signal, and says whether it is SIGTERM, which no terminal sends.
    async fn next(&mut self) -> bool {
        let signals = self.0.iter_mut().map(|(kind, signal)| {
            Box::pin(async {
                signal.recv().await;
                *kind == SignalKind::terminate()
            })
        });
        futures_util::future::select_all(signals).await.0
    }
}

/// Whether SIGHUP is ignored, as under `nohup`; true if that can't be known.
#[cfg(unix)]
fn hangups_are_left_alone() -> bool {
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & HANGUP != 0)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) -> bool {
        let _ = tokio::signal::ctrl_c().await;
        false
    }
}
