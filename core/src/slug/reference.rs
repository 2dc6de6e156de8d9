//! What slugs take from deunicode and unicode-normalization, one character at a time.
//!
//! The build script makes the tables from these two functions, and the tests compare the tables with them. Neither
//! crate is in the core itself: a browser would download 170 KB of them to shorten one name.

use core::ops::RangeInclusive;
use unicode_normalization::UnicodeNormalization;

/// The ASCII form of `character`, which is between U+0080 and U+FFFF; `None` if text-unidecode 1.3 doesn't know it.
pub(super) fn transliteration(character: char) -> Option<&'static str> {
    let younger = OVERRIDES.iter().find(|(range, _)| range.contains(&character));
    younger.map_or_else(|| deunicode::deunicode_char(character), |&(_, text)| text)
}

/// As much of the NFKD of `character` as a slug can show: ASCII letters, digits, commas and apostrophes; each run of
/// anything else is one space.
///
/// Slugs may decompose character by character: NFKD reorders across characters, but never anything in ASCII.
pub(super) fn compatibility(character: char) -> String {
    let mut visible = String::new();
    for part in core::iter::once(character).nfkd() {
        if part.is_ascii_alphanumeric() || part == ',' || part == '\'' {
            visible.push(part);
        } else if !visible.ends_with(' ') {
            visible.push(' ');
        }
    }
    visible
}

const UNKNOWN: Option<&str> = None;
const EMPTY: Option<&str> = Some("");

/// Where deunicode knows more than text-unidecode 1.3: Latin, Greek and Cyrillic letters younger than Unicode 3 or so,
/// and symbols, which deunicode spells out (`inf`, `scissors`). Letters of younger scripts keep deunicode's reading,
/// because for a name in such a script the original makes an empty slug, which is of less use.
const OVERRIDES: [(RangeInclusive<char>, Option<&str>); 42] = [
    ('\u{241}'..='\u{242}', UNKNOWN),
    ('\u{370}'..='\u{373}', UNKNOWN),
    ('\u{376}'..='\u{377}', UNKNOWN),
    ('\u{37a}'..='\u{37a}', EMPTY),
    ('\u{37b}'..='\u{37d}', UNKNOWN),
    ('\u{37f}'..='\u{37f}', UNKNOWN),
    ('\u{385}'..='\u{385}', EMPTY),
    ('\u{3cf}'..='\u{3cf}', UNKNOWN),
    ('\u{3d8}'..='\u{3d9}', UNKNOWN),
    ('\u{3f4}'..='\u{3ff}', UNKNOWN),
    ('\u{48a}'..='\u{48b}', UNKNOWN),
    ('\u{4c5}'..='\u{4c6}', UNKNOWN),
    ('\u{4c9}'..='\u{4ca}', UNKNOWN),
    ('\u{4cd}'..='\u{4cf}', UNKNOWN),
    ('\u{4f6}'..='\u{4f7}', UNKNOWN),
    ('\u{4fa}'..='\u{52f}', UNKNOWN),
    ('\u{1c80}'..='\u{1c88}', UNKNOWN),
    ('\u{1d00}'..='\u{1d23}', UNKNOWN),
    ('\u{1d26}'..='\u{1d2b}', UNKNOWN),
    ('\u{1d62}'..='\u{1d77}', UNKNOWN),
    ('\u{1d79}'..='\u{1d9a}', UNKNOWN),
    ('\u{1efa}'..='\u{1eff}', UNKNOWN),
    ('\u{2071}'..='\u{2071}', EMPTY),
    ('\u{2090}'..='\u{209c}', UNKNOWN),
    ('\u{20b0}'..='\u{20c0}', UNKNOWN),
    ('\u{2100}'..='\u{2121}', EMPTY),
    ('\u{2123}'..='\u{2152}', EMPTY),
    ('\u{2184}'..='\u{218b}', UNKNOWN),
    ('\u{2200}'..='\u{23ff}', UNKNOWN),
    ('\u{2400}'..='\u{24ff}', EMPTY),
    ('\u{2596}'..='\u{259f}', UNKNOWN),
    ('\u{2600}'..='\u{2671}', EMPTY),
    ('\u{2672}'..='\u{2700}', UNKNOWN),
    ('\u{2701}'..='\u{27bf}', EMPTY),
    ('\u{27c0}'..='\u{27ff}', UNKNOWN),
    ('\u{2900}'..='\u{2bff}', UNKNOWN),
    ('\u{2c60}'..='\u{2c7f}', UNKNOWN),
    ('\u{2de0}'..='\u{2dff}', UNKNOWN),
    ('\u{a640}'..='\u{a69f}', UNKNOWN),
    ('\u{a720}'..='\u{a7ff}', UNKNOWN),
    ('\u{ab30}'..='\u{ab68}', UNKNOWN),
    ('\u{fe00}'..='\u{fe0f}', UNKNOWN),
];
