//! What the end-to-end tests share: a folder, the binary run in it, and the test environment's variables.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at what they don't expect")]
#![forbid(unsafe_code)]

mod watching;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

pub use watching::{Watching, save, settle};

/// A new folder that is the current directory and the home of every command run in it.
pub struct Folder(tempfile::TempDir);

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A variable of the test environment. A test that needs it fails without it.
pub fn environment(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run tests/run.sh, or eval \"$(tests/run.sh env)\""))
}

/// The binary that is tested: FLOWHOLD_BIN, which tests/run.sh builds.
pub fn binary() -> PathBuf {
    environment("FLOWHOLD_BIN").into()
}

impl Folder {
    /// An empty folder.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with a flowhold.toml.
    pub fn with_spec(spec: &str) -> Self {
        let folder = Self::new();
        folder.write("flowhold.toml", spec);
        folder
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and makes the directories that it is in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The binary, about to be run here, without the configuration of the person who runs the tests.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path()).env("HOME", self.path());
        for name in ["VIRTUAL_ENV", "DOCKER_BUILDKIT", "DOCKER_CONFIG", "FLOWHOLD_CACHE", "NO_COLOR", "XDG_CACHE_HOME"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs the binary here.
    pub fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }

    /// Runs the binary here, and reads the JSON that it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).ok().json()
    }
}

impl Done {
    /// What a finished command did.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns itself; panics unless the command succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Returns itself; panics unless the command failed with this code, and stderr has all of these words and no panic.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:#?}");
        }
        self
    }

    /// The JSON on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// No answer of this machine takes longer, however busy it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again, until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(50));
    }
}
