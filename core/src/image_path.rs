//! Where a file goes inside an image.

use crate::path::{self, Inside, PathError};
use core::fmt;
use core::str::FromStr;

/// An absolute, normalised POSIX path inside an image: the destination of a file.
///
/// Parsing removes empty and `.` components, and refuses `..`, because its target depends on links in the image. A `/`
/// at the end marks the destination as a directory, and is kept.
///
/// ```
/// # use flowhold_core::image_path::ImagePath;
/// let path: ImagePath = "/opt//models/./".parse()?;
/// assert_eq!(path.as_str(), "/opt/models");
/// assert!(path.is_directory());
/// assert_eq!(path.to_string(), "/opt/models/");
/// # Ok::<(), flowhold_core::path::PathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePath {
    path: String,
    directory: bool,
}

impl ImagePath {
    /// The path, without a `/` at the end unless it is the root.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether it was written as a directory, with a `/` (or `/.`) at the end.
    pub fn is_directory(&self) -> bool {
        self.directory
    }
}

impl FromStr for ImagePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        path::check(text, Inside::Image)?;
        let mut path = String::with_capacity(text.len());
        for component in text.split('/').filter(|component| !matches!(*component, "" | ".")) {
            path.push('/');
            path.push_str(component);
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(Self { path, directory: text.ends_with('/') || text.ends_with("/.") })
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.directory && self.path != "/" { f.write_str("/") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::ImagePath;
    use crate::{failure::Explain as _, path::PathError};
    use proptest::prelude::*;

    #[test]
    fn good_paths() -> Result<(), PathError> {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("/opt/model.bin", "/opt/model.bin", false, "/opt/model.bin"),
            ("/opt/models/", "/opt/models", true, "/opt/models/"),
            ("//opt/./a//b", "/opt/a/b", false, "/opt/a/b"),
            ("/opt/.", "/opt", true, "/opt/"),
            ("/", "/", true, "/"),
            ("/./", "/", true, "/"),
            ("/a b/$HOME/\"x\"", "/a b/$HOME/\"x\"", false, "/a b/$HOME/\"x\""),
            ("/...", "/...", false, "/..."),
            ("/C:\\x", "/C:\\x", false, "/C:\\x"),
        ];
        for (text, path, directory, display) in cases {
            let parsed: ImagePath = text.parse()?;
            assert_eq!((parsed.as_str(), parsed.is_directory(), &*parsed.to_string()), (path, directory, display));
        }
        Ok(())
    }

    #[test]
    fn bad_paths() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "a path in the image is empty", "write an absolute path, such as \"/opt/model.bin\""),
            ("opt/model.bin", "path \"opt/model.bin\" in the image is relative", "write an absolute path, such as \"/opt/model.bin\""),
            ("./models/", "path \"./models/\" in the image is relative", "write an absolute path, such as \"/models/\""),
            ("../x", "path \"../x\" in the image is relative", "write an absolute path, such as \"/opt/model.bin\""),
            ("~/x", "path \"~/x\" in the image is relative", "write the home directory out, such as \"/root\""),
            ("~/../x", "path \"~/../x\" in the image is relative", "write an absolute path, such as \"/opt/model.bin\""),
            ("/a/../b", "path \"/a/../b\" in the image has a \"..\" component", "write the path out, without \"..\""),
            ("/..", "path \"/..\" in the image has a \"..\" component", "write the path out, without \"..\""),
            ("/a\nRUN x", "path \"/a\\nRUN x\" in the image has the control character '\\n'", "choose a path without control characters"),
            ("/a\0", "path \"/a\\0\" in the image has the control character '\\0'", "choose a path without control characters"),
        ];
        for (text, message, help) in cases {
            let found = text.parse::<ImagePath>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message.to_owned(), help.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn lengths() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            (format!("/{}", "x".repeat(256)), format!("path \"/{}…\" in the image has a component of 256 bytes; the maximum is 255", "x".repeat(59) )),
            ("/x".repeat(2049), format!("path \"{}…\" in the image has 4098 bytes; the maximum is 4096", "/x".repeat(30) )),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<ImagePath>().err().map(|e| e.to_string()), Some(message));
        }
        assert!("/x".repeat(2048).parse::<ImagePath>().is_ok());
    }

    proptest! {
        #[test]
        fn normal_form_is_stable(text in "/[a./é]{0,12}|\\PC*") {
            match text.parse::<ImagePath>() {
                Ok(path) => {
                    let again = path.to_string().parse::<ImagePath>();
                    prop_assert_eq!(again.as_ref(), Ok(&path));
                    prop_assert!(path.as_str() == "/" || path.as_str().split('/').skip(1).all(|c| !matches!(c, "" | "." | "..")));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
            }
        }
    }
}
