//! Reads files that people and programs hand over.

use std::{io::Read, path::Path};

use flowhold::{Failure, blob::read_at_most};

/// The largest spec; a larger file is not read into memory.
pub(crate) const LARGEST: u64 = 64 << 20;
/// The largest storage, which may have its flows in it.
pub(crate) const LARGEST_STORAGE: u64 = 512 << 20;

/// Reads a file of at most `largest` bytes.
pub(crate) fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>, Failure> {
    read_some(path, largest).map_err(|error| Failure::of_path(path.display(), &error))
}

/// Like [`read_file`], for callers that have more to say about an error.
pub(crate) fn read_some(path: &Path, largest: u64) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    limited(std::fs::File::open(path)?, largest)
}

/// Reads to the end, but at most `largest` bytes, and drops a byte order mark.
pub(crate) fn limited(reader: impl Read, largest: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = read_at_most(reader, largest)?;
    if bytes.starts_with("\u{feff}".as_bytes()) {
        // Windows editors begin UTF-8 files with this mark.
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// Decodes the text that messages call `name`.
pub(crate) fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::input("syntax", format!("{name} is not UTF-8 (byte {at})")).with_help("save it as UTF-8")
    })
}
