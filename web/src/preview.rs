//! Turns a spec into what people look at: previews, diagnostics, resolved specs, storages and build contexts.

use std::rc::Rc;

use flowhold_core::{
    capability::Segment, diagnostic::Code, dockerfile::Mounts, failure::Failure, json::Json, preview, serialized,
    settings::EntryKind, spec::Spec, storage::Storage,
};
use js_sys::{Array, Uint8Array};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, thrown, to_js, wrong_argument},
    input::{Options, OptionsInput, SpecInput, spec_text},
    policies::judge_all,
};

/// What `flowhold preview --format json` prints.
#[derive(Tsify)]
#[tsify(missing_as_null)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The plan digest: `sha256:…` of all that ends up in the image. Null while there is an error, or something that
    /// the plan needs is missing.
    pub plan: Option<String>,
    /// The reference that the image will have; null for storages without image.
    pub image: Option<Image>,
    /// The platform of the image, if the spec names one; otherwise it is the daemon's own.
    #[tsify(optional)]
    pub platform: Option<String>,
    /// Null for storages without image.
    pub dockerfile: Option<String>,
    /// Which fields made each line: a line that several fields made has several entries.
    pub source_map: Vec<SourceLine>,
    /// The instructions of the Dockerfile.
    pub steps: Vec<Step>,
    /// The build context: what is sent beside the Dockerfile.
    pub context: Vec<ContextEntry>,
    /// Flow name -> location.
    #[tsify(type = "Record<string, string>")]
    pub flows: (),
    /// All findings about the spec.
    pub diagnostics: Vec<Diagnostic>,
    /// With the option `since`: what the daemon is expected to do at each step.
    #[tsify(optional)]
    pub forecast: Option<Vec<ForecastStep>>,
}

/// The name of the image, in parts. Parts that only a build chooses are null.
#[derive(Tsify)]
#[tsify(missing_as_null)]
pub struct Image {
    /// `registry_url`: host, port and path.
    pub registry: Option<String>,
    /// The name without registry and tag.
    pub name: Option<String>,
    /// Its tag.
    pub tag: Option<String>,
    /// Registry, name and tag together.
    pub reference: Option<String>,
}

/// Which field made a line of the Dockerfile.
#[derive(Tsify)]
pub struct SourceLine {
    /// Counted from 1.
    pub line: u32,
    /// Such as `storage.env_vars.MODE`.
    pub field: String,
}

/// An instruction of the Dockerfile.
#[derive(Tsify)]
pub struct Step {
    /// Its first line, counted from 1.
    pub line: u32,
    /// How many lines it has.
    pub lines: u32,
    /// Why the step is there, and why at this place, in a sentence.
    pub why: &'static str,
}

/// An entry of the build context.
#[derive(Tsify)]
#[tsify(missing_as_null)]
pub struct ContextEntry {
    /// The relative path, with `/`.
    pub path: String,
    /// In bytes; 0 for directories and links, null where the bytes are not here.
    pub size: Option<f64>,
    /// Hexadecimal; empty for directories and links, null where the bytes are not here.
    pub sha256: Option<String>,
    /// Unix permission bits.
    pub mode: u32,
    /// The target of a symbolic link.
    #[tsify(optional)]
    pub link: Option<String>,
}

/// A finding about the spec.
#[derive(Tsify)]
#[tsify(missing_as_null)]
pub struct Diagnostic {
    /// Stable, kebab-case: for programs.
    pub code: String,
    /// An error stops a build.
    #[tsify(type = "'error' | 'warning' | 'info'")]
    pub severity: &'static str,
    /// Such as `storage.python_dependencies[0]`; empty for the spec as a whole.
    pub field: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line of the spec's text, counted from 1, if the finding is about something in the text.
    #[tsify(optional)]
    pub line: Option<u32>,
    /// The policy that gave this verdict.
    #[tsify(optional)]
    pub policy: Option<String>,
}

/// What a daemon that has built the earlier plan is expected to do at a step.
#[derive(Tsify)]
pub struct ForecastStep {
    /// The step's first line, counted from 1.
    pub line: u32,
    /// Whether the step is taken from the cache.
    pub cached: bool,
    /// Why, in words.
    pub reason: String,
}

/// The preview of a spec, with the options that it was made with.
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
        judge_all(&mut preview, &options.policies);
        // Without the readings nothing is known of the spec, so this is an error and no diagnostic.
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
    if options.uuid.is_some() || options.now.is_some() && !preview.needs_uuid() {
        preview.choose_names(&options, &options).map_err(unnamed)?;
    }
    let mut fields = preview.to_json(options.since.as_ref());
    for (name, _) in &mut fields.0 {
        if name == "source_map" {
            *name = "sourceMap".to_owned();
        }
    }
    to_js(fields).map(Ts::new_unchecked)
}

/// The names in the spec are valid by now, so an invalid name comes from the option `uuid`.
fn unnamed(failure: Failure) -> Thrown {
    wrong_argument(format!("uuid must be a name for the image: {}", failure.message))
}

/// The diagnostics of a spec: what is wrong with it, and other findings.
#[wasm_bindgen(unchecked_return_type = "Diagnostic[]")]
pub fn check(spec: &SpecInput, options: Option<OptionsInput>) -> Result<JsValue, Thrown> {
    let planned = Planned::of(spec, options.as_ref())?;
    to_js(planned.preview.diagnostics.iter().collect::<Json>())
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

/// The build context as tar, Dockerfile first, in parts. A part is bytes or, for a file of which only size and digest
/// were given, the object that the caller gave. Replace these objects with the bytes: `new Blob(parts)` is the tar.
#[wasm_bindgen(unchecked_return_type = "(Uint8Array<ArrayBuffer> | { size: number; sha256: string })[]")]
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
