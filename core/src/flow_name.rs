//! The name of a flow, and the slug that its file is named after.

use crate::{
    diagnostic::Code,
    failure::Explain,
    slug::{readings::NoReadings, slugify},
    text::Excerpt,
};
use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

/// The name of a flow: 1 to 255 characters of text, whose slug is not empty.
///
/// Any text is allowed, `a/b`, `!&& ~~ cool flow :shades:` and line ends included: only the slug becomes part of a
/// path, and a slug has nothing but `a-z`, `0-9` and `-`. Code that shows a name must make it fit for a terminal.
///
/// ```
/// # use flowhold_core::flow_name::FlowName;
/// let name: FlowName = "!&& ~~ cool flow :shades:".parse()?;
/// assert_eq!(name.as_str(), "!&& ~~ cool flow :shades:");
/// assert_eq!(name.slug(), "cool-flow-shades");
/// # Ok::<(), flowhold_core::flow_name::FlowNameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FlowName {
    // Shared: storages, plans and maps all hold the names.
    text: Arc<str>,
    slug: Arc<str>,
}

impl FlowName {
    /// The longest name, in characters.
    pub const MOST_CHARACTERS: usize = 255;
    /// The longest slug, in bytes: with `.prefect` (and a temporary file's ending) it fits the 255 bytes that file
    /// systems allow.
    pub const MOST_SLUG_BYTES: usize = 240;

    /// The name of a flow that is stored already. The original takes any text as a name, and a flow stored under it
    /// must be found. If [`FlowName::from_str`] refuses the text, the slug is empty: no file can be named after it.
    pub(crate) fn of_stored(text: &str) -> Result<Self, FlowNameError> {
        match text.parse() {
            Err(FlowNameError::Empty) => Err(FlowNameError::Empty),
            Err(_) => Ok(Self { text: text.into(), slug: "".into() }),
            Ok(name) => Ok(name),
        }
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as shared text, for maps that hold it as well.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The slug, after which the flow's file is named. Two names may have the same slug. It is empty for some names
    /// under which the original has stored flows.
    pub fn slug(&self) -> &str {
        &self.slug
    }
}

/// Why a text is not the name of a flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlowNameError {
    /// No characters at all.
    #[error("a flow's name is empty")]
    Empty,
    /// More than [`FlowName::MOST_CHARACTERS`] characters.
    #[error("flow name {} has {characters} characters; the maximum is {}", Excerpt(name), FlowName::MOST_CHARACTERS)]
    TooLong {
        /// The name.
        name: String,
        /// Its length.
        characters: usize,
    },
    /// The slug is empty, and no file can be named after it.
    #[error("flow name {} makes an empty slug, so its file would have no name", Excerpt(name))]
    EmptySlug {
        /// The name.
        name: String,
    },
    /// A character of a rarer script whose readings are missing.
    #[error("flow name {} makes no slug: {reason}", Excerpt(name))]
    NoReadings {
        /// The name.
        name: String,
        /// Why it can't be read.
        reason: NoReadings,
    },
    /// The slug is too long: transliteration may write several letters for one character.
    #[error("flow name {} makes a slug of {bytes} bytes; the maximum is {}", Excerpt(name), FlowName::MOST_SLUG_BYTES)]
    SlugTooLong {
        /// The name.
        name: String,
        /// The length of its slug.
        bytes: usize,
    },
}

impl Explain for FlowNameError {
    fn code(&self) -> Code {
        if let Self::NoReadings { .. } = self { Code::NoReadings } else { Code::FlowName }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoReadings { reason, .. } => return reason.help(),
            Self::Empty => "give the flow a name",
            Self::TooLong { .. } | Self::SlugTooLong { .. } => {
                "shorten the name; a description belongs in the flow itself"
            }
            Self::EmptySlug { .. } => "use at least one letter or digit",
        };
        Some(help.to_owned())
    }
}

impl FromStr for FlowName {
    type Err = FlowNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.to_owned();
        if name.is_empty() {
            return Err(FlowNameError::Empty);
        }
        // The length is checked first, so that nothing below processes megabytes.
        let characters = name.chars().count();
        if characters > Self::MOST_CHARACTERS {
            return Err(FlowNameError::TooLong { name, characters });
        }
        let slug = match slugify(&name) {
            Ok(slug) => slug,
            Err(reason) => return Err(FlowNameError::NoReadings { name, reason }),
        };
        match slug.len() {
            0 => Err(FlowNameError::EmptySlug { name }),
            bytes if bytes > Self::MOST_SLUG_BYTES => Err(FlowNameError::SlugTooLong { name, bytes }),
            _ => Ok(Self { text: name.into(), slug: slug.into() }),
        }
    }
}

impl fmt::Display for FlowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

// Compares the text alone, since the slug follows from it.
impl PartialEq for FlowName {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for FlowName {}

#[cfg(test)]
mod tests {
    use super::{Explain as _, FlowName, FlowNameError};
    use proptest::prelude::*;

    #[test]
    fn good_names_and_their_slugs() -> Result<(), FlowNameError> {
        let longest = "x".repeat(240);
        let spaces = format!("{}a", " ".repeat(254));
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("etl", "etl"),
            ("!&& ~~ cool flow :shades:", "cool-flow-shades"),
            ("a/b", "a-b"),
            ("../../etc/passwd", "etc-passwd"),
            ("C:\\flows\\x", "c-flows-x"),
            ("Привет мир", "privet-mir"),
            ("etl 🚀", "etl"),
            ("$(rm -rf /)", "rm-rf"),
            ("flow\nname", "flow-name"),
            ("nul\0name", "nul-name"),
            ("\u{1b}[31mred", "31mred"),
            ("a\u{2028}b", "a-b"),
            (&longest, &longest),
            (&spaces, "a"),
        ];
        for (name, slug) in cases {
            let parsed: FlowName = name.parse()?;
            assert_eq!((parsed.as_str(), parsed.slug(), parsed.to_string().as_str()), (name, slug, name));
        }
        Ok(())
    }

    #[test]
    fn bad_names() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "a flow's name is empty", "give the flow a name"),
            ("..", "flow name \"..\" makes an empty slug, so its file would have no name", "use at least one letter or digit"),
            ("🚀", "flow name \"🚀\" makes an empty slug, so its file would have no name", "use at least one letter or digit"),
            (" \u{a0}", "flow name \" \\u{a0}\" makes an empty slug, so its file would have no name", "use at least one letter or digit"),
            ("\t", "flow name \"\\t\" makes an empty slug, so its file would have no name", "use at least one letter or digit"),
        ];
        for (name, message, help) in cases {
            let error = name.parse::<FlowName>().err();
            let found = error.as_ref().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message.to_owned(), help.to_owned())), "{name:?}");
        }
    }

    #[test]
    fn lengths() {
        let sixty = "x".repeat(60);
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("x".repeat(10_000), format!("flow name \"{sixty}…\" has 10000 characters; the maximum is 255")),
            ("x".repeat(241), format!("flow name \"{sixty}…\" makes a slug of 241 bytes; the maximum is 240")),
            // One character, many letters.
            ("ﷺ".repeat(100), format!("flow name \"{}…\" makes a slug of 2799 bytes; the maximum is 240", "ﷺ".repeat(60) )),
        ];
        for (name, message) in cases {
            let error = name.parse::<FlowName>().err().map(|e| e.to_string());
            assert_eq!(error, Some(message));
        }
    }

    proptest! {
        #[test]
        fn what_parses_comes_back(text in any::<String>()) {
            match text.parse::<FlowName>() {
                Ok(name) => {
                    prop_assert_eq!(name.to_string(), text);
                    prop_assert!((1..=FlowName::MOST_SLUG_BYTES).contains(&name.slug().len()));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
            }
        }
    }
}
