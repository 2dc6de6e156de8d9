//! What a long operation reports while it runs, as plain data; the caller chooses how that is shown.
//!
//! Invariant: nothing here decides anything. An operation behaves the same whoever listens.

#[cfg(feature = "cli")]
mod bars;
mod clean;
mod event;
mod json;
mod plain;
mod stderr;

use std::io::IsTerminal;
use std::sync::Arc;

#[cfg(feature = "cli")]
pub use bars::Bars;
pub(crate) use clean::{MASK, url_users};
pub use clean::{clean, without_passwords};
pub use event::{Event, Operation};
pub use json::Json;
pub use plain::Plain;
pub use stderr::Stderr;

/// Receives the events of an operation.
pub trait Progress: Send + Sync {
    /// Takes one event; must neither block for long nor fail.
    fn event(&self, event: Event<'_>);
}

/// Drops all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Bars on a terminal, if the feature `cli` has them; plain lines elsewhere.
    #[default]
    Auto,
    /// One line of text per event that matters.
    Plain,
    /// One JSON object per line.
    Json,
    /// Nothing at all.
    None,
}

/// Shows progress in this mode on standard error, with colours only on a terminal, and not with `NO_COLOR`. A thread of
/// its own writes the lines: call [`Stderr::settle`] before the process ends, to wait for the last ones.
#[must_use]
pub fn to_stderr(mode: Mode) -> Arc<dyn Progress> {
    #[cfg(feature = "cli")]
    let stderr = std::io::stderr();
    match mode {
        #[cfg(feature = "cli")]
        Mode::Auto if obeys(&stderr) => {
            Arc::new(Bars::stderr(if has_colours(&stderr) { Colour::On } else { Colour::Off }))
        }
        Mode::Auto | Mode::Plain => Arc::new(Plain::new(Stderr)),
        Mode::Json => Arc::new(Json::new(Stderr)),
        Mode::None => Arc::new(Silent),
    }
}

/// Whether a stream is a terminal that moves its cursor and has colours.
fn obeys(stream: &impl IsTerminal) -> bool {
    let dumb = cfg!(unix) && std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
    stream.is_terminal() && !dumb
}

/// Whether a stream is such a terminal, and `NO_COLOR` doesn't forbid colours.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden && obeys(stream)
}

/// Whether [`Bars`] are coloured.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Colour {
    On,
    Off,
}

/// Whether the daemon says no more about a layer after this status.
fn layer_is_done(status: &str) -> bool {
    matches!(status, "Pull complete" | "Already exists" | "Pushed" | "Layer already exists")
        || status.starts_with("Mounted from")
}

/// `1.2 MB`, the way the Docker command line counts: powers of 1000.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut shown = bytes as f64 / 1000.0;
    let mut unit = 0;
    while shown >= 999.95 && unit + 1 < UNITS.len() {
        shown /= 1000.0;
        unit += 1;
    }
    format!("{shown:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_like_the_docker_command_line() {
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (999_999, "1.0 MB"),
            (95_000_000_000, "95.0 GB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
