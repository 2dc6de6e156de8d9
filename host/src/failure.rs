//! What the library reports when an operation did not happen: the component's own failures, and the host's.
//!
//! These are the types of `interface diagnostics` in `core/wit`. The bindings take them from here, so that a failure is
//! an error like any other.

use std::{error::Error, fmt, io};

use wasmtime::component::{ComponentType, Lift, Lower};

pub use crate::bindings::flowhold::storage::plans::Severity;
use crate::{docker::DockerError, limits::MemoryExceeded, python::PythonError};

/// One finding about a spec.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Diagnostic {
    /// Stable, kebab-case: for programs, and for looking it up.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The field of the spec, such as `storage.python_dependencies[0]`; empty for the spec as a whole.
    pub field: String,
    /// What is the matter, with the offending value in it.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line of the spec text, counted from 1, if the finding is about something in the text.
    pub line: Option<u32>,
    /// The policy that gave this verdict, as the spec or the user names it; none if it is the core's finding.
    pub policy: Option<String>,
}

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum FailureKind {
    /// The user's input is wrong.
    #[component(name = "input")]
    Input,
    /// Something that is needed is not there: a daemon, a registry, a Python, a capability.
    #[component(name = "unavailable")]
    Unavailable,
    /// Trying again may help: a timeout, a server error.
    #[component(name = "retry")]
    Retry,
    /// The user or the host stopped the operation.
    #[component(name = "interrupted")]
    Interrupted,
}

/// Why an operation did not happen. The previous state is still there.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Failure {
    /// Who can do something about it.
    pub kind: FailureKind,
    /// Stable, kebab-case: for programs, and for looking it up.
    pub code: String,
    /// The field of the spec that the failure is about, such as `storage.files`, if it is about one.
    pub field: Option<String>,
    /// What is the matter, with the offending value in it. One sentence without its full stop, or a daemon's words.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The message, and on a line of its own what to do about it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\nhelp: {help}"))
    }
}

impl Error for Failure {}

impl Failure {
    /// A failure of the host's own.
    pub fn new(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), field: None, message: message.into(), help: None }
    }

    /// A failure that the user's input causes.
    pub fn input(code: &str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Input, code, message)
    }

    /// Adds what to do about the failure.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A path that nobody has granted.
    pub(crate) fn not_granted(path: impl fmt::Display) -> Self {
        let path = path.to_string();
        let path = if path.is_empty() { "a path that is empty" } else { &path };
        Self::input("not-granted", format!("{path} was not granted"))
    }

    /// A failure that the operating system reports for a path.
    pub fn of_path(path: impl fmt::Display, error: &io::Error) -> Self {
        let (code, help) = match error.kind() {
            io::ErrorKind::NotFound => ("missing-file", Some("check the path")),
            io::ErrorKind::PermissionDenied => {
                ("permission-denied", Some("change its permissions, or take another path"))
            }
            io::ErrorKind::ReadOnlyFilesystem => ("read-only", Some("take a path that can be written to")),
            io::ErrorKind::StorageFull => ("storage-full", Some("make room, and try again")),
            io::ErrorKind::AlreadyExists => ("file-error", Some("something else is there: take another path")),
            io::ErrorKind::NotADirectory => ("not-a-directory", Some("a file is where a directory should be")),
            io::ErrorKind::IsADirectory => ("is-a-directory", Some("a directory is where a file should be")),
            _ => ("file-error", None),
        };
        let message = format!("{path}: {}", of_system(error));
        Self { help: help.map(str::to_owned), ..Self::input(code, message) }
    }

    /// The failure of a guest that broke, or was stopped.
    pub(crate) fn of_guest(error: &wasmtime::Error) -> Self {
        if matches!(error.downcast_ref(), Some(wasmtime::Trap::Interrupt)) {
            return Self::new(FailureKind::Unavailable, "deadline", "the core was stopped at its deadline")
                .with_help("give it less to do, or a later deadline");
        }
        if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
            return Self::input("memory-limit", exceeded.to_string())
                .with_help("give it less at once: fewer or smaller flows");
        }
        let cause = error.root_cause();
        let errno = cause.downcast_ref::<rustix::io::Errno>().map(|errno| io::Error::from(*errno));
        let unavailable = |code: &str, message| Self::new(FailureKind::Unavailable, code, message);
        match errno.as_ref().or_else(|| cause.downcast_ref()) {
            Some(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return unavailable("no-memory", format!("no memory for the core: {}", of_system(error)))
                    .with_help("allow the process 8 GiB of address space (`ulimit -v`); it uses little of it");
            }
            Some(error) if error.raw_os_error().is_some() => {
                return unavailable("core-stopped", format!("the core can't run: {}", of_system(error)))
                    .with_help("the limits of the process may be too low: `ulimit -a` shows them");
            }
            _ => {}
        }
        Self::new(FailureKind::Unavailable, "core-stopped", format!("the core stopped: {:#}", error.root_cause()))
            .with_help("this is a bug of flowhold: please report it with the spec")
    }
}

/// The operating system's words, without Rust's `(os error 2)`. Errors that don't come from the operating system are
/// passed on unchanged.
pub(crate) fn of_system(error: &io::Error) -> String {
    let text = error.to_string();
    let Some((words, _)) = text.split_once(" (os error") else { return text };
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    first.to_lowercase() + rest
}

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        let kind = error.kind();
        let message = error.to_string();
        let code = match (&error, kind) {
            (DockerError::Secret { .. }, _) => "secret-missing",
            (DockerError::Output(error), _) if error.kind() == io::ErrorKind::BrokenPipe => "nobody-reads",
            (DockerError::Output(error) | DockerError::Save(error) | DockerError::Context(error), _) => {
                return Self { message, ..Self::of_path("", error) };
            }
            (_, FailureKind::Input) => "docker-refused",
            (_, FailureKind::Unavailable) => "docker-unavailable",
            (_, FailureKind::Retry) => "docker-retry",
            (_, FailureKind::Interrupted) => "interrupted",
        };
        Self { help: error.help(), ..Self::new(kind, code, message) }
    }
}

impl From<PythonError> for Failure {
    fn from(error: PythonError) -> Self {
        let (kind, code) = match &error {
            PythonError::Unwritten(error) => return Self::of_path("a temporary directory", error),
            PythonError::NotFound { .. } | PythonError::Unusable { .. } | PythonError::Process { .. } => {
                (FailureKind::Unavailable, "no-python")
            }
            PythonError::NoCloudpickle { .. } => (FailureKind::Unavailable, "no-cloudpickle"),
            PythonError::Import { .. } => (FailureKind::Input, "import-failed"),
            PythonError::NoObject { .. } => (FailureKind::Input, "no-object"),
            PythonError::Unreadable { .. } => (FailureKind::Input, "missing-file"),
            _ => (FailureKind::Input, "not-pickled"),
        };
        Self { help: error.help(), ..Self::new(kind, code, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_is_the_matter_and_what_to_do() {
        let failure = Failure::input("missing-file", "a.py: no such file");
        assert_eq!(failure.to_string(), "a.py: no such file");
        let failure: Box<dyn Error> = failure.with_help("check the path").into();
        assert_eq!(failure.to_string(), "a.py: no such file\nhelp: check the path");
    }

    #[test]
    fn the_system_is_quoted_without_its_numbers() {
        let missing = std::fs::read("/missing/file").unwrap_err();
        let told = of_system(&missing);
        assert!(told.starts_with(char::is_lowercase) && !told.contains("os error"), "{told}");
        assert_eq!(of_system(&io::Error::other("Data/a.csv changed")), "Data/a.csv changed");
    }
}
