//! Policies that a page brings along: functions, such as the `judge` that jco makes of a component.

use flowhold_core::{
    diagnostic::{Code, Severity},
    failure::Failure,
    flow_name::FlowName,
    plan::ImageChoice,
    policy::{CopyLine, NamedText, Verdict},
    preview::{ContextLine, Preview, context_lines},
    storage::StorageKind,
};
use js_sys::{Array, Function, Object};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, wrong_argument},
    input::{said, text},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/**
 * The plan that a policy is given: the record `build-plan` of the WIT interface `plans`. A field without a value is null.
 * (jco, whose functions can be policies too, declares it as undefined.)
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

#[wasm_bindgen]
extern "C" {
    /// A record of the interface: an object with the names of its fields in camel case.
    type Record;

    #[wasm_bindgen(method, structural, indexing_setter)]
    fn put(this: &Record, field: &str, value: &JsValue);
}

/// Has policies judge a plan.
pub(crate) fn judge_all(preview: &mut Preview, policies: &[(String, Function)]) {
    if policies.is_empty() || !preview.can_be_judged() {
        return;
    }
    // All are told the same plan: none hears of what another said.
    let plan = told(preview);
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
        other => return Err(wrong_argument(format!("{other:?} is not a severity"))),
    };
    let (code, about, message) = (field("code")?, field("field")?, field("message")?);
    Ok(Verdict { code, severity, field: about, message, help: text(&value, "help")? })
}

/// What a policy is told, as jco gives a component its records: a `u64` is a BigInt.
fn told(preview: &Preview) -> JsValue {
    let plan = preview.plan.as_ref();
    let named = |one: NamedText, text: &str| {
        record(&[("name", one.name.into()), (text, one.text.into()), ("field", one.field.into())])
    };
    let base = preview.base_image().map(|base| {
        record(&[
            ("reference", base.reference.into()),
            ("registry", base.registry.into()),
            ("repository", base.repository.into()),
            ("tag", or_null(base.tag)),
            ("digest", or_null(base.digest)),
        ])
    });
    let image = plan.map(|plan| {
        let ImageChoice { registry, name, tag, reference } = plan.image.clone();
        record(&[
            ("registry", or_null(registry)),
            ("name", or_null(name)),
            ("tag", or_null(tag)),
            ("reference", or_null(reference)),
        ])
    });
    let copy = |copy: CopyLine| {
        let CopyLine { source, destination, field } = copy;
        record(&[("source", source.into()), ("destination", destination.into()), ("field", field.into())])
    };
    let entry = |line: ContextLine| {
        record(&[
            ("path", line.path.into()),
            ("size", or_null(line.size)),
            ("sha256", or_null(line.sha256)),
            ("mode", line.mode.into()),
            ("link", or_null(line.link)),
        ])
    };
    let flow = |(name, location): (&FlowName, &str)| Array::of2(&name.as_str().into(), &location.into()).into();
    record(&[
        ("storage", or_null(preview.storage().map(StorageKind::as_str))),
        ("digest", or_null(preview.computed_digest().map(|digest| digest.to_string()))),
        ("baseImage", or_null(base)),
        ("image", or_null(image)),
        ("requirements", list(preview.requirements().iter().cloned().map(|one| named(one, "text")))),
        ("variables", list(preview.variables().into_iter().map(|one| named(one, "value")))),
        ("copies", list(preview.copies().into_iter().map(copy))),
        ("dockerfile", or_null(plan.map(|plan| plan.dockerfile.as_str()))),
        ("context", list(context_lines(preview.context()).map(entry))),
        ("flows", list(preview.flows.iter().map(flow))),
    ])
}

fn record(fields: &[(&str, JsValue)]) -> JsValue {
    let record: Record = Object::new().unchecked_into();
    for (name, value) in fields {
        record.put(name, value);
    }
    record.into()
}

fn list(values: impl Iterator<Item = JsValue>) -> JsValue {
    values.collect::<Array>().into()
}

fn or_null(value: Option<impl Into<JsValue>>) -> JsValue {
    value.map_or(JsValue::NULL, Into::into)
}
