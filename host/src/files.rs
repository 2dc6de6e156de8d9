//! The capability `files`: granted directories, and nothing else.
//!
//! Invariant: a guest's path is only ever followed inside a directory that was granted, by cap-std, so that neither
//! `..` nor a symbolic link leads out of it.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions},
};

mod nameless;
mod together;

use self::nameless::Nameless;
pub(crate) use self::together::batches;
use crate::{blob::Blob, capability::Files, failure::Failure};

/// What a guest may do in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Open and list.
    Read,
    /// Also make files and directories.
    Write,
}

/// The directories that were granted. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Grants {
    granted: Vec<Arc<Grant>>,
    synced: Arc<Mutex<HashSet<Identity>>>,
}

/// Device and inode number of a directory.
type Identity = (u64, u64);

#[derive(Debug)]
struct Grant {
    /// The path by which the guest names the directory.
    root: PathBuf,
    access: Access,
    /// The root, or the nearest of its parents that existed.
    dir: Dir,
    /// The path from `dir` to the root; empty if the root existed.
    missing: PathBuf,
}

impl Grants {
    /// Grants a directory, which need not exist yet.
    ///
    /// # Errors
    /// If a part of the path is not a directory, or may not be looked into.
    pub fn grant(&mut self, root: &Path, access: Access) -> Result<(), Failure> {
        let mut existing = root;
        loop {
            match Dir::open_ambient_dir(existing, ambient_authority()) {
                Ok(dir) => {
                    let missing = root.strip_prefix(existing).unwrap_or(Path::new("")).to_owned();
                    self.granted.push(Arc::new(Grant { root: root.to_owned(), access, dir, missing }));
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => match existing.parent() {
                    Some(parent) if existing != parent => existing = parent,
                    _ => return Err(Failure::of_path(root.display(), &error)),
                },
                Err(error) => return Err(Failure::of_path(existing.display(), &error)),
            }
        }
    }

    /// Opens a directory that may be written to.
    pub(crate) fn open_directory(&self, path: &str) -> Option<File> {
        let (dir, within) = self.find(path, Access::Write).ok()?;
        Some(dir.open(within).ok()?.into_std())
    }

    /// The grant that covers a path, and the path within it.
    fn find(&self, path: &str, wanted: Access) -> Result<(&Dir, PathBuf), Failure> {
        let path = Path::new(path);
        // Only the rest has to be plain: whoever granted the directory chose its name.
        let is_plain = |rest: &Path| rest.components().all(|part| matches!(part, Component::Normal(_)));
        let covers = |grant: &&Arc<Grant>| grant.access == wanted || grant.access == Access::Write;
        let grant =
            self.granted.iter().filter(covers).find_map(|grant| Some((grant, path.strip_prefix(&grant.root).ok()?)));
        match grant {
            Some((grant, rest)) if is_plain(rest) => {
                let within = grant.missing.join(rest);
                let within = if within.as_os_str().is_empty() { PathBuf::from(".") } else { within };
                Ok((&grant.dir, within))
            }
            _ => Err(Failure::not_granted(path.display())
                .with_help("a local storage has its flows in its own directory, and reads no others")),
        }
    }
}

impl Files for Grants {
    fn open(&self, path: &str) -> Result<Option<Blob>, Failure> {
        let (dir, within) = self.find(path, Access::Read)?;
        let open = || {
            // The open file is checked, because the path may lead elsewhere a moment later.
            Blob::of_file(PathBuf::from(path), dir.open_with(&within, &without_waiting())?.into_std())
        };
        match open() {
            Ok(blob) => Ok(Some(blob)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::of_path(path, &error)),
        }
    }

    /// Writes and syncs the whole file, and only then gives it its name: the first writer has it.
    fn create(&self, path: &str, content: &Blob) -> Result<bool, Failure> {
        let (dir, within) = self.find(path, Access::Write)?;
        let created = match create_nameless(dir, &within, content) {
            Some(created) => created,
            None => create_renamed(dir, &within, content),
        };
        let created = created.map_err(|error| of_new(path, &error))?;
        sync_parent(dir, &within).map_err(|error| of_new(path, &error))?;
        Ok(created)
    }

    fn create_all(&self, files: &[(String, Blob)]) -> Result<Vec<bool>, Failure> {
        let mut created = Vec::with_capacity(files.len());
        for batch in batches(files) {
            let one_by_one = || batch.iter().map(|(path, content)| self.create(path, content)).collect();
            created.extend(self.create_together(batch)?.map_or_else(one_by_one, Ok)?);
        }
        Ok(created)
    }

    fn replace(&self, path: &str, content: &Blob) -> Result<(), Failure> {
        let (dir, within) = self.find(path, Access::Write)?;
        let unfinished = unfinished_name(&within);
        let replaced = create_new(dir, &unfinished)
            .and_then(|file| write_synced(&file, content))
            .and_then(|()| dir.rename(&unfinished, dir, &within))
            .and_then(|()| sync_parent(dir, &within));
        replaced.map_err(|error| {
            // If this fails, a temporary file is left; the first error is the one that matters.
            let _ = dir.remove_file(&unfinished);
            of_new(path, &error)
        })
    }

    fn entries(&self, path: &str) -> Result<Vec<String>, Failure> {
        let (dir, within) = self.find(path, Access::Read)?;
        let list = || {
            let mut names = Vec::new();
            for entry in dir.read_dir(&within)? {
                // A name that is not Unicode can't be a flow's.
                names.extend(entry?.file_name().into_string().ok());
            }
            names.sort_unstable();
            Ok(names)
        };
        match list() {
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(|error| Failure::of_path(path, &error)),
        }
    }

    fn create_directory(&self, path: &str) -> Result<(), Failure> {
        let (dir, within) = self.find(path, Access::Write)?;
        self.make_directories(dir, &within).map_err(|error| Failure::of_path(path, &error))
    }
}

impl Grants {
    /// Makes a directory and its missing parents, so that they survive a power loss. A process may have been killed
    /// before it could sync an existing directory, so that is synced as well, the first time.
    fn make_directories(&self, dir: &Dir, within: &Path) -> io::Result<()> {
        if let Some(parent) = within.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.make_directories(dir, parent)?;
        }
        let made = dir.create_dir(within);
        let there = dir.metadata(within).ok().filter(Metadata::is_dir);
        if there.is_none() {
            return made.and_then(|()| sync_parent(dir, within));
        }
        let directory = there.as_ref().and_then(identity);
        let synced = || self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let is_synced = |directory| made.is_err() && synced().contains(&directory);
        // The granted directory's own parent was not granted.
        if within == Path::new(".") || directory.is_some_and(is_synced) {
            return Ok(());
        }
        sync_parent(dir, within)?;
        synced().extend(directory);
        Ok(())
    }
}

#[cfg(unix)]
fn identity(directory: &Metadata) -> Option<Identity> {
    use cap_std::fs::MetadataExt as _;

    Some((directory.dev(), directory.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}

/// Options for opening without waiting: opening a pipe would wait for its writer.
pub(crate) fn without_waiting() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options
}

fn unfinished_name(within: &Path) -> PathBuf {
    within.with_file_name(format!(".unfinished-{}", uuid::Uuid::new_v4()))
}

fn create_new(dir: &Dir, within: &Path) -> io::Result<File> {
    Ok(dir.open_with(within, OpenOptions::new().write(true).create_new(true))?.into_std())
}

fn write_synced(file: &File, content: &Blob) -> io::Result<()> {
    content.copy_to(file)?;
    file.sync_all()
}

/// Creates a file that has no name until it is whole; none if such files can't be had.
fn create_nameless(dir: &Dir, within: &Path, content: &Blob) -> Option<io::Result<bool>> {
    let parent = dir.open_dir(parent_of(within)).ok()?;
    let file = Nameless::new(&parent)?;
    match write_synced(file.file(), content) {
        Ok(()) => file.name(&parent, within.file_name()?).map(Ok),
        Err(error) => Some(Err(error)),
    }
}

/// Makes a file under a temporary name, and gives it its own. A process killed in between leaves a temporary file.
fn create_renamed(dir: &Dir, within: &Path, content: &Blob) -> io::Result<bool> {
    let unfinished = unfinished_name(within);
    let written = create_new(dir, &unfinished).and_then(|file| write_synced(&file, content));
    let named = written.and_then(|()| match dir.hard_link(&unfinished, dir, within) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            rename_new(dir, &unfinished, within).unwrap_or(Err(error))
        }
        linked => linked,
    });
    let removed = match dir.remove_file(&unfinished) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    match named {
        Ok(()) => removed.map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed.map(|()| false),
        Err(error) => Err(error),
    }
}

/// Renames a file in its directory, unless the new name is taken, for file systems without hard links, such as those of
/// USB sticks. None if this can't be had either.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_new(dir: &Dir, from: &Path, to: &Path) -> Option<io::Result<()>> {
    let parent = dir.open_dir(parent_of(to)).ok()?;
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(&parent, from.file_name()?, &parent, to.file_name()?, flags) {
        Ok(()) => Some(Ok(())),
        Err(rustix::io::Errno::EXIST) => Some(Err(io::ErrorKind::AlreadyExists.into())),
        Err(_) => None,
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_new(_: &Dir, _: &Path, _: &Path) -> Option<io::Result<()>> {
    None
}

/// The failure of making a file: what is not found is its directory.
fn of_new(path: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::input("missing-file", format!("{path}: its directory is not there"))
            .with_help("make it; if it was removed meanwhile, try again"),
        _ => Failure::of_path(path, error),
    }
}

/// The directory that a path is in: `.` for a bare name.
pub fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path as an absolute one, without `..`.
///
/// # Errors
/// If the path is empty, or there is no current directory.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        if part == Component::ParentDir {
            // The parent of a link's target is not the parent of the link.
            plain = std::fs::canonicalize(&plain).unwrap_or(plain);
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    Ok(plain)
}

/// Like [`absolute`], or the path itself if that fails.
pub(crate) fn from_everywhere(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Syncs the parent directory, so that the entry survives a power loss too; Windows does so by itself.
fn sync_parent(dir: &Dir, within: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { dir.open(parent_of(within))?.into_std().sync_all() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_a_grant() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside)?;
        std::fs::write(folder.path().join("secret"), "s")?;
        std::fs::write(inside.join("flow"), "f")?;
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret", inside.join("link"))?;
        let mut grants = Grants::default();
        grants.grant(&inside, Access::Read).map_err(|failure| failure.message)?;
        let at = |path: &str| inside.join(path).display().to_string();
        assert!(grants.open(&at("flow")).is_ok_and(|blob| blob.is_some()));
        assert!(grants.open(&at("none")).is_ok_and(|blob| blob.is_none()));
        for path in
            [at("../secret"), at("link"), folder.path().join("secret").display().to_string(), "/dev/null".into()]
        {
            assert!(grants.open(&path).is_err(), "{path}");
        }
        assert!(grants.create(&at("new"), &Blob::in_memory("x")).is_err(), "reading was granted, not writing");
        Ok(())
    }

    #[test]
    fn what_is_there_stays() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let mut grants = Grants::default();
        let root = folder.path().join("not/there/yet");
        grants.grant(&root, Access::Write).map_err(|failure| failure.message)?;
        let path = root.join("a.prefect").display().to_string();
        let say = |failure: Failure| failure.message;
        grants.create_directory(&root.display().to_string()).map_err(say)?;
        assert!(grants.create(&path, &Blob::in_memory("first")).map_err(say)?);
        assert!(!grants.create(&path, &Blob::in_memory("second")).map_err(say)?);
        assert_eq!(std::fs::read_to_string(&path)?, "first");
        assert_eq!(grants.entries(&root.display().to_string()).map_err(say)?, ["a.prefect"]);
        Ok(())
    }

    /// The way that is taken on a file system without links.
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    #[test]
    fn what_is_renamed_replaces_nothing() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())?;
        for name in ["one", "two"] {
            dir.write(name, name)?;
        }
        let rename = |to: &str| rename_new(&dir, Path::new("one"), Path::new(to)).unwrap();
        assert_eq!(rename("two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((dir.read_to_string("one")?, dir.read_to_string("two")?), ("one".to_owned(), "two".to_owned()));
        rename("three")?;
        assert_eq!(dir.read_to_string("three")?, "one");
        assert!(!dir.exists("one"));
        Ok(())
    }
}
