//! Blobs that are read as one.

use std::{
    fmt,
    io::{self, Read, Seek, SeekFrom},
};

use super::{Blob, Reader};

/// Blobs one behind the other, to be read as one. Blobs that are skipped are not opened.
pub struct Pieces {
    pieces: Vec<Blob>,
    /// The offset of each piece, and then that of the end.
    starts: Vec<u64>,
    position: u64,
    /// The piece that is being read; it stays open until another is read.
    current: Option<(usize, Reader)>,
}

impl Pieces {
    /// Reads these blobs, from the beginning of the first.
    pub fn of(pieces: Vec<Blob>) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for piece in &pieces {
            end += piece.length();
            starts.push(end);
        }
        Self { pieces, starts, position: 0, current: None }
    }

    /// The offset of each piece.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u64> {
        self.starts.iter().copied().take(self.pieces.len())
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("pieces", &self.pieces.len()).field("position", &self.position).finish()
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Of the pieces that begin at this offset, all but the last are empty.
        let index = self.starts.partition_point(|start| *start <= self.position).saturating_sub(1);
        let (Some(piece), Some(start)) = (self.pieces.get(index), self.starts.get(index)) else { return Ok(0) };
        let reader = match self.current.take() {
            Some((open, reader)) if open == index => reader,
            _ => piece.reader()?,
        };
        let bytes = reader.read(self.position - start, buffer.len())?;
        self.current = Some((index, reader));
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for Pieces {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(by) => (self.position, by),
            SeekFrom::End(by) => (self.starts.last().copied().unwrap_or_default(), by),
        };
        self.position = from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Quota, *};

    #[test]
    fn pieces_are_read_as_one() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("flow");
        std::fs::write(&path, "from a file")?;
        let memory = |text: &'static str| Blob::in_memory(text.as_bytes());
        let file = Blob::open_within(&path, &Quota::of(0))?;
        let mut pieces =
            Pieces::of(vec![memory(""), memory("before, "), memory(""), file, memory(", after"), memory("")]);
        assert_eq!(pieces.starts().collect::<Vec<_>>(), [0, 0, 8, 8, 19, 26]);
        let mut text = String::new();
        pieces.read_to_string(&mut text)?;
        assert_eq!(text, "before, from a file, after");
        assert_eq!(pieces.seek(SeekFrom::End(-10))?, 16);
        let mut some = [0; 2];
        pieces.read_exact(&mut some)?;
        assert_eq!(&some, b"il");
        // The piece is open, so another file of its name is not seen.
        std::fs::rename(&path, folder.path().join("old"))?;
        std::fs::write(&path, "from others")?;
        pieces.read_exact(&mut some)?;
        assert_eq!(&some, b"e,");
        pieces.seek(SeekFrom::Start(8))?;
        assert!(pieces.read(&mut some).is_err());
        assert!(pieces.seek(SeekFrom::Current(-100)).is_err());
        pieces.seek(SeekFrom::End(100))?;
        assert_eq!(pieces.read(&mut some)?, 0);
        Ok(())
    }
}
