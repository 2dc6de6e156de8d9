//! Finds changes in everything that a plan was made from. The operating system's events only say when to look.

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

/// Editors and version control write in several steps: they count as done when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(50);
/// The longest wait for such a quiet moment.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often in a row the flows' own code may change what they are made from.
const IN_A_ROW: usize = 2;
/// File systems record times in steps.
const STEP: Duration = Duration::from_millis(20);

/// Watches everything that the last plan was made from.
pub(crate) struct Changes {
    watcher: RecommendedWatcher,
    heard: Arc<Heard>,
    /// Watched directories, with the identity that tells each from a replacement, and whether all below is watched.
    watched: BTreeMap<PathBuf, (Option<Identity>, bool)>,
    /// The inputs that count whatever the plan.
    own: Inputs,
    inputs: Inputs,
    before: Before,
    planned: Planned,
    /// How often in a row the flows' own code has changed something.
    in_a_row: usize,
    /// The file that each build writes.
    output: PathBuf,
}

/// What was known when the last plan was begun.
struct Before {
    /// The inputs of the plan before it.
    inputs: Inputs,
    /// The state of these inputs then.
    state: State,
    /// When the last plan was begun.
    began: SystemTime,
}

/// What the last plan was made from.
struct Planned {
    /// The state of its inputs, as the plan saw them.
    state: State,
    /// When the plan was done.
    at: SystemTime,
}

/// What the operating system has reported.
#[derive(Default)]
struct Heard {
    /// Something has happened in a directory that is watched: time to look.
    something: Notify,
    /// Some events were lost.
    lost: AtomicBool,
}

/// What has changed.
pub(crate) struct Changed {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// The change came while a plan was made or built.
    pub(crate) meanwhile: bool,
    /// The flows' own code made the change, and would make it again.
    pub(crate) by_itself: bool,
}

impl Changes {
    /// Watches these inputs whatever the plan, and those that [`Self::follow`] adds.
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
        // Links below a directory of `files` stay links in the image, so they are not followed.
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
        // A build writes its storage, and its output may go to files as well: these changes ask for no other build.
        let ours = [Path::new("/dev/stdout"), Path::new("/dev/stderr"), &self.output];
        let ours = ours.map(|path| path.metadata().ok().filter(fs::Metadata::is_file));
        state.forget(&ours.iter().flatten().map(Identity::of).collect::<Vec<_>>());
        state
    }

    /// Called before a plan is made.
    pub(crate) fn begin(&mut self) {
        self.before = Before { inputs: self.inputs.clone(), state: self.look(), began: SystemTime::now() - STEP };
    }

    /// Called after a plan was made: from now on, its inputs count.
    ///
    /// # Errors
    /// If some of them can't be watched; the others are.
    pub(crate) fn follow(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        let at = SystemTime::now() + STEP;
        self.inputs = self.own.clone();
        self.inputs.extend(inputs.clone());
        let watched = self.watch();
        let mut state = self.look();
        // This look comes after the one above, so that an edit between the two is a difference as well.
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
                // The directory has just gone, or this user may not look into it.
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
                // The watch may have ended by itself.
                let _ = watcher.unwatch(path);
            }
            stays
        });
    }

    /// Whether nothing has changed since the last plan.
    pub(crate) fn are_none(&self) -> bool {
        self.planned.state.differences(&self.look()).is_empty()
    }

    /// Waits until something has changed, and then for a moment without further changes.
    pub(crate) async fn next(&mut self) -> Changed {
        let mut meanwhile = !self.are_none();
        loop {
            if !meanwhile {
                self.heard.something.notified().await;
                // Watches directories that are new. Those that can't be watched were reported before.
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

    /// Whether some of these paths tell which packages a Python has.
    pub(crate) fn tell_of_packages(&self, paths: &BTreeSet<PathBuf>) -> bool {
        paths.iter().any(|path| self.inputs.tells_of_packages(path))
    }
}

impl Changed {
    /// The names of the first few paths, without their directories.
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
