//! How one request failed, in terms of the connection; the operation says what that means. bollard's errors end here.

use std::{io, time::Duration};

use bollard::{errors::Error as Bollard, models::ErrorDetail};

use super::error::DockerError;
use crate::{
    failure::of_system,
    progress::{clean, without_passwords},
};

/// How a single request failed, before the operation says what that means.
#[derive(Debug)]
pub(super) enum RequestError {
    /// A status other than success.
    Answer { status: u16, message: String },
    /// An error in the middle of a stream whose status was 200.
    Stream(String),
    /// The connection broke, or carried something that is not an answer.
    Cut(String),
    /// No connection.
    Unreachable { reason: String, denied: bool },
    /// No answer in time.
    Timeout(Duration),
    /// A classic builder answered, but BuildKit was asked for.
    NoBuildkit,
    /// BuildKit is there, but got no session in which it can ask for anything.
    NoSession(String),
    /// The user stopped the request.
    Interrupted,
}

impl RequestError {
    /// The words of a daemon that refused, and the status if it refused at once. Any other error comes back as it is.
    pub(super) fn refusal(self) -> Result<(Option<u16>, String), Self> {
        match self {
            Self::Answer { status, message } => Ok((Some(status), message)),
            Self::Stream(message) => Ok((None, message)),
            other => Err(other),
        }
    }

    /// The error of an operation that has no better words for this one. The daemon was asked to `operation`.
    pub(super) fn into_error(self, operation: &'static str, address: &str) -> DockerError {
        match self {
            Self::Answer { status, message } => DockerError::Refused { operation, status: Some(status), message },
            Self::Stream(message) => DockerError::Refused { operation, status: None, message },
            Self::Cut(reason) => DockerError::Cut { operation, reason },
            Self::Unreachable { denied: true, .. } => DockerError::SocketDenied { address: address.to_owned() },
            Self::Unreachable { reason, .. } => DockerError::NoDaemon { address: address.to_owned(), reason },
            Self::Timeout(after) => DockerError::Timeout { operation, after },
            Self::NoBuildkit => DockerError::NeedsBuildkit { what: "the Dockerfile", address: address.to_owned() },
            Self::NoSession(reason) => DockerError::NoSession { address: address.to_owned(), reason },
            Self::Interrupted => DockerError::Interrupted,
        }
    }
}

/// The user stopped the work that was waited for.
pub(super) struct Interrupted;

impl From<Interrupted> for RequestError {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<Interrupted> for DockerError {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<Bollard> for RequestError {
    fn from(error: Bollard) -> Self {
        match error {
            Bollard::DockerResponseServerError { status_code, message } => {
                Self::Answer { status: status_code, message: words(&message) }
            }
            Bollard::DockerStreamError { error } => Self::Stream(words(&error)),
            Bollard::SocketNotFoundError(_) => {
                Self::Unreachable { reason: "there is no such socket".to_owned(), denied: false }
            }
            Bollard::HyperLegacyError { ref err } if err.is_connect() => {
                let cause: Option<&io::Error> = causes(&error).find_map(|cause| cause.downcast_ref());
                Self::Unreachable {
                    reason: cause.map_or_else(|| root_cause(&error), |cause| words(&of_system(cause))),
                    denied: cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied),
                }
            }
            error => Self::Cut(root_cause(&error)),
        }
    }
}

/// The daemon's words about an error, if a line of its answer has one. Newer daemons say them twice.
pub(super) fn line_error(error: Option<String>, detail: Option<ErrorDetail>) -> Option<String> {
    let error = error.filter(|error| !error.is_empty());
    let Some(detail) = detail else { return error };
    let message = detail.message.filter(|message| !message.is_empty());
    Some(message.or(error).unwrap_or_else(|| "the daemon gave no reason".to_owned()))
}

/// The daemon's words, fit for one line of a terminal and of an error, and without passwords.
pub(super) fn words(text: &str) -> String {
    let lines: Vec<_> =
        text.lines().map(|line| clean(line).trim().to_owned()).filter(|line| !line.is_empty()).collect();
    without_passwords(lines.join(" ").trim_end_matches('.')).into_owned()
}

/// The words of the error at the root.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let root = causes(error).last().unwrap_or(error);
    words(&root.downcast_ref().map_or_else(|| root.to_string(), of_system))
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_one_line_and_move_no_cursor() {
        assert_eq!(words("\u{1b}[31mfirst\u{1b}[0m\n\n  second.\n"), "first second");
    }
}
