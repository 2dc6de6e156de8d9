//! Copying a file out of an image without running anything in it.
//!
//! The daemon gives files only of containers, as a tar. The image may be anybody's, and so may the tar: one regular
//! file is taken from it, and none of the tar's names is used.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Write},
};

use bollard::{models::ContainerCreateBody, query_parameters::DownloadFromContainerOptionsBuilder};
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tar::EntryType;
use tokio::sync::mpsc;

use super::{Daemon, DockerError, container::Container, reference::Reference, request_error::RequestError};
use crate::{failure::of_system, progress::clean};

/// How many bytes an archive may have besides the file: even long paths need fewer.
const HEADERS: u64 = 1 << 20;

/// How many chunks may wait between the connection and the disk.
const CHUNKS: usize = 8;

impl Daemon {
    /// Copies the file at `path` in the image to a file without a name; none if the image has no such path.
    ///
    /// # Errors
    /// If the path is not a regular file (a link is not followed), or the copy can't be stored.
    pub(crate) async fn copy_out(&self, image: &str, path: &str) -> Result<Option<File>, DockerError> {
        Reference::parse(image)?;
        // The container is never started, but an image without a command needs one to become a container.
        let body = ContainerCreateBody { entrypoint: Some(vec!["/never-started".to_owned()]), ..Default::default() };
        let container = self.create("copy", image, body).await?;
        let result = self.download(&container, image, path).await;
        self.remove(container).await;
        result
    }

    async fn download(&self, container: &Container, image: &str, path: &str) -> Result<Option<File>, DockerError> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut chunks = self.docker.download_from_container(container.id(), Some(options)).boxed();
        let failed = |error: RequestError| error.into_error("copy a file out of an image", &self.address);
        let first = match self.next(&mut chunks).await {
            Ok(first) => first,
            Err(RequestError::Answer { status: 404, .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let writer = tokio::task::spawn_blocking(move || extract(Chunks { receiver, current: Bytes::new() }));
        let mut next = Ok(first);
        let broken = loop {
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break None,
                Err(error) => {
                    // The writer must not take half a file for a whole one.
                    let _ = sender.send(Err(io::Error::other("the connection broke"))).await;
                    break Some(failed(error));
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
            (None, Ok(file)) => Ok(Some(file)),
            (None, Err(Unfit::Found(found))) => {
                Err(DockerError::NotAFile { image: image.to_owned(), path: path.to_owned(), found })
            }
            (None, Err(Unfit::Reading(error))) => Err(failed(RequestError::Cut(of_system(&error)))),
            (None, Err(Unfit::Writing(reason))) => Err(DockerError::Save(reason)),
        }
    }
}

/// Why an archive did not become a file.
#[derive(Debug)]
enum Unfit {
    /// The archive holds this instead.
    Found(String),
    Reading(io::Error),
    Writing(io::Error),
}

fn extract(archive: impl Read) -> Result<File, Unfit> {
    let left = Cell::new(HEADERS);
    let mut archive = tar::Archive::new(Metered { archive, left: &left });
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
            return Err(Unfit::Found(format!("a symbolic link to {:?}", clean(&String::from_utf8_lossy(&target)))));
        }
        _ => return Err(Unfit::Found("a special file".to_owned())),
    }
    let mut file = tempfile::tempfile().map_err(Unfit::Writing)?;
    let expected = entry.size();
    left.set(expected.saturating_add(HEADERS));
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = entry.read(&mut buffer).map_err(Unfit::Reading)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        file.write_all(&buffer[..read]).map_err(Unfit::Writing)?;
    }
    if size != expected {
        return Err(Unfit::Reading(io::ErrorKind::UnexpectedEof.into()));
    }
    drop(entry);
    if let Some(more) = entries.next() {
        more.map_err(Unfit::Reading)?;
        return Err(Unfit::Found("more than one file".to_owned()));
    }
    Ok(file)
}

/// An archive with a limit for reading, because its headers may be of any length, and are held in memory.
struct Metered<'l, R> {
    archive: R,
    left: &'l Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.archive.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("its headers have no end"))?);
        Ok(read)
    }
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
    use std::io::Seek;

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

    /// The beginning of an archive that goes on and on before it comes to a file.
    fn endless(kind: EntryType) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(1 << 36);
        header.set_cksum();
        [header.as_bytes(), vec![b'x'; 2 << 20].as_slice()].concat()
    }

    /// The file's content, or why there is none.
    fn extracted(tar: &[u8]) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        match extract(tar) {
            Ok(mut file) => file.rewind().and_then(|()| file.read_to_end(&mut content)).unwrap(),
            Err(Unfit::Found(found)) => return Err(found),
            Err(Unfit::Reading(error)) => return Err(format!("reading: {error}")),
            Err(Unfit::Writing(error)) => return Err(format!("writing: {error}")),
        };
        Ok(content)
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
    fn anything_else_is_refused() {
        for (tar, expected) in [
            (archive(&[(EntryType::Directory, "d/", b""), (EntryType::Regular, "d/f", b"x")]), "a directory"),
            (archive(&[(EntryType::Symlink, "l", b"/etc/passwd")]), "a symbolic link to \"/etc/passwd\""),
            (archive(&[(EntryType::Fifo, "f", b"")]), "a special file"),
            (archive(&[(EntryType::Regular, "a", b"x"), (EntryType::Regular, "b", b"y")]), "more than one file"),
            (archive(&[(EntryType::Regular, "a", b"hello")])[..514].to_vec(), "reading: "),
            (vec![1; 600], "reading: "),
            (endless(EntryType::XHeader), "reading: its headers have no end"),
            (endless(EntryType::GNULongName), "reading: its headers have no end"),
            (Vec::new(), "reading: "),
        ] {
            let error = extracted(&tar).unwrap_err();
            assert!(error.starts_with(expected), "{error:?}, not {expected:?}");
        }
    }
}
