//! Storages as bytes: a magic, a format version, and bincode.
//!
//! Invariant: nothing else in the project knows of bincode. Decoding has a limit, and never allocates more than that.
//!
//! There is no checksum: if a changed byte leaves a snapshot readable, the result may be another storage (as with
//! changed JSON), but it is always a valid one.

use crate::{
    diagnostic::Code,
    failure::Failure,
    serialized::{self, Contents},
    storage::Storage,
};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};

const MAGIC: &[u8] = b"flowhold";
const VERSION: u16 = 1;

/// The largest snapshot, in bytes, and the most memory that decoding takes.
pub const LARGEST: usize = 512 << 20;

/// The most flows in a snapshot: two bytes can claim to be a flow, which takes dozens of bytes in memory.
const MOST_FLOWS: u64 = 1 << 20;

fn config() -> Configuration<LittleEndian, Varint, Limit<LARGEST>> {
    bincode::config::standard().with_limit::<LARGEST>()
}

/// Why a snapshot can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// No magic.
    #[error("not a snapshot of a storage: it does not begin with \"flowhold\"")]
    NoMagic,
    /// A later format.
    #[error("the snapshot has format {0}, and this version reads format {VERSION}")]
    Version(u16),
    /// Cut off, or changed.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
    /// Larger than the limit.
    #[error("the storage is too large for a snapshot: {0}")]
    TooLarge(String),
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let failure = Self::input(Code::InvalidSnapshot, error.to_string());
        match error {
            SnapshotError::Version(_) => {
                failure.with_help("read it with the version of flowhold that wrote it, or a later one")
            }
            SnapshotError::Damaged(_) => {
                failure.with_help("make it anew: flowhold serialize INPUT --to snapshot -o FILE")
            }
            _ => failure,
        }
    }
}

/// Whether bytes claim to be a snapshot.
pub fn is_snapshot(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Writes a snapshot.
///
/// # Errors
/// If the snapshot would be larger than [`LARGEST`] or have too many flows, or bytes of a flow can't be read.
pub fn encode(storage: &Storage) -> Result<Vec<u8>, Failure> {
    let mut payloads = Vec::new();
    if let Storage::Bytes(bytes) = storage {
        payloads.extend(bytes.contents()?.into_iter().map(|(flow, content)| (flow.name.to_string(), content)));
    }
    if payloads.len() as u64 > MOST_FLOWS {
        return Err(SnapshotError::TooLarge(format!("{} flows", payloads.len())).into());
    }
    // The JSON of the storage, which keeps unknown fields, and beside it the flows of a Bytes storage.
    let body = (serialized::to_value(storage, Contents::LeftOut)?.to_string(), payloads);
    let mut bytes = [MAGIC, &VERSION.to_be_bytes()].concat();
    let encoded = bincode::encode_to_vec(&body, config());
    bytes.extend(encoded.map_err(|error| SnapshotError::TooLarge(error.to_string()))?);
    if bytes.len() > LARGEST {
        return Err(SnapshotError::TooLarge(format!("{} bytes", bytes.len())).into());
    }
    Ok(bytes)
}

/// Reads a snapshot.
///
/// # Errors
/// If the bytes are not a snapshot, are cut off or damaged, or are of a later format.
pub fn decode(bytes: &[u8]) -> Result<Storage, Failure> {
    let body = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NoMagic)?;
    if bytes.len() > LARGEST {
        return Err(SnapshotError::TooLarge(format!("{} bytes", bytes.len())).into());
    }
    let (version, body) = body.split_first_chunk().ok_or_else(|| SnapshotError::Damaged("it is cut off".to_owned()))?;
    let version = u16::from_be_bytes(*version);
    if version != VERSION {
        return Err(SnapshotError::Version(version).into());
    }
    // Decodes piece by piece, and borrows, so that a length that is only claimed takes no memory.
    let mut rest = body;
    let json: &str = take(&mut rest)?;
    let count: u64 = take(&mut rest)?;
    if count > MOST_FLOWS {
        return Err(SnapshotError::TooLarge(format!("{count} flows")).into());
    }
    let mut payloads = Vec::new();
    for _ in 0..count {
        let (name, bytes): (&str, &[u8]) = take(&mut rest)?;
        payloads.push((name.to_owned(), bytes.to_vec()));
    }
    if !rest.is_empty() {
        return Err(SnapshotError::Damaged(format!("{} bytes follow its end", rest.len())).into());
    }
    serialized::from_parts(json, Some(payloads))
}

/// Decodes the next value.
fn take<'b, T: bincode::BorrowDecode<'b, ()>>(rest: &mut &'b [u8]) -> Result<T, SnapshotError> {
    let decoded = bincode::borrow_decode_from_slice(rest, config());
    let (value, read) = decoded.map_err(|error| SnapshotError::Damaged(words(&error).to_owned()))?;
    *rest = rest.get(read..).unwrap_or_default();
    Ok(value)
}

/// bincode's error in plain words: its own message is in terms of Rust.
fn words(error: &bincode::error::DecodeError) -> &'static str {
    use bincode::error::DecodeError;
    match error {
        DecodeError::UnexpectedEnd { .. } => "it is cut off",
        DecodeError::LimitExceeded => "it claims to be larger than a snapshot may be",
        DecodeError::Utf8 { .. } => "a text in it is not UTF-8",
        _ => "its content makes no sense",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        blob::Content,
        flow::{Flow, Format},
        storage::BytesStorage,
    };

    fn sample() -> Result<Storage, Box<dyn std::error::Error>> {
        let mut storage = BytesStorage::default();
        storage.add_flow(Flow {
            name: "é".parse()?,
            format: Format::Script,
            content: Content::from_bytes("print()"),
        })?;
        Ok(Storage::Bytes(storage))
    }

    #[test]
    fn what_was_encoded_comes_back() -> Result<(), Box<dyn std::error::Error>> {
        let storage = sample()?;
        let read = decode(&encode(&storage)?)?;
        assert_eq!(serialized::to_json(&read)?, serialized::to_json(&storage)?);
        Ok(())
    }

    #[test]
    fn no_truncation_is_read_and_a_flipped_bit_gives_an_error_or_a_storage() -> Result<(), Box<dyn std::error::Error>> {
        let bytes = encode(&sample()?)?;
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken[at] ^= 1 << bit;
                let Ok(read) = decode(&broken) else { continue };
                let again = encode(&read)?;
                assert_eq!(encode(&decode(&again)?)?, again, "{at} {bit}");
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_wrong_with_a_flow_is_told() {
        for (names, words) in [([""].as_slice(), "name is empty"), (&["a", "a"], "\"a\"")] {
            let payloads: Vec<_> = names.iter().map(|name| (*name, b"x".as_slice())).collect();
            let body = bincode::encode_to_vec((r#"{"type": "Bytes"}"#, payloads), config()).unwrap();
            let bytes = [MAGIC, &VERSION.to_be_bytes(), &body].concat();
            assert!(decode(&bytes).is_err_and(|failure| failure.message.contains(words)), "{names:?}");
        }
    }

    #[test]
    fn millions_of_nothing_take_no_memory() {
        let count = MOST_FLOWS as usize + 1;
        let head = bincode::encode_to_vec((r#"{"type": "Bytes"}"#, count as u64), config()).unwrap();
        let bytes = [MAGIC, &VERSION.to_be_bytes(), &head, &vec![0; 2 * count]].concat();
        assert!(decode(&bytes).is_err_and(|failure| failure.message.contains("1048577 flows")));
    }
}
