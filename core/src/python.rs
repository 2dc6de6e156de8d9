//! The version of the Python that pickled the flows: pickles are only safe to load with the same minor version.

use std::{fmt, str::FromStr};

use crate::{diagnostic::Code, failure::Explain};

/// Major and minor version, such as `3.9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonVersion {
    major: u8,
    minor: u8,
}

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Python version such as \"3.11\"")]
pub struct PythonVersionError(String);

impl Explain for PythonVersionError {
    fn code(&self) -> Code {
        Code::InvalidValue
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for PythonVersion {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?;
        let version =
            text.split_once('.').and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }));
        version.ok_or_else(|| PythonVersionError(text.chars().take(80).collect()))
    }
}

impl PythonVersion {
    /// The version that a tag of an official Python image begins with: `3.11-slim`, `3.9.18`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let version = tag.split('-').next()?;
        let minor = version.match_indices('.').nth(1).map_or(version, |(end, _)| &version[..end]);
        minor.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, wanted) in
            [("3.9", true), ("3.11", true), ("3", false), ("3.9.1", false), ("+3.9", false), ("3.", false)]
        {
            assert_eq!(text.parse::<PythonVersion>().is_ok(), wanted, "{text}");
        }
    }

    #[test]
    fn tags() {
        for (tag, version) in
            [("3.11-slim", Some("3.11")), ("3.9.18", Some("3.9")), ("3.6", Some("3.6")), ("3", None), ("latest", None)]
        {
            assert_eq!(PythonVersion::of_tag(tag).map(|v| v.to_string()).as_deref(), version, "{tag}");
        }
    }
}
