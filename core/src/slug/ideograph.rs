//! Which characters have readings.

/// Blocks of characters that share their readings.
pub(super) const fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}
