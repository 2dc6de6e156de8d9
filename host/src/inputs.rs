//! The inputs that a plan was made from, and how they have changed since, which tells when to plan again.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::files::from_everywhere;

/// Files and directories that were looked at, whether they were there or not.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    files: HashSet<PathBuf>,
    listings: BTreeSet<(PathBuf, Listing)>,
    trees: BTreeSet<PathBuf>,
}

/// Which names in a directory matter.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Clone, Copy)]
pub(crate) enum Listing {
    /// All names.
    Names,
    /// Names of what can be imported.
    Modules,
    /// Names, and when packages' metadata was written.
    Packages,
}

impl Listing {
    /// Whether this name matters.
    pub(crate) fn counts(self, name: &OsStr) -> bool {
        let named = || !name.as_encoded_bytes().starts_with(b".");
        let module = || named() && ["py", "pyc", "so", "pyd", ""].iter().any(|module| suffix(name) == *module);
        name != "__pycache__" && (self != Self::Modules || is_metadata(name) || module())
    }
}

/// Whether a name is that of a package's metadata.
pub(crate) fn is_metadata(name: &OsStr) -> bool {
    ["dist-info", "egg-info", "egg-link", "egg", "pth"].iter().any(|metadata| suffix(name) == *metadata)
}

fn suffix(name: &OsStr) -> &OsStr {
    Path::new(name).extension().unwrap_or_default()
}

/// The state of inputs at one moment. A path where nothing was has no entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State(BTreeMap<PathBuf, Mark>);

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    /// Something is there, and nothing else about it counts.
    Name,
    Directory {
        mode: u32,
    },
    Content {
        identity: Identity,
        length: u64,
        modified: Option<SystemTime>,
        mode: u32,
    },
    Link(PathBuf),
}

/// What tells a file or directory from one that replaced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(Option<SystemTime>, Option<u64>);

impl Identity {
    /// The identity of what is there now.
    pub fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let number = Some(std::os::unix::fs::MetadataExt::ino(metadata));
        #[cfg(not(unix))]
        let number = None;
        Self(metadata.created().ok(), number)
    }
}

impl Inputs {
    /// Adds a file.
    pub fn add_file(&mut self, path: &Path) {
        self.files.insert(from_everywhere(path));
    }

    pub(crate) fn add_listing(&mut self, directory: &Path, listing: Listing) {
        self.listings.insert((from_everywhere(directory), listing));
    }

    /// Adds a file, or a directory with everything below it.
    pub(crate) fn add_tree(&mut self, path: &Path) {
        self.trees.insert(from_everywhere(path));
    }

    /// Whether a path is copied into the image: one of `files`, or below one.
    pub fn is_copied(&self, path: &Path) -> bool {
        let path = from_everywhere(path);
        self.trees.iter().any(|tree| path.starts_with(tree))
    }

    /// Adds all inputs of `other`.
    pub fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.listings.extend(other.listings);
        self.trees.extend(other.trees);
    }

    /// Whether a path tells which packages a Python has.
    pub fn tells_of_packages(&self, path: &Path) -> bool {
        let listed = |(directory, listing): &(PathBuf, Listing)| {
            *listing == Listing::Packages && path.parent() == Some(directory)
        };
        path.ends_with("pyvenv.cfg") || self.listings.iter().any(listed)
    }

    /// The state of the inputs now.
    pub fn look(&self) -> State {
        let mut state = State::default();
        for path in &self.files {
            state.add(path.clone(), Mark::at(path));
        }
        for (directory, listing) in &self.listings {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if listing.counts(&name) {
                    let content = match listing {
                        Listing::Names => false,
                        // If an import failed, its module is not among the files, so its content counts here.
                        Listing::Modules => suffix(&name) == "py",
                        Listing::Packages => is_metadata(&name),
                    };
                    let mark =
                        if content { entry.metadata().ok().as_ref().map(Mark::content) } else { Some(Mark::Name) };
                    state.add(entry.path(), mark);
                }
            }
        }
        for tree in &self.trees {
            state.add(tree.clone(), Mark::at(tree));
            let mut open = vec![tree.clone()];
            while let Some(directory) = open.pop() {
                for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                    let path = entry.path();
                    let Ok(metadata) = entry.metadata() else { continue };
                    if metadata.is_dir() {
                        open.push(path.clone());
                    }
                    let link = fs::read_link(&path).ok().map(Mark::Link);
                    state.add(path, link.or_else(|| Some(Mark::of(&metadata))));
                }
            }
        }
        state
    }

    /// The directories to watch for changes, also behind links; the flag tells to watch everything below as well.
    pub fn directories(&self) -> BTreeMap<PathBuf, bool> {
        let mut found = BTreeMap::new();
        let mut add = |directory: &Path, below: bool| {
            // A missing directory may come, so the nearest one that is there is watched.
            let mut there = directory.ancestors().filter_map(|directory| fs::canonicalize(directory).ok());
            if let Some(there) = there.find(|there| there.is_dir()) {
                *found.entry(there).or_default() |= below && directory.is_dir();
            }
        };
        for path in self.files.iter().chain(&self.trees) {
            for path in [Some(path.clone()), fs::canonicalize(path).ok()].into_iter().flatten() {
                add(path.parent().unwrap_or(&path), false);
            }
        }
        self.listings.iter().for_each(|(directory, _)| add(directory, false));
        self.trees.iter().filter(|tree| tree.is_dir()).for_each(|tree| add(tree, true));
        let trees: Vec<_> = found.iter().filter(|(_, below)| **below).map(|(tree, _)| tree.clone()).collect();
        found.retain(|directory, _| !trees.iter().any(|tree| directory != tree && directory.starts_with(tree)));
        found
    }
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

impl Mark {
    /// The mark of what a path leads to.
    fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }

    fn of(metadata: &fs::Metadata) -> Self {
        if metadata.is_dir() { Self::Directory { mode: mode(metadata) } } else { Self::content(metadata) }
    }

    /// The mark of content, also of a directory, whose time tells when names came and went.
    fn content(metadata: &fs::Metadata) -> Self {
        let (identity, modified) = (Identity::of(metadata), metadata.modified().ok());
        Self::Content { identity, length: metadata.len(), modified, mode: mode(metadata) }
    }

    fn modified(&self) -> Option<SystemTime> {
        if let Self::Content { modified, .. } = self { *modified } else { None }
    }
}

impl State {
    fn add(&mut self, path: PathBuf, mark: Option<Mark>) {
        // A mark that says more than the name takes precedence.
        if let Some(mark) = mark
            && self.0.get(&path).is_none_or(|known| *known == Mark::Name)
        {
            self.0.insert(path, mark);
        }
    }

    /// Goes back to the state before a plan was made: for these paths, and for paths that are new here and were written
    /// since the plan began. They are still differences.
    pub fn go_back(&mut self, paths: &BTreeSet<PathBuf>, before: &Self, began: SystemTime) {
        self.0.retain(|path, mark| {
            before.0.contains_key(path) || mark.modified().is_none_or(|modified| modified < began)
        });
        for path in paths {
            match before.0.get(path) {
                Some(mark) => drop(self.0.insert(path.clone(), mark.clone())),
                None => drop(self.0.remove(path)),
            }
        }
    }

    /// Takes out files that don't count.
    pub fn forget(&mut self, files: &[Identity]) {
        self.0.retain(|_, mark| !matches!(mark, Mark::Content { identity, .. } if files.contains(identity)));
    }

    /// Whether something was written at a path between two moments.
    pub fn is_written(&self, path: &Path, from: SystemTime, to: SystemTime) -> bool {
        self.0.get(path).and_then(Mark::modified).is_some_and(|modified| (from..=to).contains(&modified))
    }

    /// The paths that have changed, come or gone.
    pub fn differences(&self, now: &Self) -> BTreeSet<PathBuf> {
        let paths = self.0.keys().chain(now.0.keys());
        paths.filter(|path| self.0.get(*path) != now.0.get(*path)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    struct Project {
        folder: TempDir,
        inputs: Inputs,
        seen: State,
    }

    impl Project {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            for name in ["flows", "data", "models/deep", "packages"] {
                fs::create_dir_all(path(name)).unwrap();
            }
            for name in ["flows/etl.py", "flows/helper.py", "data/rows.csv", "models/deep/one.bin", "query.sql"] {
                fs::write(path(name), "first").unwrap();
            }
            let mut inputs = Inputs::default();
            inputs.add_file(&path("flows/etl.py"));
            inputs.add_file(&path("query.sql"));
            inputs.add_file(&path("none"));
            inputs.add_listing(&path("flows"), Listing::Modules);
            inputs.add_listing(&path("data"), Listing::Names);
            inputs.add_listing(&path("packages"), Listing::Packages);
            inputs.add_tree(&path("models"));
            let seen = inputs.look();
            Self { folder, inputs, seen }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// What has changed, as paths in the folder.
        fn changed(&self) -> Vec<String> {
            let name = |path: PathBuf| path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned();
            self.seen.differences(&self.inputs.look()).into_iter().map(name).collect()
        }
    }

    #[test]
    fn what_was_looked_at_counts() {
        for (name, counts) in [
            ("flows/etl.py", true),
            ("flows/helper.py", true),
            ("flows/new.py", true),
            ("flows/package", true),
            ("flows/fast.so", true),
            ("flows/notes.txt", false),
            ("flows/etl.py~", false),
            ("flows/.etl.py.swp", false),
            ("flows/.#etl.py", false),
            ("flows/.coverage", false),
            ("flows/__pycache__", false),
            ("data/rows.csv", false),
            ("data/more.csv", true),
            ("models/deep/one.bin", true),
            ("models/deep/two.bin", true),
            ("packages/rows-1.0.dist-info", true),
            ("query.sql", true),
            ("none", true),
            ("other", false),
        ] {
            let project = Project::new();
            assert_eq!(project.changed(), [""; 0]);
            fs::write(project.path(name), "other text").unwrap();
            let expected = if counts { vec![name.to_owned()] } else { Vec::new() };
            assert_eq!(project.changed(), expected, "{name} written");
        }
        for (name, counts) in [("flows/etl.py", true), ("data/rows.csv", true), ("models/deep/one.bin", true)] {
            let project = Project::new();
            fs::remove_file(project.path(name)).unwrap();
            assert_eq!(!project.changed().is_empty(), counts, "{name} removed");
        }
    }

    /// However else the file was looked at: for names, for packages, or as an entry that leads elsewhere.
    #[cfg(unix)]
    #[test]
    fn content_counts_wherever_somebody_looked_at_it() {
        for listing in [Listing::Names, Listing::Packages] {
            let mut project = Project::new();
            project.inputs.add_listing(&project.path("flows"), listing);
            std::os::unix::fs::symlink("../query.sql", project.path("flows/linked.py")).unwrap();
            project.inputs.add_file(&project.path("flows/linked.py"));
            project.seen = project.inputs.look();
            fs::write(project.path("flows/helper.py"), "other text").unwrap();
            assert_eq!(project.changed(), ["flows/helper.py"]);
            project.seen = project.inputs.look();
            fs::write(project.path("query.sql"), "other text").unwrap();
            assert_eq!(project.changed(), ["flows/linked.py", "query.sql"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_of_a_directory_of_files_counts() {
        let project = Project::new();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(project.path("models/deep"), mode).unwrap();
        assert_eq!(project.changed(), ["models/deep"]);
    }

    /// Also if length and time are the same.
    #[test]
    fn another_file_in_the_place_of_one_counts() {
        let project = Project::new();
        fs::write(project.path("new"), "other").unwrap();
        let time = fs::metadata(project.path("query.sql")).unwrap().modified().unwrap();
        fs::File::options().write(true).open(project.path("new")).unwrap().set_modified(time).unwrap();
        fs::rename(project.path("new"), project.path("query.sql")).unwrap();
        assert_eq!(project.changed(), ["query.sql"]);
    }

    /// Also files with an old time, or without a time.
    #[test]
    fn what_happens_while_a_plan_is_made_is_a_difference_afterwards() {
        let project = Project::new();
        let hour = std::time::Duration::from_secs(3600);
        fs::write(project.path("query.sql"), "other text").unwrap();
        fs::write(project.path("data/more.csv"), "").unwrap();
        fs::remove_file(project.path("data/rows.csv")).unwrap();
        fs::rename(project.path("flows/helper.py"), project.path("models/helper.py")).unwrap();
        let meanwhile = project.seen.differences(&project.inputs.look());
        let changed = ["data/more.csv", "data/rows.csv", "flows/helper.py", "models/helper.py", "query.sql"];
        // Nobody had looked at this one before.
        let mut project = project;
        fs::write(project.path("new.sql"), "").unwrap();
        project.inputs.add_file(&project.path("new.sql"));
        let mut seen = project.inputs.look();
        seen.go_back(&meanwhile, &project.seen, SystemTime::now() + hour);
        let mut again = project.inputs.look();
        again.go_back(&meanwhile, &project.seen, SystemTime::now() - hour);
        project.seen = seen;
        assert_eq!(project.changed(), changed);
        project.seen = again;
        assert_eq!(project.changed(), [&changed[..4], &["new.sql"], &changed[4..]].concat());
    }

    #[test]
    fn what_writes_itself_is_told_by_its_time_and_files_by_their_identity() {
        let project = Project::new();
        let (now, minute) = (SystemTime::now(), std::time::Duration::from_secs(60));
        let query = project.path("query.sql");
        assert!(project.seen.is_written(&query, now - minute, now + minute));
        assert!(!project.seen.is_written(&query, now + minute, now + 2 * minute));
        assert!(!project.seen.is_written(&project.path("none"), now - minute, now + minute));
        let mut state = project.inputs.look();
        state.forget(&[Identity::of(&fs::metadata(&query).unwrap())]);
        assert_eq!(project.seen.differences(&state), [query].into());
    }

    #[cfg(unix)]
    #[test]
    fn changes_behind_links_are_found_where_they_happen() {
        let project = Project::new();
        let real = fs::canonicalize(project.folder.path()).unwrap();
        std::os::unix::fs::symlink("flows", real.join("link")).unwrap();
        let mut inputs = Inputs::default();
        inputs.add_file(&real.join("data/../link/etl.py"));
        inputs.add_file(&real.join("missing/deep/file"));
        inputs.add_file(&real.join("models/deep/one.bin"));
        inputs.add_listing(&real.join("models/deep"), Listing::Names);
        inputs.add_tree(&real.join("models"));
        let directories = inputs.directories();
        let expected = [("", false), ("flows", false), ("models", true)];
        let expected =
            expected.map(|(name, below)| (if name.is_empty() { real.clone() } else { real.join(name) }, below));
        assert_eq!(directories, BTreeMap::from(expected));
        let seen = inputs.look();
        fs::write(real.join("flows/etl.py"), "other text").unwrap();
        assert_eq!(seen.differences(&inputs.look()).len(), 1);
    }

    #[test]
    fn packages_are_told_from_the_users_own_files() {
        let project = Project::new();
        for (name, tells) in [("packages/rows-1.0.dist-info", true), ("env/pyvenv.cfg", true), ("flows/new.py", false)]
        {
            assert_eq!(project.inputs.tells_of_packages(&project.path(name)), tells, "{name}");
        }
    }
}
