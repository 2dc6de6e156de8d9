//! `flowhold build --watch`
//!
//! A change is planned twice. First with a Python that imported the flows' packages while nobody was waiting: most of
//! what pickling takes is done by then. Then with a new one, as `flowhold build` does it. What that one says counts; it
//! is nearly always the same, and then there is nothing left to build.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use flowhold::{
    Failure, FailureKind, Plan, Session,
    files::parent_of,
    inputs::{Identity, Inputs, State},
    python::Ahead,
};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{build::Arguments, console, exit, interruptible, spec_file};

/// Editors and version control write in several steps: nothing may happen for so long, …
const QUIET: Duration = Duration::from_millis(50);
/// … or this has passed.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often in a row something may have changed while it was built.
const IN_A_ROW: usize = 2;
/// File systems count time in steps.
const STEP: Duration = Duration::from_millis(20);

/// Builds, and builds again after each change, until it is interrupted.
pub(crate) async fn watch(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Some(spec) = spec_file::path(arguments.spec.file.as_deref(), arguments.path.as_deref()) else {
        return Err(Failure::input("stdin", "standard input can't be watched")
            .with_help("write the spec to a file, and name it with -f".to_owned()));
    };
    let interrupt = exit::on_signal();
    let mut builds = Builds { arguments, interrupt, changes: Changes::of(&spec, arguments)?, built: None, tried: None };
    let (mut ahead, mut trusted) = (None::<Arc<Ahead>>, true);
    loop {
        builds.changes.begin();
        let (session, outcome) = builds.round(ahead.as_ref()).await?;
        if outcome == Outcome::Same {
            console::note("nothing to do: all is as it was built");
        }
        let guessed = ahead.as_ref().is_some_and(|ahead| ahead.answered());
        if !ahead.as_ref().is_some_and(|ahead| ahead.waits()) {
            // One that can't be started is missed by nobody: the next round says why.
            ahead = if trusted { session.start_ahead().unwrap_or_default() } else { None };
        }
        drop(session);
        if guessed && builds.changes.since().is_empty() {
            let (_, outcome) = builds.confirm().await?;
            if outcome != Outcome::Same && builds.changes.since().is_empty() {
                console::note(match outcome {
                    Outcome::Failed => {
                        "note: what was built is not confirmed: a new Python, which counts, says otherwise"
                    }
                    _ => "note: a new Python, which counts, made other pickles; from now on, each build waits for one",
                });
                (ahead, trusted) = (None, false);
            }
        }
        console::note(&format!("watching {} and what it names; Ctrl-C ends", spec.display()));
        let changed = exit::until(&builds.interrupt, "files were watched", builds.changes.next()).await?;
        console::note(&format!("changed: {}", names(&changed.paths)));
        if changed.at_once || changed.paths.iter().any(|path| builds.changes.tell_of_python(path)) {
            ahead = None;
        }
    }
}

struct Builds<'a> {
    arguments: &'a Arguments,
    interrupt: CancellationToken,
    changes: Changes,
    /// The resolved spec that was built last.
    built: Option<String>,
    /// The one that was tried last.
    tried: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Built,
    Same,
    Failed,
}

/// The code of a failure that no edit mends.
const LOCAL: &str = "local-watched";

impl Builds<'_> {
    /// Plans, and builds what was not built last; says what is wrong. An error ends it all.
    async fn round(&mut self, ahead: Option<&Arc<Ahead>>) -> Result<(Session, Outcome), Failure> {
        self.carry_out(ahead, |builds, resolved| builds.built.as_ref() == Some(resolved)).await
    }

    /// The same with a new Python, unless it comes to what was tried last.
    async fn confirm(&mut self) -> Result<(Session, Outcome), Failure> {
        self.carry_out(None, |builds, resolved| builds.tried.as_ref() == Some(resolved)).await
    }

    async fn carry_out(
        &mut self,
        ahead: Option<&Arc<Ahead>>,
        is_done: fn(&Self, &String) -> bool,
    ) -> Result<(Session, Outcome), Failure> {
        // Policies are read anew.
        let host = interruptible(self.arguments.spec.host()?, self.arguments.progress.progress, &self.interrupt)?;
        let mut session = host.session().await?;
        if let Some(ahead) = ahead {
            session.use_ahead(Arc::clone(ahead));
        }
        let outcome = match self.build(&mut session, ahead, is_done).await {
            Err(failure) if failure.kind == FailureKind::Interrupted || failure.code == LOCAL => return Err(failure),
            Err(failure) => {
                console::fail(&failure);
                Outcome::Failed
            }
            Ok(outcome) => outcome,
        };
        Ok((session, outcome))
    }

    async fn build(
        &mut self,
        session: &mut Session,
        ahead: Option<&Arc<Ahead>>,
        is_done: fn(&Self, &String) -> bool,
    ) -> Result<Outcome, Failure> {
        let began = SystemTime::now();
        let spec = self.arguments.read();
        let plan = match &spec {
            Ok(spec) => self.arguments.plan(session, spec, &self.interrupt).await,
            Err(failure) => Err(failure.clone()),
        };
        let watched = self.changes.follow(session.inputs(), began);
        let (spec, plan) = (spec?, plan?);
        watched?;
        let resolved = session.resolved_spec(plan).await.ok();
        match &resolved {
            Some(resolved) if is_done(self, resolved) => return Ok(Outcome::Same),
            // A new Python is asked, and then it is said what is wrong.
            None if ahead.is_some_and(|ahead| ahead.answered()) => return Ok(Outcome::Failed),
            _ => {}
        }
        if resolved.is_some() {
            refuse_local(session, plan).await?;
            // From here on the image's name may be another image's.
            (self.built, self.tried) = (None, resolved.clone());
        }
        self.arguments.carry_out(session, &spec, plan, &self.interrupt).await?;
        Ok(match resolved {
            Some(_) => {
                self.built = resolved;
                Outcome::Built
            }
            None => Outcome::Failed,
        })
    }
}

/// A flow in a directory is never replaced, and whoever watches flows edits them.
async fn refuse_local(session: &mut Session, plan: Plan) -> Result<(), Failure> {
    let storage = session.storage_of(plan).await?;
    if session.kind(storage).await? != "local" {
        return Ok(());
    }
    Err(Failure::input(LOCAL, "--watch has nothing to build again: a local storage never replaces a flow")
        .with_help("leave --watch out, or take another type of storage".to_owned()))
}

/// What changes of all that the last plan was made from.
struct Changes {
    watcher: RecommendedWatcher,
    /// Something has happened in a directory that is watched: time to look.
    wake: Arc<Notify>,
    /// With what tells a directory from one that came in its place, and whether all below is watched, too.
    watched: BTreeMap<PathBuf, (Option<Identity>, bool)>,
    /// What counts always: the spec, and the policies of the command line.
    own: Inputs,
    inputs: Inputs,
    /// How they were before the last plan, …
    before: State,
    /// … and as it saw them.
    seen: State,
    in_a_row: usize,
    spec: PathBuf,
    /// Written by each build.
    output: PathBuf,
}

struct Changed {
    paths: BTreeSet<PathBuf>,
    /// While it was built.
    at_once: bool,
}

impl Changes {
    fn of(spec: &Path, arguments: &Arguments) -> Result<Self, Failure> {
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(|error| Failure::of_path(path.display(), &error));
        let wake = Arc::new(Notify::new());
        let waking = Arc::clone(&wake);
        let heard = move |event: notify::Result<Event>| {
            if !matches!(event, Ok(Event { kind: EventKind::Access(_), .. })) {
                waking.notify_one();
            }
        };
        // Links below a directory of `files` are taken as links.
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(heard, config).map_err(|error| not_watched(&error))?;
        let mut own = Inputs::default();
        own.add_file(spec);
        arguments.spec.policies.iter().for_each(|policy| own.add_file(policy));
        let mut changes = Self {
            watcher,
            wake,
            watched: BTreeMap::new(),
            inputs: own.clone(),
            own,
            before: State::default(),
            seen: State::default(),
            in_a_row: 0,
            spec: absolute(spec)?,
            output: absolute(&arguments.output(parent_of(spec)))?,
        };
        changes.follow(&Inputs::default(), SystemTime::now())?;
        changes.seen = changes.look();
        Ok(changes)
    }

    fn look(&self) -> State {
        self.inputs.look().without(&self.output)
    }

    /// Before something is planned.
    fn begin(&mut self) {
        self.before = self.look();
    }

    /// After it was planned: from now on, these count.
    fn follow(&mut self, inputs: &Inputs, began: SystemTime) -> Result<(), Failure> {
        self.inputs = self.own.clone();
        self.inputs.extend(inputs.clone());
        let watched = self.watch();
        self.seen = self.look().as_of(&self.before, began - STEP);
        watched
    }

    fn watch(&mut self) -> Result<(), Failure> {
        let wanted = self.inputs.directories();
        let mut failed = None;
        let gone: Vec<_> = self.watched.keys().filter(|path| !wanted.contains_key(*path)).cloned().collect();
        for path in gone {
            self.watched.remove(&path);
            let _ = self.watcher.unwatch(&path);
        }
        for (path, below) in wanted {
            let now = (path.metadata().map(|metadata| Identity::of(&metadata)).ok(), below);
            if self.watched.get(&path) == Some(&now) {
                continue;
            }
            let _ = self.watcher.unwatch(&path);
            let mode = if below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match self.watcher.watch(&path, mode) {
                Ok(()) => drop(self.watched.insert(path, now)),
                Err(error) => failed = Some(not_watched(&error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// What has changed since it was planned.
    fn since(&self) -> BTreeSet<PathBuf> {
        self.seen.differences(&self.look())
    }

    /// Waits until something has changed, and for a moment in which nothing more does.
    async fn next(&mut self) -> Result<Changed, Failure> {
        let now = self.look();
        let paths = self.seen.differences(&now);
        if !paths.is_empty() && self.in_a_row < IN_A_ROW {
            self.in_a_row += 1;
            return Ok(Changed { paths, at_once: true });
        }
        if !paths.is_empty() {
            console::note(&format!("note: each build changes {}, which it is made of", names(&paths)));
        }
        (self.in_a_row, self.seen) = (0, now);
        loop {
            self.wake.notified().await;
            let latest = Instant::now() + PATIENCE;
            while timeout_at(latest.min(Instant::now() + QUIET), self.wake.notified()).await.is_ok()
                && Instant::now() < latest
            {}
            let paths = self.since();
            if !paths.is_empty() {
                return Ok(Changed { paths, at_once: false });
            }
        }
    }

    /// Whether a Python that was started before may be another than the spec names now, or have other packages.
    fn tell_of_python(&self, path: &Path) -> bool {
        path == self.spec || self.inputs.tells_of_packages(path)
    }
}

fn not_watched(error: &notify::Error) -> Failure {
    let limit = match &error.kind {
        ErrorKind::MaxFilesWatch => Some("fs.inotify.max_user_watches"),
        // EMFILE
        ErrorKind::Io(error) if error.raw_os_error() == Some(24) => Some("fs.inotify.max_user_instances"),
        _ => None,
    };
    Failure::new(FailureKind::Unavailable, "not-watched", format!("files can't be watched: {error}"))
        .with_help(limit.map(|limit| format!("raise {limit}, or name smaller directories in `files`")))
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
