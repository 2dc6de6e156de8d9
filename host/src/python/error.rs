//! What can be wrong with a user's Python or the files that it executes, and what to do about it.

use std::{io, path::PathBuf, process::ExitStatus};

use super::{
    PickleRequest,
    session::{Reason, Refusal},
};

/// Why the user's Python could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each variant names its fields")]
pub enum PythonError {
    #[error("there is no Python at {program:?}")]
    NotFound { program: String },
    #[error("{program:?} is not a Python that can be used: {last_line}")]
    Unusable { program: String, last_line: String },
    #[error("the Python {program:?} lacks cloudpickle, which pickles flows: {last_line}")]
    NoCloudpickle { program: String, last_line: String },
    #[error("can't read {}: {last_line}", file.display())]
    Unreadable { request: usize, file: PathBuf, last_line: String },
    #[error("the path {} is not Unicode, so it can't be handed to Python", file.display())]
    NotUnicode { request: Option<usize>, file: PathBuf },
    #[error("executing {}{} failed: {last_line}", file.display(), at_line(*line))]
    Import { request: usize, program: String, file: PathBuf, line: Option<u32>, last_line: String },
    #[error("there is no {object:?} in {}: {last_line}", file.display())]
    NoObject { request: usize, file: PathBuf, object: String, near: Vec<String>, last_line: String },
    #[error("{object:?} in {} can't be run: {why}", file.display())]
    NotRunnable { request: usize, file: PathBuf, object: String, why: String, near: Vec<String> },
    #[error("{object:?} in {} can't be pickled, because of `{part}`: {last_line}", file.display())]
    NotPicklable { request: usize, file: PathBuf, object: String, part: String, last_line: String },
    #[error("Python died while it pickled {} ({status}): {last_line}", file.display())]
    Crashed { request: usize, program: String, file: PathBuf, status: ExitStatus, last_line: String },
    #[error("can't run {program:?}: {source}")]
    Process { program: String, source: io::Error },
    #[error("can't write a pickle: {0}")]
    Unwritten(#[source] io::Error),
}

impl PythonError {
    /// The error for a refusal of one of the requests.
    pub(super) fn refused(refusal: Refusal, program: String, request: usize, requests: &[PickleRequest]) -> Self {
        let last_line = refusal.message;
        let asked = requests.get(request);
        let file = asked.map(|asked| asked.file.clone()).unwrap_or_default();
        let object = asked.map(|asked| asked.object.clone()).unwrap_or_default();
        match refusal.reason {
            Reason::NoCloudpickle => Self::NoCloudpickle { program, last_line },
            Reason::Unreadable => Self::Unreadable { request, file, last_line },
            Reason::Import { line } => Self::Import { request, program, file, line, last_line },
            Reason::NoObject { near } => Self::NoObject { request, file, object, near, last_line },
            Reason::NotRunnable { near } => Self::NotRunnable { request, file, object, why: last_line, near },
            Reason::Unwritten { errno } => Self::Unwritten(io::Error::from_raw_os_error(errno)),
            Reason::NotPicklable { part } => Self::NotPicklable { request, file, object, part, last_line },
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => {
                Some("install Python 3.6 or newer, or name one with `python` in the spec or --python".to_owned())
            }
            Self::Unusable { .. } => {
                Some("name a CPython 3.6 or newer with `python` in the spec or --python".to_owned())
            }
            Self::NoCloudpickle { program, .. } => Some(format!("run: {} -m pip install cloudpickle", quoted(program))),
            Self::Import { program, last_line, .. } if last_line.starts_with("ModuleNotFoundError") => Some(format!(
                "the file is executed by {}: install there what it imports, or choose another Python with `python` \
                 in the spec or --python",
                quoted(program)
            )),
            Self::Import { last_line, .. } if last_line.starts_with("SystemExit") => Some(
                "the file is executed to find its flows: what only a direct start should do belongs under \
                 `if __name__ == \"__main__\":`"
                    .to_owned(),
            ),
            Self::Import { program, file, .. } | Self::Crashed { program, file, .. } => {
                Some(format!("to see all of it, run: {} {}", quoted(program), quoted(&file.to_string_lossy())))
            }
            Self::NoObject { near, .. } | Self::NotRunnable { near, .. } if !near.is_empty() => {
                Some(format!("there is {}", near.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")))
            }
            Self::NotRunnable { .. } => Some("a flow has a run() method, or is a function".to_owned()),
            Self::NotPicklable { .. } => Some(
                "connections, locks and open files can't travel: create them in the function that uses them".to_owned(),
            ),
            Self::NoObject { .. } => {
                Some("a flow is an object with run(), or a function, at the top of its file".to_owned())
            }
            Self::Unreadable { .. } | Self::NotUnicode { .. } | Self::Process { .. } | Self::Unwritten(_) => None,
        }
    }

    /// The index of the request that the error belongs to; none if it is about Python itself.
    pub fn request(&self) -> Option<usize> {
        match self {
            Self::Unreadable { request, .. }
            | Self::Import { request, .. }
            | Self::NoObject { request, .. }
            | Self::NotRunnable { request, .. }
            | Self::NotPicklable { request, .. }
            | Self::Crashed { request, .. } => Some(*request),
            Self::NotUnicode { request, .. } => *request,
            Self::NotFound { .. }
            | Self::Unusable { .. }
            | Self::NoCloudpickle { .. }
            | Self::Process { .. }
            | Self::Unwritten(_) => None,
        }
    }
}

fn at_line(line: Option<u32>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

/// The word as it can be typed.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/\\._-+:~".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("\"{word}\"") }
}
