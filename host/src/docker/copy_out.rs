//! Copying a file out of an image without running anything in it.
//!
//! The daemon gives files of containers only, as a tar. The image is not ours, so neither is what
//! the tar holds: one regular file is taken from it, under no name of its choosing.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tar::EntryType;
use tokio::sync::mpsc;

use super::container::Container;
use super::failure::Failure;
use super::reference::Reference;
use super::{Daemon, DockerError};
use crate::progress::clean;

/// Chunks between the connection and the disk.
const CHUNKS: usize = 8;

impl Daemon {
    /// Copies the file at `path` in the image to `to`, which must not exist; `false` if the image
    /// has no such path. `to` is there only when it is complete.
    ///
    /// # Errors
    /// If the path is no regular file (a link is not followed), or `to` can't be written.
    pub(crate) async fn copy_out(&self, image: &str, path: &str, to: &Path) -> Result<bool, DockerError> {
        Reference::parse(image)?;
        // Never started. An image without a command makes none without this.
        let body = ContainerCreateBody { entrypoint: Some(vec!["/never-started".to_owned()]), ..Default::default() };
        let container = self.create("copy", image, body).await?;
        let result = self.download(&container, image, path, to).await;
        self.remove(container).await;
        result
    }

    async fn download(&self, container: &Container, image: &str, path: &str, to: &Path) -> Result<bool, DockerError> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut chunks = self.docker.download_from_container(container.id(), Some(options)).boxed();
        let failed = |failure: Failure| match failure {
            Failure::Interrupted => DockerError::Interrupted,
            failure => failure.into_error("copy a file out of an image", &self.address),
        };
        let first = match self.next(&mut chunks).await {
            Ok(first) => first,
            Err(Failure::Answer { status: 404, .. }) => return Ok(false),
            Err(failure) => return Err(failed(failure)),
        };
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let target = to.to_owned();
        let writer = tokio::task::spawn_blocking(move || extract(Chunks { receiver, current: Bytes::new() }, &target));
        let mut next = Ok(first);
        let broken = loop {
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break None,
                Err(failure) => {
                    // The writer must not take half a file for a whole one.
                    let _ = sender.send(Err(io::Error::other("the connection broke"))).await;
                    break Some(failed(failure));
                }
            };
            if sender.send(Ok(chunk)).await.is_err() {
                // The writer is done, or has its own reason to stop.
                break None;
            }
            next = self.next(&mut chunks).await;
        };
        drop(sender);
        let written = writer.await.unwrap_or_else(|error| Err(Unfit::Writing(io::Error::other(error))));
        match (broken, written) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(true),
            (None, Err(Unfit::Found(found))) => {
                Err(DockerError::NotAFile { image: image.to_owned(), path: path.to_owned(), found })
            }
            (None, Err(Unfit::Reading(error))) => Err(failed(Failure::Cut(error.to_string()))),
            (None, Err(Unfit::Writing(reason))) => Err(DockerError::Save { to: to.to_owned(), reason }),
        }
    }
}

/// Why an archive did not become a file.
#[derive(Debug)]
enum Unfit {
    /// It holds this instead.
    Found(String),
    Reading(io::Error),
    Writing(io::Error),
}

fn extract(archive: impl Read, to: &Path) -> Result<(), Unfit> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(Unfit::Reading)?;
    let mut entry = match entries.next() {
        Some(entry) => entry.map_err(Unfit::Reading)?,
        None => return Err(Unfit::Reading(io::ErrorKind::UnexpectedEof.into())),
    };
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => {}
        EntryType::Directory => return Err(Unfit::Found("a directory".to_owned())),
        EntryType::Symlink => {
            let target = entry.link_name_bytes().unwrap_or_default();
            return Err(Unfit::Found(format!("a symbolic link to '{}'", clean(&String::from_utf8_lossy(&target)))));
        }
        _ => return Err(Unfit::Found("a special file".to_owned())),
    }
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = new_file(&folder).map_err(Unfit::Writing)?;
    let expected = entry.size();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = entry.read(&mut buffer).map_err(Unfit::Reading)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        io::Write::write_all(&mut file, &buffer[..read]).map_err(Unfit::Writing)?;
    }
    if size != expected {
        return Err(Unfit::Reading(io::ErrorKind::UnexpectedEof.into()));
    }
    drop(entry);
    if let Some(more) = entries.next() {
        more.map_err(Unfit::Reading)?;
        return Err(Unfit::Found("more than one file".to_owned()));
    }
    file.persist_noclobber(to).map_err(|error| Unfit::Writing(error.error))?;
    Ok(())
}

/// Beside the target, so that it can be renamed to it; with the permissions of any new file.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".flowhold-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(PermissionsExt::from_mode(0o666));
    }
    // The temporary name in tempfile's own words would mean nothing to anybody.
    builder.tempfile_in(folder).map_err(|error| error.kind().into())
}

/// The connection's chunks, for a reader on a thread of its own.
struct Chunks {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if kind.is_symlink() {
                header.set_size(0);
                header.set_link_name(std::str::from_utf8(content).unwrap()).unwrap();
                builder.append_data(&mut header, name, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, name, *content).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    /// The file's content, or why there is none.
    fn extracted(tar: &[u8]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        let result = extract(tar, &to);
        let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        match result {
            Ok(()) => {
                assert_eq!(left, std::slice::from_ref(&to));
                Ok(std::fs::read(left.remove(0)).unwrap())
            }
            Err(unfit) => {
                assert!(left.is_empty(), "{left:?}");
                Err(match unfit {
                    Unfit::Found(found) => found,
                    Unfit::Reading(error) => format!("reading: {error}"),
                    Unfit::Writing(error) => format!("writing: {error}"),
                })
            }
        }
    }

    #[test]
    fn one_regular_file_is_taken() {
        let big = vec![7; 200_000];
        assert_eq!(extracted(&archive(&[(EntryType::Regular, "etl.prefect", &big)])).unwrap(), big);
        assert_eq!(extracted(&archive(&[(EntryType::Regular, "empty", b"")])).unwrap(), b"");
        let long = "x".repeat(180);
        assert_eq!(extracted(&archive(&[(EntryType::Regular, &long, b"long name")])).unwrap(), b"long name");
    }

    #[test]
    fn anything_else_is_refused_and_leaves_nothing() {
        for (tar, expected) in [
            (archive(&[(EntryType::Directory, "d/", b""), (EntryType::Regular, "d/f", b"x")]), "a directory"),
            (archive(&[(EntryType::Symlink, "l", b"/etc/passwd")]), "a symbolic link to '/etc/passwd'"),
            (archive(&[(EntryType::Fifo, "f", b"")]), "a special file"),
            (archive(&[(EntryType::Regular, "a", b"x"), (EntryType::Regular, "b", b"y")]), "more than one file"),
            (archive(&[(EntryType::Regular, "a", b"hello")])[..514].to_vec(), "reading: "),
            (vec![1; 600], "reading: "),
            (Vec::new(), "reading: "),
        ] {
            let error = extracted(&tar).unwrap_err();
            assert!(error.starts_with(expected), "{error:?}, not {expected:?}");
        }
    }

    #[test]
    fn a_file_that_exists_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        std::fs::write(&to, "old").unwrap();
        let error = extract(&*archive(&[(EntryType::Regular, "a", b"new")]), &to).unwrap_err();
        assert!(matches!(error, Unfit::Writing(error) if error.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
