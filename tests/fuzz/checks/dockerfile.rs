//! Any texts in the fields of a spec: an independent parser reads the same texts from their places in the Dockerfile,
//! and no other instruction.

use std::{collections::BTreeMap, rc::Rc};

use flowhold_core::{preview::Preview, resolve::Facts, spec::Spec};
use parse_dockerfile::{Command, Instruction, Source};
use serde_json::{Map, Value, json};

use crate::docker_words::{pairs, word};

const SHA256: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

/// The texts by their fields: the first character of each text says its field.
#[derive(Default)]
struct Wanted {
    base: Option<String>,
    directory: Option<String>,
    variables: BTreeMap<String, String>,
    requirements: Vec<String>,
    files: Map<String, Value>,
    flows: Vec<Value>,
}

impl Wanted {
    fn of(text: &str) -> Self {
        let mut wanted = Self::default();
        for part in text.split('\u{1f}') {
            let Some(purpose) = part.chars().next() else { continue };
            let rest = &part[purpose.len_utf8()..];
            match purpose {
                'b' => wanted.base = Some(rest.to_owned()),
                'p' => wanted.directory = Some(rest.to_owned()),
                'r' => wanted.requirements.push(rest.to_owned()),
                'e' => {
                    let (name, value) = rest.split_once('=').unwrap_or(("A", rest));
                    wanted.variables.insert(name.to_owned(), value.to_owned());
                }
                'f' => {
                    let (source, destination) = rest.split_once('\t').unwrap_or((rest, "/x/"));
                    let entries = json!([{ "path": "", "size": 1, "sha256": SHA256 }]);
                    let file = json!({ "destination": destination, "entries": entries });
                    wanted.files.insert(format!("/{source}"), file);
                }
                'w' => wanted.flows.push(json!({ "name": rest, "format": "script", "size": 1, "sha256": SHA256 })),
                _ => {}
            }
        }
        wanted
    }

    fn spec(&self) -> String {
        let mut storage = json!({
            "type": "docker",
            "python_dependencies": self.requirements,
            "env_vars": self.variables,
            "files": self.files,
        });
        for (key, value) in [("base_image", &self.base), ("prefect_directory", &self.directory)] {
            if let Some(value) = value {
                storage[key] = json!(value);
            }
        }
        json!({ "storage": storage, "flows": self.flows }).to_string()
    }
}

/// The names in a path, without empty ones and `.`.
fn normal(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !matches!(*name, "" | ".")).collect()
}

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let wanted = Wanted::of(text);
    let (spec, diagnostics) = Spec::parse(&wanted.spec());
    let facts = spec.as_ref().map(Facts::skipping).unwrap_or_default();
    let preview = Preview::of(spec.map(Rc::new), diagnostics, facts);
    let Some(plan) = &preview.plan else { return };
    let dockerfile = &plan.dockerfile;
    let parsed = parse_dockerfile::parse(dockerfile).unwrap_or_else(|error| panic!("{error}\n{dockerfile}"));
    let directives = &parsed.parser_directives;
    assert!(directives.syntax.is_none() && directives.escape.is_none() && directives.check.is_none(), "{dockerfile}");
    let mut variables = BTreeMap::new();
    let mut copies = 0;
    for (index, instruction) in parsed.instructions.iter().enumerate() {
        match instruction {
            Instruction::From(from) => {
                assert!(index == 0 && from.options.is_empty() && from.as_.is_none(), "{dockerfile}");
                let image = word(&from.image.value).expect("a word");
                assert!(wanted.base.as_ref().is_none_or(|base| *base == image), "{dockerfile}");
            }
            Instruction::Env(env) => variables.extend(pairs(&env.arguments.value).expect("pairs")),
            Instruction::Copy(copy) => {
                assert!(copy.options.is_empty(), "{dockerfile}");
                let [Source::Path(source)] = copy.src.as_slice() else { panic!("{dockerfile}") };
                if word(&source.value).expect("a word").starts_with("files/") {
                    copies += 1;
                    let destination = word(&copy.dest.value).expect("a word");
                    let asked = |file: &Value| {
                        normal(&destination).starts_with(&normal(file["destination"].as_str().unwrap_or_default()))
                    };
                    assert!(wanted.files.values().any(asked), "{destination:?} in {dockerfile}");
                }
            }
            Instruction::Run(run) => {
                assert!(run.options.is_empty() && run.here_docs.is_empty(), "{dockerfile}");
                let Command::Exec(words) = &run.arguments else { panic!("a shell in {dockerfile}") };
                let words: Vec<_> = words.value.iter().map(|word| &*word.value).collect();
                let [python, program, argument] = words[..] else { panic!("{dockerfile}") };
                assert!(python == "python" && program.starts_with("/opt/flowhold/"), "{dockerfile}");
                assert!(argument.starts_with("/opt/flowhold/"), "{dockerfile}");
            }
            other => panic!("{other:?} in {dockerfile}"),
        }
    }
    assert_eq!(variables, wanted.variables, "{dockerfile}");
    assert_eq!(copies, wanted.files.len(), "{dockerfile}");
}
