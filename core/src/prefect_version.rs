//! The Prefect that an image gets: a release from the package index, or a branch, tag or commit of Prefect's
//! repository.

use crate::{diagnostic::Code, failure::Explain, requirement::normal_version, text::Excerpt};
use core::fmt;
use core::str::FromStr;

/// The `prefect_version` argument: a release, or else a branch, tag or commit.
///
/// A version with a local part (`0.6.6+75.g1234`) comes from a checkout ahead of its latest tag. No index has that
/// version, and its commit may not be public, so it stands for `master`, as in Prefect itself.
///
/// ```
/// # use flowhold_core::prefect_version::PrefectVersion;
/// let release: PrefectVersion = "0.6.6".parse()?;
/// assert_eq!(release.requirement(), "prefect==0.6.6");
/// let branch: PrefectVersion = "fix/storage".parse()?;
/// assert_eq!(branch.requirement(), "prefect @ git+https://github.com/PrefectHQ/prefect.git@fix/storage");
/// # Ok::<(), flowhold_core::prefect_version::PrefectVersionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefectVersion(Source);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// A PEP 440 version in its normal spelling, without a local part.
    Release(String),
    GitRef(String),
}

impl PrefectVersion {
    /// The longest name of a branch, tag or commit, in bytes: file systems don't let git store a longer one.
    pub const MOST_BYTES: usize = 255;

    /// The requirement that installs this version. It parses as a [`Requirement`](crate::requirement::Requirement).
    pub fn requirement(&self) -> String {
        match &self.0 {
            Source::Release(version) => format!("prefect=={version}"),
            Source::GitRef(git_ref) => {
                format!("prefect @ git+https://github.com/PrefectHQ/prefect.git@{git_ref}")
            }
        }
    }
}

/// Why a text is neither a release nor the name of a branch, tag or commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefectVersionError {
    /// Nothing but spaces.
    #[error("the prefect version is empty")]
    Empty,
    /// More than [`PrefectVersion::MOST_BYTES`] bytes.
    #[error("prefect version {} has {bytes} bytes; the maximum is {}", Excerpt(text), PrefectVersion::MOST_BYTES)]
    TooLong {
        /// The text.
        text: String,
        /// Its length.
        bytes: usize,
    },
    /// A character that git refuses, or that would end the name in a requirement or a URL.
    #[error(
        "prefect version {} has the character {character:?}, which no branch, tag or commit may have here",
        Excerpt(text)
    )]
    BadCharacter {
        /// The text.
        text: String,
        /// The first such character in it.
        character: char,
    },
    /// Valid characters in an order that git refuses.
    #[error("prefect version {} is not a branch, tag or commit: git refuses {rule}", Excerpt(text))]
    BadRef {
        /// The text.
        text: String,
        /// The rule of git that the text breaks.
        rule: &'static str,
    },
}

impl Explain for PrefectVersionError {
    fn code(&self) -> Code {
        Code::InvalidPrefectVersion
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "leave it out for the version in use, or write a release such as \"0.6.6\"",
            Self::TooLong { .. } | Self::BadRef { .. } => {
                "write a release such as \"0.6.6\", or a branch, tag or commit of Prefect's repository"
            }
            Self::BadCharacter { text, .. } => {
                match text.trim_start_matches("prefect").trim_start_matches(['=', '@', ' ']) {
                    rest if rest != text && rest.parse::<PrefectVersion>().is_ok() => {
                        return Some(format!("write {rest:?}"));
                    }
                    _ if text.contains(['=', '<', '>', '~', '*', '!']) => {
                        "write one release such as \"0.6.6\", without operators"
                    }
                    _ => "name the commit by its hash instead",
                }
            }
        };
        Some(help.to_owned())
    }
}

impl FromStr for PrefectVersion {
    type Err = PrefectVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(PrefectVersionError::Empty);
        }
        if text.len() > Self::MOST_BYTES {
            let bytes = text.len();
            return Err(PrefectVersionError::TooLong { text: text.to_owned(), bytes });
        }
        // PEP 440 allows spaces around a version, but this argument must be one word.
        let one_word = !text.contains(char::is_whitespace);
        if one_word
            && !is_short_commit(text)
            && let Some((version, is_local)) = normal_version(text)
            && !is_short_commit(&version)
        {
            let master = || Source::GitRef("master".to_owned());
            return Ok(Self(if is_local { master() } else { Source::Release(version) }));
        }
        if let Some(character) = text.chars().find(|&c| !is_ref_character(c)) {
            return Err(PrefectVersionError::BadCharacter { text: text.to_owned(), character });
        }
        match broken_rule(text) {
            Some(rule) => Err(PrefectVersionError::BadRef { text: text.to_owned(), rule }),
            None => Ok(Self(Source::GitRef(text.to_owned()))),
        }
    }
}

/// Whether a branch, tag or commit may have this character. Git allows more: `#`, `%`, `;`, `$`, `@`, quotes and text
/// outside ASCII, which mean something in a URL or a requirement, and `=`, `!`, `<` and `>`, which come from a
/// specifier written in place of a version.
fn is_ref_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/' | '+')
}

/// Whether a text is read as a commit even if it is a PEP 440 version: by PEP 440, `7c12345` is a release candidate and
/// `1234567` a release. Every release of Prefect has a dot; git shortens hashes to seven digits or more.
fn is_short_commit(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The first rule of `git check-ref-format` that `text` breaks. Its characters have been checked before.
fn broken_rule(text: &str) -> Option<&'static str> {
    let component = |breaks: fn(&str) -> bool| text.split('/').any(breaks);
    if text.starts_with('-') {
        Some("a \"-\" in front")
    } else if component(str::is_empty) {
        Some("an empty part beside a slash")
    } else if text.contains("..") {
        Some("\"..\"")
    } else if component(|part| part.starts_with('.')) || text.ends_with('.') {
        Some("a \".\" at the start of a part or at the end")
    } else if component(|part| part.ends_with(".lock")) {
        Some("the ending \".lock\"")
    } else {
        None
    }
}

impl fmt::Display for PrefectVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Release(text) | Source::GitRef(text) => f.pad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PrefectVersion, PrefectVersionError};
    use crate::failure::Explain as _;
    use crate::requirement::Requirement;
    use proptest::prelude::*;

    #[test]
    fn good_versions() -> Result<(), PrefectVersionError> {
        let longest = "x".repeat(255);
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("0.6.6", Ok("0.6.6")),
            ("v0.6.6", Ok("0.6.6")),
            ("1.0rc1", Ok("1.0rc1")),
            ("0.6.6.dev3", Ok("0.6.6.dev3")),
            ("1!2.0", Ok("1!2.0")),
            ("2", Ok("2")),
            ("0.6.6+75.g1234", Err("master")),
            ("0.6.6+75.g1234.dirty", Err("master")),
            ("0+unknown", Err("master")),
            ("master", Err("master")),
            ("fix/storage_2", Err("fix/storage_2")),
            ("release-0.6", Err("release-0.6")),
            ("a+b", Err("a+b")),
            ("7c12345", Err("7c12345")),
            ("1234567", Err("1234567")),
            ("0123456789012345678901234567890123456789", Err("0123456789012345678901234567890123456789")),
            ("deadbeef", Err("deadbeef")),
            ("v1234567", Err("v1234567")),
            ("12A3456", Err("12A3456")),
            (&longest, Err(&longest)),
        ];
        for (text, expected) in cases {
            let version: PrefectVersion = text.parse()?;
            let requirement = match expected {
                Ok(release) => format!("prefect=={release}"),
                Err(git_ref) => {
                    format!("prefect @ git+https://github.com/PrefectHQ/prefect.git@{git_ref}")
                }
            };
            assert_eq!(version.requirement(), requirement, "{text}");
        }
        Ok(())
    }

    #[test]
    fn bad_versions() {
        let not_allowed = "which no branch, tag or commit may have here";
        let a_release = "write a release such as \"0.6.6\", or a branch, tag or commit of Prefect's repository";
        let no_operators = "write one release such as \"0.6.6\", without operators";
        let by_hash = "name the commit by its hash instead";
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "the prefect version is empty".to_owned(), "leave it out for the version in use, or write a release such as \"0.6.6\""),
            (" \n", "the prefect version is empty".to_owned(), "leave it out for the version in use, or write a release such as \"0.6.6\""),
            (" 0.6.6", format!("prefect version \" 0.6.6\" has the character ' ', {not_allowed}"), "write \"0.6.6\""),
            ("==0.6.6", format!("prefect version \"==0.6.6\" has the character '=', {not_allowed}"), "write \"0.6.6\""),
            ("prefect==0.6.6", format!("prefect version \"prefect==0.6.6\" has the character '=', {not_allowed}"), "write \"0.6.6\""),
            (">=0.6", format!("prefect version \">=0.6\" has the character '>', {not_allowed}"), no_operators),
            ("0.6.*", format!("prefect version \"0.6.*\" has the character '*', {not_allowed}"), no_operators),
            ("a b", format!("prefect version \"a b\" has the character ' ', {not_allowed}"), by_hash),
            ("a\nRUN x", format!("prefect version \"a\\nRUN x\" has the character '\\n', {not_allowed}"), by_hash),
            ("a#egg=b", format!("prefect version \"a#egg=b\" has the character '#', {not_allowed}"), no_operators),
            ("a;b", format!("prefect version \"a;b\" has the character ';', {not_allowed}"), by_hash),
            ("${A}", format!("prefect version \"${{A}}\" has the character '$', {not_allowed}"), by_hash),
            ("a@{1}", format!("prefect version \"a@{{1}}\" has the character '@', {not_allowed}"), by_hash),
            ("a~1", format!("prefect version \"a~1\" has the character '~', {not_allowed}"), no_operators),
            ("a^", format!("prefect version \"a^\" has the character '^', {not_allowed}"), by_hash),
            ("a:b", format!("prefect version \"a:b\" has the character ':', {not_allowed}"), by_hash),
            ("a\\b", format!("prefect version \"a\\\\b\" has the character '\\\\', {not_allowed}"), by_hash),
            ("a%20b", format!("prefect version \"a%20b\" has the character '%', {not_allowed}"), by_hash),
            ("é", format!("prefect version \"é\" has the character 'é', {not_allowed}"), by_hash),
            ("-x", "prefect version \"-x\" is not a branch, tag or commit: git refuses a \"-\" in front".to_owned(), a_release),
            ("a//b", "prefect version \"a//b\" is not a branch, tag or commit: git refuses an empty part beside a slash".to_owned(), a_release),
            ("/a", "prefect version \"/a\" is not a branch, tag or commit: git refuses an empty part beside a slash".to_owned(), a_release),
            ("a/", "prefect version \"a/\" is not a branch, tag or commit: git refuses an empty part beside a slash".to_owned(), a_release),
            ("a..b", "prefect version \"a..b\" is not a branch, tag or commit: git refuses \"..\"".to_owned(), a_release),
            ("0.6.", "prefect version \"0.6.\" is not a branch, tag or commit: git refuses a \".\" at the start of a part or at the end".to_owned(), a_release),
            ("a/.b", "prefect version \"a/.b\" is not a branch, tag or commit: git refuses a \".\" at the start of a part or at the end".to_owned(), a_release),
            ("a.lock/b", "prefect version \"a.lock/b\" is not a branch, tag or commit: git refuses the ending \".lock\"".to_owned(), a_release),
        ];
        for (text, message, help) in cases {
            let found = text.parse::<PrefectVersion>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message, help.to_owned())), "{text:?}");
        }
        assert!("x".repeat(256).parse::<PrefectVersion>().is_err());
    }

    proptest! {
        #[test]
        fn what_parses_is_one_requirement(text in "[0-9a-z./_+!@#;${}~ -]{0,12}|\\PC*") {
            match text.parse::<PrefectVersion>() {
                Ok(version) => {
                    let requirement = version.requirement().parse::<Requirement>();
                    prop_assert_eq!(requirement.as_ref().map(Requirement::name), Ok("prefect"));
                    prop_assert_eq!(version.to_string().parse::<PrefectVersion>(), Ok(version));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
            }
        }
    }
}
