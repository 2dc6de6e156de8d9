//! The output of a build step, and what its failure means; for both builders.

use std::collections::VecDeque;

use super::{DockerError, fault::Fault};
use crate::progress::{Event, Progress, clean};

/// How many lines of output the error of a failed step carries.
pub(super) const LOG_LINES: usize = 20;
/// Longer lines are taken in pieces, so that a step that writes no line end costs no memory.
pub(super) const LINE_BYTES: usize = 16 * 1024;
/// The prefix of lines that our own checks in the image write.
const FINDING: &str = "flowhold: ";

/// The last lines of a step's output.
#[derive(Debug, Default)]
pub(super) struct StepLog {
    pub(super) lines: VecDeque<String>,
    /// The messages of our own checks in the image, without their prefix.
    pub(super) findings: Vec<String>,
}

impl StepLog {
    /// The last state of a line that a progress bar may have rewritten.
    pub(super) fn shown(line: &str) -> &str {
        line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default()
    }

    /// Reports and keeps a line, unless it is empty.
    pub(super) fn take(&mut self, line: &str, progress: &dyn Progress) {
        let shown = Self::shown(line);
        let text = clean(shown);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        progress.event(Event::Log { line: shown });
        if let Some(finding) = text.strip_prefix(FINDING)
            && self.findings.len() < LOG_LINES
        {
            self.findings.push(finding.to_owned());
        }
        if self.lines.len() == LOG_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(text.to_owned());
    }
}

/// The error of a build that ended before its first step. Usually the daemon rejects the Dockerfile, with status 500 as
/// well as 400.
pub(super) fn refused(status: Option<u16>, message: String) -> DockerError {
    let of_dockerfile = message.to_lowercase().contains("dockerfile");
    let fault = match Fault::of(status, &message) {
        // The disk may be full all the same, if the Dockerfile can't be written.
        Fault::DiskFull if !of_dockerfile || message.trim_end().ends_with("no space left on device") => Fault::DiskFull,
        Fault::Busy if !of_dockerfile => Fault::Busy,
        _ => Fault::Invalid,
    };
    DockerError::BuildRefused { message, fault }
}

/// What the message about a failed step means.
pub(super) fn step_fault(status: Option<u16>, message: &str, instruction: &str) -> Fault {
    match Fault::of(status, message) {
        Fault::DiskFull => Fault::DiskFull,
        // No other instruction speaks to a registry.
        fault if instruction.to_ascii_uppercase().starts_with("FROM") && fault != Fault::Other => fault,
        // The exit codes of the installer say about a package index what is said here about a registry.
        _ if instruction.contains("/install.py") => match exit_code(message) {
            Some(69) => Fault::Unreachable,
            Some(75) => Fault::Busy,
            _ => Fault::Invalid,
        },
        _ => Fault::Invalid,
    }
}

/// The exit code that both builders put at the end of their message.
fn exit_code(message: &str) -> Option<u8> {
    message.rsplit(' ').next()?.parse().ok()
}
