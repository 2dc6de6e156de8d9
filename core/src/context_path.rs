//! Where a file is inside a build context.

use crate::path::{self, Inside, PathError};
use core::fmt;
use core::str::FromStr;

/// A relative POSIX path inside the build context, such as `flows/etl.prefect`.
///
/// It can't leave the context and has one spelling: no `..`, no `.`, no empty component, no `/` at either end. A
/// backslash is an ordinary character, as it is on the daemon's side of the tar stream; a host that writes a context to
/// a disk on which a backslash separates components must refuse such a path.
///
/// ```
/// # use flowhold_core::context_path::ContextPath;
/// let path: ContextPath = "flows/etl.prefect".parse()?;
/// assert_eq!(path.as_str(), "flows/etl.prefect");
/// assert!("../secret".parse::<ContextPath>().is_err());
/// # Ok::<(), flowhold_core::path::PathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextPath(String);

impl ContextPath {
    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContextPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        path::check(text, Inside::Context)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ContextPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ContextPath;
    use crate::{failure::Explain as _, path::PathError};
    use proptest::prelude::*;

    #[test]
    fn good_paths() -> Result<(), PathError> {
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
