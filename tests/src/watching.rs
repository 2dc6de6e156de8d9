//! `flowhold build --watch` while it runs.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{Done, Folder, PATIENCE, wait_for};

/// Builds that go on until this is ended, or dropped.
pub struct Watching {
    child: Child,
    reports: Receiver<String>,
    /// The file with what it says to people, …
    said: PathBuf,
    /// … which is outside of what it watches, unless it is said.
    _outside: Option<tempfile::TempDir>,
}

impl Watching {
    /// Begins with the folder's flowhold.toml.
    pub fn new(folder: &Folder, arguments: &[&str]) -> Self {
        Self::of(
            &mut folder.command(&[&["build", "--watch", "--format", "json", "--progress", "none"], arguments].concat()),
        )
    }

    /// Begins with a command that was made ready.
    pub fn of(command: &mut Command) -> Self {
        let outside = tempfile::tempdir().unwrap();
        let mut watching = Self::saying_to(outside.path().join("stderr"), command);
        watching._outside = Some(outside);
        watching
    }

    /// The same, and what it says goes to this file.
    pub fn saying_to(said: PathBuf, command: &mut Command) -> Self {
        let stderr = fs::File::create(&said).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, reports) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, reports, said, _outside: None }
    }

    /// The next report of a build.
    #[track_caller]
    pub fn report(&self) -> Value {
        let line = self.reports.recv_timeout(PATIENCE);
        serde_json::from_str(&line.unwrap_or_else(|error| panic!("{error}: {}", self.said()))).unwrap()
    }

    /// Waits until it has said this so often.
    #[track_caller]
    pub fn says(&mut self, words: &str, times: usize) {
        wait_for(words, || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", self.said());
            (self.said().matches(words).count() >= times).then_some(())
        });
    }

    /// What it has said up to now.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts it; its reports are those that nobody asked for.
    pub fn end(mut self) -> Done {
        assert!(Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap().success());
        let status = wait_for("it ends", || self.child.try_wait().unwrap());
        let stdout = self.reports.iter().collect();
        Done { code: status.code().unwrap_or(-1), stdout, stderr: self.said() }
    }
}

/// What was written a moment before it is read may have been written after it, and is looked at twice.
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
