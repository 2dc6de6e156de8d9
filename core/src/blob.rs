//! Handles on bytes: the core reads a range of the bytes only where a rule needs it.

use std::{fmt, iter, sync::Arc};

use crate::{diagnostic::Code, digest::Digest, failure::Failure};

/// Immutable bytes, wherever they are stored. This is the WIT resource `blob`.
pub trait Blob {
    /// The length in bytes.
    fn length(&self) -> u64;
    /// The sha256 of all bytes.
    fn sha256(&self) -> Result<Digest, Failure>;
    /// At most `length` bytes from `offset`; fewer only at the end.
    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Failure>;
    /// Lets the component recognise a handle of its host, to give it back.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// A shared handle.
pub type SharedBlob = Arc<dyn Blob + Send + Sync>;

/// All bytes of a blob. Only for rules that need all of them: those for Bytes storage and for Flowhold's own small
/// files.
pub fn read_all(blob: &dyn Blob) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    for piece in pieces(blob) {
        bytes.extend(piece?);
    }
    Ok(bytes)
}

/// Computes the sha256 of all bytes, for a host that leaves hashing to the core.
pub fn hash(blob: &dyn Blob) -> Result<Digest, Failure> {
    Digest::of_pieces(pieces(blob))
}

/// All bytes in order, in pieces. The caller must stop at the first failure.
fn pieces(blob: &dyn Blob) -> impl Iterator<Item = Result<Vec<u8>, Failure>> {
    const STEP: u32 = 1 << 20;
    let length = blob.length();
    let mut offset = 0;
    iter::from_fn(move || {
        (offset < length).then(|| {
            let piece = blob.read(offset, STEP)?;
            offset += piece.len() as u64;
            if piece.is_empty() || offset > length {
                let message = format!("the host has {offset} bytes of a blob of {length}");
                return Err(Failure::input(Code::HostFault, message));
            }
            Ok(piece)
        })
    })
}

/// Bytes in memory, as a blob.
pub fn in_memory(bytes: impl Into<Vec<u8>>) -> SharedBlob {
    Arc::new(InMemory(bytes.into()))
}

struct InMemory(Vec<u8>);

impl Blob for InMemory {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn sha256(&self) -> Result<Digest, Failure> {
        Ok(Digest::of(&self.0))
    }

    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let end = start.saturating_add(length as usize).min(self.0.len());
        Ok(self.0[start..end].to_vec())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// The size and digest of some bytes, and a handle on the bytes if there is one.
#[derive(Clone)]
pub struct Content {
    /// Length in bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub sha256: Digest,
    /// The bytes themselves; `None` if a resolved spec only states size and digest.
    pub blob: Option<SharedBlob>,
    /// False for a source that the host could not look at: its size and digest are then meaningless.
    pub seen: bool,
}

impl Content {
    /// The content of a blob, with the length and digest that the blob reports.
    pub fn of(blob: SharedBlob) -> Result<Self, Failure> {
        let stated = Self::stated(blob.length(), blob.sha256()?);
        Ok(Self { blob: Some(blob), ..stated })
    }

    /// Content that is known by its size and digest alone.
    pub const fn stated(size: u64, sha256: Digest) -> Self {
        Self { size, sha256, blob: None, seen: true }
    }

    /// The content of a source that the host could not look at.
    pub const fn unseen() -> Self {
        Self { size: 0, sha256: Digest::from_bytes([0; 32]), blob: None, seen: false }
    }

    /// Content with these bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let stated = Self::stated(bytes.len() as u64, Digest::of(&bytes));
        Self { blob: Some(in_memory(bytes)), ..stated }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (self.size, self.sha256, self.seen) == (other.size, other.sha256, other.seen)
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}", self.size, self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host's blob that claims a length and returns a few bytes at a time.
    struct Sparing(u64, Vec<u8>);

    impl Blob for Sparing {
        fn length(&self) -> u64 {
            self.0
        }

        fn sha256(&self) -> Result<Digest, Failure> {
            hash(self)
        }

        fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
            in_memory(self.1.clone()).read(offset, length.min(7))
        }

        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
    }

    #[test]
    fn what_comes_in_pieces_is_put_together() {
        for length in [0, 1, 7, 8, 1000] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let blob = Sparing(length, bytes.clone());
            assert_eq!(blob.sha256(), Ok(Digest::of(&bytes)));
            assert_eq!(read_all(&blob), Ok(bytes));
        }
    }

    #[test]
    fn a_blob_of_another_length_than_it_says_is_a_fault_of_the_host() {
        for (says, has) in [(10, 9), (10, 11), (1, 0)] {
            let blob = Sparing(says, vec![0; has]);
            for failure in [read_all(&blob).unwrap_err(), blob.sha256().unwrap_err()] {
                assert_eq!(failure.code, Code::HostFault.as_str(), "{says} {has}");
            }
        }
    }
}
