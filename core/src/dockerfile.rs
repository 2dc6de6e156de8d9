//! Dockerfiles as data, and the one place that writes them as text.
//!
//! Invariant: no string that a user wrote can add, end or alter an instruction. Such strings come from newtypes without
//! line breaks; characters that Docker would expand or unquote are escaped; nothing goes through a shell.

use std::fmt;

use crate::{
    env_name::{EnvName, EnvValue},
    image::ImageReference,
    json::Json,
};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// The base image.
    From(ImageReference),
    /// Environment variables, one per line.
    Env(Vec<(EnvName, EnvValue)>),
    /// Copies from the context into the image.
    Copy {
        /// A context path; ends in a slash if it is a directory.
        source: String,
        /// A path in the image; ends in a slash if it is a directory.
        destination: String,
    },
    /// Runs a program without a shell.
    Run {
        /// The program, followed by its arguments.
        arguments: Vec<String>,
        /// What is mounted while the program runs. None of it gets into the image.
        mounts: Vec<Mount>,
    },
}

/// Something that is mounted while a step runs, and is in no layer. Only BuildKit supports mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A directory that is kept for later builds.
    Cache {
        /// Builds that use the same id share the cache.
        id: &'static str,
        /// The path at which it is mounted.
        target: &'static str,
    },
    /// A file that the host supplies.
    Secret {
        /// The secret's name. Specs may only use names that need no quoting.
        id: String,
        /// The path at which it is mounted.
        target: String,
    },
}

/// Which mounts are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounts {
    /// No mounts: for the plan digest, and for the classic builder.
    None,
    /// Mounts without which a step would fail: for the Dockerfile that people see.
    Needed,
    /// All mounts: for BuildKit.
    All,
}

/// An instruction and the fields of the spec that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced {
    /// The instruction.
    pub instruction: Instruction,
    /// For each of its lines, the fields that made the line.
    pub fields: Vec<Vec<String>>,
    /// Why the instruction is there, and at this place, in a sentence.
    pub why: &'static str,
}

/// A line of a Dockerfile and a field that made it. A line that several fields made is listed once for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// Counted from 1.
    pub line: u32,
    /// The field of the spec.
    pub field: String,
}

/// An instruction's place in a Dockerfile, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its first line, counted from 1.
    pub line: u32,
    /// How many lines it has.
    pub lines: u32,
    /// Why it is there, in a sentence.
    pub why: &'static str,
}

impl From<&SourceLine> for Json {
    fn from(source: &SourceLine) -> Self {
        Self::object(vec![("line", source.line.into()), ("field", (&source.field).into())])
    }
}

impl From<&Step> for Json {
    fn from(step: &Step) -> Self {
        Self::object(vec![("line", step.line.into()), ("lines", step.lines.into()), ("why", step.why.into())])
    }
}

/// The place of each instruction in the rendered Dockerfile.
pub fn steps(instructions: &[Sourced]) -> Vec<Step> {
    let mut line = 1;
    let steps = instructions.iter().map(|sourced| {
        let lines = u32::try_from(sourced.fields.len()).unwrap_or(u32::MAX);
        let step = Step { line, lines, why: sourced.why };
        line += lines;
        step
    });
    steps.collect()
}

/// Renders instructions, and says which field made which line.
pub fn render(instructions: &[Sourced], mounts: Mounts) -> (String, Vec<SourceLine>) {
    let mut text = String::new();
    let mut source_map = Vec::new();
    let mut line = 0;
    for sourced in instructions {
        text.push_str(&sourced.instruction.render(mounts));
        text.push('\n');
        for fields in &sourced.fields {
            line += 1;
            source_map.extend(fields.iter().map(|field| SourceLine { line, field: field.clone() }));
        }
    }
    (text, source_map)
}

impl Instruction {
    fn render(&self, rendered: Mounts) -> String {
        match self {
            Self::From(image) => format!("FROM {image}"),
            Self::Env(variables) => env(variables),
            Self::Copy { source, destination } => {
                format!("COPY {}", json_array([&word(&literal(source)), &word(destination)]))
            }
            Self::Run { arguments, mounts } => {
                let mounts = mounts.iter().filter(|mount| mount.is_among(rendered));
                let mounts: String = mounts.map(|mount| format!("{mount} ")).collect();
                format!("RUN {mounts}{}", json_array(arguments))
            }
        }
    }
}

impl Mount {
    const fn is_among(&self, mounts: Mounts) -> bool {
        match mounts {
            Mounts::None => false,
            Mounts::Needed => matches!(self, Self::Secret { .. }),
            Mounts::All => true,
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // By default a mount belongs to root, but the image may have another user.
            Self::Cache { id, target } => {
                write!(f, "--mount=type=cache,id={id},target={target},mode=0777,sharing=locked")
            }
            Self::Secret { id, target } => {
                write!(f, "--mount=type=secret,id={id},target={target},mode=0444,required=true")
            }
        }
    }
}

/// `ENV A="1" \` and a line for each further variable.
fn env(variables: &[(EnvName, EnvValue)]) -> String {
    let pairs = variables.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value.as_str())));
    format!("ENV {}", pairs.collect::<Vec<_>>().join(" \\\n    "))
}

/// Within double quotes, `"`, `$` and the escape character are special to Docker; a backslash before them escapes them.
fn quoted(value: &str) -> String {
    escape(value, &['"', '$', '\\'])
}

/// Docker expands variables and removes quotes in the arguments of COPY, even in its JSON form.
fn word(path: &str) -> String {
    escape(path, &['"', '\'', '$', '\\'])
}

/// A path as a source of COPY, which reads patterns and may read here-documents: `?` replaces their special characters.
/// No other file beside the source matches this pattern.
fn literal(path: &str) -> String {
    path.replace(['*', '?', '[', '\\', '<'], "?")
}

/// Whether a source, as written in COPY, matches this context path or a directory above it.
pub(crate) fn copies(source: &str, path: &str) -> bool {
    let mut path = path.chars();
    let mut source = source.trim_end_matches('/').chars();
    while let Some(c) = source.next() {
        let matches = match (c, path.next()) {
            ('\\', found) => source.next() == found,
            ('?', found) => found.is_some(),
            (c, found) => found == Some(c),
        };
        if !matches {
            return false;
        }
    }
    path.as_str().is_empty() || path.as_str().starts_with('/')
}

fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn json_array<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| Json::from(word.as_ref()).to_string()).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_sees_what_the_user_wrote() -> Result<(), Box<dyn std::error::Error>> {
        let env = Instruction::Env(vec![
            ("A".parse()?, r#"say "$HOME" \n # not a comment"#.parse()?),
            ("B".parse()?, "ends in \\".parse()?),
        ]);
        assert_eq!(
            env.render(Mounts::None),
            "ENV A=\"say \\\"\\$HOME\\\" \\\\n # not a comment\" \\\n    B=\"ends in \\\\\""
        );
        let copy = Instruction::Copy { source: "files/0/[a]'b".to_owned(), destination: "/it's $x".to_owned() };
        assert_eq!(copy.render(Mounts::None), r#"COPY ["files/0/?a]\\'b", "/it\\'s \\$x"]"#);
        Ok(())
    }

    #[test]
    fn a_source_means_its_path_and_what_is_below_it() {
        for path in ["files/0/a", "files/0/it's", "files/0/a\\b\"$", "files/0/*?[x]<<E", "files/0/é"] {
            let source = word(&literal(path));
            assert!(copies(&source, path), "{source} is {path}");
            assert!(copies(&format!("{source}/"), &format!("{path}/below")));
            assert!(!copies(&source, &format!("{path}s")) && !copies(&source, &path[..path.len() - 2]));
        }
        assert!(!copies("files/1", "files/0") && !copies("a", "") && copies("a/", "a"));
    }

    #[test]
    fn mounts_are_rendered_for_those_who_know_them() {
        let run = Instruction::Run {
            arguments: vec!["x".to_owned()],
            mounts: vec![
                Mount::Cache { id: "c", target: "/c" },
                Mount::Secret { id: "s".to_owned(), target: "/s".to_owned() },
            ],
        };
        let secret = "--mount=type=secret,id=s,target=/s,mode=0444,required=true";
        assert_eq!(run.render(Mounts::None), r#"RUN ["x"]"#);
        assert_eq!(run.render(Mounts::Needed), format!(r#"RUN {secret} ["x"]"#));
        let cache = "--mount=type=cache,id=c,target=/c,mode=0777,sharing=locked";
        assert_eq!(run.render(Mounts::All), format!(r#"RUN {cache} {secret} ["x"]"#));
    }

    #[test]
    fn each_line_names_its_fields() -> Result<(), Box<dyn std::error::Error>> {
        let from = Sourced {
            instruction: Instruction::From("python:3.9".parse()?),
            fields: vec![vec!["storage.base_image".to_owned()]],
            why: "base",
        };
        let env = Sourced {
            instruction: Instruction::Env(vec![("A".parse()?, "1".parse()?), ("B".parse()?, "2".parse()?)]),
            fields: vec![vec!["storage.env_vars.A".to_owned()], vec!["storage.env_vars.B".to_owned()]],
            why: "variables",
        };
        let instructions = [from, env];
        let steps: Vec<_> = steps(&instructions).iter().map(|step| (step.line, step.lines, step.why)).collect();
        assert_eq!(steps, [(1, 1, "base"), (2, 2, "variables")]);
        let (text, map) = render(&instructions, Mounts::None);
        assert_eq!(text, "FROM python:3.9\nENV A=\"1\" \\\n    B=\"2\"\n");
        let lines: Vec<_> = map.iter().map(|source| (source.line, source.field.as_str())).collect();
        assert_eq!(lines, [(1, "storage.base_image"), (2, "storage.env_vars.A"), (3, "storage.env_vars.B")]);
        Ok(())
    }
}
