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
