//! Results that go into files.

use std::{
    fs::{self, Metadata},
    io::{self, Write},
    path::{Path, PathBuf},
};

use flowhold::{Failure, files::parent_of};
use tokio_util::sync::CancellationToken;

use super::{exit, store};

/// Replaces a file by a whole and synced one, or leaves the old one. A link is followed, and anything but a file
/// (`/dev/null`, a pipe, the target of stdout) is written to rather than replaced.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let there = fs::metadata(path).ok();
    let written = match &there {
        _ if is_stdout(path) => pass_on(io::stdout().lock(), bytes),
        Some(there) if is_stream(there, &io::stdout()) => pass_on(io::stdout().lock(), bytes),
        Some(there) if is_stream(there, &io::stderr()) => pass_on(io::stderr().lock(), bytes),
        // Pipes and devices are appended to, and so is a file that a process has open (`/dev/fd/3`).
        Some(there) if !there.is_dir() && (!there.is_file() || is_open(path)) => {
            fs::OpenOptions::new().append(true).open(path).and_then(|file| pass_on(file, bytes))
        }
        _ => replace(&end_of_links(path), there.as_ref(), bytes),
    };
    written.map_err(|error| Failure::of_path(path.display(), &error))
}

/// Like `write`, for a storage, which replaces nothing but another storage.
pub(crate) fn write_storage(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    may_write_storage(path)?;
    write(path, bytes)
}

/// Refuses a path where no storage can be written: its parent is not a directory, or it holds what may be a flow or the
/// spec.
pub(crate) fn may_write_storage(path: &Path) -> Result<(), Failure> {
    may_write(path, "storage", is_storage)
}

/// Refuses a path where a file can't be written, or where there is a file of another kind.
pub(crate) fn may_write(path: &Path, kind: &str, is_of_kind: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    if is_stdout(path) {
        return Ok(());
    }
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = parent_of(path);
            return match fs::metadata(folder) {
                Ok(there) if there.is_dir() => may_make_files(folder),
                Ok(_) => Err(Failure::of_path(folder.display(), &io::ErrorKind::NotADirectory.into())),
                Err(error) => Err(Failure::of_path(folder.display(), &error)),
            };
        }
        Err(error) => return Err(Failure::of_path(path.display(), &error)),
    };
    if there.is_dir() {
        return Err(Failure::of_path(path.display(), &io::ErrorKind::IsADirectory.into()));
    }
    let is_added_to = is_open(path) || is_stream(&there, &io::stdout()) || is_stream(&there, &io::stderr());
    if !there.is_file() || is_added_to {
        return Ok(());
    }
    let there = store::read_file(path)?;
    if there.is_empty() || is_of_kind(&there) {
        return may_make_files(parent_of(&end_of_links(path)));
    }
    let message = format!("{} already exists and is not a {kind}; it was not replaced", path.display());
    Err(Failure::input("path-taken", message).with_help("name another file with -o, or remove this one"))
}

/// Fails, before hours of work, if the result can't be written to a folder.
fn may_make_files(folder: &Path) -> Result<(), Failure> {
    tempfile::tempfile_in(folder).map(drop).map_err(|error| Failure::of_path(folder.display(), &error))
}

/// Makes a directory and its missing parents. If a file is in its place, the error says so, rather than that it exists.
pub(crate) fn make_directory(path: &Path) -> std::io::Result<()> {
    match std::fs::create_dir_all(path) {
        Err(_) if path.is_file() => Err(std::io::ErrorKind::NotADirectory.into()),
        made => made,
    }
}

/// Whether these are the bytes of a serialized storage: in JSON, its `type` is at the top, where a spec has its tables.
pub(crate) fn is_storage(bytes: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    enum Kind {
        Docker,
        Local,
        Memory,
        Bytes,
    }
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        _kind: Kind,
    }
    is_snapshot(bytes) || serde_json::from_slice::<Typed>(bytes).is_ok()
}

/// Whether these bytes begin like a snapshot.
pub(crate) fn is_snapshot(bytes: &[u8]) -> bool {
    bytes.starts_with(b"flowhold\0")
}

/// Does work that writes to a path, or without one to standard output. A file is written to its end; work that may wait
/// for a reader ends at a signal.
pub(crate) async fn written<T: Send + 'static>(
    interrupt: &CancellationToken,
    doing: &str,
    path: Option<&Path>,
    write: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if path.is_some_and(is_file) { write() } else { exit::until_blocked(interrupt, doing, write).await }
}

/// Whether the path is that of a file, or of one that will be made.
fn is_file(path: &Path) -> bool {
    !is_stdout(path) && !is_open(path) && fs::metadata(path).map_or(true, |there| there.is_file())
}

/// Whether the path stands for standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn pass_on(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).and_then(|()| to.flush())
}

/// Whether the stream leads to this file.
#[cfg(unix)]
fn is_stream(there: &Metadata, stream: &impl std::os::fd::AsFd) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let stream = stream.as_fd().try_clone_to_owned().and_then(|stream| fs::File::from(stream).metadata());
    stream.is_ok_and(|stream| (stream.dev(), stream.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_stream<T>(_: &Metadata, _: &T) -> bool {
    false
}

/// Whether a path leads to something that a process has open.
pub(crate) fn is_open(path: &Path) -> bool {
    let streams = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];
    let descriptors = path.starts_with("/proc") && path.components().any(|part| part.as_os_str() == "fd");
    path.starts_with("/dev/fd") || descriptors || streams.iter().any(|stream| path == Path::new(stream))
}

/// The file to which a link leads, which may be missing.
fn end_of_links(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| match fs::read_link(path) {
        Ok(target) => parent_of(path).join(target),
        Err(_) => path.to_owned(),
    })
}

fn replace(path: &Path, there: Option<&Metadata>, bytes: &[u8]) -> io::Result<()> {
    let folder = parent_of(path);
    let mut new = tempfile::Builder::new();
    // The umask decides who may read the file; by default, a temporary file is private.
    #[cfg(unix)]
    new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = new.tempfile_in(folder)?;
    if let Some(there) = there {
        // Keep the owner and group, as far as the user may set them.
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, fchown};

            let (file, group) = (file.as_file(), Some(there.gid()));
            let _ = fchown(file, Some(there.uid()), group).or_else(|_| fchown(file, None, group));
        }
        file.as_file().set_permissions(there.permissions())?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}
