//! Exit codes and signals.

use std::process::ExitCode;

use flowhold::{Failure, FailureKind};
use tokio_util::sync::CancellationToken;

/// The exit code of a failure, by who can do something about it. 69 and 75 are those of `sysexits.h`.
pub(crate) fn code(failure: &Failure) -> ExitCode {
    ExitCode::from(match failure.kind {
        FailureKind::Input => 1,
        FailureKind::Unavailable => 69,
        FailureKind::Retry => 75,
        FailureKind::Interrupted => 130,
    })
}

/// Cancelled by the first Ctrl-C or SIGTERM; the second ends the process at once.
pub(crate) fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        signal().await;
        cancel.cancel();
        signal().await;
        std::process::exit(130);
    });
    token
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
