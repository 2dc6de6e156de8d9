//! The build context: the files that are sent to the daemon beside the Dockerfile, and their tar stream.
//!
//! Invariant: the bytes of the tar stream depend on the plan alone, not on owners, a clock or the order of a directory
//! listing.

mod header;

use header::{BLOCK, Header, Type};

use crate::{
    blob::{Content, SharedBlob},
    capability::Segment,
    diagnostic::Code,
    failure::Failure,
    settings::EntryKind,
};

/// A file, directory or link in the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextEntry {
    /// Relative to the context, with `/` between components.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// Whether it is a file, a directory or a link.
    pub kind: EntryKind,
}

impl ContextEntry {
    /// A file that everybody may read.
    pub fn file(path: impl Into<String>, content: Content) -> Self {
        Self { path: path.into(), mode: 0o644, kind: EntryKind::File(content) }
    }

    /// Size in bytes; 0 for directories and links.
    pub fn size(&self) -> u64 {
        if let EntryKind::File(content) = &self.kind { content.size } else { 0 }
    }

    /// The digest of a file's bytes as 64 hexadecimal digits; empty for directories and links.
    pub fn sha256(&self) -> String {
        if let EntryKind::File(content) = &self.kind { content.sha256.hex() } else { String::new() }
    }

    /// The modification time of a file, in seconds since 1970. It is derived from the digest and is no later than
    /// January 2004. A file has the same time everywhere, and programs that compare sizes and times (Python for
    /// bytecode, BuildKit for files sent earlier) notice when its bytes change. Directories and links have time 0.
    fn time(&self) -> u64 {
        let EntryKind::File(content) = &self.kind else { return 0 };
        let [a, b, c, d, ..] = content.sha256.as_bytes();
        u64::from(u32::from_be_bytes([*a, *b, *c, *d]) >> 2)
    }

    /// Whether size and digest are known.
    pub fn is_seen(&self) -> bool {
        if let EntryKind::File(content) = &self.kind { content.seen } else { true }
    }
}

/// The context as tar, Dockerfile first.
///
/// # Errors
/// If the bytes of a file are missing, or a link's target can't be written into an archive.
pub fn archive(dockerfile: &str, entries: &[ContextEntry]) -> Result<Vec<Segment>, Failure> {
    let dockerfile = ContextEntry::file("Dockerfile", Content::from_bytes(dockerfile));
    let mut archive = Archive { segments: Vec::new(), pending: Vec::new() };
    for entry in std::iter::once(&dockerfile).chain(entries) {
        archive.append(entry)?;
    }
    archive.pending.extend([0; 2 * BLOCK]);
    archive.flush();
    Ok(archive.segments)
}

struct Archive {
    segments: Vec<Segment>,
    /// Headers and padding that are not in a segment yet.
    pending: Vec<u8>,
}

impl Archive {
    fn append(&mut self, entry: &ContextEntry) -> Result<(), Failure> {
        let directory = format!("{}/", entry.path);
        let (kind, name, target) = match &entry.kind {
            EntryKind::File(_) => (Type::File, &entry.path, ""),
            EntryKind::Directory => (Type::Directory, &directory, ""),
            EntryKind::Symlink(target) => (Type::Symlink, &entry.path, target.as_str()),
        };
        if matches!(kind, Type::Symlink) && (target.is_empty() || target.contains('\0')) {
            let message =
                format!("{:?} does not fit into a build context: {target:?} is not the target of a link", entry.path);
            return Err(Failure::input(Code::InvalidPath, message));
        }
        let time = entry.time();
        Header { name, mode: entry.mode, size: entry.size(), time, kind, target }.write(&mut self.pending);
        if let EntryKind::File(content) = &entry.kind {
            let blob = content.blob.clone().ok_or_else(|| missing(&entry.path))?;
            self.content(blob, content.size);
        }
        Ok(())
    }

    fn content(&mut self, blob: SharedBlob, size: u64) {
        self.flush();
        if size > 0 {
            self.segments.push(Segment::Blob(blob));
        }
        let block = BLOCK as u64;
        let padding = (block - size % block) % block;
        self.pending.resize(padding as usize, 0);
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.segments.push(Segment::Bytes(std::mem::take(&mut self.pending)));
        }
    }
}

fn missing(path: &str) -> Failure {
    Failure::input(Code::NoContent, format!("the bytes of {path} are not here, only their size and digest"))
        .with_help("build from the spec")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn archive_bytes(segments: &[Segment]) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        for segment in segments {
            match segment {
                Segment::Bytes(piece) => bytes.extend(piece),
                Segment::Blob(blob) => bytes.extend(crate::blob::read_all(blob.as_ref())?),
            }
        }
        Ok(bytes)
    }

    #[test]
    fn another_reader_finds_what_was_put_in() -> Result<(), Box<dyn std::error::Error>> {
        let long = format!("flows/{}/größe.prefect", "d".repeat(150));
        let entries = [
            ContextEntry::file("flows/a.prefect", Content::from_bytes("x".repeat(513))),
            ContextEntry::file(long.clone(), Content::from_bytes("")),
            ContextEntry { path: "files/1".to_owned(), mode: 0o750, kind: EntryKind::Directory },
            ContextEntry { path: "files/1/l".to_owned(), mode: 0o777, kind: EntryKind::Symlink("../a b".to_owned()) },
            ContextEntry { path: "files/a\\b".to_owned(), mode: 0o777, kind: EntryKind::Symlink(long.clone()) },
        ];
        let bytes = archive_bytes(&archive("FROM x\n", &entries)?)?;
        assert_eq!(bytes.len() % 512, 0);
        let mut seen = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries()? {
            let mut entry = entry?;
            let mut content = String::new();
            entry.read_to_string(&mut content)?;
            let link = entry.link_name()?.map(|link| link.display().to_string());
            assert_eq!((entry.header().uid()?, entry.header().gid()?), (0, 0));
            let (mode, time) = (entry.header().mode()?, entry.header().mtime()?);
            seen.push((entry.path()?.display().to_string(), mode, content.len(), time, link));
        }
        assert_eq!(
            seen,
            // Times: int.from_bytes(hashlib.sha256(content).digest()[:4]) // 4
            [
                ("Dockerfile".to_owned(), 0o644, 7, 395_579_863, None),
                ("flows/a.prefect".to_owned(), 0o644, 513, 225_146_882, None),
                (long.clone(), 0o644, 0, 955_003_152, None),
                ("files/1/".to_owned(), 0o750, 0, 0, None),
                ("files/1/l".to_owned(), 0o777, 0, 0, Some("../a b".to_owned())),
                ("files/a\\b".to_owned(), 0o777, 0, 0, Some(long)),
            ]
        );
        Ok(())
    }

    /// An entry as the tar crate writes it.
    fn by_the_tar_crate(entry: &ContextEntry) -> std::io::Result<Vec<u8>> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(entry.size());
        header.set_mtime(entry.time());
        let mut builder = tar::Builder::new(Vec::new());
        match &entry.kind {
            EntryKind::File(_) => {
                header.set_entry_type(tar::EntryType::Regular);
                builder.append_data(&mut header, &entry.path, std::io::empty())?;
            }
            EntryKind::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, format!("{}/", entry.path), std::io::empty())?;
            }
            EntryKind::Symlink(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, &entry.path, target)?;
            }
        }
        Ok(std::mem::take(builder.get_mut()))
    }

    #[test]
    fn headers_are_those_of_the_tar_crate() -> Result<(), Box<dyn std::error::Error>> {
        for length in [1, 98, 99, 100, 101, 300] {
            let path = format!("files/{}é", "x".repeat(length))[..].chars().take(length).collect::<String>();
            for size in [0, 1, 0o7_777_777_777, 0o77_777_777_777, 0o100_000_000_000, u64::MAX] {
                let content = Content::stated(size, crate::digest::Digest::of(b""));
                let link = EntryKind::Symlink(path.chars().take(100).collect());
                for (mode, kind) in [(0o644, EntryKind::File(content)), (0o7777, EntryKind::Directory), (0, link)] {
                    let entry = ContextEntry { path: path.clone(), mode, kind };
                    let mut archive = Archive { segments: Vec::new(), pending: Vec::new() };
                    // A file has no bytes here, but `append` writes the header before it notices.
                    assert_eq!(archive.append(&entry).is_err(), matches!(entry.kind, EntryKind::File(_)));
                    assert!(archive.pending == by_the_tar_crate(&entry)?, "{entry:?}");
                }
            }
        }
        Ok(())
    }
}
