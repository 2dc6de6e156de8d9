//! Policies that a page brings along: functions, such as the `judge` that jco makes of a component.

use flowhold_core::{
    diagnostic::{Code, Severity},
    failure::Failure,
    json::{Json, Object},
    policy::{NamedText, Verdict},
    preview::{Preview, context_lines},
};
use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, wrong_argument},
    input::{said, text},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A plan as a policy is told of it: the record `build-plan` of the WIT interface `plans`. */
export interface BuildPlan {
    storage: 'docker' | 'local' | 'memory' | 'bytes';
    digest: string | null;
    baseImage: { reference: string; registry: string; repository: string; tag: string | null; digest: string | null } | null;
    image: Image | null;
    requirements: { name: string; text: string; field: string }[];
    variables: { name: string; value: string; field: string }[];
    copies: { source: string; destination: string; field: string }[];
    dockerfile: string | null;
    context: { path: string; size: bigint | null; sha256: string | null; mode: number; link: string | null }[];
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

/** An organisation's own rules. */
export type Policy = (plan: BuildPlan) => Verdict[];
"#;

#[wasm_bindgen(raw_module = "./judge.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn judge(policy: &Function, plan: &str) -> Result<Array, JsValue>;
}

/// Has policies judge a plan.
pub(crate) fn judge_all(preview: &mut Preview, policies: &[(String, Function)]) {
    if policies.is_empty() || !preview.can_be_judged() {
        return;
    }
    // All are told the same plan: none hears of what another said.
    let plan = build_plan(preview).to_string();
    for (name, policy) in policies {
        let verdicts = judge(policy, &plan).and_then(|verdicts| verdicts.iter().map(verdict).collect());
        preview.judge(name, verdicts.map_err(|error| Failure::input(Code::PolicyFailed, said(&error))));
    }
}

fn verdict(value: JsValue) -> Result<Verdict, Thrown> {
    let field = |name| text(&value, name)?.ok_or_else(|| wrong_argument(format!("a verdict has no {name}")));
    let severity = match field("severity")?.as_str() {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        "info" => Severity::Info,
        other => return Err(wrong_argument(format!("{other:?} is no severity"))),
    };
    let (code, about, message) = (field("code")?, field("field")?, field("message")?);
    Ok(Verdict { code, severity, field: about, message, help: text(&value, "help")? })
}

/// What a policy is told. JSON has no numbers of 64 bits: `judge.js` makes the sizes those.
fn build_plan(preview: &Preview) -> Json {
    let mut fields = Object::default();
    fields.put("storage", preview.storage());
    fields.put("digest", preview.computed_digest().map(|digest| digest.to_string()));
    let base = preview.base_image().map(|base| {
        Json::object(vec![
            ("reference", base.reference.into()),
            ("registry", base.registry.into()),
            ("repository", base.repository.into()),
            ("tag", base.tag.into()),
            ("digest", base.digest.into()),
        ])
    });
    fields.put("baseImage", base);
    fields.put("image", preview.plan.as_ref().map(|plan| &plan.image));
    fields.put("requirements", named(preview.requirements(), "text"));
    fields.put("variables", named(&preview.variables(), "value"));
    let copies = preview.copies();
    let copies = copies
        .iter()
        .map(|one| object(&[("source", &one.source), ("destination", &one.destination), ("field", &one.field)]));
    fields.put("copies", copies.collect::<Json>());
    fields.put("dockerfile", preview.plan.as_ref().map(|plan| &plan.dockerfile));
    fields.put("context", context_lines(preview.context()).collect::<Json>());
    let flows = preview.flows.iter().map(|(name, location)| Json::Array(vec![name.as_ref().into(), location.into()]));
    fields.put("flows", flows.collect::<Json>());
    fields.into()
}

fn named(texts: &[NamedText], value: &str) -> Json {
    texts.iter().map(|one| object(&[("name", &one.name), (value, &one.text), ("field", &one.field)])).collect()
}

fn object(texts: &[(&str, &str)]) -> Json {
    Json::object(texts.iter().map(|(key, text)| (*key, (*text).into())).collect())
}
