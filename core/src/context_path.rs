//! Where a file is inside a build context.

use crate::{
    diagnostic::Code,
    failure::Explain,
    text::{Excerpt, breaks_lines},
};
use core::fmt;
use core::str::FromStr;

/// A relative POSIX path inside the build context, such as `flows/etl.prefect`.
///
/// It can't leave the context and has one spelling: no `..`, no `.`, no empty component, no `/` at either end. A
/// backslash is an ordinary character, as it is on the daemon's side of the tar stream; a host that writes contexts to
/// a disk where it separates components has to refuse it there.
///
/// ```
/// # use flowhold_core::context_path::ContextPath;
/// let path: ContextPath = "flows/etl.prefect".parse()?;
/// assert_eq!(path.as_str(), "flows/etl.prefect");
/// assert!("../secret".parse::<ContextPath>().is_err());
/// # Ok::<(), flowhold_core::context_path::ContextPathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextPath(String);

impl ContextPath {
    /// The longest path, in bytes (Linux's `PATH_MAX`).
    pub const MOST_BYTES: usize = 4096;
    /// The longest component, in bytes (`NAME_MAX` of the usual file systems).
    pub const MOST_COMPONENT_BYTES: usize = 255;

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no path inside a build context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextPathError {
    /// No characters at all.
    #[error("a context path is empty")]
    Empty,
    /// A `/` in front.
    #[error("context path {} is absolute", Excerpt(path))]
    Absolute {
        /// The path.
        path: String,
    },
    /// A `..` component.
    #[error("context path {} has a \"..\" component", Excerpt(path))]
    Parent {
        /// The path.
        path: String,
    },
    /// A `.` or empty component.
    #[error("context path {} has a component {component:?}", Excerpt(path))]
    Component {
        /// The path.
        path: String,
        /// `.` or nothing.
        component: String,
    },
    /// NUL, a line end or another control character.
    #[error("context path {} has the control character {character:?}", Excerpt(path))]
    ControlCharacter {
        /// The path.
        path: String,
        /// The first such character in it.
        character: char,
    },
    /// A component of more than [`ContextPath::MOST_COMPONENT_BYTES`] bytes.
    #[error(
        "context path {} has a component of {bytes} bytes; the maximum is {}",
        Excerpt(path),
        ContextPath::MOST_COMPONENT_BYTES
    )]
    ComponentTooLong {
        /// The path.
        path: String,
        /// The component's length.
        bytes: usize,
    },
    /// More than [`ContextPath::MOST_BYTES`] bytes.
    #[error("context path {} has {bytes} bytes; the maximum is {}", Excerpt(path), ContextPath::MOST_BYTES)]
    TooLong {
        /// The path.
        path: String,
        /// Its length.
        bytes: usize,
    },
}

impl Explain for ContextPathError {
    fn code(&self) -> Code {
        Code::InvalidPath
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "name a file, relative to the context's root",
            Self::Absolute { path } | Self::Component { path, .. } => match plain(path).parse::<ContextPath>() {
                Ok(plain) => return Some(format!("write {:?}", plain.as_str())),
                Err(_) => "name a file, relative to the context's root",
            },
            Self::Parent { .. } => "name a file inside the context, without \"..\"",
            Self::ControlCharacter { .. } => "rename the file",
            Self::ComponentTooLong { .. } | Self::TooLong { .. } => "shorten it",
        };
        Some(help.to_owned())
    }
}

/// `path` without its empty and `.` components.
fn plain(path: &str) -> String {
    let components: Vec<&str> = path.split('/').filter(|c| !matches!(*c, "" | ".")).collect();
    components.join("/")
}

impl FromStr for ContextPath {
    type Err = ContextPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.to_owned();
        if path.is_empty() {
            return Err(ContextPathError::Empty);
        }
        if path.len() > Self::MOST_BYTES {
            let bytes = path.len();
            return Err(ContextPathError::TooLong { path, bytes });
        }
        if let Some(character) = path.chars().find(|&c| breaks_lines(c)) {
            return Err(ContextPathError::ControlCharacter { path, character });
        }
        if path.starts_with('/') {
            return Err(ContextPathError::Absolute { path });
        }
        for component in text.split('/') {
            match component {
                ".." => return Err(ContextPathError::Parent { path }),
                "" | "." => {
                    return Err(ContextPathError::Component { path, component: component.to_owned() });
                }
                long if long.len() > Self::MOST_COMPONENT_BYTES => {
                    return Err(ContextPathError::ComponentTooLong { path, bytes: long.len() });
                }
                _ => {}
            }
        }
        Ok(Self(path))
    }
}

impl fmt::Display for ContextPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ContextPath, ContextPathError};
    use crate::failure::Explain as _;
    use proptest::prelude::*;

    #[test]
    fn good_paths() -> Result<(), ContextPathError> {
        let longest = [&*"x".repeat(255); 16].join("/");
        #[rustfmt::skip] // one case, one line
        let cases = ["a", "flows/etl.prefect", "a b/..c/...", "back\\slash", "C:/x", "-rf", "é/✓", &longest];
        for text in cases {
            assert_eq!(text.parse::<ContextPath>()?.as_str(), text);
        }
        Ok(())
    }

    #[test]
    fn bad_paths() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "a context path is empty", "name a file, relative to the context's root"),
            ("/a", "context path \"/a\" is absolute", "write \"a\""),
            ("//", "context path \"//\" is absolute", "name a file, relative to the context's root"),
            ("/../a", "context path \"/../a\" is absolute", "name a file, relative to the context's root"),
            ("..", "context path \"..\" has a \"..\" component", "name a file inside the context, without \"..\""),
            ("a/../b", "context path \"a/../b\" has a \"..\" component", "name a file inside the context, without \"..\""),
            ("a/", "context path \"a/\" has a component \"\"", "write \"a\""),
            ("./a//b", "context path \"./a//b\" has a component \".\"", "write \"a/b\""),
            (".", "context path \".\" has a component \".\"", "name a file, relative to the context's root"),
            ("a\0b", "context path \"a\\0b\" has the control character '\\0'", "rename the file"),
            ("a\n", "context path \"a\\n\" has the control character '\\n'", "rename the file"),
        ];
        for (text, message, help) in cases {
            let found = text.parse::<ContextPath>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message.to_owned(), help.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn lengths() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            (format!("a/{}", "x".repeat(256)), format!("context path \"a/{}…\" has a component of 256 bytes; the maximum is 255", "x".repeat(58) )),
            ("x/".repeat(2049), format!("context path \"{}…\" has 4098 bytes; the maximum is 4096", "x/".repeat(30) )),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<ContextPath>().err().map(|e| e.to_string()), Some(message));
        }
    }

    proptest! {
        #[test]
        fn what_parses_stays_inside(text in "[a./\\\\\u{0}é]{0,12}|\\PC*") {
            match text.parse::<ContextPath>() {
                Ok(path) => {
                    prop_assert_eq!(path.to_string(), &*text);
                    prop_assert!(path.as_str().split('/').all(|c| !matches!(c, "" | "." | "..")));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
            }
        }
    }
}
