//! Progress events, as plain data.

use serde::Serialize;

/// The operations that take long enough to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// An image comes from a registry.
    Pull,
    /// An image is built.
    Build,
    /// An image goes to a registry.
    Push,
}

/// One thing that happened. The daemon's texts are passed on as they are: before writing them to a terminal, clean
/// them, see [`clean`](super::clean).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// An operation begins; the subject is an image reference.
    Started {
        /// What begins.
        operation: Operation,
        /// The reference of the image.
        subject: &'a str,
    },
    /// A part of the build context has been sent.
    Context {
        /// Bytes since the start.
        bytes_sent: u64,
        /// Bytes of the whole context. In the end fewer were sent if the daemon had the rest from an earlier build.
        bytes_total: u64,
        /// Whether nothing more will follow.
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
