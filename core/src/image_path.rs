//! Where a file goes inside an image.

use crate::{
    diagnostic::Code,
    failure::Explain,
    text::{Excerpt, breaks_lines},
};
use core::fmt;
use core::str::FromStr;

/// An absolute, normalised POSIX path inside an image: the destination of a file.
///
/// Empty and `.` components are taken out while parsing; `..` is refused, because what it leads to depends on links in
/// the image. A `/` at the end says that the destination is a directory, and is kept.
///
/// ```
/// # use flowhold_core::image_path::ImagePath;
/// let path: ImagePath = "/opt//models/./".parse()?;
/// assert_eq!(path.as_str(), "/opt/models");
/// assert!(path.is_directory());
/// assert_eq!(path.to_string(), "/opt/models/");
/// # Ok::<(), flowhold_core::image_path::ImagePathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePath {
    path: String,
    directory: bool,
}

impl ImagePath {
    /// The longest path, in bytes (Linux's `PATH_MAX`).
    pub const MOST_BYTES: usize = 4096;
    /// The longest component, in bytes (`NAME_MAX` of the usual file systems).
    pub const MOST_COMPONENT_BYTES: usize = 255;

    /// The path, without a `/` at the end unless it is the root.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether it was written as a directory, with a `/` (or `/.`) at the end.
    pub fn is_directory(&self) -> bool {
        self.directory
    }
}

/// Why a text is no path inside an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImagePathError {
    /// No characters at all.
    #[error("a path in the image is empty")]
    Empty,
    /// No `/` in front.
    #[error("path {} in the image is relative", Excerpt(path))]
    Relative {
        /// The path.
        path: String,
    },
    /// A `..` component.
    #[error("path {} in the image has a \"..\" component", Excerpt(path))]
    Parent {
        /// The path.
        path: String,
    },
    /// NUL, a line end or another control character.
    #[error("path {} in the image has the control character {character:?}", Excerpt(path))]
    ControlCharacter {
        /// The path.
        path: String,
        /// The first such character in it.
        character: char,
    },
    /// A component of more than [`ImagePath::MOST_COMPONENT_BYTES`] bytes.
    #[error(
        "path {} in the image has a component of {bytes} bytes; the maximum is {}",
        Excerpt(path),
        ImagePath::MOST_COMPONENT_BYTES
    )]
    ComponentTooLong {
        /// The path.
        path: String,
        /// The component's length.
        bytes: usize,
    },
    /// More than [`ImagePath::MOST_BYTES`] bytes.
    #[error("path {} in the image has {bytes} bytes; the maximum is {}", Excerpt(path), ImagePath::MOST_BYTES)]
    TooLong {
        /// The path.
        path: String,
        /// Its length.
        bytes: usize,
    },
}

impl Explain for ImagePathError {
    fn code(&self) -> Code {
        Code::InvalidPath
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "write an absolute path, such as \"/opt/model.bin\"",
            Self::Relative { path } => match format!("/{path}").parse::<ImagePath>() {
                Ok(_) if path.starts_with('~') => "write the home directory out, such as \"/root\"",
                Ok(absolute) => {
                    return Some(format!("write an absolute path, such as {:?}", absolute.to_string()));
                }
                Err(_) => "write an absolute path, such as \"/opt/model.bin\"",
            },
            Self::Parent { .. } => "write the path out, without \"..\"",
            Self::ControlCharacter { .. } => "choose a path without control characters",
            Self::ComponentTooLong { .. } | Self::TooLong { .. } => "shorten it",
        };
        Some(help.to_owned())
    }
}

impl FromStr for ImagePath {
    type Err = ImagePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ImagePathError::Empty);
        }
        let path = text.to_owned();
        if path.len() > Self::MOST_BYTES {
            let bytes = path.len();
            return Err(ImagePathError::TooLong { path, bytes });
        }
        if let Some(character) = path.chars().find(|&c| breaks_lines(c)) {
            return Err(ImagePathError::ControlCharacter { path, character });
        }
        if !path.starts_with('/') {
            return Err(ImagePathError::Relative { path });
        }
        let mut normalised = String::with_capacity(text.len());
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => return Err(ImagePathError::Parent { path }),
                long if long.len() > Self::MOST_COMPONENT_BYTES => {
                    return Err(ImagePathError::ComponentTooLong { path, bytes: long.len() });
                }
                component => {
                    normalised.push('/');
                    normalised.push_str(component);
                }
            }
        }
        if normalised.is_empty() {
            normalised.push('/');
        }
        Ok(Self { path: normalised, directory: text.ends_with('/') || text.ends_with("/.") })
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
    use super::{ImagePath, ImagePathError};
    use crate::failure::Explain as _;
    use proptest::prelude::*;

    #[test]
    fn good_paths() -> Result<(), ImagePathError> {
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
