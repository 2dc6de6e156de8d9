//! What a long operation tells while it runs, as plain data; how that is shown is a choice of the caller.
//!
//! Invariant: nothing here decides anything. An operation behaves the same whoever listens.

#[cfg(feature = "cli")]
mod bars;
mod clean;
mod json;
mod plain;
mod stderr;

use std::io::IsTerminal;
use std::sync::Arc;

use serde::Serialize;

#[cfg(feature = "cli")]
pub use bars::Bars;
pub(crate) use clean::{MASK, url_users};
pub use clean::{clean, without_passwords};
pub use json::Json;
pub use plain::Plain;
pub use stderr::Stderr;

/// Somebody who is told what is going on.
pub trait Progress: Send + Sync {
    /// Takes one event; must neither block for long nor fail.
    fn event(&self, event: Event<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// The operations that take long enough to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Operation {
    Pull,
    Build,
    Push,
}

/// One thing that happened. Texts that come from the daemon are passed on as they are: who writes
/// to a terminal cleans them first, see [`clean`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// An operation begins; the subject is an image reference.
    Started {
        /// What begins.
        operation: Operation,
        /// The image that it is about.
        subject: &'a str,
    },
    /// So much of the build context has been sent.
    Context {
        /// Bytes since the start.
        bytes_sent: u64,
        /// Of the whole context. In the end fewer were sent if the daemon had the rest from an earlier build.
        bytes_total: u64,
        /// Nothing more will follow.
        complete: bool,
    },
    /// A build step begins.
    Step {
        /// Counted from 1.
        index: u32,
        /// The number of steps of the build.
        total: u32,
        /// The instruction.
        name: &'a str,
    },
    /// The step that began last was found in the daemon's cache.
    Cached {
        /// The step's number.
        index: u32,
    },
    /// A line that the running step wrote.
    Log {
        /// Without its line end.
        line: &'a str,
    },
    /// A layer on its way between daemon and registry.
    Layer {
        /// The daemon's short name of the layer.
        id: &'a str,
        /// The daemon's words, such as `Downloading`.
        status: &'a str,
        /// Bytes done.
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<u64>,
        /// Bytes in all.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// Something else that a person may want to know.
    Message {
        /// One line.
        text: &'a str,
    },
    /// The operation succeeded.
    Finished {
        /// What ended.
        operation: Operation,
        /// How long it took.
        seconds: f64,
    },
    /// The operation failed or was interrupted; the error itself goes to the caller.
    Failed {
        /// What ended.
        operation: Operation,
        /// How long it took.
        seconds: f64,
    },
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

/// Progress in that mode on standard error. Colours only on a terminal, and not with `NO_COLOR`. Lines are written by a
/// thread of their own: whoever ends the process lets [`Stderr::settle`] wait for the last ones.
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

/// Whether it is a terminal that moves its cursor and has colours.
fn obeys(stream: &impl IsTerminal) -> bool {
    let dumb = cfg!(unix) && std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
    stream.is_terminal() && !dumb
}

/// Whether it is such a terminal, and nobody forbids colours.
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

/// The daemon says no more about a layer after such a word.
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
