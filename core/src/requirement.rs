//! One requirement of a Python package, as it goes into a requirements file.
//!
//! The grammar is that of PEP 508. Everything that pip reads in a requirements file beyond PEP 508 (options, comments,
//! continued lines, `${VARIABLES}`, file names) is refused, so that a requirement means one thing.

mod error;
mod grammar;

use core::fmt;
use core::str::FromStr;

use pep440_rs::Version;

use crate::text::breaks_lines;

pub use error::RequirementError;

/// A requirement: `name[extras] specifiers ; marker` or `name @ url ; marker`, in one line.
///
/// ```
/// # use flowhold_core::requirement::Requirement;
/// let requirement: Requirement = " Zope.Interface[test] >=5,<6 ; python_version >= '3.8' ".parse()?;
/// assert_eq!(requirement.name(), "zope-interface");
/// assert_eq!(requirement.to_string(), "Zope.Interface[test] >=5,<6 ; python_version >= '3.8'");
/// # Ok::<(), flowhold_core::requirement::RequirementError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    text: String,
    name: String,
}

impl Requirement {
    /// The longest requirement, in bytes.
    pub const MOST_BYTES: usize = 4096;

    /// The package's name in the normal form of PEP 503: lower case, with single dashes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the requirement restricts the version.
    pub(crate) fn says_which(&self) -> bool {
        self.text.bytes().take_while(|byte| *byte != b';').any(|byte| b"=<>~!@".contains(&byte))
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let line = text.trim_matches([' ', '\t']);
        refuse_what_only_pip_reads(line)?;
        let name = normal_name(grammar::name_of(line)?);
        Ok(Self { name, text: line.to_owned() })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The normal spelling of a PEP 440 version, and whether it has a local part (`+…`).
pub(crate) fn normal_version(text: &str) -> Option<(String, bool)> {
    let version: Version = text.parse().ok()?;
    Some((version.to_string(), version.is_local()))
}

/// The normal form of a name by PEP 503.
fn normal_name(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

/// Refuses a line that pip reads by its own rules for requirements files (`req_file.py` and `constructors.py` of pip 19
/// to 25). pip applies them before PEP 508, so that a line that is a valid requirement by itself can mean something
/// else there.
fn refuse_what_only_pip_reads(line: &str) -> Result<(), RequirementError> {
    let text = || line.to_owned();
    if line.is_empty() {
        return Err(RequirementError::Empty);
    }
    if line.len() > Requirement::MOST_BYTES {
        return Err(RequirementError::TooLong { text: text(), bytes: line.len() });
    }
    if let Some(character) = line.chars().find(|&c| breaks_lines(c) && c != '\t') {
        return Err(RequirementError::ControlCharacter { text: text(), character });
    }
    let mut words = line.split(char::is_whitespace);
    if words.clone().any(|word| word.starts_with('#')) {
        return Err(RequirementError::Comment { text: text() });
    }
    if let Some(word) = words.find(|word| word.starts_with('-')) {
        let option = word.split_once('=').map_or(word, |(option, _)| option).to_owned();
        return Err(RequirementError::PipOption { text: text(), option });
    }
    if line.ends_with('\\') {
        return Err(RequirementError::Continuation { text: text() });
    }
    if let Some(variable) = expanded_variable(line) {
        return Err(RequirementError::EnvironmentVariable { text: text(), variable: variable.to_owned() });
    }
    let target = line.split(['@', ';']).next().unwrap_or(line).trim_end();
    if target.contains(['/', '\\', ':']) || target.starts_with(['.', '~']) || is_archive(target) {
        return Err(RequirementError::MissingName { text: text() });
    }
    Ok(())
}

/// The first `${NAME}` that pip would replace: upper-case letters, digits and `_` only.
fn expanded_variable(line: &str) -> Option<&str> {
    line.match_indices("${").find_map(|(start, _)| {
        let name_start = start + 2;
        let length = line.get(name_start..)?.find('}')?;
        let name = line.get(name_start..name_start + length)?;
        let fits = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if fits && !name.is_empty() { line.get(start..=name_start + length) } else { None }
    })
}

/// Whether pip takes `target` for a file because of its ending, even if no such file exists.
fn is_archive(target: &str) -> bool {
    const ENDINGS: [&str; 12] = [
        ".zip",
        ".whl",
        ".tar.bz2",
        ".tbz",
        ".tar.gz",
        ".tgz",
        ".tar",
        ".tar.xz",
        ".txz",
        ".tlz",
        ".tar.lz",
        ".tar.lzma",
    ];
    // pip looks at the text without its extras, but not every `[` begins extras: both texts are checked.
    let target = target.to_ascii_lowercase();
    let without_extras = target.split_once('[').map_or(target.as_str(), |(before, _)| before.trim_end());
    ENDINGS.iter().any(|ending| target.ends_with(ending) || without_extras.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::{Requirement, RequirementError, breaks_lines};
    use crate::failure::Explain as _;
    use proptest::prelude::*;

    /// Made by `requirements.py` beside it, with Python's `packaging`.
    const VECTORS: &str = include_str!("../../tests/vectors/requirements.json");

    #[derive(serde::Deserialize)]
    struct Row {
        text: String,
        ok: bool,
        name: Option<String>,
        note: String,
    }

    /// Rows that `packaging` takes and this parser refuses, each with its reason.
    #[rustfmt::skip] // one case, one line
    const REFUSED_ON_PURPOSE: &[(&str, &str)] = &[
        ("a_", "PEP 508 ends a name in a letter or digit"),
        ("a[b_]", "PEP 508 ends a name in a letter or digit"),
        ("a===", "a version is missing"),
        ("a====1", "an operator too long"),
        ("a===1.0,>=1", "=== takes the comma for a part of its version, and packaging splits it after all"),
        ("a>=\u{a0}1", "no space of ASCII: PEP 508 knows spaces and tabs"),
        ("a==99999999999999999999", "numbers end at 64 bits"),
        ("a==1.0a99999999999999999999", "numbers end at 64 bits"),
        ("a @ https://x;os_name=='nt'", "PEP 508 takes the marker for part of the URL, pip doesn't"),
        ("a @ https://x/a;b=c ; os_name=='nt'", "PEP 508 ends the URL at the space, pip at the first semicolon"),
        ("a @ ;os_name=='nt'", "no URL"),
        ("a @ /opt/a", "pip needs a scheme"),
        ("a @ ./a", "pip needs a scheme"),
        ("a@1.0", "pip needs a scheme"),
        ("a @ https:x", "pip can't fetch it"),
        ("a @ https:///x", "pip can't fetch it"),
        ("a @ file:/opt/a", "pip wants the two slashes"),
        ("a===[.zip", "pip takes it for a file by its ending"),
        ("a @ ftp://x/y", "pip can't fetch it"),
        ("a @ C:\\x", "pip can't fetch it"),
        ("a @ git@github.com:x/y.git", "pip can't fetch it"),
        ("a @ https://x/${TOKEN}/y", "pip replaces the variable"),
        ("a;os_name=='${A}'", "pip replaces the variable"),
        ("a @ https://x\\", "pip continues the line"),
        ("a;extras=='x'", "a variable of lock files; pip doesn't know it in requirements"),
        ("a;'x' in extras", "a variable of lock files"),
        ("a;'x' in dependency_groups", "a variable of lock files"),
        ("a;os_name=='n\\t'", "pip reads escapes as Python does, PEP 508 has none"),
        ("a;os_name=='a #b'", "pip cuts the line at the comment"),
        ("a;os_name=='a -b'", "pip takes the second word for an option"),
        ("a.zip", "pip takes it for a file by its ending"),
        ("a.whl", "pip takes it for a file by its ending"),
        ("a-1.0-py3-none-any.whl", "pip takes it for a file by its ending"),
        ("a.tar.gz", "pip takes it for a file by its ending"),
        ("a.TAR.GZ", "pip takes it for a file by its ending"),
        ("a.tgz[b]", "pip takes it for a file by its ending"),
        ("a.tar.gz;os_name=='x'", "pip takes it for a file by its ending"),
        ("a===1.zip", "pip takes it for a file by its ending"),
        ("a.zip @ https://x", "a file's name is no package's"),
        ("a===b/c", "reads as a path"),
        ("a===b:c", "reads as a URL"),
    ];

    #[test]
    fn agrees_with_packaging() -> Result<(), serde_json::Error> {
        let rows: Vec<Row> = serde_json::from_str(VECTORS)?;
        assert!(rows.len() >= 150, "{} rows", rows.len());
        for row in &rows {
            let found = row.text.parse::<Requirement>();
            let on_purpose = REFUSED_ON_PURPOSE.iter().find(|(text, _)| *text == row.text);
            match (&found, on_purpose) {
                (Ok(_), Some((_, reason))) => {
                    assert!(row.ok && found.is_err(), "{:?}: {reason}", row.text)
                }
                (Err(_), Some((_, reason))) => {
                    assert!(row.ok, "{:?} is refused by both: {reason}", row.text)
                }
                (Ok(found), None) => {
                    assert_eq!(
                        (row.ok, Some(found.name())),
                        (true, row.name.as_deref()),
                        "{:?} ({})",
                        row.text,
                        row.note
                    );
                    assert_eq!(found.to_string(), row.text.trim_matches([' ', '\t']));
                }
                (Err(error), None) => assert!(!row.ok, "{error} ({})", row.note),
            }
        }
        for (text, reason) in REFUSED_ON_PURPOSE {
            assert!(rows.iter().any(|row| row.text == *text), "no row for {text:?}: {reason}");
        }
        Ok(())
    }

    #[test]
    fn errors_say_what_and_where() {
        let form = "the form is \"name[extra] >=1,<2 ; python_version >= '3.8'\" or \"name @ URL ; marker\"";
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "a requirement is empty", "write a package such as \"pandas>=2,<3\""),
            ("pandas\nnumpy", "requirement \"pandas\\nnumpy\" has the control character '\\n'", "write one requirement per entry, in one line"),
            ("pandas\u{85}numpy", "requirement \"pandas\\u{85}numpy\" has the control character '\\u{85}'", "write one requirement per entry, in one line"),
            ("pandas # for data", "requirement \"pandas # for data\" has a comment", "leave the comment out; comments belong in flowhold.toml"),
            ("-e .", "requirement \"-e .\" has the pip option \"-e\"", "write \"name @ URL\"; a folder of the base image is \"name @ file:///…\""),
            ("--index-url=https://x/simple", "requirement \"--index-url=https://x/simple\" has the pip option \"--index-url\"", "set PIP_INDEX_URL in env_vars instead"),
            ("--extra-index-url https://x", "requirement \"--extra-index-url https://x\" has the pip option \"--extra-index-url\"", "set PIP_EXTRA_INDEX_URL in env_vars instead"),
            ("-r requirements.txt", "requirement \"-r requirements.txt\" has the pip option \"-r\"", "write the requirements of that file into python_dependencies"),
            ("foo==1 --hash=sha256:00", "requirement \"foo==1 --hash=sha256:00\" has the pip option \"--hash\"", "leave the hash out and pin the version, such as \"name==1.2.3\""),
            ("foo==1 --global-option=x", "requirement \"foo==1 --global-option=x\" has the pip option \"--global-option\"", "write the requirement without options; most have a PIP_… variable for env_vars"),
            ("foo \\", "requirement \"foo \\\\\" ends in a backslash, which continues the line", "leave the backslash out"),
            ("foo @ https://${TOKEN}@x/y", "requirement \"foo @ https://${TOKEN}@x/y\" has the environment variable \"${TOKEN}\"", "write the value; pip would replace the variable, so the requirement would not mean one thing"),
            ("https://x/foo.whl", "requirement \"https://x/foo.whl\" is a URL, path or file without the name of its package", "write \"name @ URL\"; a file of the base image is \"name @ file:///path\""),
            ("./foo", "requirement \"./foo\" is a URL, path or file without the name of its package", "write \"name @ URL\"; a file of the base image is \"name @ file:///path\""),
            ("foo@1.0", "requirement \"foo@1.0\" has \"1.0\" after the @, which is not a URL", "a version is written \"==1.0\""),
            ("foo @ x/y", "requirement \"foo @ x/y\" has \"x/y\" after the @, which is not a URL", "write https://…, file:///… or git+https://…"),
            ("foo @ https://x;os_name=='nt'", "requirement \"foo @ https://x;os_name=='nt'\" needs a space between the URL and \";\" at character 16", form),
            ("foo=1", "requirement \"foo=1\" needs one of the operators == != <= >= < > ~= === at character 4", form),
            ("foo >=", "requirement \"foo >=\" has the version specifier \">=\" at character 5: the version is missing", form),
            ("foo>=1,~=2", "requirement \"foo>=1,~=2\" has the version specifier \"~=2\" at character 8: ~= takes a version of two or more numbers", form),
            ("foo>=1.*", "requirement \"foo>=1.*\" has the version specifier \">=1.*\" at character 4: only == and != take .*", form),
            ("foo>1+x", "requirement \"foo>1+x\" has the version specifier \">1+x\" at character 4: only == and != take a local version (+…)", form),
            ("foo> =1", "requirement \"foo> =1\" has the version specifier \">=1\" at character 4: the version is missing", form),
            ("foo===1,>=1", "requirement \"foo===1,>=1\" has the version specifier \"===1,>=1\" at character 4: === takes the comma for a part of its version", form),
            ("foo==one", "requirement \"foo==one\" has the version specifier \"==one\" at character 4: that is not a PEP 440 version", form),
            ("foo bar", "requirement \"foo bar\" needs a version specifier, a comma, \"[\", \"@\", \";\" or the end at character 5", form),
            ("foo[a", "requirement \"foo[a\" needs a comma or \"]\" at character 6", form),
            ("foo[é]", "requirement \"foo[é]\" needs the name of an extra at character 5", form),
            ("foo(>=1", "requirement \"foo(>=1\" needs a version specifier, a comma or \")\" at character 8", form),
            ("é", "requirement \"é\" needs the name of a package, of letters, digits and . _ - between them at character 1", form),
            ("foo; é", "requirement \"foo; é\" needs a marker variable, such as python_version, or text in quotes at character 6", form),
            ("foo; 'é' ~ 'x'", "requirement \"foo; 'é' ~ 'x'\" needs one of the operators == != <= >= < > ~= === in, not in at character 10", form),
            ("foo; os_name == 'nt", "requirement \"foo; os_name == 'nt\" needs a closing quote for the text at character 17", form),
            ("foo; os_name == 'nt' xor", "requirement \"foo; os_name == 'nt' xor\" needs \"and\", \"or\" or the end at character 22", form),
        ];
        for (text, message, help) in cases {
            let found = text.parse::<Requirement>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message.to_owned(), help.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn depth_and_length_are_limited() {
        let nested = |depth: usize| format!("foo; {}os_name=='nt'{}", "(".repeat(depth), ")".repeat(depth));
        assert!(nested(50).parse::<Requirement>().is_ok());
        let error = nested(51).parse::<Requirement>().err();
        assert!(matches!(error, Some(RequirementError::Syntax { at: 56, .. })), "{error:?}");
        assert!(nested(2_000_000).parse::<Requirement>().is_err());
        assert!(matches!("x".repeat(4097).parse::<Requirement>(), Err(RequirementError::TooLong { bytes: 4097, .. })));
    }

    proptest! {
        #[test]
        fn one_line_that_is_read_again(text in "[a-z1.]{1,3}[ ;@\\[\\](){}<>=~!,.'\"\\\\#$a-z0-9-]{0,20}|\\PC*|(?s:.*)") {
            match text.parse::<Requirement>() {
                Ok(requirement) => {
                    let one_line = requirement.to_string().chars().all(|c| c == '\t' || !breaks_lines(c));
                    prop_assert!(one_line);
                    let again = requirement.to_string().parse::<Requirement>();
                    prop_assert_eq!(again.as_ref(), Ok(&requirement));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
            }
        }
    }
}
