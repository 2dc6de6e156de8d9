//! What a step of a build wrote, and what its failure means; for both builders.

use std::collections::VecDeque;

use super::{DockerError, fault::Fault};
use crate::progress::{Event, Progress, clean};

/// A failed step's error carries this many lines of what it wrote.
pub(super) const LOG_LINES: usize = 20;
/// Longer lines are taken in pieces, so that a step that writes no line end costs no memory.
pub(super) const LINE_BYTES: usize = 16 * 1024;
/// What our own checks in the image start their lines with.
const FINDING: &str = "flowhold: ";

/// The end of what a step wrote.
#[derive(Debug, Default)]
pub(super) struct StepLog {
    pub(super) lines: VecDeque<String>,
    /// What our own checks in the image said, without their prefix.
    pub(super) findings: Vec<String>,
}

impl StepLog {
    /// A progress bar rewrites its line; its last state is what counts.
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

/// A build that ended before its first step. Usually it is the Dockerfile that the daemon rejects, with status 500 as
/// well as 400.
pub(super) fn refused(status: Option<u16>, message: String) -> DockerError {
    let of_dockerfile = message.to_lowercase().contains("dockerfile");
    let fault = match Fault::of(status, &message) {
        // The disk may be full even so, if the Dockerfile is what can't be written.
        Fault::DiskFull if !of_dockerfile || message.trim_end().ends_with("no space left on device") => Fault::DiskFull,
        Fault::Busy if !of_dockerfile => Fault::Busy,
        _ => Fault::Invalid,
    };
    DockerError::BuildRefused { message, fault }
}

/// What the words about a failed step mean.
pub(super) fn step_fault(status: Option<u16>, message: &str, instruction: &str) -> Fault {
    match Fault::of(status, message) {
        Fault::DiskFull => Fault::DiskFull,
        // No other instruction speaks to a registry.
        fault if instruction.to_ascii_uppercase().starts_with("FROM") && fault != Fault::Other => fault,
        // The installer says of a package index what is said here of a registry.
        _ if instruction.contains("/install.py") => match exit_code(message) {
            Some(69) => Fault::Unreachable,
            Some(75) => Fault::Busy,
            _ => Fault::Invalid,
        },
        _ => Fault::Invalid,
    }
}

/// Both builders end their message with it.
fn exit_code(message: &str) -> Option<u8> {
    message.rsplit(' ').next()?.parse().ok()
}
