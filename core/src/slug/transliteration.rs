//! The ASCII form of each character.
//!
//! The tables come from deunicode 1.6 (BSD-3-Clause), which continues Perl's Text::Unidecode as text-unidecode does,
//! and which `reference.rs` adapts. Common letters take 6 KB; letters of rarer scripts are in `readings.rs`; Hangul is
//! spelled by rule.

use super::{
    readings::{NoReadings, reading},
    script::is_common,
    table::Table,
};

/// Common letters and symbols, by code point.
const LETTERS: Table = Table::new(include_bytes!(concat!(env!("OUT_DIR"), "/letters.bin")));

/// What python-slugify's own dependency (text-unidecode 1.3) writes for a character that it doesn't know.
const UNKNOWN: &str = "[?]";

/// The first character for which text-unidecode 1.3 has no row: it drops this character and all that follow, emoji
/// included.
const FIRST_WITHOUT_ROW: char = '\u{10000}';

/// `text` in ASCII, character by character.
///
/// # Errors
/// If `text` has characters of a rarer script whose readings are missing.
pub(super) fn transliterated(text: &str) -> Result<String, NoReadings> {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        // deunicode drops control characters, which the original keeps and later turns into dashes.
        if character.is_ascii() {
            ascii.push(character);
        } else if character < FIRST_WITHOUT_ROW {
            push_transliteration(&mut ascii, character)?;
        }
    }
    Ok(ascii)
}

fn push_transliteration(ascii: &mut String, character: char) -> Result<(), NoReadings> {
    if let Some(jamo) = hangul(character as usize) {
        ascii.extend(jamo);
    } else if is_common(character) {
        push(ascii, LETTERS.text(character as usize));
    } else {
        push(ascii, reading(character)?);
    }
    Ok(())
}

fn push(ascii: &mut String, text: Option<impl Iterator<Item = char>>) {
    match text {
        Some(text) => ascii.extend(text),
        None => ascii.push_str(UNKNOWN),
    }
}

/// The initial, medial and final sound of a Hangul syllable, which Unicode numbers in that order from U+AC00 on.
fn hangul(code_point: usize) -> Option<[&'static str; 3]> {
    let syllable = code_point.checked_sub(0xac00)?;
    let (rest, last) = (syllable / FINALS.len(), syllable % FINALS.len());
    let (first, middle) = (rest / MEDIALS.len(), rest % MEDIALS.len());
    Some([*INITIALS.get(first)?, *MEDIALS.get(middle)?, *FINALS.get(last)?])
}

#[rustfmt::skip]
const INITIALS: [&str; 19] = [
    "g", "gg", "n", "d", "dd", "r", "m", "b", "bb", "s", "ss", "", "j", "jj", "c", "k", "t", "p", "h",
];

#[rustfmt::skip]
const MEDIALS: [&str; 21] = [
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "weo", "we", "wi", "yu", "eu",
    "yi", "i",
];

#[rustfmt::skip]
const FINALS: [&str; 28] = [
    "", "g", "gg", "gs", "n", "nj", "nh", "d", "l", "lg", "lm", "lb", "ls", "lt", "lp", "lh", "m", "b", "bs", "s", "ss",
    "ng", "j", "c", "k", "t", "p", "h",
];

#[cfg(test)]
mod tests {
    use super::{super::reference, FIRST_WITHOUT_ROW, UNKNOWN, transliterated};

    #[test]
    fn every_character_is_what_the_reference_says() {
        for character in '\0'..=char::MAX {
            let expected = match character {
                '\0'..='\x7f' => character.to_string(),
                FIRST_WITHOUT_ROW.. => String::new(),
                _ => reference::transliteration(character).unwrap_or(UNKNOWN).to_owned(),
            };
            let read = transliterated(character.encode_utf8(&mut [0; 4]));
            assert_eq!(read, Ok(expected), "U+{:04X}", character as u32);
        }
    }
}
