//! Texts that others wrote, and how messages show them.

use core::fmt;

/// Whether `character` is a control character, or one of the two separators that end a line but are not control
/// characters.
pub(crate) fn breaks_lines(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// A value as error messages show it: in quotes, escaped, and cut after 60 characters.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(60) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => {
                let escaped = format!("{:?}", self.0.get(..end).unwrap_or_default());
                write!(f, "{}…\"", escaped.strip_suffix('"').unwrap_or(&escaped))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        assert_eq!(Excerpt(&"é".repeat(60)).to_string(), format!("\"{}\"", "é".repeat(60)));
        assert_eq!(Excerpt(&"é".repeat(61)).to_string(), format!("\"{}…\"", "é".repeat(60)));
        assert_eq!(Excerpt(&"\"".repeat(61)).to_string(), format!("\"{}…\"", "\\\"".repeat(60)));
    }
}
