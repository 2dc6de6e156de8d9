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
const OVERRIDES: [(RangeInclusive<char>, Option<&str>); 69] = [
    ('\u{241}'..='\u{242}', UNKNOWN),
    ('\u{2e5}'..='\u{2eb}', EMPTY),
    ('\u{2ef}'..='\u{2ef}', UNKNOWN),
    ('\u{2f3}'..='\u{2f3}', UNKNOWN),
    ('\u{34f}'..='\u{35f}', UNKNOWN),
    ('\u{370}'..='\u{373}', UNKNOWN),
    ('\u{376}'..='\u{377}', UNKNOWN),
    ('\u{37a}'..='\u{37a}', EMPTY),
    ('\u{37b}'..='\u{37d}', UNKNOWN),
    ('\u{37f}'..='\u{37f}', UNKNOWN),
    ('\u{385}'..='\u{385}', EMPTY),
    ('\u{3cf}'..='\u{3cf}', UNKNOWN),
    ('\u{3d8}'..='\u{3d9}', UNKNOWN),
    ('\u{3f4}'..='\u{3ff}', UNKNOWN),
    ('\u{483}'..='\u{483}', EMPTY),
    ('\u{48a}'..='\u{48b}', UNKNOWN),
    ('\u{4c5}'..='\u{4c6}', UNKNOWN),
    ('\u{4c9}'..='\u{4ca}', UNKNOWN),
    ('\u{4cd}'..='\u{4cf}', UNKNOWN),
    ('\u{4f6}'..='\u{4f7}', UNKNOWN),
    ('\u{4fa}'..='\u{52f}', UNKNOWN),
    ('\u{560}'..='\u{560}', UNKNOWN),
    ('\u{588}'..='\u{588}', UNKNOWN),
    ('\u{58f}'..='\u{58f}', UNKNOWN),
    ('\u{1ab0}'..='\u{1ac0}', UNKNOWN),
    ('\u{1acc}'..='\u{1ace}', UNKNOWN),
    ('\u{1c80}'..='\u{1c88}', UNKNOWN),
    ('\u{1d00}'..='\u{1d23}', UNKNOWN),
    ('\u{1d26}'..='\u{1d5b}', UNKNOWN),
    ('\u{1d5d}'..='\u{1df9}', UNKNOWN),
    ('\u{1dfb}'..='\u{1dff}', UNKNOWN),
    ('\u{1efa}'..='\u{1eff}', UNKNOWN),
    ('\u{2057}'..='\u{2057}', UNKNOWN),
    ('\u{2060}'..='\u{2064}', UNKNOWN),
    ('\u{2066}'..='\u{2069}', UNKNOWN),
    ('\u{2071}'..='\u{2071}', EMPTY),
    ('\u{2090}'..='\u{209c}', UNKNOWN),
    ('\u{20b0}'..='\u{20c0}', UNKNOWN),
    ('\u{20e4}'..='\u{20f0}', UNKNOWN),
    ('\u{2100}'..='\u{2121}', EMPTY),
    ('\u{2123}'..='\u{213f}', EMPTY),
    ('\u{2140}'..='\u{2152}', UNKNOWN),
    ('\u{2184}'..='\u{218b}', UNKNOWN),
    ('\u{2200}'..='\u{23ff}', UNKNOWN),
    ('\u{2400}'..='\u{2426}', EMPTY),
    ('\u{2427}'..='\u{243f}', UNKNOWN),
    ('\u{2440}'..='\u{244a}', EMPTY),
    ('\u{244b}'..='\u{245f}', UNKNOWN),
    ('\u{2460}'..='\u{24ea}', EMPTY),
    ('\u{24eb}'..='\u{24ff}', UNKNOWN),
    ('\u{2596}'..='\u{259f}', UNKNOWN),
    ('\u{25f4}'..='\u{25f7}', Some("#")),
    ('\u{2600}'..='\u{2613}', EMPTY),
    ('\u{2614}'..='\u{2618}', UNKNOWN),
    ('\u{2619}'..='\u{2671}', EMPTY),
    ('\u{2672}'..='\u{2700}', UNKNOWN),
    ('\u{2701}'..='\u{275e}', EMPTY),
    ('\u{275f}'..='\u{2760}', UNKNOWN),
    ('\u{2761}'..='\u{27af}', EMPTY),
    ('\u{27b0}'..='\u{27b0}', UNKNOWN),
    ('\u{27b1}'..='\u{27be}', EMPTY),
    ('\u{27bf}'..='\u{27ff}', UNKNOWN),
    ('\u{2900}'..='\u{2bff}', UNKNOWN),
    ('\u{2c60}'..='\u{2c7f}', UNKNOWN),
    ('\u{2de0}'..='\u{2dff}', UNKNOWN),
    ('\u{a640}'..='\u{a69f}', UNKNOWN),
    ('\u{a720}'..='\u{a7ff}', UNKNOWN),
    ('\u{ab30}'..='\u{ab68}', UNKNOWN),
    ('\u{fe00}'..='\u{fe0f}', UNKNOWN),
];
