//! Which Python is used, and how it is started.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use tokio::{
    process::{Child, Command},
    sync::mpsc::Sender,
};

use super::{PICKLE_FLOWS, PythonError, WarmPython, cache::Cache};

/// The Python that executes the user's files.
#[derive(Debug, Clone)]
pub struct Interpreter {
    program: PathBuf,
    pub(super) cache: Option<Cache>,
    pub(super) printed: Option<Sender<String>>,
    pub(super) warm: Option<Arc<WarmPython>>,
}

impl Interpreter {
    /// Finds `chosen` (of the spec or the command line; with a separator in it a path, relative to `base`), else the
    /// active virtual environment's Python, else the `python3` that the operating system finds.
    ///
    /// # Errors
    /// [`PythonError::NotFound`] if a path leads nowhere. A bare name is looked up when it is first run.
    pub fn find(chosen: Option<&str>, base: &Path) -> Result<Self, PythonError> {
        Self::at(Self::choose(chosen, base))
    }

    /// The program to use. Whether a chosen one exists is not looked up yet.
    pub(crate) fn choose(chosen: Option<&str>, base: &Path) -> PathBuf {
        match chosen {
            Some(chosen) => path_of(chosen, base).unwrap_or_else(|| PathBuf::from(chosen)),
            None => by_default(std::env::var_os("VIRTUAL_ENV").as_deref()),
        }
    }

    /// The Python at a path, or of a bare name.
    ///
    /// # Errors
    /// [`PythonError::NotFound`] if a path leads nowhere.
    pub(crate) fn at(program: PathBuf) -> Result<Self, PythonError> {
        let is_name = program.parent() == Some(Path::new(""));
        if is_name || program.is_file() {
            return Ok(Self { program, cache: None, printed: None, warm: None });
        }
        Err(PythonError::NotFound { program: program.display().to_string() })
    }

    /// Sends each line that the user's code prints while flows are pickled to `lines`; otherwise the lines are dropped.
    /// As long as the channel is full, that code waits.
    #[must_use]
    pub fn printing_to(mut self, lines: Sender<String>) -> Self {
        self.printed = Some(lines);
        self
    }

    /// Keeps pickles in this directory, and takes them from there, without executing the user's code, as long as
    /// nothing that they were made from changes.
    #[must_use]
    pub fn keeping_in(mut self, directory: PathBuf) -> Self {
        self.cache = Some(Cache::new(directory));
        self
    }

    /// Asks this Python first for pickles that are not kept; if that fails, for whatever reason, a new one is asked.
    #[must_use]
    pub fn with_warm(mut self, warm: Arc<WarmPython>) -> Self {
        self.warm = Some(warm);
        self
    }

    /// The path of the interpreter, or its bare name.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts a Python, which imports what these files import, and then waits for its order.
    pub(super) fn start<'a>(&self, files: impl IntoIterator<Item = &'a PathBuf>) -> Result<Child, PythonError> {
        Command::new(&self.program)
            .args(["-u", "-c", PICKLE_FLOWS])
            .args(files)
            // Sets of strings iterate by hash: without this, no two pickles are alike.
            .env("PYTHONHASHSEED", "0")
            // The pipe's encoding may lack characters that the user's file prints, which would make the file fail.
            .env("PYTHONIOENCODING", "utf-8:backslashreplace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => PythonError::NotFound { program: self.name() },
                _ => PythonError::Unusable { program: self.name(), last_line: error.to_string() },
            })
    }

    pub(super) fn name(&self) -> String {
        self.program.display().to_string()
    }
}

fn by_default(virtual_env: Option<&OsStr>) -> PathBuf {
    let in_env = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    virtual_env
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(in_env))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(if cfg!(windows) { "python" } else { "python3" }))
}

/// The path of a chosen Python, if a path was chosen and not just a name.
pub fn path_of(chosen: &str, base: &Path) -> Option<PathBuf> {
    chosen.contains(std::path::is_separator).then(|| base.join(chosen))
}

/// The file that makes a directory a virtual environment, if this Python is in one.
pub(crate) fn configuration_of(program: &Path) -> Option<PathBuf> {
    program.ancestors().nth(2).map(|environment| environment.join("pyvenv.cfg"))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{facts, folder},
        *,
    };

    #[test]
    fn the_interpreter_is_the_chosen_one_or_the_environments_or_python3() {
        let folder = folder(&[("env/bin/python", ""), ("mine/py", "")]);
        let found = |chosen| Interpreter::find(Some(chosen), folder.path()).map(|python| python.program().to_owned());
        assert_eq!(found("mine/py").unwrap(), folder.path().join("mine/py"));
        assert_eq!(found("python3.9").unwrap(), Path::new("python3.9"));
        for (path, shown) in [("./none", folder.path().join("./none")), ("/", "/".into())] {
            let error = found(path).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no Python at {shown:?}"));
        }
        let env = folder.path().join("env");
        assert_eq!(by_default(Some(env.as_os_str())), env.join("bin/python"));
        for none in [Some(folder.path().join("gone")), Some(PathBuf::new()), None] {
            assert_eq!(by_default(none.as_deref().map(Path::as_os_str)), Path::new("python3"));
        }
    }

    #[tokio::test]
    async fn a_name_that_is_nowhere_on_the_path_is_not_found() {
        let python = Interpreter::find(Some("no-such-python"), Path::new("/")).unwrap();
        let error = facts(&python).await.unwrap_err();
        assert_eq!(error.to_string(), r#"there is no Python at "no-such-python""#);
        assert_eq!(error.request(), None);
    }
}
