//! No string that a user writes adds, ends or alters an instruction: what an independent parser reads from the
//! Dockerfile is exactly what the spec says.

use std::{collections::BTreeMap, rc::Rc};

use flowhold_core::{blob, context::ContextEntry, preview::Preview, resolve::Facts, settings::EntryKind, spec::Spec};
use parse_dockerfile::{Command, Instruction, Source};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::{ProptestConfig, Strategy},
    prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::{Value, json};

use crate::{
    docker_words::{pairs, word},
    generated_spec::{SHA256, odd_text},
};

/// An instruction with its quoting undone.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    From(String),
    Env(Vec<(String, String)>),
    Copy(String, String),
    Run(Vec<String>),
}

/// What is written into a spec.
#[derive(Debug, Clone)]
struct Wanted {
    base: String,
    variables: BTreeMap<String, String>,
    /// Base name of the source, directory in the image, and the name there if the file gets another one.
    files: Vec<(String, String, Option<String>)>,
    requirements: Vec<String>,
    flows: BTreeMap<String, String>,
}

fn preview(spec: &Value) -> Preview {
    let (spec, diagnostics) = Spec::parse(&spec.to_string());
    let facts = spec.as_ref().map(Facts::skipping).unwrap_or_default();
    Preview::of(spec.map(Rc::new), diagnostics, facts)
}

fn read(dockerfile: &str) -> Result<Vec<Read>, String> {
    let parsed = parse_dockerfile::parse(dockerfile).map_err(|error| error.to_string())?;
    let directives = &parsed.parser_directives;
    if directives.syntax.is_some() || directives.escape.is_some() || directives.check.is_some() {
        return Err("there is a parser directive".to_owned());
    }
    let read = parsed.instructions.iter().map(|instruction| match instruction {
        Instruction::From(from) if from.options.is_empty() && from.as_.is_none() => {
            Ok(Read::From(word(&from.image.value)?))
        }
        Instruction::Env(env) => Ok(Read::Env(pairs(&env.arguments.value)?)),
        Instruction::Copy(copy) if copy.options.is_empty() => match copy.src.as_slice() {
            [Source::Path(source)] => Ok(Read::Copy(word(&source.value)?, word(&copy.dest.value)?)),
            others => Err(format!("{} sources", others.len())),
        },
        Instruction::Run(run) if run.options.is_empty() && run.here_docs.is_empty() => match &run.arguments {
            Command::Exec(words) => Ok(Read::Run(words.value.iter().map(|word| word.value.to_string()).collect())),
            _ => Err("it runs a shell".to_owned()),
        },
        other => Err(format!("unexpected {other:?}")),
    });
    read.collect()
}

impl Wanted {
    fn spec(&self) -> Value {
        let files = self.files.iter().enumerate().map(|(index, (base, directory, name))| {
            let destination = format!("{directory}/{}", name.as_deref().unwrap_or_default());
            let entries = json!([{ "path": "", "size": 1, "sha256": SHA256 }]);
            (format!("/source/{index}/{base}"), json!({ "destination": destination, "entries": entries }))
        });
        let flows =
            self.flows.values().map(|name| json!({ "name": name, "format": "script", "size": 1, "sha256": SHA256 }));
        json!({
            "storage": {
                "type": "docker",
                "base_image": self.base,
                "python_dependencies": self.requirements,
                "env_vars": self.variables,
                "files": files.collect::<serde_json::Map<_, _>>(),
            },
            "flows": flows.collect::<Vec<_>>(),
        })
    }

    fn instructions(&self) -> Vec<Read> {
        let installer = |name: &str| name.starts_with("PIP_") || name.starts_with("UV_") || name.ends_with("_PROXY");
        let variables = |wanted: bool| {
            let chosen = self.variables.iter().filter(|(name, _)| installer(name) == wanted);
            let chosen: Vec<_> = chosen.map(|(name, value)| (name.clone(), value.clone())).collect();
            (!chosen.is_empty()).then_some(Read::Env(chosen))
        };
        let copy = |source: &str, destination: &str| Read::Copy(source.to_owned(), destination.to_owned());
        let run = |words: &str| Read::Run(words.split(' ').map(str::to_owned).collect());
        let mut all = vec![Read::From(self.base.clone())];
        all.extend(variables(true));
        if !self.requirements.is_empty() {
            for name in ["install.py", "requirements.txt"] {
                all.push(copy(name, &format!("/opt/flowhold/{name}")));
            }
            all.push(run("python /opt/flowhold/install.py /opt/flowhold/requirements.txt"));
        }
        all.extend(variables(false));
        for (base, directory, name) in &self.files {
            // Flowhold may choose any name in the context under which the file is found.
            all.push(copy("", &format!("{directory}/{}", name.as_ref().unwrap_or(base))));
        }
        if !self.flows.is_empty() {
            all.push(copy("flowhold/", "/opt/flowhold/"));
            all.push(copy("flows/", "/root/.prefect/"));
            all.push(run("python /opt/flowhold/health_check.py /opt/flowhold/manifest.json"));
        }
        all
    }
}

/// A name in a path. It has no line ends, which are refused, as the tables of `diagnostics` show, and no slash.
fn name() -> impl Strategy<Value = String> {
    odd_text()
        .prop_map(|text| {
            text.replace(['/', '\t', '\u{2028}', '\u{2029}'], "_")
                .chars()
                .filter(|c| !c.is_control())
                .take(60)
                .collect()
        })
        .prop_filter("a name", |text: &String| !text.is_empty() && text != "." && text != "..")
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let base =
        prop_oneof![proptest::strategy::Just("python:3.9".to_owned()), "[a-z]{1,5}/[a-z0-9]{1,8}:[A-Z0-9_]{1,5}"];
    let variable =
        prop_oneof![3 => "[A-Z_][A-Z0-9_]{0,6}", 1 => "PIP_[A-Z]{1,3}", 1 => "UV_[A-Z]", 1 => "HTTPS?_PROXY"];
    let value = odd_text().prop_map(|text| text.replace(['\r', '\n', '\0'], ""));
    let requirement = prop_oneof![
        "[a-z]{1,6}(\\[[a-z]{1,3}\\])?(>=[0-9]{1,2})?( ; python_version >= '3[.]8')?",
        "[a-z]{1,4} @ https://[a-z]{1,5}/[a-z$&'#=+%]{0,9}"
    ];
    let flows = vec(odd_text(), 0..4).prop_map(|names| {
        // The texts that are flow names, by their slugs, which must differ.
        let good = names
            .into_iter()
            .map(|name| name.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " "));
        let good = good.filter_map(|name| {
            Some((name.parse::<flowhold_core::flow_name::FlowName>().ok()?.slug().to_owned(), name))
        });
        good.collect::<BTreeMap<_, _>>()
    });
    let file = (name(), vec(name(), 0..3), option::of(name()));
    (base, btree_map(variable, value, 0..6), vec(file, 0..5), vec(requirement, 0..4), flows).prop_map(
        |(base, variables, files, requirements, flows)| {
            // Each file gets its own directory, so that none clash.
            let files = files.into_iter().enumerate().map(|(index, (base, below, name))| {
                let below: String = below.iter().map(|name| format!("/{name}")).collect();
                (base, format!("/data/{index}{below}"), name)
            });
            Wanted { base, variables, files: files.collect(), requirements, flows }
        },
    )
}

/// The instructions without the names of copied files in the context; a name that doesn't find one file there stays.
fn without_file_names(read: Vec<Read>, context: &[ContextEntry]) -> Vec<Read> {
    // `COPY` reads other patterns too, but only patterns with `?` are written.
    let finds = |pattern: &str, path: &str| {
        let fits = |(wanted, found): (char, char)| wanted == found || wanted == '?' && found != '/';
        pattern.chars().count() == path.chars().count() && pattern.chars().zip(path.chars()).all(fits)
    };
    let finds_one = |pattern: &str| {
        !pattern.contains(['*', '[', '\\']) && context.iter().filter(|entry| finds(pattern, &entry.path)).count() == 1
    };
    let instructions = read.into_iter().map(|one| match one {
        Read::Copy(source, destination) if source.starts_with("files/") && finds_one(&source) => {
            Read::Copy(String::new(), destination)
        }
        other => other,
    });
    instructions.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_independent_parser_reads_what_the_spec_says(wanted in wanted()) {
        let preview = preview(&wanted.spec());
        let Some(plan) = &preview.plan else {
            return Err(proptest::test_runner::TestCaseError::fail(format!("{:#?}", preview.diagnostics)));
        };
        let read = read(&plan.dockerfile).map_err(proptest::test_runner::TestCaseError::fail)?;
        prop_assert_eq!(without_file_names(read, &plan.context), wanted.instructions(), "{}", &plan.dockerfile);
        let file = |path: &str| plan.context.iter().find(|entry| entry.path == path).map(|entry| match &entry.kind {
            EntryKind::File(content) => blob::read_all(content.blob.as_deref().unwrap()).unwrap(),
            other => panic!("{path} is {other:?}"),
        });
        let lines = wanted.requirements.iter().map(|line| format!("{line}\n")).collect::<String>();
        prop_assert_eq!(file("requirements.txt").unwrap_or_default(), lines.into_bytes());
        if let Some(manifest) = file("flowhold/manifest.json") {
            let manifest: Value = serde_json::from_slice(&manifest).unwrap();
            let names: Vec<_> = manifest["flows"].as_array().unwrap().iter().map(|flow| &flow["name"]).collect();
            prop_assert_eq!(names, wanted.flows.values().collect::<Vec<_>>());
        }
        // Docker refuses longer lines ("dockerfile line greater than max allowed size of 65535").
        prop_assert!(plan.dockerfile.lines().all(|line| line.len() <= 65_535));
    }
}

/// The limit was found with the daemon itself: both of its builders refuse a longer line, wherever it breaks.
#[test]
fn a_line_that_docker_would_refuse_is_an_error_of_the_spec() {
    for (length, value, fits) in [(60_000, 'x', true), (70_000, 'x', false), (40_000, '$', false)] {
        let value = String::from(value).repeat(length);
        let flow = json!({ "name": "a", "format": "script", "size": 1, "sha256": SHA256 });
        let preview = preview(&json!({ "storage": { "type": "docker", "env_vars": { "A": value } }, "flows": [flow] }));
        let refused = preview.diagnostics.iter().any(|one| one.is_error() && one.field == "storage.env_vars.A");
        assert_eq!((preview.plan.is_some(), refused), (fits, !fits), "{length}");
        let longest = preview.plan.iter().flat_map(|plan| plan.dockerfile.lines()).map(str::len).max();
        assert!(longest.is_none_or(|longest| (length..=65_535).contains(&longest)), "{longest:?}");
    }
}
