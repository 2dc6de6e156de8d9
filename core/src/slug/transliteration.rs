//! What each character is in ASCII.
//!
//! The tables come from deunicode 1.6 (BSD-3-Clause), which continues Perl's Text::Unidecode as text-unidecode does, and
//! hold what `reference.rs` makes of it. They take 78 KB, 47 KB compressed: most of that is ideographs, and none of it
//! Hangul, which is spelled by rule.

use super::table::Table;

/// The number of each ideograph's reading: 28,000 characters share 1,300 readings.
static IDEOGRAPHS: Table = include!(concat!(env!("OUT_DIR"), "/ideographs.rs"));

/// The readings from 1 on, the most frequent ones first, so that their numbers are short.
static READINGS: Table = include!(concat!(env!("OUT_DIR"), "/readings.rs"));

/// Everything else, by code point.
static LETTERS: Table = include!(concat!(env!("OUT_DIR"), "/letters.rs"));

/// What python-slugify's own dependency (text-unidecode 1.3) writes for a character that it doesn't know.
const UNKNOWN: &str = "[?]";

/// The first character that text-unidecode 1.3 has no row for: it drops this one and all that follow, emoji included.
const FIRST_WITHOUT_ROW: char = '\u{10000}';

/// `text` in ASCII, character by character.
pub(super) fn transliterated(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        // deunicode drops control characters, which the original keeps and later turns into dashes.
        if character.is_ascii() {
            ascii.push(character);
        } else if character < FIRST_WITHOUT_ROW {
            push_transliteration(&mut ascii, character as usize);
        }
    }
    ascii
}

fn push_transliteration(ascii: &mut String, code_point: usize) {
    if let Some(jamo) = hangul(code_point) {
        ascii.extend(jamo);
    } else if let Some(reading) = IDEOGRAPHS.number(code_point).and_then(|number| READINGS.text(number)) {
        ascii.extend(reading);
    } else if let Some(letters) = LETTERS.text(code_point) {
        ascii.extend(letters);
    } else {
        ascii.push_str(UNKNOWN);
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
            assert_eq!(transliterated(character.encode_utf8(&mut [0; 4])), expected, "U+{:04X}", character as u32);
        }
    }
}
