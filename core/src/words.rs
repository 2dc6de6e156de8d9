//! Settings that take one word of a list. Each list is written once, for reading, for writing and for the keys of a
//! spec.

use std::fmt;

use crate::{diagnostic::Code, failure::Explain};

/// Why a text is not one of a setting's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}; expected {}", Alternatives(words))]
pub struct WordError {
    text: String,
    what: &'static str,
    words: &'static [&'static str],
}

impl WordError {
    #[inline(never)]
    pub(crate) fn of(text: &str, what: &'static str, words: &'static [&'static str]) -> Self {
        Self { text: text.to_owned(), what, words }
    }
}

impl Explain for WordError {
    fn code(&self) -> Code {
        Code::InvalidValue
    }
}

/// `"uuid", "flow" or "plan"`
struct Alternatives<'w>(&'w [&'static str]);

impl fmt::Display for Alternatives<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let separator = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{separator}{word:?}")?;
        }
        Ok(())
    }
}

/// An enum, a word for each of its variants, and what messages call it.
macro_rules! words {
    ($(#[$meta:meta])+ $name:ident is $what:literal: $($(#[$attribute:meta])+ $variant:ident = $word:literal,)+) => {
        $(#[$meta])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$attribute])+ $variant,)+
        }

        impl $name {
            /// The words of all variants.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word that specs write.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::words::WordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(crate::words::WordError::of(text, $what, Self::WORDS)),
                }
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{
        flow::Format,
        settings::{Installer, Naming},
    };

    #[test]
    fn errors_name_all_words() {
        let told = [
            "x".parse::<Format>().map_err(|error| error.to_string()).err(),
            "UV".parse::<Installer>().map_err(|error| error.to_string()).err(),
            "".parse::<Naming>().map_err(|error| error.to_string()).err(),
        ];
        let expected = [
            "\"x\" is not a format; expected \"pickle\" or \"script\"",
            "\"UV\" is not an installer; expected \"uv\" or \"pip\"",
            "\"\" is not a way of naming; expected \"uuid\", \"flow\" or \"plan\"",
        ];
        assert_eq!(told, expected.map(|text| Some(text.to_owned())));
    }
}
