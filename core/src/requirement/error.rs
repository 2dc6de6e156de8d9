//! Why a text is not a requirement, and what to do about it.

use pep440_rs::Version;

use super::Requirement;
use crate::{diagnostic::Code, failure::Explain, text::Excerpt};

/// Why a text is not a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequirementError {
    /// Nothing but spaces.
    #[error("a requirement is empty")]
    Empty,
    /// More than [`Requirement::MOST_BYTES`] bytes.
    #[error("requirement {} has {bytes} bytes; the maximum is {}", Excerpt(text), Requirement::MOST_BYTES)]
    TooLong {
        /// The text.
        text: String,
        /// Its length.
        bytes: usize,
    },
    /// A line end, NUL or another control character, but not a tab.
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
    /// The text after `@` is not a URL from which pip can install.
    #[error("requirement {} has {} after the @, which is not a URL", Excerpt(text), Excerpt(url))]
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
        /// What the grammar expects there.
        expected: &'static str,
    },
}

impl Explain for RequirementError {
    fn code(&self) -> Code {
        Code::InvalidRequirement
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "write a package such as \"pandas>=2,<3\"",
            Self::TooLong { .. } | Self::ControlCharacter { .. } => "write one requirement per entry, in one line",
            Self::Comment { .. } => "leave the comment out; comments belong in flowhold.toml",
            Self::PipOption { option, .. } if let Some(variable) = variable_of(option) => {
                return Some(format!("set {variable} in env_vars instead"));
            }
            Self::PipOption { option, .. } => match option.as_str() {
                "--pre" => "set PIP_PRE in env_vars instead, or ask for a pre-release, such as \"name>=2.0rc1\"",
                "-r" | "--requirement" => "write the requirements of that file into python_dependencies",
                "-c" | "--constraint" => "set PIP_CONSTRAINT in env_vars instead, to a URL or a file of the base image",
                "-e" | "--editable" => "write \"name @ URL\"; a folder of the base image is \"name @ file:///…\"",
                "--hash" => "leave the hash out and pin the version, such as \"name==1.2.3\"",
                _ => "write the requirement without options; most have a PIP_… variable for env_vars",
            },
            Self::Continuation { .. } => "leave the backslash out",
            Self::EnvironmentVariable { .. } => {
                "write the value; pip would replace the variable, so the requirement would not mean one thing"
            }
            Self::MissingName { .. } => "write \"name @ URL\"; a file of the base image is \"name @ file:///path\"",
            Self::BadUrl { url, .. } => {
                if url.parse::<Version>().is_ok() {
                    return Some(format!("a version is written \"=={url}\""));
                } else {
                    "write https://…, file:///… or git+https://…"
                }
            }
            Self::Version { .. } | Self::Syntax { .. } => {
                "the form is \"name[extra] >=1,<2 ; python_version >= '3.8'\" or \"name @ URL ; marker\""
            }
        };
        Some(help.to_owned())
    }
}

/// The environment variable that does the same as an option of pip.
fn variable_of(option: &str) -> Option<&'static str> {
    Some(match option {
        "-i" | "--index-url" | "--pypi-url" => "PIP_INDEX_URL",
        "--extra-index-url" => "PIP_EXTRA_INDEX_URL",
        "-f" | "--find-links" => "PIP_FIND_LINKS",
        "--no-index" => "PIP_NO_INDEX",
        "--trusted-host" => "PIP_TRUSTED_HOST",
        "--no-binary" => "PIP_NO_BINARY",
        "--only-binary" => "PIP_ONLY_BINARY",
        _ => return None,
    })
}
