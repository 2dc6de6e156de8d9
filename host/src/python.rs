//! The user's Python: finds the interpreter, asks what is installed in it, and has it pickle flows.
//!
//! All Python code runs in one child process per call, which is killed when the call's future is dropped. Its answers
//! come back as JSON lines, the pickles as files.

mod cache;
mod error;
mod interpreter;
mod lines;
mod pickling;
mod session;
#[cfg(test)]
mod tests;
mod warm;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use error::PythonError;
pub(crate) use interpreter::configuration_of;
pub use interpreter::{Interpreter, path_of};
pub use pickling::{PickleRequest, Pickled};
pub use warm::{PickleJob, WarmPython};

const PICKLE_FLOWS: &str = include_str!("python/pickle_flows.py");

/// The version of an interpreter, and what is installed in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonFacts {
    /// Major and minor, such as `3.9`: pickles depend on them.
    pub version: String,
    /// Version of the installed Prefect.
    pub prefect: Option<String>,
    /// Version of the installed cloudpickle.
    pub cloudpickle: Option<String>,
    /// The interpreter's own path, as it reports it.
    executable: PathBuf,
    /// Where it looks for modules; none if that is not known.
    path: Option<Vec<PathBuf>>,
}
