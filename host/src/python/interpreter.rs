//! Which Python, and how it is started.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use tokio::{
    process::{Child, Command},
    sync::mpsc::UnboundedSender,
};

use super::{PICKLE_FLOWS, PythonError, WarmPython, cache::Cache};

/// The Python that executes the user's files.
#[derive(Debug, Clone)]
pub struct Interpreter {
    program: PathBuf,
    pub(super) cache: Option<Cache>,
    pub(super) printed: Option<UnboundedSender<String>>,
    pub(super) warm: Option<Arc<WarmPython>>,
}

impl Interpreter {
    /// `chosen` (of the spec or the command line; with a separator in it a path, relative to `base`), else the
    /// active virtual environment's, else the `python3` that the operating system finds.
    ///
    /// # Errors
    /// [`PythonError::NotFound`] if a path leads nowhere. A bare name is looked up when it is first run.
    pub fn find(chosen: Option<&str>, base: &Path) -> Result<Self, PythonError> {
        Self::choose(chosen, base, std::env::var_os("VIRTUAL_ENV").as_deref())
    }

    fn choose(chosen: Option<&str>, base: &Path, virtual_env: Option<&OsStr>) -> Result<Self, PythonError> {
        let in_env = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
        let program = match chosen {
            Some(chosen) => match path_of(chosen, base) {
                Some(path) if !path.is_file() => {
                    return Err(PythonError::NotFound { program: path.display().to_string() });
                }
                Some(path) => path,
                None => PathBuf::from(chosen),
            },
            None => virtual_env
                .filter(|folder| !folder.is_empty())
                .map(|folder| Path::new(folder).join(in_env))
                .filter(|path| path.is_file())
                .unwrap_or_else(|| PathBuf::from(if cfg!(windows) { "python" } else { "python3" })),
        };
        Ok(Self { program, cache: None, printed: None, warm: None })
    }

    /// Sends each line that the user's code prints while flows are pickled to `lines`; otherwise it is dropped.
    #[must_use]
    pub fn printing_to(mut self, lines: UnboundedSender<String>) -> Self {
        self.printed = Some(lines);
        self
    }

    /// Keeps pickles in this directory, and takes them from there for as long as nothing changes that they were made
    /// from: the user's code is not executed then.
    #[must_use]
    pub fn keeping_in(mut self, directory: PathBuf) -> Self {
        self.cache = Some(Cache::new(directory));
        self
    }

    /// Asks this one first for what is not kept; where that fails, for whatever reason, a new one.
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
            // A pipe's encoding may not be able to take what the user's file prints, and would fail it.
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

/// Where a chosen Python is, if its path is said and not just its name.
pub fn path_of(chosen: &str, base: &Path) -> Option<PathBuf> {
    chosen.contains(std::path::is_separator).then(|| base.join(chosen))
}

/// What makes a directory a virtual environment, if this Python is that of one.
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
        let env = folder.path().join("env");
        let gone = folder.path().join("gone");
        let found = |chosen, env: Option<&Path>| {
            let found = Interpreter::choose(chosen, folder.path(), env.map(Path::as_os_str));
            found.map(|python| python.program().to_owned())
        };
        assert_eq!(found(Some("mine/py"), Some(&env)).unwrap(), folder.path().join("mine/py"));
        assert_eq!(found(Some("python3.9"), Some(&env)).unwrap(), Path::new("python3.9"));
        assert_eq!(found(None, Some(&env)).unwrap(), env.join("bin/python"));
        assert_eq!(found(None, Some(&gone)).unwrap(), Path::new("python3"));
        assert_eq!(found(None, Some(Path::new(""))).unwrap(), Path::new("python3"));
        assert_eq!(found(None, None).unwrap(), Path::new("python3"));
        let error = found(Some("./none"), None).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no Python at {:?}", folder.path().join("./none")));
    }

    #[tokio::test]
    async fn a_name_that_is_nowhere_on_the_path_is_not_found() {
        let python = Interpreter::find(Some("no-such-python"), Path::new("/")).unwrap();
        let error = facts(&python).await.unwrap_err();
        assert_eq!(error.to_string(), r#"there is no Python at "no-such-python""#);
        assert_eq!(error.request(), None);
    }
}
