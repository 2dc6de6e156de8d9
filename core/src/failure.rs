//! The error that crosses every boundary when an operation did not happen.

use std::fmt;

use crate::diagnostic::{Code, Diagnostic};

/// Who can do something about a failure; the command line derives its exit code from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The user's input is wrong.
    Input,
    /// Something that is needed is missing: a daemon, a registry, a Python, a capability.
    Unavailable,
    /// Trying again may help: a timeout, a server error.
    Retry,
    /// The user or the host stopped the operation.
    Interrupted,
}

impl FailureKind {
    /// The kind of a failure made from a diagnostic or a parser's error with this code.
    fn of(code: Code) -> Self {
        match code {
            Code::NoReadings | Code::NoPython | Code::NoCloudpickle => Self::Unavailable,
            _ => Self::Input,
        }
    }
}

/// Why an operation did not happen. The previous state is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Who can do something about it.
    pub kind: FailureKind,
    /// A [`Code`] of the core, or a code of the host's own.
    pub code: String,
    /// The field of the spec that the failure is about.
    pub field: Option<String>,
    /// What is wrong, including the offending value.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Failure {
    /// A failure that the user's input causes.
    pub fn input(code: Code, message: impl Into<String>) -> Self {
        let (kind, message) = (FailureKind::Input, message.into());
        Self { kind, code: code.as_str().to_owned(), field: None, message, help: None }
    }

    /// A parser's error as a failure.
    pub fn explained(error: impl Explain) -> Self {
        let code = error.code();
        Self { kind: FailureKind::of(code), help: error.help(), ..Self::input(code, error.to_string()) }
    }

    /// Adds what to do about the failure.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts what was being done in front of the message: `pulling …: connection refused`.
    #[must_use]
    pub fn while_doing(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            kind: FailureKind::of(diagnostic.code),
            code: diagnostic.code().to_owned(),
            field: Some(diagnostic.field).filter(|field| !field.is_empty()),
            message: diagnostic.message,
            help: diagnostic.help,
        }
    }
}

/// What a parser's error says besides its message.
pub trait Explain: fmt::Display {
    /// The code of the diagnostic that reports the error.
    fn code(&self) -> Code;
    /// What to do about it.
    fn help(&self) -> Option<String> {
        None
    }
}
