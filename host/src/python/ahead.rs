//! A Python that has imported already what the flows' files import, when it is asked to pickle.
//!
//! Of the time that an edited flow's pickle takes, nearly all goes into importing packages, which nobody has edited.
//! What comes of it is a guess: a package may import otherwise where the file has, say, set a variable before. So it is
//! never kept, and whoever builds from it plans again afterwards.

use std::{path::PathBuf, sync::Mutex};

use tokio::process::Child;

use super::{Interpreter, PythonError};

/// Waits to be asked, once; ends when it is dropped.
#[derive(Debug)]
pub struct Ahead(Mutex<Option<Child>>);

impl Ahead {
    pub(super) fn take(&self) -> Option<Child> {
        self.0.lock().ok()?.take()
    }
}

impl Interpreter {
    /// Has a Python import what these files import, and wait.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_ahead(&self, files: &[PathBuf]) -> Result<Ahead, PythonError> {
        Ok(Ahead(Mutex::new(Some(self.start(files)?))))
    }
}
