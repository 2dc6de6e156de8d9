//! The names and values that environment variables may have.

use crate::{diagnostic::Code, failure::Explain, text::Excerpt};
use core::fmt;
use core::str::FromStr;

/// The name of an environment variable: a letter or `_`, then letters, digits and `_`, ASCII throughout.
///
/// POSIX promises only such names to be portable, and a shell can refer only to such names.
///
/// ```
/// # use flowhold_core::env_name::EnvName;
/// assert!("PIP_INDEX_URL".parse::<EnvName>().is_ok());
/// assert!("MY-VAR".parse::<EnvName>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvName(String);

/// The value of an environment variable: text without NUL, carriage return or line feed. May be empty.
///
/// NUL can't be passed to a process; line ends can't be written in a Dockerfile's `ENV`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvValue(String);

/// Why a text can't be the name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvNameError {
    /// No characters at all.
    #[error("an environment variable's name is empty")]
    Empty,
    /// A digit at the start.
    #[error("environment variable {} starts with a digit", Excerpt(name))]
    LeadingDigit {
        /// The name.
        name: String,
    },
    /// A character other than an ASCII letter, a digit or `_`.
    #[error("environment variable {} has the character {character:?}, which no name may have", Excerpt(name))]
    BadCharacter {
        /// The name.
        name: String,
        /// The first such character in it.
        character: char,
    },
    /// More than [`EnvName::MOST_BYTES`] bytes.
    #[error(
        "environment variable {} has a name of {bytes} bytes; the maximum is {}",
        Excerpt(name),
        EnvName::MOST_BYTES
    )]
    TooLong {
        /// The name.
        name: String,
        /// Its length.
        bytes: usize,
    },
}

/// Why a text can't be the value of an environment variable. The error never shows the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvValueError {
    /// NUL, carriage return or line feed.
    #[error("an environment variable's value has {character:?} as character {at}")]
    BadCharacter {
        /// The character.
        character: char,
        /// Where it is, counted in characters from 1.
        at: usize,
    },
    /// More than [`EnvValue::MOST_BYTES`] bytes.
    #[error("an environment variable's value has {bytes} bytes; the maximum is {}", EnvValue::MOST_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl EnvName {
    /// The longest name, in bytes.
    pub const MOST_BYTES: usize = 255;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EnvValue {
    /// The longest value, in bytes. Linux allows 128 KiB for `NAME=value` and its NUL; the longest name, `=` and NUL
    /// are subtracted from that.
    pub const MOST_BYTES: usize = 128 * 1024 - EnvName::MOST_BYTES - 2;

    /// The value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Explain for EnvNameError {
    fn code(&self) -> Code {
        Code::InvalidVariable
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "write NAME = \"value\"",
            Self::LeadingDigit { name } | Self::BadCharacter { name, .. } => {
                return Some(format!("use ASCII letters, digits and _, and no digit in front: {}", portable(name)));
            }
            Self::TooLong { .. } => "shorten it",
        };
        Some(help.to_owned())
    }
}

/// `name` with `_` in place of every character that a name can't have, and before a leading digit.
fn portable(name: &str) -> String {
    let mut portable: String = name.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if portable.is_empty() || portable.starts_with(|c: char| c.is_ascii_digit()) {
        portable.insert(0, '_');
    }
    portable
}

impl Explain for EnvValueError {
    fn code(&self) -> Code {
        Code::InvalidVariable
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::BadCharacter { character: '\0', .. } => "encode binary data, as base64 for example",
            Self::BadCharacter { .. } => {
                "put text of several lines in a file (files = { … }) and its path in the variable"
            }
            Self::TooLong { .. } => "put it in a file (files = { … }) and its path in the variable",
        };
        Some(help.to_owned())
    }
}

impl FromStr for EnvName {
    type Err = EnvNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.to_owned();
        if name.is_empty() {
            return Err(EnvNameError::Empty);
        }
        if name.len() > Self::MOST_BYTES {
            let bytes = name.len();
            return Err(EnvNameError::TooLong { name, bytes });
        }
        if let Some(character) = name.chars().find(|&c| !c.is_ascii_alphanumeric() && c != '_') {
            return Err(EnvNameError::BadCharacter { name, character });
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(EnvNameError::LeadingDigit { name });
        }
        Ok(Self(name))
    }
}

impl FromStr for EnvValue {
    type Err = EnvValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MOST_BYTES {
            return Err(EnvValueError::TooLong { bytes: text.len() });
        }
        match text.chars().zip(1..).find(|(character, _)| matches!(character, '\0' | '\r' | '\n')) {
            Some((character, at)) => Err(EnvValueError::BadCharacter { character, at }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for EnvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{EnvName, EnvValue};
    use crate::failure::Explain as _;
    use proptest::prelude::*;

    #[test]
    fn names() {
        #[rustfmt::skip] // one case, one line
        let cases: [(&str, Option<(&str, &str)>); 12] = [
            ("A", None),
            ("_", None),
            ("http_proxy", None),
            ("PIP_INDEX_URL2", None),
            ("", Some(("an environment variable's name is empty", "write NAME = \"value\""))),
            ("MY-VAR", Some(("environment variable \"MY-VAR\" has the character '-', which no name may have", "use ASCII letters, digits and _, and no digit in front: MY_VAR"))),
            ("A=B", Some(("environment variable \"A=B\" has the character '=', which no name may have", "use ASCII letters, digits and _, and no digit in front: A_B"))),
            ("A B\n", Some(("environment variable \"A B\\n\" has the character ' ', which no name may have", "use ASCII letters, digits and _, and no digit in front: A_B"))),
            ("A\0", Some(("environment variable \"A\\0\" has the character '\\0', which no name may have", "use ASCII letters, digits and _, and no digit in front: A_"))),
            ("É", Some(("environment variable \"É\" has the character 'É', which no name may have", "use ASCII letters, digits and _, and no digit in front: _"))),
            ("1A", Some(("environment variable \"1A\" starts with a digit", "use ASCII letters, digits and _, and no digit in front: _1A"))),
            (" ", Some(("environment variable \" \" has the character ' ', which no name may have", "use ASCII letters, digits and _, and no digit in front: _"))),
        ];
        for (name, expected) in cases {
            let found = name.parse::<EnvName>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            let expected = expected.map(|(message, help)| (message.to_owned(), help.to_owned()));
            assert_eq!(found, expected, "{name:?}");
        }
        assert!("A".repeat(255).parse::<EnvName>().is_ok());
        assert_eq!(
            "A".repeat(256).parse::<EnvName>().err().map(|e| e.to_string()),
            Some(format!("environment variable \"{}…\" has a name of 256 bytes; the maximum is 255", "A".repeat(60)))
        );
    }

    #[test]
    fn values() {
        #[rustfmt::skip] // one case, one line
        let cases: [(&str, Option<(&str, &str)>); 7] = [
            ("", None),
            ("$HOME \"quoted\" #not a comment \\", None),
            ("\ttab and é", None),
            ("sécret\nx", Some(("an environment variable's value has '\\n' as character 7", "put text of several lines in a file (files = { … }) and its path in the variable"))),
            ("\r", Some(("an environment variable's value has '\\r' as character 1", "put text of several lines in a file (files = { … }) and its path in the variable"))),
            ("a\0", Some(("an environment variable's value has '\\0' as character 2", "encode binary data, as base64 for example"))),
            ("\u{2028}", None),
        ];
        for (value, expected) in cases {
            let found = value.parse::<EnvValue>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            let expected = expected.map(|(message, help)| (message.to_owned(), help.to_owned()));
            assert_eq!(found, expected, "{value:?}");
        }
        assert!("x".repeat(130_815).parse::<EnvValue>().is_ok());
        assert_eq!(
            "x".repeat(130_816).parse::<EnvValue>().err().map(|e| (e.to_string(), e.help().unwrap_or_default())),
            Some((
                "an environment variable's value has 130816 bytes; the maximum is 130815".to_owned(),
                "put it in a file (files = { … }) and its path in the variable".to_owned()
            ))
        );
    }

    proptest! {
        #[test]
        fn what_parses_comes_back(text in any::<String>(), name in "[A-Za-z_][A-Za-z0-9_]{0,20}") {
            if let Ok(value) = text.parse::<EnvValue>() {
                prop_assert_eq!(value.to_string(), &*text);
            }
            prop_assert_eq!(name.parse::<EnvName>().map(|one| one.to_string()), Ok(name));
            if let Err(error) = text.parse::<EnvName>() {
                let help = error.help().unwrap_or_default();
                // The suggested name is valid.
                if let Some((_, suggested)) = help.split_once("front: ") {
                    prop_assert!(suggested.parse::<EnvName>().is_ok(), "{}", help);
                }
            }
        }
    }
}
