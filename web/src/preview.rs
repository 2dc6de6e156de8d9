//! From a spec to what people look at: previews, diagnostics, resolved specs, storages and build contexts.

use std::rc::Rc;

use flowhold_core::{
    capability::Segment,
    diagnostic::{Code, Diagnostic as CoreDiagnostic},
    dockerfile::{Mounts, SourceLine as CoreSourceLine},
    forecast::PlanOutline,
    preview::{self, ContextLine},
    serialized,
    settings::EntryKind,
    spec::Spec,
    storage::Storage,
};
use js_sys::{Array, Object, Uint8Array};
use serde::Serialize;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, thrown, to_js},
    input::{Options, OptionsInput, SpecInput, spec_text},
    policies::judge_all,
    storages::locations,
};

/// What `flowhold preview --format json` prints.
#[derive(Serialize, Tsify)]
#[tsify(missing_as_null)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// `sha256:…` of all that ends up in the image; null while something is an error or not here.
    plan: Option<String>,
    /// The reference that the image will have; null for storages without image.
    image: Option<Image>,
    /// Null for storages without image.
    dockerfile: Option<String>,
    /// A line that several fields make is there several times.
    source_map: Vec<SourceLine>,
    /// The instructions of the Dockerfile.
    steps: Vec<Step>,
    /// What is sent beside the Dockerfile.
    context: Vec<ContextEntry>,
    /// Flow name -> location.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    #[tsify(type = "Record<string, string>")]
    flows: Object,
    /// Everything there is to say about the spec.
    diagnostics: Vec<Diagnostic>,
    /// With `since`: what is expected of each step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional)]
    forecast: Option<Vec<ForecastStep>>,
}

/// Parts that only a build chooses are null.
#[derive(Serialize, Tsify)]
#[tsify(missing_as_null)]
pub struct Image {
    registry: Option<String>,
    name: Option<String>,
    tag: Option<String>,
    reference: Option<String>,
}

/// Which field made a line of the Dockerfile.
#[derive(Serialize, Tsify)]
pub struct SourceLine {
    /// Counted from 1.
    line: u32,
    /// Such as `storage.env_vars.MODE`.
    field: String,
}

/// An instruction of the Dockerfile.
#[derive(Serialize, Tsify)]
pub struct Step {
    /// Its first line, counted from 1.
    line: u32,
    /// How many lines it has.
    lines: u32,
    /// Why it is there, and where it is, in a sentence.
    why: &'static str,
}

/// Something in the build context.
#[derive(Serialize, Tsify)]
#[tsify(missing_as_null)]
pub struct ContextEntry {
    /// Relative, with `/`.
    path: String,
    /// In bytes; 0 for directories and links, null where the bytes are not here.
    size: Option<f64>,
    /// Hexadecimal; empty for directories and links, null where the bytes are not here.
    sha256: Option<String>,
    /// Unix permission bits.
    mode: u32,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional)]
    link: Option<String>,
}

/// A finding about the spec.
#[derive(Serialize, Tsify)]
#[tsify(missing_as_null)]
pub struct Diagnostic {
    /// Stable, kebab-case: for programs.
    code: String,
    /// An error stops a build.
    #[tsify(type = "'error' | 'warning' | 'info'")]
    severity: &'static str,
    /// Such as `storage.python_dependencies[0]`; empty for the spec as a whole.
    field: String,
    /// What is the matter.
    message: String,
    /// What to do about it.
    help: Option<String>,
    /// Line of the spec's text, counted from 1, where it is about something in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional)]
    line: Option<u32>,
    /// The policy whose verdict it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional)]
    policy: Option<String>,
}

/// What is expected of a step by a daemon that has built the earlier plan.
#[derive(Serialize, Tsify)]
pub struct ForecastStep {
    /// The step's first line, counted from 1.
    line: u32,
    /// Whether it is taken from the cache.
    cached: bool,
    /// Why, in words.
    reason: String,
}

/// A spec and what came of it.
struct Planned {
    preview: preview::Preview,
    options: Options,
}

impl Planned {
    fn of(spec: &SpecInput, options: Option<&OptionsInput>) -> Result<Self, Thrown> {
        let options = Options::read(options.map(AsRef::as_ref))?;
        let (spec, diagnostics) = Spec::parse(&spec_text(spec)?);
        let sources = spec.as_ref().map(Spec::sources).unwrap_or_default();
        let mut preview = preview::Preview::of(spec.map(Rc::new), diagnostics, options.facts(&sources));
        judge_all(&mut preview, &options.policies)?;
        // Nothing is wrong with the spec then, and nothing is known of it either.
        if let Some(missing) = preview.diagnostics.iter().find(|one| one.code == Code::NoReadings) {
            return Err(thrown(missing.clone().into()));
        }
        Ok(Self { preview, options })
    }
}

/// What would be built: the object of `flowhold preview --format json`, in camelCase.
#[wasm_bindgen]
pub fn preview(spec: &SpecInput, options: Option<OptionsInput>) -> Result<Ts<Preview>, Thrown> {
    let Planned { mut preview, options } = Planned::of(spec, options.as_ref())?;
    if options.uuid.is_some() {
        preview.choose_names(&options, &options).map_err(thrown)?;
    }
    to_object(&preview, options.since.as_ref())
}

/// A preview as JavaScript's, with a forecast if there is an earlier plan.
pub(crate) fn to_object(preview: &preview::Preview, since: Option<&PlanOutline>) -> Result<Ts<Preview>, Thrown> {
    let forecast = since.map(|since| preview.forecast(since));
    let steps = preview.steps().into_iter();
    to_js(Preview {
        plan: preview.digest().map(|digest| digest.to_string()),
        steps: steps.map(|step| Step { line: step.line, lines: step.lines, why: step.why }).collect(),
        context: preview::context_lines(preview.context()).map(Into::into).collect(),
        flows: locations(&preview.flows)?,
        forecast: forecast.map(|steps| {
            let steps = steps.into_iter();
            steps.map(|step| ForecastStep { line: step.line, cached: step.cached, reason: step.reason }).collect()
        }),
        diagnostics: preview.diagnostics.iter().cloned().map(Into::into).collect(),
        image: preview.plan.as_ref().map(|plan| {
            let image = plan.image.clone();
            Image { registry: image.registry, name: image.name, tag: image.tag, reference: image.reference }
        }),
        source_map: preview.plan.iter().flat_map(|plan| &plan.source_map).map(Into::into).collect(),
        dockerfile: preview.plan.as_ref().map(|plan| plan.dockerfile.clone()),
    })
}

/// What is wrong with a spec, and what else there is to say about it.
#[wasm_bindgen]
pub fn check(spec: &SpecInput, options: Option<OptionsInput>) -> Result<Vec<Ts<Diagnostic>>, Thrown> {
    let planned = Planned::of(spec, options.as_ref())?;
    planned.preview.diagnostics.into_iter().map(|one| to_js(Diagnostic::from(one))).collect()
}

/// The resolved spec as JSON: the same shape with nothing left open.
#[wasm_bindgen]
pub fn resolve(spec: &SpecInput, options: Option<OptionsInput>) -> Result<String, Thrown> {
    let Planned { preview, .. } = Planned::of(spec, options.as_ref())?;
    preview.ready().map(|resolved| format!("{:#}", resolved.to_json())).map_err(thrown)
}

/// The storage of the spec with its flows in it, serialized as JSON. Nothing is built.
#[wasm_bindgen]
pub fn serialize(spec: &SpecInput, options: Option<OptionsInput>) -> Result<String, Thrown> {
    let Planned { mut preview, options } = Planned::of(spec, options.as_ref())?;
    preview.ready().map_err(thrown)?;
    match &mut preview.resolved {
        Some(resolved) => {
            resolved.flows.iter_mut().for_each(|one| options.attach(&mut one.flow.content));
            Storage::of(resolved).and_then(|storage| serialized::to_json(&storage)).map_err(thrown)
        }
        None => Err(thrown(preview.refusal())),
    }
}

/// The build context as tar, Dockerfile first, in parts: bytes, and for a file of which only size and digest were
/// given, the very object that was given. `new Blob(parts)`, once those are replaced, is the whole.
#[wasm_bindgen(unchecked_return_type = "(Uint8Array | { size: number; sha256: string })[]")]
pub fn archive(spec: &SpecInput, options: Option<OptionsInput>) -> Result<Array, Thrown> {
    let Planned { mut preview, options } = Planned::of(spec, options.as_ref())?;
    preview.ready().map_err(thrown)?;
    let Some(plan) = &mut preview.plan else { return Err(thrown(preview.refusal())) };
    for entry in &mut plan.context {
        if let EntryKind::File(content) = &mut entry.kind {
            options.attach(content);
        }
    }
    let mut parts = Vec::new();
    for segment in plan.archive(Mounts::Needed).map_err(thrown)? {
        parts.push(match segment {
            Segment::Bytes(bytes) => JsValue::from(Uint8Array::from(bytes.as_slice())),
            Segment::Blob(blob) => match options.stand_in(&blob) {
                Some(given) => given,
                None => {
                    let bytes = flowhold_core::blob::read_all(blob.as_ref()).map_err(thrown)?;
                    Uint8Array::from(bytes.as_slice()).into()
                }
            },
        });
    }
    Ok(parts.into_iter().collect())
}

impl From<&CoreSourceLine> for SourceLine {
    fn from(source: &CoreSourceLine) -> Self {
        Self { line: source.line, field: source.field.clone() }
    }
}

impl From<ContextLine> for ContextEntry {
    fn from(line: ContextLine) -> Self {
        let ContextLine { path, size, sha256, mode, link } = line;
        // Beyond 2^53 JavaScript's own JSON.parse rounds in the same way.
        Self { path, size: size.map(|size| size as f64), sha256, mode, link }
    }
}

impl From<CoreDiagnostic> for Diagnostic {
    fn from(diagnostic: CoreDiagnostic) -> Self {
        let code = diagnostic.code().to_owned();
        let CoreDiagnostic { severity, field, message, help, line, policy, .. } = diagnostic;
        let policy = policy.map(|policy| policy.policy);
        Self { code, severity: severity.as_str(), field, message, help, line, policy }
    }
}
