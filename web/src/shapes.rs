//! The TypeScript types of what the functions return, which is the core's own JSON. Nothing but types: a test compares
//! them with that.

use serde::Serialize;
use tsify::Tsify;

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
    #[tsify(type = "Record<string, string>")]
    flows: (),
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
    why: String,
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
    severity: (),
    /// Such as `storage.python_dependencies[0]`; empty for the spec as a whole.
    field: String,
    /// What is the matter.
    message: String,
    /// What to do about it.
    help: Option<String>,
    /// Line of the spec's text, counted from 1, where the text is TOML.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional)]
    line: Option<u32>,
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

/// Where a field is in the text of a spec, in UTF-16 code units: JavaScript's offsets.
#[derive(Serialize, Tsify)]
pub struct Place {
    /// As in diagnostics; empty for the place of a syntax error.
    field: String,
    /// The start of the key, or of the value in arrays.
    from: u32,
    /// The end of the value.
    to: u32,
}

/// A key that a spec can have.
#[derive(Serialize, Tsify)]
pub struct Key {
    /// The table that has it; empty for the spec itself.
    #[tsify(type = "'' | 'storage' | 'flows'")]
    table: String,
    /// As it is written.
    key: String,
    /// What its value is.
    #[serde(rename = "type")]
    #[tsify(type = "'string' | 'number' | 'boolean' | 'array' | 'table'")]
    value: String,
    /// What it says, in a sentence.
    doc: String,
    /// All values that it can have, where they can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional, type = "string[]")]
    values: Option<()>,
    /// The one type of storage that takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional, type = "string")]
    storage: Option<String>,
}
