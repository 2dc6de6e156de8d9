//! What has changed of all that a plan was made from. The operating system's events only say when to look.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use flowhold::{
    Failure, FailureKind,
    inputs::{Identity, Inputs, State},
};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// Editors and version control write in several steps: nothing may happen for so long, …
const QUIET: Duration = Duration::from_millis(50);
/// … or this has passed.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often in a row something may have changed while it was built.
const IN_A_ROW: usize = 2;
/// File systems count time in steps.
const STEP: Duration = Duration::from_millis(20);

/// What changes of all that the last plan was made from.
pub(crate) struct Changes {
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
    /// Written by each build, and so no change.
    output: PathBuf,
}

/// What has changed.
pub(crate) struct Changed {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// It did so while a plan was made or built.
    pub(crate) meanwhile: bool,
    /// A build would only change it again.
    pub(crate) by_builds: bool,
}

impl Changes {
    /// Of these, whatever the plan, and of what [`Self::follow`] adds.
    pub(crate) fn of(own: Inputs, output: PathBuf) -> Result<Self, Failure> {
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
        let (inputs, watched) = (own.clone(), BTreeMap::new());
        let (before, seen) = (State::default(), State::default());
        Ok(Self { watcher, wake, watched, own, inputs, before, seen, in_a_row: 0, output })
    }

    fn look(&self) -> State {
        self.inputs.look().without(&self.output)
    }

    /// Before something is planned.
    pub(crate) fn begin(&mut self) {
        self.before = self.look();
    }

    /// After it was planned: from now on, these count.
    ///
    /// # Errors
    /// If some of them can't be watched; the others are.
    pub(crate) fn follow(&mut self, inputs: &Inputs, began: SystemTime) -> Result<(), Failure> {
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

    /// What has changed since [`Self::begin`].
    pub(crate) fn since(&self) -> BTreeSet<PathBuf> {
        self.seen.differences(&self.look())
    }

    /// Waits until something has changed, and for a moment in which nothing more does.
    pub(crate) async fn next(&mut self) -> Changed {
        let now = self.look();
        let paths = self.seen.differences(&now);
        if !paths.is_empty() {
            self.in_a_row += 1;
            let by_builds = self.in_a_row > IN_A_ROW;
            if by_builds {
                (self.in_a_row, self.seen) = (0, now);
            }
            return Changed { paths, meanwhile: true, by_builds };
        }
        self.in_a_row = 0;
        loop {
            self.wake.notified().await;
            let latest = Instant::now() + PATIENCE;
            while timeout_at(latest.min(Instant::now() + QUIET), self.wake.notified()).await.is_ok()
                && Instant::now() < latest
            {}
            let paths = self.since();
            if !paths.is_empty() {
                return Changed { paths, meanwhile: false, by_builds: false };
            }
        }
    }

    /// Whether some of these tell which packages a Python has.
    pub(crate) fn tell_of_packages(&self, paths: &BTreeSet<PathBuf>) -> bool {
        paths.iter().any(|path| self.inputs.tells_of_packages(path))
    }
}

impl Changed {
    /// Some of them, as they are called in their directories.
    pub(crate) fn names(&self) -> String {
        const SHOWN: usize = 3;
        let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut names: Vec<_> = self.paths.iter().take(SHOWN).map(name).collect();
        if self.paths.len() > SHOWN {
            names.push(format!("{} more", self.paths.len() - SHOWN));
        }
        flowhold::progress::clean(&names.join(", ")).into_owned()
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
