//! What a plan was made from: whoever watches it knows when to plan again.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Files and directories that were looked at, whether they were there or not.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    files: BTreeSet<PathBuf>,
    listings: BTreeSet<(PathBuf, Listing)>,
    trees: BTreeSet<PathBuf>,
}

/// What matters of the names in a directory.
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
    /// Whether it matters that there is such a name.
    pub(crate) fn counts(self, name: &OsStr) -> bool {
        let suffix = Path::new(name).extension().unwrap_or_default();
        let module = || ["py", "pyc", "so", "pyd", ""].iter().any(|module| suffix == *module);
        let hidden = || name.as_encoded_bytes().starts_with(b".");
        name != "__pycache__" && (self != Self::Modules || is_metadata(name) || module() && !hidden())
    }
}

/// Whether it tells of a package.
pub(crate) fn is_metadata(name: &OsStr) -> bool {
    let suffix = Path::new(name).extension().unwrap_or_default();
    ["dist-info", "egg-info", "egg-link", "egg", "pth"].iter().any(|metadata| suffix == *metadata)
}

impl Inputs {
    pub(crate) fn add_file(&mut self, path: &Path) {
        // Behind a link, it is the file that changes.
        self.files.extend(fs::canonicalize(path));
        self.files.insert(absolute(path));
    }

    pub(crate) fn add_listing(&mut self, directory: &Path, listing: Listing) {
        self.listings.insert((absolute(directory), listing));
    }

    /// A file, or a directory with all that is below it.
    pub(crate) fn add_tree(&mut self, path: &Path) {
        if path.is_dir() {
            self.trees.insert(absolute(path));
        } else {
            self.add_file(path);
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.listings.extend(other.listings);
        self.trees.extend(other.trees);
    }

    /// How many files and directories.
    pub fn len(&self) -> usize {
        self.files.len() + self.listings.len() + self.trees.len()
    }

    /// Whether nothing was looked at.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the plan may be another once there is other content at this path.
    pub fn include_content(&self, path: &Path) -> bool {
        // An import that failed has not named its module.
        let module = path.extension().is_some_and(|suffix| suffix == "py");
        self.files.contains(path)
            || self.trees.iter().any(|tree| path.starts_with(tree))
            || module && self.is_listed(path)
    }

    /// Whether the plan may be another once this path comes or goes.
    pub fn include_name(&self, path: &Path) -> bool {
        // A directory comes, or goes, with all that is in it.
        let holds = || self.directories().iter().any(|(directory, _)| directory.starts_with(path));
        self.include_content(path) || self.is_listed(path) || holds()
    }

    fn is_listed(&self, path: &Path) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
        self.listings.iter().any(|(directory, listing)| directory == parent && listing.counts(name))
    }

    /// The directories in which such changes happen; with the flag, also in all below.
    pub fn directories(&self) -> BTreeSet<(&Path, bool)> {
        let files = self.files.iter().filter_map(|path| path.parent());
        let listed = self.listings.iter().map(|(directory, _)| directory.as_path());
        let trees = self.trees.iter().map(|tree| (tree.as_path(), true));
        files.chain(listed).map(|directory| (directory, false)).chain(trees).collect()
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a change counts: content, or only that the name came or went.
    fn kind(inputs: &Inputs, path: &str) -> &'static str {
        let path = Path::new(path);
        match (inputs.include_content(path), inputs.include_name(path)) {
            (true, true) => "content",
            (false, true) => "name",
            (false, false) => "nothing",
            (true, false) => "content, and not its name",
        }
    }

    #[test]
    fn each_change_counts_for_what_was_looked_at() {
        let mut inputs = Inputs::default();
        inputs.add_file(Path::new("/flows/etl.py"));
        inputs.add_listing(Path::new("/flows"), Listing::Modules);
        inputs.add_listing(Path::new("/data"), Listing::Names);
        inputs.add_listing(Path::new("/packages"), Listing::Packages);
        inputs.trees.insert("/models".into());
        for (path, counts) in [
            ("/flows/etl.py", "content"),
            ("/flows/helper.py", "content"),
            ("/flows/helpers", "name"),
            ("/flows/fast.so", "name"),
            ("/flows/notes.txt", "nothing"),
            ("/flows/storage.json", "nothing"),
            ("/flows/etl.py~", "nothing"),
            ("/flows/.etl.py.swp", "nothing"),
            ("/flows/.#etl.py", "nothing"),
            ("/flows/__pycache__", "nothing"),
            ("/flows/deeper/helper.py", "nothing"),
            ("/flows", "name"),
            ("/data/rows.csv", "name"),
            ("/packages/rows-1.0.dist-info", "name"),
            ("/models/a/b.bin", "content"),
            ("/models", "content"),
            ("/modelsother", "nothing"),
            ("/other", "nothing"),
        ] {
            assert_eq!(kind(&inputs, path), counts, "{path}");
        }
        let directories: Vec<_> =
            inputs.directories().into_iter().map(|(at, below)| (at.to_str().unwrap(), below)).collect();
        assert_eq!(directories, [("/data", false), ("/flows", false), ("/models", true), ("/packages", false)]);
    }

    #[cfg(unix)]
    #[test]
    fn behind_a_link_the_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(real.join("real")).unwrap();
        fs::write(real.join("real/etl.py"), "").unwrap();
        std::os::unix::fs::symlink("real/etl.py", real.join("link.py")).unwrap();
        let mut inputs = Inputs::default();
        inputs.add_tree(&real.join("link.py"));
        for name in ["link.py", "real/etl.py"] {
            assert_eq!(kind(&inputs, real.join(name).to_str().unwrap()), "content", "{name}");
        }
    }
}
