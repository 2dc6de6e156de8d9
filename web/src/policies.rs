//! Policies that a page brings along: functions, such as the `judge` that jco makes of a component.

use flowhold_core::{
    diagnostic::{Code, Severity},
    failure::Failure,
    plan::ImageChoice,
    policy::{BaseImage, CopyLine, NamedText, Verdict},
    preview::{ContextLine, Preview, context_lines},
};
use js_sys::{Array, Function};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, wrong_argument},
    input::{said, text},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/**
 * A plan as a policy is told of it: the record `build-plan` of the WIT interface `plans`. What is none is null; jco, whose
 * functions are policies too, declares it as undefined.
 */
export interface BuildPlan {
    /** `docker`, `local`, `memory` or `bytes`. */
    storage: string;
    digest?: string | null;
    baseImage?: { reference: string; registry: string; repository: string; tag?: string | null; digest?: string | null } | null;
    image?: { registry?: string | null; name?: string | null; tag?: string | null; reference?: string | null } | null;
    requirements: { name: string; text: string; field: string }[];
    variables: { name: string; value: string; field: string }[];
    copies: { source: string; destination: string; field: string }[];
    dockerfile?: string | null;
    context: { path: string; size?: bigint | null; sha256?: string | null; mode: number; link?: string | null }[];
    flows: [name: string, location: string][];
}

/** What a policy says of a plan. An error stops the build. */
export interface Verdict {
    code: string;
    severity: 'error' | 'warning' | 'info';
    field: string;
    message: string;
    help?: string | null;
}

/** An organisation's own rules. As a method its type takes functions of jco's own, less strict `BuildPlan`. */
export type Policy = { judge(plan: BuildPlan): Verdict[] }['judge'];
"#;

#[wasm_bindgen(raw_module = "./judge.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn judge(policy: &Function, plan: &JsValue) -> Result<Array, JsValue>;
}

/// Has policies judge a plan.
pub(crate) fn judge_all(preview: &mut Preview, policies: &[(String, Function)]) {
    if policies.is_empty() || !preview.can_be_judged() {
        return;
    }
    // All are told the same plan: none hears of what another said.
    let plan = BuildPlan::of(preview);
    for (name, policy) in policies {
        let verdicts = plan.to_js().and_then(|plan| judge(policy, &plan));
        let verdicts = verdicts.and_then(|verdicts| verdicts.iter().map(verdict).collect());
        preview.judge(name, verdicts.map_err(|error| Failure::input(Code::PolicyFailed, said(&error))));
    }
}

fn verdict(value: JsValue) -> Result<Verdict, Thrown> {
    let field = |name| text(&value, name)?.ok_or_else(|| wrong_argument(format!("a verdict has no {name}")));
    let severity = match field("severity")?.as_str() {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        "info" => Severity::Info,
        other => return Err(wrong_argument(format!("{other:?} is not a severity"))),
    };
    let (code, about, message) = (field("code")?, field("field")?, field("message")?);
    Ok(Verdict { code, severity, field: about, message, help: text(&value, "help")? })
}

/// What a policy is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildPlan {
    storage: &'static str,
    digest: Option<String>,
    base_image: Option<Base>,
    image: Option<Image>,
    requirements: Vec<Requirement>,
    variables: Vec<Variable>,
    copies: Vec<Copied>,
    dockerfile: Option<String>,
    context: Vec<Entry>,
    flows: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Base {
    reference: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

#[derive(Serialize)]
struct Image {
    registry: Option<String>,
    name: Option<String>,
    tag: Option<String>,
    reference: Option<String>,
}

#[derive(Serialize)]
struct Requirement {
    name: String,
    text: String,
    field: String,
}

#[derive(Serialize)]
struct Variable {
    name: String,
    value: String,
    field: String,
}

#[derive(Serialize)]
struct Copied {
    source: String,
    destination: String,
    field: String,
}

#[derive(Serialize)]
struct Entry {
    path: String,
    size: Option<u64>,
    sha256: Option<String>,
    mode: u32,
    link: Option<String>,
}

impl BuildPlan {
    fn of(preview: &Preview) -> Self {
        let base = |base: BaseImage| {
            let BaseImage { reference, registry, repository, tag, digest } = base;
            Base { reference, registry, repository, tag, digest }
        };
        let plan = preview.plan.as_ref();
        let image = plan.map(|plan| {
            let ImageChoice { registry, name, tag, reference } = plan.image.clone();
            Image { registry, name, tag, reference }
        });
        let requirement = |one: NamedText| Requirement { name: one.name, text: one.text, field: one.field };
        let variable = |one: NamedText| Variable { name: one.name, value: one.text, field: one.field };
        let copied = |one: CopyLine| Copied { source: one.source, destination: one.destination, field: one.field };
        let entry = |line: ContextLine| {
            let ContextLine { path, size, sha256, mode, link } = line;
            Entry { path, size, sha256, mode, link }
        };
        Self {
            storage: preview.storage(),
            digest: preview.computed_digest().map(|digest| digest.to_string()),
            base_image: preview.base_image().map(base),
            image,
            requirements: preview.requirements().iter().cloned().map(requirement).collect(),
            variables: preview.variables().into_iter().map(variable).collect(),
            copies: preview.copies().into_iter().map(copied).collect(),
            dockerfile: plan.map(|plan| plan.dockerfile.clone()),
            context: context_lines(preview.context()).map(entry).collect(),
            flows: preview.flows.iter().map(|(name, location)| (name.to_string(), location.to_owned())).collect(),
        }
    }

    /// As jco gives a component's records: what is none is null, and numbers of 64 bits are BigInts.
    fn to_js(&self) -> Result<JsValue, JsValue> {
        let serializer =
            Serializer::new().serialize_missing_as_null(true).serialize_large_number_types_as_bigints(true);
        Ok(self.serialize(&serializer)?)
    }
}
