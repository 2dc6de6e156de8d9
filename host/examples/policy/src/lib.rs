//! What an organisation may demand of its images: pinned tags, its own registries, no secrets in variables.
//!
//! The section on policies in the main README says how it is built, made a component, and run.

use self::exports::flowhold::storage::{
    judging::Guest,
    plans::{BaseImage, BuildPlan, Image, Severity, Variable, Verdict},
};

wit_bindgen::generate!({ path: "../../../core/wit", world: "policy" });

/// Hosts that images may come from and go to; any port.
const REGISTRIES: [&str; 3] = ["docker.io", "localhost", "registry.example.org"];

/// Words in the names of variables that hold secrets.
const SECRET_NAMES: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY"];

/// How values begin that are secrets whatever they are called.
const SECRET_VALUES: [&str; 5] = ["AKIA", "ghp_", "glpat-", "xoxb-", "-----BEGIN "];

struct Policy;

export!(Policy);

impl Guest for Policy {
    fn judge(plan: BuildPlan) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        verdicts.extend(plan.base_image.as_ref().and_then(floating_base));
        verdicts.extend(plan.base_image.as_ref().and_then(foreign_base));
        verdicts.extend(plan.image.as_ref().and_then(foreign_registry));
        verdicts.extend(plan.variables.iter().filter_map(secret));
        verdicts
    }
}

fn floating_base(base: &BaseImage) -> Option<Verdict> {
    let latest = base.tag.as_deref().unwrap_or("latest") == "latest";
    (latest && base.digest.is_none()).then(|| Verdict {
        code: "no-latest".to_owned(),
        severity: Severity::Error,
        field: "storage.base_image".to_owned(),
        message: format!("{} is an image that can change without notice", base.reference),
        help: Some(format!("name a version as its tag, {}:VERSION, or a digest", base.repository)),
    })
}

fn foreign_base(base: &BaseImage) -> Option<Verdict> {
    (!is_ours(&base.registry)).then(|| foreign("storage.base_image", &base.registry))
}

fn foreign_registry(image: &Image) -> Option<Verdict> {
    let registry = image.registry.as_deref()?;
    (!is_ours(registry)).then(|| foreign("storage.registry_url", registry))
}

/// `registry` is a host, with or without port and path.
fn is_ours(registry: &str) -> bool {
    let host = registry.split(['/', ':']).next().unwrap_or_default();
    REGISTRIES.contains(&host)
}

fn foreign(field: &str, registry: &str) -> Verdict {
    Verdict {
        code: "foreign-registry".to_owned(),
        severity: Severity::Error,
        field: field.to_owned(),
        message: format!("{registry} is none of our registries"),
        help: Some(format!("use one of {}", REGISTRIES.join(", "))),
    }
}

fn secret(variable: &Variable) -> Option<Verdict> {
    let name = variable.name.to_ascii_uppercase();
    let named = SECRET_NAMES.iter().any(|word| name.contains(word)) && !variable.value.is_empty();
    let looks = SECRET_VALUES.iter().any(|start| variable.value.starts_with(start));
    // The value stays out of the message: verdicts end up in logs.
    (named || looks).then(|| Verdict {
        code: "secret-in-variable".to_owned(),
        severity: Severity::Error,
        field: variable.field.clone(),
        message: format!("{} looks like a secret, and everybody who has the image can read it", variable.name),
        help: Some("give it to the flow when it runs: flowhold run FLOW -e NAME=…".to_owned()),
    })
}
