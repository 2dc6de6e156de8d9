//! Reads what callers pass in: specs, and the options of a preview.

use std::collections::BTreeMap;

use flowhold_core::{
    blob::{Blob, Content, SharedBlob, in_memory},
    capability::{Clock, Random},
    diagnostic::Code,
    digest::Digest,
    failure::Failure,
    forecast::PlanOutline,
    python::PythonVersion,
    resolve::{Facts, Finding, FoundEntry, FoundKind, PythonFacts},
    script,
    spec::{Origin, Source},
};
use js_sys::{Array, Function, JSON, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, prelude::*};

use crate::{
    error::{Thrown, thrown, wrong_argument},
    options::NAMES,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A spec: TOML or JSON text, or the same as an object. */
export type Spec = string | object;

/** Bytes that a spec names, or what is known of them. `mode` is 420 (0o644) by default. */
export type FileInput =
    | Uint8Array
    | { content: Uint8Array; mode?: number }
    | { size: number; sha256: string; mode?: number };
"#;

#[wasm_bindgen(raw_module = "./assets.js")]
extern "C" {
    /// The content of scripts.bin.
    fn scripts() -> Option<Vec<u8>>;
}

#[wasm_bindgen]
extern "C" {
    /// A spec as text or object.
    #[wasm_bindgen(typescript_type = "Spec")]
    pub type SpecInput;

    /// [`crate::options::Options`]
    #[wasm_bindgen(typescript_type = "Options")]
    pub type OptionsInput;

    /// `Object.entries`, with exceptions caught: an exception that passed through the module would leak what its
    /// functions were about to free.
    #[wasm_bindgen(catch, js_namespace = Object, js_name = entries)]
    fn entries_of(object: &JsValue) -> Result<Array, JsValue>;

    #[wasm_bindgen(js_name = Uint8Array)]
    type Bytes;

    #[wasm_bindgen(catch, method, js_class = "Uint8Array")]
    fn slice(this: &Bytes) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Object)]
    pub(crate) fn assign(target: &Object, source: &JsValue) -> Result<Object, JsValue>;
}

/// The text of a spec.
pub(crate) fn spec_text(spec: &JsValue) -> Result<String, Thrown> {
    text_or_object(spec, "a spec")
}

/// A string as it is, or an object as JSON text.
pub(crate) fn text_or_object(value: &JsValue, what: &str) -> Result<String, Thrown> {
    if let Some(text) = value.as_string() {
        return Ok(text);
    }
    if !value.is_object() || value.is_function() {
        return Err(wrong_argument(format!("{what} must be a string or an object")));
    }
    let text = JSON::stringify(value)
        .map_err(|error| wrong_argument(format!("{what} can't be written as JSON: {}", said(&error))))?;
    text.as_string().ok_or_else(|| wrong_argument(format!("{what} can't be written as JSON")))
}

/// The message of a JavaScript error.
pub(crate) fn said(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| "no reason was given".to_owned(), |error| error.message().into())
}

/// Options, checked.
#[derive(Default)]
pub(crate) struct Options {
    files: BTreeMap<String, Given>,
    home: Option<String>,
    folder: Option<String>,
    python: Option<PythonFacts>,
    pub(crate) uuid: Option<JsValue>,
    pub(crate) now: Option<u64>,
    pub(crate) since: Option<PlanOutline>,
    pub(crate) policies: Vec<(String, Function)>,
}

/// A file that the caller gave.
struct Given {
    mode: u32,
    blob: SharedBlob,
    /// The caller's own value.
    value: JsValue,
}

/// A file of which the caller gave only size and digest.
struct Stated {
    size: u64,
    sha256: Digest,
    path: String,
}

impl Blob for Stated {
    fn length(&self) -> u64 {
        self.size
    }

    fn sha256(&self) -> Result<Digest, Failure> {
        Ok(self.sha256)
    }

    fn read(&self, _: u64, _: u32) -> Result<Vec<u8>, Failure> {
        let message = format!("the bytes of {} are not here, only their size and digest", self.path);
        Err(Failure::input(Code::NoContent, message).with_help("give its content in files"))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Options {
    /// Reads what a caller passed.
    pub(crate) fn read(input: Option<&JsValue>) -> Result<Self, Thrown> {
        let Some(input) = input.filter(|input| !input.is_undefined() && !input.is_null()) else {
            return Ok(Self::default());
        };
        if !input.is_object() {
            return Err(wrong_argument("options must be an object"));
        }
        let keys = Reflect::own_keys(input).map_err(|error| unreadable("options", &error))?;
        if let Some(key) = keys.iter().filter_map(|key| key.as_string()).find(|key| !NAMES.contains(&key.as_str())) {
            return Err(wrong_argument(format!("unknown option {key:?}; expected one of {}", NAMES.join(", "))));
        }
        let mut options = Self { home: text(input, "home")?, folder: text(input, "folder")?, ..Self::default() };
        for (path, given) in entries(input, "files", "{ path: bytes }")? {
            let given = Given::read(&path, given)?;
            options.files.insert(path, given);
        }
        for (name, policy) in entries(input, "policies", "{ name: function }")? {
            let policy =
                policy.dyn_into().map_err(|_| wrong_argument(format!("policies[{name:?}] must be a function")))?;
            options.policies.push((name, policy));
        }
        if let Some(python) = field(input, "python")? {
            let version = text(&python, "version")?.filter(|version| version.parse::<PythonVersion>().is_ok());
            let version = version.ok_or_else(|| wrong_argument("python must have a version, such as \"3.11\""))?;
            let (prefect, cloudpickle) = (text(&python, "prefect")?, text(&python, "cloudpickle")?);
            options.python = Some(PythonFacts { version, prefect, cloudpickle });
        }
        options.uuid = field(input, "uuid")?;
        if options.uuid.as_ref().is_some_and(|uuid| !uuid.is_function() && uuid.as_string().is_none()) {
            return Err(wrong_argument("uuid must be a string or a function"));
        }
        options.now = number(input, "now")?;
        options.since = match field(input, "since")? {
            Some(since) => {
                Some(PlanOutline::from_json(&text_or_object(&since, "an earlier preview")?).map_err(thrown)?)
            }
            None => None,
        };
        Ok(options)
    }

    /// The facts about every source that a spec names.
    pub(crate) fn facts(&self, sources: &[Source]) -> Facts {
        Facts {
            python: self.python.clone(),
            home: self.home.clone(),
            folder: self.folder.clone(),
            findings: sources.iter().map(|source| self.finding(source)).collect(),
        }
    }

    fn finding(&self, source: &Source) -> Finding {
        match &source.origin {
            Origin::Flow(path) => match self.files.get(path) {
                Some(given) => Finding::Flow(None, given.blob.clone()),
                None => Finding::Unseen,
            },
            // Only Python can pickle an object, and there is no Python here.
            Origin::Object { .. } => Finding::Unseen,
            Origin::File(_) if source.pinned => Finding::Skipped,
            Origin::File(path) => {
                let entries = self.entries(path);
                if entries.is_empty() { Finding::Unseen } else { Finding::File(entries) }
            }
        }
    }

    /// The entry of a given file or, for a directory, the entries of all given files and directories below it.
    fn entries(&self, source: &str) -> Vec<FoundEntry> {
        let file = |path: &str, given: &Given| FoundEntry {
            path: path.to_owned(),
            mode: given.mode,
            kind: FoundKind::File(given.blob.clone()),
        };
        if let Some(given) = self.files.get(source) {
            return vec![file("", given)];
        }
        let root = format!("{}/", source.trim_end_matches('/'));
        let below = self.files.range(root.clone()..).take_while(|(path, _)| path.starts_with(&root));
        let mut directories = std::collections::BTreeSet::new();
        let mut entries = Vec::new();
        for (path, given) in below {
            let path = &path[root.len()..];
            directories.insert("");
            directories.extend(path.match_indices('/').map(|(end, _)| &path[..end]));
            entries.push(file(path, given));
        }
        let directory = |path: &str| FoundEntry { path: path.to_owned(), mode: 0o755, kind: FoundKind::Directory };
        entries.extend(directories.into_iter().map(directory));
        entries
    }

    /// Gives `content` its bytes, if the caller gave a file of its size and digest, or it is one of Flowhold's scripts.
    pub(crate) fn attach(&self, content: &mut Content) {
        let given = || {
            let fits =
                |given: &&Given| given.blob.length() == content.size && given.blob.sha256() == Ok(content.sha256);
            self.files.values().find(fits)
        };
        let ours = || Some(in_memory(script::find(&scripts()?, &content.sha256)?));
        if content.seen && content.blob.is_none() {
            content.blob = given().map(|given| given.blob.clone()).or_else(ours);
        }
    }

    /// The object that the caller gave in place of a blob's bytes; none if the bytes are here.
    pub(crate) fn stand_in(&self, blob: &SharedBlob) -> Option<JsValue> {
        let stated = blob.as_any().downcast_ref::<Stated>()?;
        Some(self.files.get(&stated.path)?.value.clone())
    }
}

impl Given {
    fn read(path: &str, value: JsValue) -> Result<Self, Thrown> {
        if let Some(bytes) = bytes_of(&value) {
            return Ok(Self { mode: 0o644, blob: in_memory(bytes), value });
        }
        let refuse = |what: &str| wrong_argument(format!("files[{path:?}] {what}"));
        if !value.is_object() {
            return Err(refuse("is neither bytes (Uint8Array) nor { size, sha256 }"));
        }
        let mode = number(&value, "mode")?.map_or(0o644, |mode| (mode & 0o7777) as u32);
        if let Some(content) = field(&value, "content")? {
            let bytes =
                bytes_of(&content).ok_or_else(|| refuse("has content that is not a Uint8Array of at most 1 GiB"))?;
            return Ok(Self { mode, blob: in_memory(bytes), value });
        }
        let (Some(size), Some(sha256)) = (number(&value, "size")?, text(&value, "sha256")?) else {
            return Err(refuse("has neither content (at most 1 GiB, and not transferred) nor size and sha256"));
        };
        let sha256 = sha256.parse().map_err(|error| refuse(&format!("has a wrong sha256: {error}")))?;
        Ok(Self { mode, blob: std::sync::Arc::new(Stated { size, sha256, path: path.to_owned() }), value })
    }
}

/// The caller's time, else the clock's.
impl Clock for Options {
    fn now(&self) -> u64 {
        self.now.unwrap_or_else(|| js_sys::Date::now() as u64)
    }
}

/// The caller's string, or what the caller's function returns.
impl Random for Options {
    fn uuid(&self) -> String {
        let Some(uuid) = &self.uuid else { return String::new() };
        match uuid.dyn_ref::<Function>() {
            // A result that is not a string becomes an empty name, which is reported as invalid.
            Some(function) => {
                function.call0(&JsValue::UNDEFINED).ok().and_then(|id| id.as_string()).unwrap_or_default()
            }
            None => uuid.as_string().unwrap_or_default(),
        }
    }
}

/// A field of an object; none where it is undefined or null.
pub(crate) fn field(object: &JsValue, name: &str) -> Result<Option<JsValue>, Thrown> {
    let value = Reflect::get(object, &name.into()).map_err(|error| unreadable(name, &error))?;
    Ok(Some(value).filter(|value| !value.is_undefined() && !value.is_null()))
}

/// The members of a field that is an object.
fn entries(object: &JsValue, name: &str, shape: &str) -> Result<Vec<(String, JsValue)>, Thrown> {
    let Some(members) = field(object, name)? else { return Ok(Vec::new()) };
    if !members.is_object() {
        return Err(wrong_argument(format!("{name} must be an object: {shape}")));
    }
    let member = |entry: JsValue| {
        let entry: Array = entry.unchecked_into();
        (entry.get(0).as_string().unwrap_or_default(), entry.get(1))
    };
    let members = entries_of(&members).map_err(|error| unreadable(name, &error))?;
    Ok(members.iter().map(member).collect())
}

/// The error for an object of the caller that threw while it was read.
fn unreadable(name: &str, error: &JsValue) -> Thrown {
    wrong_argument(format!("{name} can't be read: {}", said(error)))
}

/// The most bytes that one argument may have: the module holds some bytes twice, and its memory has no room for more.
const LARGEST: u32 = 1 << 30;

/// The bytes of an argument; none if it is not a `Uint8Array`, is too large, or was transferred.
pub(crate) fn bytes_of(value: &JsValue) -> Option<Vec<u8>> {
    let bytes = value.dyn_ref::<Uint8Array>()?;
    match bytes.length() {
        // An array that was transferred to a worker is empty too, but copying it throws.
        0 => bytes.unchecked_ref::<Bytes>().slice().is_ok().then(Vec::new),
        1..=LARGEST => Some(bytes.to_vec()),
        _ => None,
    }
}

/// An argument that must be a string.
pub(crate) fn text_of(value: &JsValue, name: &str) -> Result<String, Thrown> {
    value.as_string().ok_or_else(|| wrong_argument(format!("{name} is not a string")))
}

/// A field that must be a string, if it is there.
pub(crate) fn text(object: &JsValue, name: &str) -> Result<Option<String>, Thrown> {
    field(object, name)?.map(|value| text_of(&value, name)).transpose()
}

fn number(object: &JsValue, name: &str) -> Result<Option<u64>, Thrown> {
    let number = |value: JsValue| match value.as_f64() {
        Some(number) if number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_991.0 => {
            Ok(number as u64)
        }
        _ => Err(wrong_argument(format!("{name} is not a whole number"))),
    };
    field(object, name)?.map(number).transpose()
}
