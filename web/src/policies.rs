//! Policies that a page brings along: functions, such as the `judge` that jco makes of a component.

use flowhold_core::{
    diagnostic::{Code, Severity},
    failure::Failure,
    json::{Json, Object},
    policy::{NamedText, Verdict},
    preview::Preview,
};
use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, wrong_argument},
    input::{said, text},
    preview::to_object,
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
    fn judge(policy: &Function, preview: &JsValue, rest: &str) -> Result<Array, JsValue>;
}

/// Has policies judge a plan.
pub(crate) fn judge_all(preview: &mut Preview, policies: &[(String, Function)]) -> Result<(), Thrown> {
    if policies.is_empty() || !preview.can_be_judged() {
        return Ok(());
    }
    // All are told the same plan: none hears of what another said.
    let (shown, rest) = (to_object(preview, None)?, rest(preview).to_string());
    for (name, policy) in policies {
        let verdicts =
            judge(policy, &shown.js_value(), &rest).and_then(|verdicts| verdicts.iter().map(verdict).collect());
        preview.judge(name, verdicts.map_err(|error| Failure::input(Code::PolicyFailed, said(&error))));
    }
    Ok(())
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

/// What a policy is told and a preview does not have.
fn rest(preview: &Preview) -> Json {
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
    fields.put("requirements", named(preview.requirements(), "text"));
    fields.put("variables", named(&preview.variables(), "value"));
    let copies = preview.copies();
    let copies = copies
        .iter()
        .map(|one| object(&[("source", &one.source), ("destination", &one.destination), ("field", &one.field)]));
    fields.put("copies", copies.collect::<Json>());
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
