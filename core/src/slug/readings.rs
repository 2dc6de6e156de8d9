//! The readings of rarer scripts: all scripts but Latin, Greek, Cyrillic, and Hangul, which needs no table.
//!
//! The readings are the largest table for slugs (75 KB, 45 KB compressed), and few names need them. The feature
//! `readings` compiles them in; without it, the program that embeds the core supplies the build script's
//! `readings.bin`, at the latest when a name first needs it.
//!
//! Invariant: a slug never depends on who supplied the readings. Only the very bytes that the build script wrote are
//! accepted.

use std::sync::OnceLock;

use super::{
    script::{SHARED, is_ideograph},
    table::Table,
};
use crate::{diagnostic::Code, digest::Digest, failure::Explain};

/// The readings by code point. 28,000 ideographs share 1,300 readings: the entry of an ideograph is the number of its
/// reading, whose text is the entry at [`SHARED`] plus that number.
const READINGS: Option<&[u8]> =
    if cfg!(feature = "readings") { Some(include_bytes!(concat!(env!("OUT_DIR"), "/readings.bin"))) } else { None };

const SHA256: Digest = Digest::from_bytes(*include_bytes!(concat!(env!("OUT_DIR"), "/readings.sha256")));

static SUPPLIED: OnceLock<Vec<u8>> = OnceLock::new();

static SOURCE: OnceLock<fn() -> Option<Vec<u8>>> = OnceLock::new();

/// Why a character can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReadings {
    /// The readings have not been supplied.
    #[error("the readings of this script are not here")]
    Missing,
    /// Something else was supplied.
    #[error("the readings of this script are damaged, or belong to another version")]
    Wrong,
}

impl Explain for NoReadings {
    fn code(&self) -> Code {
        Code::NoReadings
    }

    fn help(&self) -> Option<String> {
        Some("put the readings.bin of this version beside the module".to_owned())
    }
}

/// Supplies the content of `readings.bin`.
///
/// # Errors
/// If `readings` is anything else.
pub fn supply(readings: Vec<u8>) -> Result<(), NoReadings> {
    if Digest::of(&readings) != SHA256 {
        return Err(NoReadings::Wrong);
    }
    // If the readings have been supplied before, they are the same.
    SUPPLIED.get_or_init(|| readings);
    Ok(())
}

/// Sets the source of `readings.bin`, which is called when a name needs the readings and they have not been supplied.
/// If the source has none, it is called again for the next such name.
pub fn supply_from(source: fn() -> Option<Vec<u8>>) {
    SOURCE.get_or_init(|| source);
}

/// The reading of a character that is not common, or `None` if it has none.
pub(super) fn reading(character: char) -> Result<Option<impl Iterator<Item = char>>, NoReadings> {
    let (table, code_point) = (table()?, character as usize);
    let number = if is_ideograph(character) { table.number(code_point).map(|n| SHARED + n) } else { Some(code_point) };
    Ok(number.and_then(|number| table.text(number)))
}

fn table() -> Result<Table<'static>, NoReadings> {
    if SUPPLIED.get().is_none() && READINGS.is_none() {
        supply(SOURCE.get().and_then(|source| source()).ok_or(NoReadings::Missing)?)?;
    }
    READINGS.or(SUPPLIED.get().map(Vec::as_slice)).map(Table::new).ok_or(NoReadings::Missing)
}
