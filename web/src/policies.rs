//! Policies that the caller supplies as functions, such as the `judge` that jco makes of a component.

use flowhold_core::{
    diagnostic::{Code, Severity},
    failure::Failure,
    flow_name::FlowName,
    json::Json,
    policy::{CopyLine, NamedText, Verdict},
    preview::{ContextLine, Preview, context_lines},
    storage::StorageKind,
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
    // Every policy is told the same plan; none hears another's verdicts.
    let plan = told(preview);
    for (name, policy) in policies {
        let verdicts = to_js(&plan).and_then(|plan| judge(policy, &plan));
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

/// The plan as a policy is told it.
fn told(preview: &Preview) -> Json {
    let plan = preview.plan.as_ref();
    let named = |one: NamedText, text: &str| {
        Json::object(vec![("name", one.name.into()), (text, one.text.into()), ("field", one.field.into())])
    };
    let base = preview.base_image().map(|base| {
        Json::object(vec![
            ("reference", base.reference.into()),
            ("registry", base.registry.into()),
            ("repository", base.repository.into()),
            ("tag", base.tag.into()),
            ("digest", base.digest.into()),
        ])
    });
    let copy = |copy: CopyLine| {
        let CopyLine { source, destination, field } = copy;
        Json::object(vec![("source", source.into()), ("destination", destination.into()), ("field", field.into())])
    };
    let entry = |line: ContextLine| {
        let link = line.link.clone();
        let Json::Object(mut fields) = Json::from(line) else { return Json::Null };
        fields.put("link", link);
        fields.into()
    };
    let flow = |(name, location): (&FlowName, &str)| Json::Array(vec![name.as_str().into(), location.into()]);
    Json::object(vec![
        ("storage", preview.storage().map(StorageKind::as_str).into()),
        ("digest", preview.computed_digest().map(|digest| digest.to_string()).into()),
        ("baseImage", base.into()),
        ("image", plan.map(|plan| &plan.image).into()),
        ("requirements", preview.requirements().iter().cloned().map(|one| named(one, "text")).collect()),
        ("variables", preview.variables().into_iter().map(|one| named(one, "value")).collect()),
        ("copies", preview.copies().into_iter().map(copy).collect()),
        ("dockerfile", plan.map(|plan| &plan.dockerfile).into()),
        ("context", context_lines(preview.context()).map(entry).collect()),
        ("flows", preview.flows.iter().map(flow).collect()),
    ])
}

/// Serializes a record as jco's functions take it: none becomes null, and a size, which has 64 bits, a BigInt.
struct Record<'j> {
    value: &'j Json,
    is_size: bool,
}

impl Serialize for Record<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Json::Null => serializer.serialize_none(),
            Json::Boolean(value) => serializer.serialize_bool(*value),
            Json::Number(digits) if self.is_size => serializer.serialize_u64(digits.parse().unwrap_or_default()),
            Json::Number(digits) => serializer.serialize_u32(digits.parse().unwrap_or_default()),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(values) => serializer.collect_seq(values.iter().map(|value| Record { value, is_size: false })),
            Json::Object(fields) => serializer
                .collect_map(fields.0.iter().map(|(key, value)| (key, Record { value, is_size: key == "size" }))),
        }
    }
}

fn to_js(plan: &Json) -> Result<JsValue, JsValue> {
    let serializer = Serializer::new()
        .serialize_missing_as_null(true)
        .serialize_maps_as_objects(true)
        .serialize_large_number_types_as_bigints(true);
    Ok(Record { value: plan, is_size: false }.serialize(&serializer)?)
}
