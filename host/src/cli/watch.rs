//! `flowhold build --watch`
//!
//! A change is planned twice. First with a Python that imported the flows' packages while nobody was waiting: most of
//! what pickling takes is done by then. Then with a new one, as `flowhold build` does it. What that one says counts; it
//! is nearly always the same, and then there is nothing left to build.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use flowhold::{Failure, FailureKind, Host, Session, files::parent_of, inputs::Inputs, python::Ahead};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{build::Arguments, console, docker_host, exit, spec_file};

/// Editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(30);

/// Builds, and builds again after each change, until it is interrupted.
pub(crate) async fn watch(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Some(spec) = spec_file::path(arguments.spec.file.as_deref(), arguments.path.as_deref()) else {
        return Err(Failure::input("stdin", "standard input can't be watched")
            .with_help("write the spec to a file, and name it with -f".to_owned()));
    };
    let (host, interrupt) = docker_host(arguments.spec.host()?, arguments.progress.progress)?;
    let changes = Changes::of(&spec, &arguments.output(parent_of(&spec)))?;
    let mut builds = Builds { arguments, host, interrupt, changes, built: None };
    let (mut ahead, mut trusted) = (None, true);
    loop {
        let begun = ahead.take();
        let guessed = begun.is_some();
        let (session, outcome) = builds.round(begun).await?;
        if outcome == Outcome::Same {
            console::note("nothing to do: the plan is the same as before");
        }
        if trusted {
            ahead = session.start_ahead().unwrap_or_default();
        }
        // Something may also have changed before it was watched.
        if outcome != Outcome::Failed && (guessed || builds.changes.grew) {
            let (_, outcome) = builds.round(None).await?;
            if guessed && outcome == Outcome::Built {
                console::note("note: a new Python made other pickles; from now on, each build waits for one");
                (ahead, trusted) = (None, false);
            }
        }
        console::note(&format!("watching {} and what it names; Ctrl-C ends", spec.display()));
        let changed = builds.changes.next();
        let changed = exit::until(&builds.interrupt, "files were watched", async { Ok(changed.await) }).await?;
        console::note(&format!("changed: {}", names(&changed)));
        // It is of another Python, or has other packages, than there are now: only the user's own modules can wait.
        ahead = ahead.filter(|_| changed.iter().all(|path| is_module(path) || !path.exists()));
    }
}

struct Builds<'a> {
    arguments: &'a Arguments,
    host: Host,
    interrupt: CancellationToken,
    changes: Changes,
    /// The digest of the plan that was built last.
    built: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Built,
    Same,
    Failed,
}

impl Builds<'_> {
    /// Plans, and builds what was not built last; says what is wrong. Only a signal is an error.
    async fn round(&mut self, ahead: Option<Ahead>) -> Result<(Session, Outcome), Failure> {
        let mut session = self.host.session().await?;
        if let Some(ahead) = ahead {
            session.begin_with(ahead);
        }
        let outcome = match self.build(&mut session).await {
            Err(failure) if failure.kind == FailureKind::Interrupted => return Err(failure),
            Err(failure) => {
                console::fail(&failure);
                Outcome::Failed
            }
            Ok(outcome) => outcome,
        };
        Ok((session, outcome))
    }

    async fn build(&mut self, session: &mut Session) -> Result<Outcome, Failure> {
        let planned = self.arguments.plan(session, &self.interrupt).await;
        self.changes.follow(session.inputs())?;
        let (spec, plan) = planned?;
        let digest = session.digest(plan).await?;
        if digest.is_some() && digest == self.built {
            return Ok(Outcome::Same);
        }
        self.arguments.carry_out(session, &spec, plan, &self.interrupt).await?;
        if digest.is_none() {
            return Ok(Outcome::Failed);
        }
        self.built = digest;
        Ok(Outcome::Built)
    }
}

/// What changes of all that the last plans were made from.
struct Changes {
    watcher: RecommendedWatcher,
    events: UnboundedReceiver<notify::Result<notify::Event>>,
    watched: BTreeSet<PathBuf>,
    /// Whether more is watched since the last plan.
    grew: bool,
    inputs: Inputs,
    spec: PathBuf,
    /// Written by each build.
    output: PathBuf,
}

impl Changes {
    fn of(spec: &Path, output: &Path) -> Result<Self, Failure> {
        let absolute = |path| std::path::absolute(path).map_err(|error| Failure::of_path(spec.display(), &error));
        let (tell, events) = unbounded_channel();
        // Nobody listens any more: no reason to fail.
        let watcher =
            notify::recommended_watcher(move |event| drop(tell.send(event))).map_err(|error| failure(&error))?;
        let (inputs, watched) = (Inputs::default(), BTreeSet::new());
        let mut changes =
            Self { watcher, events, watched, grew: false, inputs, spec: absolute(spec)?, output: absolute(output)? };
        changes.follow(&Inputs::default())?;
        Ok(changes)
    }

    /// From now on, these count.
    fn follow(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        self.inputs = inputs.clone();
        self.grew = false;
        let spec = (parent_of(&self.spec), false);
        for (directory, below) in self.inputs.directories().into_iter().chain([spec]) {
            // Where it is missing, it may come.
            let Some(directory) = directory.ancestors().find(|directory| directory.is_dir()) else { continue };
            let mode = if below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            // Again also if it was watched before: it may be another by now.
            self.watcher.watch(directory, mode).map_err(|error| failure(&error))?;
            self.grew |= self.watched.insert(directory.to_owned());
        }
        Ok(())
    }

    /// Waits until something changes that counts, and for a moment in which nothing more does.
    async fn next(&mut self) -> BTreeSet<PathBuf> {
        let (mut changed, mut quiet) = (BTreeSet::new(), None);
        loop {
            let event = match quiet {
                None => self.events.recv().await,
                Some(until) => match tokio::time::timeout_at(until, self.events.recv()).await {
                    Ok(event) => event,
                    Err(_) => return changed,
                },
            };
            let more: Vec<_> = match event {
                // Events were too many to be told.
                Some(Ok(event)) if event.need_rescan() => vec![self.spec.clone()],
                Some(Ok(event)) => event.paths.into_iter().filter(|path| self.counts(event.kind, path)).collect(),
                Some(Err(error)) => error.paths,
                None => std::future::pending().await,
            };
            if !more.is_empty() {
                changed.extend(more);
                quiet = Some(Instant::now() + QUIET);
            }
        }
    }

    fn counts(&self, event: EventKind, path: &Path) -> bool {
        match event {
            EventKind::Access(_) => false,
            _ if path == self.spec => true,
            _ if path == self.output => false,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => self.inputs.include_content(path),
            _ => self.inputs.include_name(path),
        }
    }
}

fn failure(error: &notify::Error) -> Failure {
    let failure = Failure::new(FailureKind::Unavailable, "not-watched", format!("files can't be watched: {error}"));
    match error.kind {
        ErrorKind::MaxFilesWatch => {
            failure.with_help("raise fs.inotify.max_user_watches, or name fewer directories in `files`".to_owned())
        }
        _ => failure,
    }
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == "py")
}

/// Some of them, as they are called in their directories.
fn names(paths: &BTreeSet<PathBuf>) -> String {
    const SHOWN: usize = 3;
    let name = |path: &PathBuf| {
        flowhold::progress::clean(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()).into_owned()
    };
    let mut names: Vec<_> = paths.iter().take(SHOWN).map(name).collect();
    if paths.len() > SHOWN {
        names.push(format!("{} more", paths.len() - SHOWN));
    }
    names.join(", ")
}
