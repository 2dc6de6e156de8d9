//! The readings of ideographs: 28,000 characters share 1,300 of them.
//!
//! They are most of what slugs take from tables, 53 KB, 34 KB compressed, and few names have an ideograph. With the
//! feature `readings` they are compiled in; without it, whoever embeds the core supplies the build script's
//! `readings.bin`, at the latest when a name first needs it.
//!
//! Invariant: a slug never depends on who supplied them. Only the very bytes that the build script wrote are taken.

use std::sync::OnceLock;

use super::table::Table;
use crate::digest::Digest;

/// Under the code point of an ideograph the number of its reading, and under that number the text, the most frequent
/// ones first, so that their numbers are short.
const READINGS: Option<&[u8]> =
    if cfg!(feature = "readings") { Some(include_bytes!(concat!(env!("OUT_DIR"), "/readings.bin"))) } else { None };

const SHA256: Digest = Digest::from_bytes(*include_bytes!(concat!(env!("OUT_DIR"), "/readings.sha256")));

static SUPPLIED: OnceLock<Vec<u8>> = OnceLock::new();

static SOURCE: OnceLock<fn() -> Option<Vec<u8>>> = OnceLock::new();

/// Why an ideograph can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReadings {
    /// Nobody supplied them.
    #[error("the readings of ideographs are not here")]
    Missing,
    /// Something else was supplied.
    #[error("the readings of ideographs are damaged, or belong to another version")]
    Wrong,
}

/// Supplies the content of `readings.bin`.
///
/// # Errors
/// If it is anything else.
pub fn supply(readings: Vec<u8>) -> Result<(), NoReadings> {
    if Digest::of(&readings) != SHA256 {
        return Err(NoReadings::Wrong);
    }
    // They may be there already: the same ones.
    SUPPLIED.get_or_init(|| readings);
    Ok(())
}

/// Tells where the content of `readings.bin` comes from when a name needs it and nobody has supplied it. Asked again
/// for the next such name if it has none.
pub fn supply_from(source: fn() -> Option<Vec<u8>>) {
    SOURCE.get_or_init(|| source);
}

/// The reading of an ideograph, or `None` if it has none.
pub(super) fn reading(ideograph: char) -> Result<Option<impl Iterator<Item = char>>, NoReadings> {
    let table = table()?;
    Ok(table.number(ideograph as usize).and_then(|number| table.text(number)))
}

fn table() -> Result<Table<'static>, NoReadings> {
    if SUPPLIED.get().is_none() && READINGS.is_none() {
        supply(SOURCE.get().and_then(|source| source()).ok_or(NoReadings::Missing)?)?;
    }
    READINGS.or(SUPPLIED.get().map(Vec::as_slice)).map(Table::new).ok_or(NoReadings::Missing)
}
