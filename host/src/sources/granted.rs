//! The sources that plans may be made from; nothing else is opened in their place.

use std::{
    fs::{self, File},
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use cap_std::{ambient_authority, fs::Dir};

use crate::{
    blob::{may_be_read, open_regular},
    failure::Failure,
};

/// Something that a spec has its host read or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought<'a> {
    /// A flow's file, a policy, or an entry of `files`, with everything below it. Links in the path have been followed,
    /// and it need not exist.
    File(&'a Path),
    /// A Python, which executes the flows' files: a path, or a name that the operating system looks up. In a path,
    /// links to the directory have been followed, but not the Python itself, which is a link in a virtual environment.
    Python(&'a Path),
}

/// Says whether plans may be made from a source.
pub type SourceGrant = Arc<dyn Fn(Sought<'_>) -> bool + Send + Sync>;

/// The sources that plans may be made from.
#[derive(Clone, Default)]
pub enum Sources {
    /// No sources: plans can be made only from specs that name none, or state all about theirs.
    #[default]
    None,
    /// Sources that are granted. A refused source is looked at no further, so that nobody is told whether it is there.
    /// The host reads the file or directory at the granted place, even if somebody puts a link there meanwhile (on
    /// Windows, links are followed to what is there at that moment).
    ///
    /// Running a Python is less safe: the operating system looks for it by its path, and it looks for the flow's file
    /// and the modules beside that. Whoever may write there decides what is executed, which may do all that the process
    /// may. So grant a Python only together with files of people whom you would let run programs.
    Granted(SourceGrant),
    /// Every source that a spec names: for the user's own specs.
    All,
}

impl Sources {
    /// The place of a file that may be read.
    ///
    /// # Errors
    /// If it was not granted.
    pub(crate) fn file(&self, path: &Path) -> Result<Place, Failure> {
        // Links are resolved only if a grant is asked, because there may be many files.
        match self {
            Self::All => return Ok(Place::Named(path.to_owned())),
            Self::Granted(granted) => {
                let place = end_of_links(path);
                if granted(Sought::File(&place)) {
                    return Ok(Place::Exact(place));
                }
            }
            Self::None => {}
        }
        Err(refused(path))
    }

    /// The program of a Python that may be run.
    ///
    /// # Errors
    /// If it was not granted.
    pub(crate) fn python(&self, program: PathBuf) -> Result<PathBuf, Failure> {
        match self {
            Self::All => return Ok(program),
            Self::Granted(granted) => {
                let place = match (program.parent(), program.file_name()) {
                    (Some(directory), Some(_)) if directory.as_os_str().is_empty() => program.clone(),
                    (Some(directory), Some(name)) => end_of_links(directory).join(name),
                    _ => end_of_links(&program),
                };
                if granted(Sought::Python(&place)) {
                    return Ok(place);
                }
            }
            Self::None => {}
        }
        Err(refused(&program))
    }
}

fn refused(path: &Path) -> Failure {
    Failure::not_granted(path.display()).with_help("tell those who made the host program, or name what it grants")
}

/// The place of a source that may be read.
pub(crate) enum Place {
    /// The source's path, and wherever links in it lead.
    Named(PathBuf),
    /// This path and nothing else: no part of it may be a link.
    Exact(PathBuf),
}

impl Place {
    /// Fails if nothing is there.
    pub(crate) fn look(&self) -> io::Result<()> {
        match self {
            Self::Named(path) => fs::metadata(path),
            Self::Exact(place) => fs::symlink_metadata(place),
        }
        .map(drop)
    }

    /// Opens what is there, if it is a directory.
    pub(crate) fn directory(&self) -> io::Result<Option<Dir>> {
        match self {
            Self::Named(path) if !fs::metadata(path)?.is_dir() => Ok(None),
            Self::Named(path) => Dir::open_ambient_dir(path, ambient_authority()).map(Some),
            Self::Exact(place) => {
                let found = open_without_links(place)?;
                Ok(found.metadata()?.is_dir().then(|| Dir::from_std_file(found)))
            }
        }
    }

    /// Opens the regular file that is there.
    pub(crate) fn file(&self) -> io::Result<File> {
        match self {
            Self::Named(path) => open_regular(path),
            Self::Exact(place) => {
                let found = open_without_links(place)?;
                may_be_read(&found.metadata()?).map(|()| found)
            }
        }
    }
}

/// Follows all links in a path, including the last part and links that lead nowhere.
fn end_of_links(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let (mut end, mut links) = (PathBuf::new(), 0);
        let parts = |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
        let mut rest = parts(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        while let Some(part) = rest.pop() {
            if part == ".." {
                end.pop();
                continue;
            }
            end.push(part);
            // The operating system follows no more links either.
            if links < 40
                && let Ok(target) = fs::read_link(&end)
            {
                links += 1;
                end.pop();
                rest.extend(parts(&target));
            }
        }
        end
    })
}

/// Opens a file or directory, and follows no link: each part of the path is looked up in the directory that was opened
/// before it, so that exchanging one of them afterwards changes nothing.
#[cfg(unix)]
fn open_without_links(place: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};

    let found = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // The user may be allowed to pass a directory on the way, but not to list it.
    #[cfg(target_os = "linux")]
    let on_the_way = found | OFlags::DIRECTORY | OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    let on_the_way = found | OFlags::DIRECTORY;
    // Opening a pipe would wait for its writer.
    let found = found | OFlags::NONBLOCK;
    let mut names = place.components().filter(|part| matches!(part, Component::Normal(_))).peekable();
    let flags = |last| if last { found } else { on_the_way };
    let mut at = openat(CWD, "/", flags(names.peek().is_none()), Mode::empty())?;
    while let Some(name) = names.next() {
        at = openat(&at, name.as_os_str(), flags(names.peek().is_none()), Mode::empty())?;
    }
    Ok(at.into())
}

#[cfg(not(unix))]
fn open_without_links(place: &Path) -> io::Result<File> {
    open_regular(place)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_to_what_is_not_there() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let real = fs::canonicalize(folder.path())?;
        fs::create_dir_all(real.join("inside/deep"))?;
        symlink("../outside", real.join("inside/out"))?;
        symlink(real.join("outside/gone"), real.join("inside/dangling"))?;
        symlink("loop", real.join("inside/loop"))?;
        for (path, end) in [
            ("inside/none", "inside/none"),
            ("inside/deep/../none", "inside/none"),
            ("inside/out", "outside"),
            ("inside/out/none", "outside/none"),
            ("inside/out/../none", "none"),
            ("inside/dangling", "outside/gone"),
            ("inside/loop", "inside/loop"),
            ("none/../inside/deep", "inside/deep"),
        ] {
            assert_eq!(end_of_links(&folder.path().join(path)), real.join(end), "{path}");
        }
        Ok(())
    }

    #[test]
    fn a_link_that_came_later_is_not_followed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let real = fs::canonicalize(folder.path())?;
        fs::create_dir_all(real.join("outside"))?;
        fs::write(real.join("outside/flow"), "secret")?;
        symlink("outside", real.join("directory"))?;
        symlink("outside/flow", real.join("flow"))?;
        for path in ["directory/flow", "flow", "directory"] {
            assert!(Place::Exact(real.join(path)).file().is_err(), "{path}");
        }
        assert!(Place::Exact(real.join("directory")).directory().is_err());
        assert!(Place::Exact(real.join("outside/flow")).file().is_ok());
        assert!(Place::Exact(real.join("outside")).directory()?.is_some());
        assert!(Place::Exact("/".into()).directory()?.is_some());
        Ok(())
    }
}
