//! `flowhold build --watch` while it runs.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Done, Folder, PATIENCE, wait_for};

/// A `flowhold build --watch` that runs until this is ended or dropped.
pub struct Watching {
    child: Child,
    reports: Receiver<String>,
    /// The file with the command's stderr.
    said: PathBuf,
    /// How much of that file was waited for, in bytes.
    heard: usize,
    /// The folder of that file, outside of what is watched; none if the caller named the file.
    _outside: Option<tempfile::TempDir>,
}

impl Watching {
    /// Starts the command for the folder's flowhold.toml.
    pub fn new(folder: &Folder, arguments: &[&str]) -> Self {
        Self::of(
            &mut folder.command(&[&["build", "--watch", "--format", "json", "--progress", "none"], arguments].concat()),
        )
    }

    /// Starts a prepared command.
    pub fn of(command: &mut Command) -> Self {
        let outside = tempfile::tempdir().unwrap();
        let mut watching = Self::saying_to(outside.path().join("stderr"), command);
        watching._outside = Some(outside);
        watching
    }

    /// Starts a prepared command whose stderr goes to this file.
    pub fn saying_to(said: PathBuf, command: &mut Command) -> Self {
        let stderr = fs::File::create(&said).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, reports) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, reports, said, heard: 0, _outside: None }
    }

    /// The next report of a build.
    #[track_caller]
    pub fn report(&self) -> Value {
        let line = self.reports.recv_timeout(PATIENCE);
        serde_json::from_str(&line.unwrap_or_else(|error| panic!("{error}: {}", self.said()))).unwrap()
    }

    /// The first report that is as expected, after any number of others.
    #[track_caller]
    pub fn report_until(&self, is_expected: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let report = self.report();
            if is_expected(&report) {
                return report;
            }
            assert!(start.elapsed() < PATIENCE, "no such report within {PATIENCE:?}: {}", self.said());
        }
    }

    /// Waits until the command says this, after everything that was waited for before.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        self.heard = wait_for(words, || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", self.said());
            let at = self.said()[self.heard..].find(words)?;
            Some(self.heard + at + words.len())
        });
    }

    /// Waits until the command has built, or has said why not, and watches again.
    #[track_caller]
    pub fn rests(&mut self) {
        self.says("press Ctrl-C to stop");
    }

    /// What the command has said up to now.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// The id of the command's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts the command. `stdout` of the result has the reports that were not taken before.
    pub fn end(mut self) -> Done {
        assert!(Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap().success());
        let status = wait_for("it ends", || self.child.try_wait().unwrap());
        let stdout = self.reports.iter().collect();
        Done { code: status.code().unwrap_or(-1), stdout, stderr: self.said() }
    }
}

/// Waits until a file that was just written looks settled: a file that changed a moment ago may change again in the
/// same tick of its file system's clock, so Flowhold looks at it twice.
pub fn settle() {
    thread::sleep(Duration::from_millis(100));
}

/// Puts a file in its place at once, as most editors do.
pub fn save(folder: &Folder, name: &str, text: &str) {
    let new = folder.write("new.tmp", text);
    fs::rename(new, folder.path().join(name)).unwrap();
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
