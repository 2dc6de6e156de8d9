//! Any names, modes, targets and contents as a build context: the tar crate reads the same from the archive.

use std::io::Read as _;

use flowhold_core::{
    blob::{Content, read_all},
    capability::Segment,
    context::{self, ContextEntry},
    settings::EntryKind,
};

/// Reads an entry: kind and mode, then the name, and the content or target.
fn entry(part: &[u8]) -> Option<ContextEntry> {
    let [first, second, rest @ ..] = part else { return None };
    let mode = u32::from(u16::from_be_bytes([first & 0x0f, *second]));
    let (name, content) = rest.split_at(rest.iter().position(|b| *b == b'=').unwrap_or(rest.len()));
    let content = content.get(1..).unwrap_or_default();
    // A context's paths are relative, in normal form, and have no NUL: `ContextPath` sees to that.
    let path: flowhold_core::context_path::ContextPath = std::str::from_utf8(name).ok()?.parse().ok()?;
    let kind = match first >> 4 {
        0 => EntryKind::Directory,
        1 => EntryKind::Symlink(std::str::from_utf8(content).ok()?.to_owned()),
        2 => EntryKind::File(Content::from_bytes(content.repeat(600))),
        _ => EntryKind::File(Content::from_bytes(content)),
    };
    Some(ContextEntry { path: path.to_string(), mode, kind })
}

fn bytes_of(segment: Segment) -> Vec<u8> {
    match segment {
        Segment::Bytes(piece) => piece,
        Segment::Blob(blob) => read_all(blob.as_ref()).expect("it is all in memory"),
    }
}

pub(crate) fn check(data: &[u8]) {
    let entries: Vec<_> = data.split(|b| *b == b'\n').filter_map(entry).collect();
    let Ok(segments) = context::archive("FROM x\n", &entries) else { return };
    let bytes: Vec<u8> = segments.into_iter().flat_map(bytes_of).collect();
    assert_eq!(bytes.len() % 512, 0);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut read = archive.entries().expect("it is an archive");
    assert_eq!(read.next().expect("a first").expect("whole").path_bytes().as_ref(), b"Dockerfile");
    for wanted in &entries {
        let mut entry = read.next().expect("an entry").expect("a whole one");
        let directory = matches!(wanted.kind, EntryKind::Directory);
        let path = if directory { format!("{}/", wanted.path) } else { wanted.path.clone() };
        assert_eq!(entry.path_bytes().as_ref(), path.as_bytes());
        assert_eq!(entry.header().mode().expect("a mode"), wanted.mode);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        let kind = entry.header().entry_type();
        match &wanted.kind {
            EntryKind::Directory => assert!(kind.is_dir() && content.is_empty()),
            EntryKind::Symlink(target) => {
                assert!(kind.is_symlink() && content.is_empty());
                assert_eq!(entry.link_name_bytes().expect("a target").as_ref(), target.as_bytes());
            }
            EntryKind::File(file) => {
                assert!(kind.is_file());
                let blob = file.blob.as_deref().expect("bytes");
                assert_eq!(content, read_all(blob).expect("in memory"));
            }
        }
    }
    assert!(read.next().is_none());
}
