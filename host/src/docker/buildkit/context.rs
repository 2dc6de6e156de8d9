//! A build context as BuildKit asks for it: file by file, so that it gets only the files that it doesn't have yet.
//!
//! BuildKit compares files by size and time. The time of a file in our archives is made from its digest, to the second;
//! here nanoseconds from the digest are added. With 60 bits in all, another file has another time.

use std::{collections::BTreeMap, io};

use tar::EntryType;

use super::protobuf::{push_field, push_number};
use crate::blob::{Blob, Pieces};

/// Go's mode bits for directories and links, and for Unix's setuid, setgid and sticky bits.
const DIRECTORY: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;
const SPECIAL: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];

/// Everything that BuildKit may ask for.
pub(super) struct BuildContext {
    /// In BuildKit's order: each entry comes after its directory.
    pub(super) entries: Vec<Entry>,
    /// The size of all files.
    pub(super) bytes: u64,
}

/// A file, directory or link.
pub(super) struct Entry {
    path: String,
    /// The mode as Go's `FileMode`.
    mode: u32,
    size: u64,
    /// Nanoseconds since 1970.
    time: u64,
    /// The target of a link.
    target: String,
    /// The content of a file.
    pub(super) content: Option<Blob>,
}

impl BuildContext {
    /// Reads the entries of a tar that comes in these pieces.
    ///
    /// # Errors
    /// If a file can't be read, its content is not a piece of its own, or the tar has what no context needs.
    pub(super) fn of(pieces: &[Blob]) -> io::Result<Self> {
        // No file is read for that: a tar header says where the next one is.
        let source = Pieces::of(pieces.to_vec());
        let starts: BTreeMap<u64, &Blob> = source.starts().zip(pieces).collect();
        let mut archive = tar::Archive::new(source);
        let mut entries = BTreeMap::new();
        let mut bytes = 0;
        for entry in archive.entries_with_seek()? {
            let read = Entry::of(&entry?, &starts)?;
            bytes += read.content.as_ref().map_or(0, Blob::length);
            for parent in read.path.match_indices('/').map(|(end, _)| &read.path[..end]) {
                entries.entry(order(parent)).or_insert_with(|| Entry::directory(parent, 0o755));
            }
            entries.insert(order(&read.path), read);
        }
        Ok(Self { entries: entries.into_values().collect(), bytes })
    }

    /// The entries below the local directory of this name, of which BuildKit wants these paths, or all.
    pub(super) fn below<'c>(&'c self, directory: &str, wanted: &[&str]) -> Vec<&'c Entry> {
        let dockerfile = |entry: &&Entry| entry.path == "Dockerfile";
        match directory {
            "dockerfile" => self.entries.iter().filter(dockerfile).collect(),
            // BuildKit looks for files to leave out of the context: there are none.
            "context" if wanted == [".dockerignore"] => Vec::new(),
            "context" => self.entries.iter().collect(),
            _ => Vec::new(),
        }
    }
}

impl Entry {
    fn of(entry: &tar::Entry<'_, Pieces>, starts: &BTreeMap<u64, &Blob>) -> io::Result<Self> {
        let header = entry.header();
        let path = utf8(&entry.path_bytes())?.trim_end_matches('/').to_owned();
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(odd("a path", &path));
        }
        let mode = header.mode()?;
        let special = SPECIAL.iter().filter(|(unix, _)| mode & unix != 0).map(|(_, go)| go).sum::<u32>();
        let mode = mode & 0o777 | special;
        match header.entry_type() {
            EntryType::Directory => Ok(Self::directory(&path, mode)),
            EntryType::Symlink => {
                let target = entry.link_name_bytes().ok_or_else(|| odd("a link", &path))?;
                let target = utf8(&target)?;
                Ok(Self { path, mode: mode | SYMLINK, size: target.len() as u64, time: 0, target, content: None })
            }
            EntryType::Regular => {
                let size = entry.size();
                let content = match starts.get(&entry.raw_file_position()) {
                    _ if size == 0 => Blob::in_memory(Vec::new()),
                    Some(piece) if piece.length() == size => (*piece).clone(),
                    _ => return Err(odd("content", &path)),
                };
                let [_, _, _, _, a, b, c, d, ..] = content.sha256()?;
                let nanoseconds = u64::from(u32::from_be_bytes([a, b, c, d])) % 1_000_000_000;
                // The time has to fit into Go's nanoseconds.
                let seconds = header.mtime()?.checked_mul(1_000_000_000).filter(|time| *time < 1 << 62);
                let time = seconds.ok_or_else(|| odd("a time", &path))? + nanoseconds;
                Ok(Self { path, mode, size, time, target: String::new(), content: Some(content) })
            }
            _ => Err(odd("a kind", &path)),
        }
    }

    fn directory(path: &str, mode: u32) -> Self {
        Self { path: path.to_owned(), mode: mode | DIRECTORY, size: 0, time: 0, target: String::new(), content: None }
    }

    /// The entry as a message `fsutil.types.Stat`.
    pub(super) fn stat(&self) -> Vec<u8> {
        let mut stat = Vec::new();
        push_field(&mut stat, 1, self.path.as_bytes());
        push_number(&mut stat, 2, self.mode.into());
        push_number(&mut stat, 5, self.size);
        push_number(&mut stat, 6, self.time);
        push_field(&mut stat, 7, self.target.as_bytes());
        stat
    }
}

fn utf8(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn odd(what: &str, path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the build context has {what} that no build accepts: {path:?}"))
}

/// BuildKit compares paths name by name: a directory's entries come before paths that only begin with its name.
fn order(path: &str) -> Vec<u8> {
    path.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An archive with these entries, in pieces as the core makes them: each file's content by itself.
    fn pieces(entries: &[(EntryType, &str, u32, u64, &str)]) -> Vec<Blob> {
        let mut pieces = Vec::new();
        for (kind, path, mode, seconds, content) in entries {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_mtime(*seconds);
            let content = if *kind == EntryType::Symlink {
                header.set_size(0);
                builder.append_link(&mut header, path, content).unwrap();
                ""
            } else {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_bytes()).unwrap();
                content
            };
            let mut bytes = builder.into_inner().unwrap();
            bytes.truncate(bytes.len() - 1024 - content.len().next_multiple_of(512));
            pieces.push(Blob::in_memory(bytes));
            pieces.push(Blob::in_memory(content.as_bytes().to_vec()));
            pieces.push(Blob::in_memory(vec![0; content.len().next_multiple_of(512) - content.len()]));
        }
        pieces.push(Blob::in_memory(vec![0; 1024]));
        pieces
    }

    fn context(entries: &[(EntryType, &str, u32, u64, &str)]) -> io::Result<BuildContext> {
        BuildContext::of(&pieces(entries))
    }

    #[test]
    fn entries_are_as_buildkit_wants_them() {
        let long = format!("files/{}/x", "d".repeat(120));
        let found = context(&[
            (EntryType::Regular, "Dockerfile", 0o644, 7, "FROM x\n"),
            (EntryType::Regular, "a b", 0o600, 1, ""),
            (EntryType::Regular, "a/b", 0o4755, 2, "content"),
            (EntryType::Directory, "e/", 0o750, 0, ""),
            (EntryType::Symlink, "e/link", 0o777, 0, "../a/b"),
            (EntryType::Regular, &long, 0o644, 3, "y"),
        ]);
        let found = found.unwrap();
        let told: Vec<_> = found
            .entries
            .iter()
            .map(|entry| (entry.path.as_str(), entry.mode, entry.size, entry.time, entry.target.as_str()))
            .collect();
        // Nanoseconds: int.from_bytes(hashlib.sha256(content).digest()[4:8]) % 10**9
        let directory = 1 << 31;
        assert_eq!(
            told,
            [
                ("Dockerfile", 0o644, 7, 7_000_000_000 + 502_867_227, ""),
                ("a", directory | 0o755, 0, 0, ""),
                ("a/b", 1 << 23 | 0o755, 7, 2_000_000_000 + 971_615_364, ""),
                ("a b", 0o600, 0, 1_000_000_000 + 566_659_092, ""),
                ("e", directory | 0o750, 0, 0, ""),
                ("e/link", 1 << 27 | 0o777, 6, 0, "../a/b"),
                ("files", directory | 0o755, 0, 0, ""),
                (&long[..long.len() - 2], directory | 0o755, 0, 0, ""),
                (&long, 0o644, 1, 3_000_000_000 + 945_094_536, ""),
            ]
        );
        assert_eq!(found.bytes, 15);
        let below = |directory, wanted: &[&str]| {
            found.below(directory, wanted).iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(below("dockerfile", &["Dockerfile", "dockerfile"]), ["Dockerfile"]);
        assert_eq!(below("context", &["flows", "e"]).len(), 9);
        assert!(below("context", &[".dockerignore"]).is_empty() && below("elsewhere", &[]).is_empty());
    }

    #[test]
    fn archives_that_are_no_context_are_errors() {
        let one = |kind, path, seconds| context(&[(kind, path, 0o644, seconds, "x")]);
        one(EntryType::Regular, "a/b", 0).ok().unwrap();
        let mut whole = pieces(&[(EntryType::Regular, "a", 0o644, 0, "x")]);
        let all = whole.iter().flat_map(|piece| piece.as_bytes().unwrap()).collect::<Vec<_>>();
        whole.remove(1);
        for archive in [
            one(EntryType::Fifo, "a", 0),
            one(EntryType::Regular, "a", 1 << 33),
            BuildContext::of(&[Blob::in_memory(all)]),
            BuildContext::of(&whole),
            BuildContext::of(&[Blob::in_memory(vec![b'x'; 600])]),
        ] {
            archive.err().unwrap();
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(at in 0..3000_usize, bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut pieces = pieces(&[(EntryType::Regular, "a", 0o644, 0, "x"), (EntryType::Symlink, "b", 0o777, 0, "a")]);
            let which = at % pieces.len();
            let mut piece = pieces[which].as_bytes().unwrap().to_vec();
            let at = at % piece.len().max(1);
            for (to, byte) in piece.iter_mut().skip(at).zip(bytes) {
                *to = byte;
            }
            pieces[which] = Blob::in_memory(piece);
            if let Ok(context) = BuildContext::of(&pieces) {
                let mut names = context.entries.iter().flat_map(|entry| entry.path.split('/'));
                prop_assert!(names.all(|name| !matches!(name, "" | "." | "..")));
            }
        }
    }
}
