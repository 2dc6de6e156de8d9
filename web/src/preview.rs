//! From a spec to what people look at: previews, diagnostics, resolved specs, storages and build contexts.

use flowhold_core::{
    capability::Segment, diagnostic::Code, json::Json, preview::Preview, serialized, settings::EntryKind, spec::Spec,
    storage::Storage,
};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, thrown, to_js},
    input::{Options, OptionsInput, SpecInput, spec_text},
};

/// A spec and what came of it.
struct Planned {
    preview: Preview,
    options: Options,
}

impl Planned {
    fn of(spec: &SpecInput, options: Option<&OptionsInput>) -> Result<Self, Thrown> {
        let options = Options::read(options.map(AsRef::as_ref))?;
        let (spec, diagnostics) = Spec::parse(&spec_text(spec)?);
        let sources = spec.as_ref().map(Spec::sources).unwrap_or_default();
        let preview = Preview::of(spec.as_ref(), diagnostics, options.facts(&sources));
        // Nothing is wrong with the spec then, and nothing is known of it either.
        if let Some(missing) = preview.diagnostics.iter().find(|one| one.code == Code::NoReadings) {
            return Err(thrown(missing.clone().into()));
        }
        Ok(Self { preview, options })
    }
}

/// What would be built: the object of `flowhold preview --format json`, in camelCase.
#[wasm_bindgen(unchecked_return_type = "Preview")]
pub fn preview(spec: &SpecInput, options: Option<OptionsInput>) -> Result<JsValue, Thrown> {
    let Planned { mut preview, options } = Planned::of(spec, options.as_ref())?;
    if options.uuid.is_some() {
        preview.choose_names(&options, &options).map_err(thrown)?;
    }
    let mut object = preview.to_object(options.since.as_ref());
    // The one name of two words.
    object.0.iter_mut().filter(|(key, _)| key == "source_map").for_each(|(key, _)| "sourceMap".clone_into(key));
    to_js(object)
}

/// What is wrong with a spec, and what else there is to say about it.
#[wasm_bindgen(unchecked_return_type = "Diagnostic[]")]
pub fn check(spec: &SpecInput, options: Option<OptionsInput>) -> Result<JsValue, Thrown> {
    let Planned { preview, .. } = Planned::of(spec, options.as_ref())?;
    to_js(preview.diagnostics.iter().collect::<Json>())
}

/// The resolved spec as JSON: the same shape with nothing left open.
#[wasm_bindgen]
pub fn resolve(spec: &SpecInput, options: Option<OptionsInput>) -> Result<String, Thrown> {
    let Planned { preview, .. } = Planned::of(spec, options.as_ref())?;
    match &preview.resolved {
        Some(resolved) => Ok(format!("{:#}", resolved.to_json())),
        None => Err(thrown(preview.refusal())),
    }
}

/// The storage of the spec with its flows in it, serialized as JSON. Nothing is built.
#[wasm_bindgen]
pub fn serialize(spec: &SpecInput, options: Option<OptionsInput>) -> Result<String, Thrown> {
    let Planned { mut preview, options } = Planned::of(spec, options.as_ref())?;
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
    let Some(plan) = &mut preview.plan else { return Err(thrown(preview.refusal())) };
    for entry in &mut plan.context {
        if let EntryKind::File(content) = &mut entry.kind {
            options.attach(content);
        }
    }
    let mut parts = Vec::new();
    for segment in plan.archive().map_err(thrown)? {
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
