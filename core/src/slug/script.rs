//! Which characters are read from which table.

/// Latin, Greek and Cyrillic letters, punctuation and symbols: what most names have.
pub(super) const fn is_common(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{52f}' | '\u{1d00}'..='\u{27ff}')
}

/// Characters that share their readings.
pub(super) const fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// The readings that ideographs share have the numbers after this one. These are the code points of Hangul syllables,
/// which are spelled by rule and need no table.
pub(super) const SHARED: usize = 0xac00;
