//! Why a text is no requirement, and what to do about it.

use pep440_rs::Version;

use super::Requirement;
use crate::text::Excerpt;

/// Why a text is no requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequirementError {
    /// Nothing but spaces.
    #[error("a requirement is empty")]
    Empty,
    /// More than [`Requirement::MOST_BYTES`] bytes.
    #[error("requirement {} has {bytes} bytes, the most are {}", Excerpt(text), Requirement::MOST_BYTES)]
    TooLong {
        /// The text.
        text: String,
        /// Its length.
        bytes: usize,
    },
    /// A line end, NUL or another control character; a tab is none here.
    #[error("requirement {} has the control character {character:?}", Excerpt(text))]
    ControlCharacter {
        /// The text.
        text: String,
        /// The first such character in it.
        character: char,
    },
    /// `#` in front, or after a space.
    #[error("requirement {} has a comment", Excerpt(text))]
    Comment {
        /// The text.
        text: String,
    },
    /// A word that pip takes for an option.
    #[error("requirement {} has the pip option {}", Excerpt(text), Excerpt(option))]
    PipOption {
        /// The text.
        text: String,
        /// The option.
        option: String,
    },
    /// A backslash at the end: pip would read the next line as part of this one.
    #[error("requirement {} ends in a backslash, which continues the line", Excerpt(text))]
    Continuation {
        /// The text.
        text: String,
    },
    /// `${NAME}`, which pip replaces.
    #[error("requirement {} has the environment variable {}", Excerpt(text), Excerpt(variable))]
    EnvironmentVariable {
        /// The text.
        text: String,
        /// The variable with `${` and `}`.
        variable: String,
    },
    /// A URL, path or file name without the name of a package in front.
    #[error("requirement {} is a URL, path or file without the name of its package", Excerpt(text))]
    MissingName {
        /// The text.
        text: String,
    },
    /// What follows `@` is no URL that pip can install from.
    #[error("requirement {} has {} after the @, which is no URL", Excerpt(text), Excerpt(url))]
    BadUrl {
        /// The text.
        text: String,
        /// What follows the `@`.
        url: String,
    },
    /// A version specifier that PEP 440 doesn't know.
    #[error(
        "requirement {} has the version specifier {} at character {at}: {fault}",
        Excerpt(text),
        Excerpt(specifier)
    )]
    Version {
        /// The text.
        text: String,
        /// Where the specifier starts, counted in characters from 1.
        at: usize,
        /// The operator and the version.
        specifier: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Anything else outside the grammar.
    #[error("requirement {} needs {expected} at character {at}", Excerpt(text))]
    Syntax {
        /// The text.
        text: String,
        /// Where, counted in characters from 1.
        at: usize,
        /// What the grammar has there.
        expected: &'static str,
    },
}

impl RequirementError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Empty => "write a package such as \"pandas>=2,<3\"".to_owned(),
            Self::TooLong { .. } | Self::ControlCharacter { .. } => {
                "write one requirement per entry, in one line".to_owned()
            }
            Self::Comment { .. } => "leave the comment out; comments belong in flowhold.toml".to_owned(),
            Self::PipOption { option, .. } => match option.as_str() {
                "-i" | "--index-url" | "--pypi-url" => "set PIP_INDEX_URL in env_vars instead".to_owned(),
                "--extra-index-url" => "set PIP_EXTRA_INDEX_URL in env_vars instead".to_owned(),
                "-f" | "--find-links" => "set PIP_FIND_LINKS in env_vars instead".to_owned(),
                "--no-index" => "set PIP_NO_INDEX in env_vars instead".to_owned(),
                "--trusted-host" => "set PIP_TRUSTED_HOST in env_vars instead".to_owned(),
                "--pre" => {
                    "set PIP_PRE in env_vars instead, or ask for a pre-release, such as \"name>=2.0rc1\"".to_owned()
                }
                "--no-binary" => "set PIP_NO_BINARY in env_vars instead".to_owned(),
                "--only-binary" => "set PIP_ONLY_BINARY in env_vars instead".to_owned(),
                "-r" | "--requirement" | "-c" | "--constraint" => {
                    "write the requirements of that file into python_dependencies".to_owned()
                }
                "-e" | "--editable" => {
                    "write \"name @ URL\"; a folder can be copied in with files and named as \"name @ file:///…\""
                        .to_owned()
                }
                "--hash" => "leave the hash out and pin the version, such as \"name==1.2.3\"".to_owned(),
                _ => "write the requirement without options; most have a PIP_… variable for env_vars".to_owned(),
            },
            Self::Continuation { .. } => "leave the backslash out".to_owned(),
            Self::EnvironmentVariable { .. } => {
                "write the value; pip would replace the variable, so the requirement would not mean one thing"
                    .to_owned()
            }
            Self::MissingName { .. } => {
                "write \"name @ URL\"; a file in the image is \"name @ file:///path\"".to_owned()
            }
            Self::BadUrl { url, .. } => {
                if url.parse::<Version>().is_ok() {
                    format!("a version is written \"=={url}\"")
                } else {
                    "write https://…, file:///… or git+https://…".to_owned()
                }
            }
            Self::Version { .. } | Self::Syntax { .. } => {
                "the form is \"name[extra] >=1,<2 ; python_version >= '3.8'\" or \"name @ URL ; marker\"".to_owned()
            }
        }
    }
}
