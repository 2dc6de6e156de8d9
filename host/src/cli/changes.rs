//! What has changed of all that a plan was made from. The operating system's events only say when to look.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind::{NotFound, PermissionDenied},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use flowhold::{
    Failure, FailureKind,
    inputs::{Identity, Inputs, State},
};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::io::Errno;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// Editors and version control write in several steps: they are taken to be done when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(50);
/// The longest wait for that.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often in a row flows' own code may change what they are made of.
const IN_A_ROW: usize = 2;
/// File systems count time in steps.
const STEP: Duration = Duration::from_millis(20);

/// What changes of all that the last plan was made from.
pub(crate) struct Changes {
    watcher: RecommendedWatcher,
    heard: Arc<Heard>,
    /// With what tells a directory from one that came in its place, and whether all below is watched, too.
    watched: BTreeMap<PathBuf, (Option<Identity>, bool)>,
    /// What counts always.
    own: Inputs,
    inputs: Inputs,
    before: Before,
    planned: Planned,
    /// How often in a row the flows' own code has changed something.
    in_a_row: usize,
    /// Written by each build.
    output: PathBuf,
}

/// What was known when the last plan was begun.
struct Before {
    /// The inputs of the plan before it.
    inputs: Inputs,
    /// How these were then.
    state: State,
    /// When that was.
    began: SystemTime,
}

/// What the last plan was made from.
struct Planned {
    /// Its inputs, as it saw them.
    state: State,
    /// When it was done.
    at: SystemTime,
}

/// What the operating system told.
#[derive(Default)]
struct Heard {
    /// Something has happened in a directory that is watched: time to look.
    something: Notify,
    /// Not all could be told.
    lost: AtomicBool,
}

/// What has changed.
pub(crate) struct Changed {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// It did so while a plan was made or built.
    pub(crate) meanwhile: bool,
    /// The flows' own code did it, and would do so again.
    pub(crate) by_itself: bool,
}

impl Changes {
    /// Of these, whatever the plan, and of what [`Self::follow`] adds.
    pub(crate) fn of(own: Inputs, output: PathBuf) -> Result<Self, Failure> {
        let heard = Arc::new(Heard::default());
        let tell = Arc::clone(&heard);
        let hear = move |event: notify::Result<Event>| match event {
            Ok(Event { kind: EventKind::Access(_), .. }) => {}
            event => {
                tell.lost.fetch_or(event.is_err(), Ordering::Relaxed);
                tell.something.notify_one();
            }
        };
        // Links below a directory of `files` are taken as links.
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(hear, config).map_err(|error| not_watched(&error))?;
        let now = SystemTime::now();
        let before = Before { inputs: Inputs::default(), state: State::default(), began: now };
        let planned = Planned { state: State::default(), at: now };
        let inputs = own.clone();
        Ok(Self { watcher, heard, watched: BTreeMap::new(), own, inputs, before, planned, in_a_row: 0, output })
    }

    fn look(&self) -> State {
        self.look_at(&self.inputs)
    }

    fn look_at(&self, inputs: &Inputs) -> State {
        let mut state = inputs.look();
        // A build writes its storage, and what it says may go to files as well: these changes ask for no other one.
        let ours = [Path::new("/dev/stdout"), Path::new("/dev/stderr"), &self.output];
        let ours = ours.map(|path| path.metadata().ok().filter(fs::Metadata::is_file));
        state.forget(&ours.iter().flatten().map(Identity::of).collect::<Vec<_>>());
        state
    }

    /// Before something is planned.
    pub(crate) fn begin(&mut self) {
        self.before = Before { inputs: self.inputs.clone(), state: self.look(), began: SystemTime::now() - STEP };
    }

    /// After it was planned: from now on, these count.
    ///
    /// # Errors
    /// If some of them can't be watched; the others are.
    pub(crate) fn follow(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        let at = SystemTime::now() + STEP;
        self.inputs = self.own.clone();
        self.inputs.extend(inputs.clone());
        let watched = self.watch();
        let mut state = self.look();
        // Looked at after that: what is edited between the two is a difference as well.
        let before = &self.before;
        let meanwhile = before.state.differences(&self.look_at(&before.inputs));
        state.go_back(&meanwhile, &before.state, before.began);
        self.planned = Planned { state, at };
        watched
    }

    fn watch(&mut self) -> Result<(), Failure> {
        if self.heard.lost.swap(false, Ordering::Relaxed) {
            self.unwatch(|_| true);
        }
        let wanted = self.inputs.directories();
        self.unwatch(|path| !wanted.contains_key(path));
        let mut failed = Ok(());
        for (path, below) in wanted {
            let now = (path.metadata().map(|metadata| Identity::of(&metadata)).ok(), below);
            if self.watched.get(&path) == Some(&now) {
                continue;
            }
            self.unwatch(|other| other == path);
            let mode = if below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match self.watcher.watch(&path, mode).map_err(|error| error.kind) {
                Ok(()) => drop(self.watched.insert(path, now)),
                // It has just gone; or nobody but others can look into it.
                Err(ErrorKind::PathNotFound) => {}
                Err(ErrorKind::Io(error)) if matches!(error.kind(), NotFound | PermissionDenied) => {}
                Err(kind) => failed = Err(not_watched(&notify::Error::new(kind))),
            }
        }
        failed
    }

    fn unwatch(&mut self, which: impl Fn(&Path) -> bool) {
        let Self { watched, watcher, .. } = self;
        watched.retain(|path, _| {
            let stays = !which(path);
            if !stays {
                // It may have ended by itself.
                let _ = watcher.unwatch(path);
            }
            stays
        });
    }

    /// Whether nothing has changed that the last plan would have to know of.
    pub(crate) fn are_none(&self) -> bool {
        self.planned.state.differences(&self.look()).is_empty()
    }

    /// Waits until something has changed, and for a moment in which nothing more does.
    pub(crate) async fn next(&mut self) -> Changed {
        let mut meanwhile = !self.are_none();
        loop {
            if !meanwhile {
                self.heard.something.notified().await;
                // Directories may have come, which are looked at next time. What can't be watched was said before.
                let _ = self.watch();
            }
            self.quiet().await;
            let now = self.look();
            let paths = self.planned.state.differences(&now);
            if paths.is_empty() {
                meanwhile = false;
                continue;
            }
            let (began, planned) = (self.before.began, self.planned.at);
            let by_itself = meanwhile && paths.iter().all(|path| now.is_written(path, began, planned));
            self.in_a_row = if by_itself { self.in_a_row + 1 } else { 0 };
            let by_itself = self.in_a_row > IN_A_ROW;
            if by_itself {
                self.in_a_row = 0;
                self.planned.state = now;
            }
            return Changed { paths, meanwhile, by_itself };
        }
    }

    async fn quiet(&self) {
        let latest = Instant::now() + PATIENCE;
        while Instant::now() < latest {
            let quiet = latest.min(Instant::now() + QUIET);
            if timeout_at(quiet, self.heard.something.notified()).await.is_err() {
                return;
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
        ErrorKind::Io(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
            Some("fs.inotify.max_user_instances")
        }
        _ => None,
    };
    Failure {
        help: limit.map(|limit| format!("raise {limit}, or name smaller directories in `files`")),
        ..Failure::new(FailureKind::Unavailable, "not-watched", format!("files can't be watched: {error}"))
    }
}
