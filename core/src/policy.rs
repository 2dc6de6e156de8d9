//! Policies are an organisation's own rules. This module tells them about a plan and takes their verdicts.
//!
//! Invariant: a plan has no digest and is not built until every policy that its spec names has judged it.

use crate::{
    diagnostic::{Code, Diagnostic, PolicyCode, Severity},
    dockerfile::{Instruction, Sourced},
    failure::Failure,
    image::{ImageReference, is_docker_hub},
    preview::Preview,
    storage::StorageKind,
};

/// The registry of references that name none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// The most verdicts of one policy: nobody would read more.
const MOST_VERDICTS: usize = 1_000;

/// An image reference in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// The reference as it is in the Dockerfile.
    pub reference: String,
    /// Host and port; `docker.io` where none is named.
    pub registry: String,
    /// The name without registry and tag: `library/python`.
    pub repository: String,
    /// Tag; `None` means `latest`, unless there is a digest.
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

/// A requirement or variable, and the field of the spec that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedText {
    /// Normalized name of the package, or name of the variable.
    pub name: String,
    /// The requirement as it is installed, or the variable's value.
    pub text: String,
    /// The field, such as `storage.env_vars.MODE`.
    pub field: String,
}

/// A `COPY` and the first field that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyLine {
    /// The path in the context.
    pub source: String,
    /// The path in the image.
    pub destination: String,
    /// The field, such as `storage.files["/etc/app.conf"]`.
    pub field: String,
}

/// One finding of a policy about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The policy's own code, in kebab-case.
    pub code: String,
    /// An error stops the build.
    pub severity: Severity,
    /// The field of the spec; empty for the spec as a whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Preview {
    /// Whether policies can judge: not while an error keeps the spec from being planned.
    pub fn can_be_judged(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The type of storage; `None` without a spec.
    pub fn storage(&self) -> Option<StorageKind> {
        self.spec.as_ref().map(|spec| spec.storage.kind())
    }

    /// The image to start from.
    pub fn base_image(&self) -> Option<BaseImage> {
        self.instructions().find_map(|sourced| match &sourced.instruction {
            Instruction::From(image) => Some(BaseImage::from(image)),
            _ => None,
        })
    }

    /// The requirements that are installed.
    pub fn requirements(&self) -> &[NamedText] {
        self.plan.as_ref().map_or(&[], |plan| &plan.requirements)
    }

    /// Environment variables.
    pub fn variables(&self) -> Vec<NamedText> {
        let mut all = Vec::new();
        for sourced in self.instructions() {
            if let Instruction::Env(variables) = &sourced.instruction {
                all.extend(variables.iter().zip(&sourced.fields).map(|((name, value), fields)| NamedText {
                    name: name.as_str().to_owned(),
                    text: value.as_str().to_owned(),
                    field: fields.first().cloned().unwrap_or_default(),
                }));
            }
        }
        all
    }

    /// The copies into the image.
    pub fn copies(&self) -> Vec<CopyLine> {
        let mut all = Vec::new();
        for sourced in self.instructions() {
            if let Instruction::Copy { source, destination } = &sourced.instruction {
                let field = sourced.fields.iter().flatten().next().cloned().unwrap_or_default();
                all.push(CopyLine { source: source.clone(), destination: destination.clone(), field });
            }
        }
        all
    }

    fn instructions(&self) -> impl Iterator<Item = &Sourced> {
        self.plan.iter().flat_map(|plan| &plan.instructions)
    }

    /// Adds a policy's verdicts, or the reason why there are none, to the diagnostics. `policy` is the text by which
    /// the spec or the user names the policy.
    pub fn judge(&mut self, policy: &str, verdicts: Result<Vec<Verdict>, Failure>) {
        let field = self.unjudged.iter().find(|(_, name)| name == policy).map(|(field, _)| field.clone());
        if let Some(field) = &field {
            self.unjudged.retain(|(other, _)| other != field);
            self.diagnostics.retain(|one| one.code != Code::UnjudgedPlan || one.field != *field);
        }
        let field = field.unwrap_or_default();
        match verdicts {
            Ok(verdicts) if verdicts.len() > MOST_VERDICTS => {
                let message =
                    format!("{policy} gave {} verdicts; at most {MOST_VERDICTS} are accepted", verdicts.len());
                self.report(Diagnostic::new(Code::PolicyFailed, field, message));
            }
            Ok(verdicts) => verdicts.into_iter().for_each(|verdict| self.take(policy, &field, verdict)),
            Err(failure) => {
                let message = format!("{policy} could not judge the plan: {}", failure.message);
                self.report(Diagnostic::new(Code::PolicyFailed, field, message).with_help(failure.help.as_deref()));
            }
        }
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            (self.resolved, self.plan) = (None, None);
        }
    }

    fn take(&mut self, policy: &str, field: &str, verdict: Verdict) {
        let Verdict { code, severity, field: about, message, help } = verdict;
        if !is_kebab_case(&code) {
            let message = format!("{policy} gave a verdict with the code {code:?}, which is not kebab-case: {message}");
            return self.report(Diagnostic::new(Code::PolicyFailed, field, message));
        }
        let mut diagnostic = Diagnostic::new(Code::Verdict, about, message).with_help(help.as_deref());
        diagnostic.severity = severity;
        diagnostic.policy = Some(PolicyCode { policy: policy.to_owned(), code });
        self.report(diagnostic);
    }

    fn report(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.line = self.spec.as_ref().and_then(|spec| spec.line(&diagnostic.field));
        self.diagnostics.push(diagnostic);
    }
}

impl From<&ImageReference> for BaseImage {
    fn from(image: &ImageReference) -> Self {
        let path = image.path();
        let registry = image.registry().filter(|registry| !is_docker_hub(Some(registry))).unwrap_or(DEFAULT_REGISTRY);
        // Docker's own rule: a name without a namespace is an official image, in the namespace `library`.
        let official = registry == DEFAULT_REGISTRY && !path.contains('/');
        Self {
            reference: image.to_string(),
            registry: registry.to_owned(),
            repository: if official { format!("library/{path}") } else { path.to_owned() },
            tag: image.tag().map(str::to_owned),
            digest: image.digest().map(str::to_owned),
        }
    }
}

fn is_kebab_case(code: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    code.len() <= 64 && code.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::{resolve::Facts, spec::Spec};

    const SPEC: &str = r#"
policies = ["deny.wasm"]
[storage]
type = "docker"
base_image = "localhost:5000/team/python:3.11"
registry_url = "localhost:5000/team"
python_dependencies = ["Requests >= 2"]
image_name = "etl"
image_tag = "1"
[storage.env_vars]
MODE = "a b"
PIP_INDEX_URL = "https://index"
"#;

    fn preview(text: &str) -> Preview {
        let (spec, diagnostics) = Spec::parse(text);
        Preview::of(spec.map(Rc::new), diagnostics, Facts::default())
    }

    fn codes(preview: &Preview) -> Vec<&str> {
        preview.diagnostics.iter().map(Diagnostic::code).filter(|code| *code != "no-flows").collect()
    }

    fn verdict(code: &str, severity: Severity) -> Verdict {
        let (field, message) = ("storage.env_vars.MODE".to_owned(), "no".to_owned());
        Verdict { code: code.to_owned(), severity, field, message, help: None }
    }

    #[test]
    fn a_plan_is_told_in_parts() {
        let judged = preview(SPEC);
        let base = judged.base_image().unwrap();
        assert_eq!((base.registry.as_str(), base.repository.as_str()), ("localhost:5000", "team/python"));
        assert_eq!((base.tag.as_deref(), base.digest), (Some("3.11"), None));
        let named = |texts: &[NamedText]| {
            texts.iter().map(|one| format!("{} {} {}", one.name, one.text, one.field)).collect::<Vec<_>>()
        };
        assert_eq!(named(judged.requirements()), ["requests Requests >= 2 storage.python_dependencies[0]"]);
        let variables =
            ["PIP_INDEX_URL https://index storage.env_vars.PIP_INDEX_URL", "MODE a b storage.env_vars.MODE"];
        assert_eq!(named(&judged.variables()), variables);
        assert_eq!(judged.copies()[0].field, "storage.python_dependencies[0]");
        assert!(judged.computed_digest().is_some());
    }

    fn base(reference: &str) -> BaseImage {
        preview(&SPEC.replace("localhost:5000/team/python:3.11", reference)).base_image().unwrap()
    }

    #[test]
    fn official_images_are_docker_hubs_alone() {
        let base = base("localhost:5000/python");
        assert_eq!((base.registry.as_str(), base.repository.as_str()), ("localhost:5000", "python"));
    }

    #[test]
    fn references_without_registry_are_docker_hubs() {
        for reference in [
            "python",
            "docker.io/python",
            "index.docker.io/python",
            "index.docker.io/library/python",
            "registry-1.docker.io/library/python",
        ] {
            let base = base(reference);
            let told = (base.registry.as_str(), base.repository.as_str(), base.tag);
            assert_eq!(told, ("docker.io", "library/python", None), "{reference}");
        }
    }

    #[test]
    fn what_a_policy_has_not_judged_has_no_digest() {
        let mut preview = preview(SPEC);
        assert_eq!((codes(&preview), preview.digest()), (vec!["unjudged-plan"], None));
        assert_eq!(preview.ready().unwrap_err().code, "unjudged-plan");
        preview.judge("other.wasm", Ok(Vec::new()));
        assert_eq!(preview.digest(), None);
        preview.judge("deny.wasm", Ok(Vec::new()));
        assert!(codes(&preview).is_empty() && preview.digest().is_some());
    }

    #[test]
    fn each_policy_has_to_judge() {
        let mut preview = preview(&SPEC.replace("\"deny.wasm\"", "\"a.wasm\", \"b.wasm\""));
        preview.judge("a.wasm", Ok(Vec::new()));
        assert_eq!((codes(&preview), preview.digest()), (vec!["unjudged-plan"], None));
        assert_eq!(preview.ready().unwrap_err().code, "unjudged-plan");
        assert!(preview.diagnostics.iter().any(|one| one.field == "policies[1]"));
    }

    #[test]
    fn an_error_of_a_policy_stops_the_build_and_a_warning_does_not() {
        let mut preview = preview(SPEC);
        preview.judge("deny.wasm", Ok(vec![verdict("think-again", Severity::Warning)]));
        assert!(preview.digest().is_some());
        preview.judge("deny.wasm", Ok(vec![verdict("no-mode", Severity::Error)]));
        assert_eq!(codes(&preview), ["think-again", "no-mode"]);
        assert_eq!((preview.digest(), preview.diagnostics.last().unwrap().line), (None, Some(11)));
        assert_eq!(preview.ready().unwrap_err().code, "no-mode");
    }

    #[test]
    fn a_policy_that_fails_or_talks_nonsense_stops_the_build() {
        let nonsense = [
            Err(Failure::input(Code::HostFault, "it trapped")),
            Ok(vec![verdict("\x1b[2J", Severity::Info)]),
            Ok(vec![verdict("", Severity::Info)]),
            Ok(vec![verdict("fine-Bad", Severity::Info)]),
            Ok(vec![verdict("a--b", Severity::Info)]),
            Ok(vec![verdict(&"a".repeat(65), Severity::Info)]),
            Ok(vec![verdict("fine", Severity::Info); 1_001]),
        ];
        for verdicts in nonsense {
            let mut preview = preview(SPEC);
            preview.judge("deny.wasm", verdicts);
            assert_eq!((codes(&preview), preview.digest()), (vec!["policy-failed"], None));
            assert_eq!(preview.diagnostics.last().unwrap().field, "policies[0]");
        }
    }

    #[test]
    fn a_spec_with_mistakes_is_not_judged() {
        assert!(preview(SPEC).can_be_judged());
        assert!(!preview(&SPEC.replace("docker", "dokcer")).can_be_judged());
    }
}
