//! Bytes that stay with the host: the component only has a handle to them.

mod pieces;

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, OnceLock},
    time::SystemTime,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use self::pieces::Pieces;
use crate::{
    failure::of_system,
    quota::{Permit, Quota},
};

/// How much of a file is read at once.
const STEP: usize = 256 << 10;

/// Files up to this size are read when they are opened, and so opened only once, as long as no more than
/// [`SMALL_FILES`] bytes of them are held.
const SMALL: usize = 16 << 10;

/// Enough for ten thousand flows of 2 KB.
static SMALL_FILES: LazyLock<Quota> = LazyLock::new(|| Quota::of(24 << 20));

/// Immutable bytes: in memory, or a file that must stay as it was when it was opened.
#[derive(Clone, Debug)]
pub struct Blob {
    source: Arc<Source>,
    /// Gives back what the blob took of a quota.
    #[expect(dead_code, reason = "it is dropped")]
    permit: Option<Arc<Permit>>,
    /// Keeps the temporary directory of the blob's file.
    #[expect(dead_code, reason = "it is dropped")]
    directory: Option<Arc<TempDir>>,
}

#[derive(Debug)]
enum Source {
    Memory {
        bytes: Bytes,
        sha256: OnceLock<[u8; 32]>,
    },
    /// Most files are opened only when they are read: a spec may name more files than a process may have open.
    File {
        path: PathBuf,
        held: Option<File>,
        stamp: Stamp,
        sha256: OnceLock<[u8; 32]>,
    },
}

/// What shows that a file has changed.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode number; zeros where files have none.
    identity: (u64, u64),
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        is_regular(metadata.is_file())?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let identity = (0, 0);
        Ok(Self { length: metadata.len(), modified: metadata.modified().ok(), identity })
    }

    /// Reads bytes of a file; none if the file no longer has this stamp.
    fn read(&self, file: &File, offset: u64, length: usize) -> io::Result<Option<Bytes>> {
        let left = self.length.saturating_sub(offset);
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut buffer = vec![0; length];
        match read_at(file, &mut buffer, offset) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            Ok(()) if Self::of(file)? == *self => Ok(Some(buffer.into())),
            _ => Ok(None),
        }
    }
}

impl Blob {
    fn new(source: Source) -> Self {
        Self { source: Arc::new(source), permit: None, directory: None }
    }

    /// A blob of these bytes.
    pub fn in_memory(bytes: impl Into<Bytes>) -> Self {
        Self::new(Source::Memory { bytes: bytes.into(), sha256: OnceLock::new() })
    }

    /// Adds a permit, which is given back when the last handle is dropped.
    pub(crate) fn with(self, permit: Permit) -> Self {
        Self { permit: Some(Arc::new(permit)), ..self }
    }

    /// Keeps the directory of the blob's file as long as there is a handle, unless the bytes are in memory.
    pub(crate) fn keeping(self, directory: &Arc<TempDir>) -> Self {
        let directory = self.as_bytes().is_none().then(|| Arc::clone(directory));
        Self { directory, ..self }
    }

    /// The same bytes, which no longer count against a quota.
    pub(crate) fn uncounted(self) -> Self {
        Self { permit: None, ..self }
    }

    /// Opens a file by its path. It must be a regular file: nothing here waits for a pipe or reads a device.
    ///
    /// # Errors
    /// The operating system's error; `InvalidInput` if it is not a regular file; an error if the file is changing.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of_closed(path, open_regular(path)?)
    }

    /// Like [`Blob::open`], for a file that is open. It is closed, and opened again by its path when it is read: if the
    /// path leads to another file by then, reading fails.
    pub(crate) fn of_closed(path: &Path, file: File) -> io::Result<Self> {
        Self::within(path, file, &SMALL_FILES)
    }

    #[cfg(test)]
    fn open_within(path: &Path, quota: &Quota) -> io::Result<Self> {
        Self::within(path, open_regular(path)?, quota)
    }

    fn within(path: &Path, file: File, quota: &Quota) -> io::Result<Self> {
        let stamp = Stamp::of(&file)?;
        // The kernel generates the content of such files when they are read.
        if stamp.length == 0 && (&file).read(&mut [0])? > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of a known size"));
        }
        let small = usize::try_from(stamp.length).ok().filter(|length| *length <= SMALL);
        if let Some((length, permit)) = small.and_then(|length| Some((length, quota.take(length)?))) {
            let bytes = stamp.read(&file, 0, length)?;
            let bytes = bytes.ok_or_else(|| io::Error::other("it changed while it was read"))?;
            return Ok(Self::in_memory(bytes).with(permit));
        }
        Ok(Self::new(Source::File { path: path.to_owned(), held: None, stamp, sha256: OnceLock::new() }))
    }

    /// Takes an open file and keeps it open; the path is only for messages.
    ///
    /// # Errors
    /// As [`Blob::open`].
    pub fn of_file(path: PathBuf, file: File) -> io::Result<Self> {
        let stamp = Stamp::of(&file)?;
        Ok(Self::new(Source::File { path, held: Some(file), stamp, sha256: OnceLock::new() }))
    }

    /// Whether the blob keeps a file open.
    pub(crate) fn is_open_file(&self) -> bool {
        matches!(&*self.source, Source::File { held: Some(_), .. })
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        match &*self.source {
            Source::Memory { bytes, .. } => bytes.len() as u64,
            Source::File { stamp, .. } => stamp.length,
        }
    }

    /// The bytes, where they are in memory.
    pub fn as_bytes(&self) -> Option<Bytes> {
        match &*self.source {
            Source::Memory { bytes, .. } => Some(bytes.clone()),
            Source::File { .. } => None,
        }
    }

    /// At most `length` bytes from `offset`; fewer only at the end.
    ///
    /// # Errors
    /// The operating system's error, or an error if the file has changed.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.reader()?.read(offset, length)
    }

    /// The sha256 of all bytes, computed once.
    ///
    /// # Errors
    /// As [`Blob::read`].
    pub fn sha256(&self) -> io::Result<[u8; 32]> {
        let (Source::Memory { sha256, .. } | Source::File { sha256, .. }) = &*self.source;
        if let Some(known) = sha256.get() {
            return Ok(*known);
        }
        let mut hash = Sha256::new();
        self.each_piece(|piece| {
            hash.update(piece);
            Ok(())
        })?;
        Ok(*sha256.get_or_init(|| hash.finalize().into()))
    }

    /// Writes all bytes, a piece at a time.
    ///
    /// # Errors
    /// As [`Blob::read`], and the writer's error.
    pub fn copy_to(&self, mut to: impl io::Write) -> io::Result<()> {
        self.each_piece(|piece| to.write_all(piece))
    }

    fn each_piece(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let reader = self.reader()?;
        let mut offset = 0;
        while offset < self.length() {
            let piece = reader.read(offset, STEP)?;
            take(&piece)?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// All bytes in pieces, each read when it is asked for.
    pub fn stream(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let blob = self.clone();
        let start = (None, 0);
        stream::try_unfold(start, move |(reader, offset): (Option<Arc<Reader>>, u64)| {
            let blob = blob.clone();
            async move {
                if offset >= blob.length() {
                    return Ok(None);
                }
                // Reading these is too quick to be worth a thread.
                let at_once = blob.as_bytes().is_some() || blob.length() <= STEP as u64;
                let work = move || {
                    let reader = reader.map_or_else(|| blob.reader().map(Arc::new), Ok)?;
                    let piece = reader.read(offset, STEP)?;
                    let next = offset + piece.len() as u64;
                    Ok(Some((piece, (Some(reader), next))))
                };
                if at_once {
                    return work();
                }
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
            }
        })
        .boxed()
    }

    fn reader(&self) -> io::Result<Reader> {
        let opened = match &*self.source {
            Source::File { path, held: None, .. } => Some(open_regular(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::PermissionDenied => changed(path),
                // For example, too many files are open.
                _ => error,
            })?),
            _ => None,
        };
        Ok(Reader { blob: self.clone(), opened })
    }
}

/// A blob that is being read.
struct Reader {
    blob: Blob,
    opened: Option<File>,
}

impl Reader {
    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        match &*self.blob.source {
            Source::Memory { bytes, .. } => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(start..start.saturating_add(length).min(bytes.len())))
            }
            Source::File { path, held, stamp, .. } => {
                let file = self.opened.as_ref().or(held.as_ref()).ok_or_else(|| changed(path))?;
                let read = stamp.read(file, offset, length);
                let of_path = |error: io::Error| format!("{}: {}", path.display(), of_system(&error));
                let read = read.map_err(|error| io::Error::new(error.kind(), of_path(error)));
                read?.ok_or_else(|| changed(path))
            }
        }
    }
}

/// Looks at the path before opening it, because opening a pipe waits for its writer.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let metadata = std::fs::metadata(path)?;
    may_be_read(&metadata)?;
    File::open(path)
}

/// Refuses anything but a regular file.
pub(crate) fn may_be_read(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { is_regular(metadata.is_file()) }
}

pub(crate) fn is_regular(is: bool) -> io::Result<()> {
    let error = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    is.then_some(()).ok_or_else(error)
}

/// Reads a regular file of at most `largest` bytes.
///
/// # Errors
/// The operating system's error; `InvalidInput` if the path is not a regular file; an error if the file is larger.
pub(crate) fn read_regular(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    read_at_most(open_regular(path)?, largest)
}

/// Reads to the end, but at most `largest` bytes.
///
/// # Errors
/// The operating system's error; an error if there are more bytes.
pub fn read_at_most(reader: impl Read, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(io::Error::other(format!("it is larger than {} MiB", largest >> 20)));
    }
    Ok(bytes)
}

fn changed(path: &Path) -> io::Error {
    io::Error::other(format!("{} changed while it was read", path.display()))
}

/// Reads without moving a shared file position, as far as the platform allows.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
    #[cfg(windows)]
    {
        let mut read = 0;
        while read < buffer.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[read..], offset + read as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => read += more,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_noticed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("flow");
        std::fs::write(&path, "before")?;
        let blob = Blob::open_within(&path, &Quota::of(0))?;
        assert_eq!(&blob.read(2, 100)?[..], b"fore");
        std::fs::write(&path, "after, and longer")?;
        assert!(blob.read(0, 1).is_err());
        assert!(blob.sha256().is_err());
        Ok(())
    }

    #[test]
    fn small_files_are_read_once_as_long_as_not_too_many_are_held() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let made = |name: &str, size: usize| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![b'1'; size]).map(|()| path)
        };
        let (small, other, large) = (made("small", SMALL)?, made("other", 1)?, made("large", SMALL + 1)?);
        let quota = Quota::of(SMALL);
        let held = Blob::open_within(&small, &quota)?;
        std::fs::write(&small, "changed")?;
        assert_eq!((held.length(), &held.read(0, usize::MAX)?[..]), (SMALL as u64, &[b'1'; SMALL][..]));
        assert!(Blob::open_within(&other, &quota)?.as_bytes().is_none(), "no more is held than may be");
        drop(held);
        assert!(Blob::open_within(&large, &Quota::of(usize::MAX))?.as_bytes().is_none());
        assert!(Blob::open_within(&other, &quota)?.as_bytes().is_some(), "what was let go can be held again");
        Ok(())
    }

    #[test]
    fn only_regular_files() -> io::Result<()> {
        assert!(Blob::open(Path::new("/dev/null")).is_err());
        assert!(Blob::open(tempfile::tempdir()?.path()).is_err());
        Ok(())
    }
}
