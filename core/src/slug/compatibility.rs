//! Compatibility decomposition (NFKD), as far as slugs show it.
//!
//! The table comes from unicode-normalization 0.1 and holds the 1,900 characters with an ASCII letter, digit, comma or
//! apostrophe in them (`é`, `½`, `㎏`). It takes 7 KB, 1.4 KB compressed.

use super::table::Table;

/// What a slug can show of each character, by code point.
const DECOMPOSITIONS: Table = Table::new(include_bytes!(concat!(env!("OUT_DIR"), "/decompositions.bin")));

/// The NFKD of `text`, with spaces in place of everything that a slug can't show and that only separates words.
pub(super) fn decomposed(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else if let Some(decomposition) = DECOMPOSITIONS.text(character as usize) {
            ascii.extend(decomposition);
        } else {
            ascii.push(' ');
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::{super::reference, decomposed};

    #[test]
    fn every_character_is_what_the_reference_says() {
        for character in '\0'..=char::MAX {
            let decomposed = decomposed(character.encode_utf8(&mut [0; 4]));
            if character.is_ascii() {
                assert_eq!(decomposed, character.to_string());
            } else {
                assert_eq!(decomposed, reference::compatibility(character), "U+{:04X}", character as u32);
            }
        }
    }
}
