//! The spec: what the user writes, as TOML or JSON.
//!
//! Reading never stops at the first mistake: it returns what it understood, and a diagnostic for everything else.

pub mod keys;

pub use crate::document::Place;

use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

use crate::{
    blob::Content,
    diagnostic::{Code, Diagnostic},
    document::{self, Node, Value},
    flow::Format,
    flow_name::FlowName,
    image::ImageReference,
    reader::{self, Field, Reader, Table},
    settings::{self, DockerSettings, Naming},
    storage::StorageKind,
};

/// What the user wrote. Things that are left open are `None`.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Which storage, and its arguments.
    pub storage: StorageSpec,
    /// The interpreter that pickles the flows.
    pub python: Option<String>,
    /// The flows, in order.
    pub flows: Vec<FlowSpec>,
    /// Field and path, relative to the spec, of each policy that must judge the plan.
    pub policies: Vec<(String, String)>,
    /// Whether the spec names flows, valid or not.
    pub(crate) has_flows: bool,
    /// Where each field is in the text.
    places: Vec<(String, Place)>,
    /// Field -> index of its place; made when a line is first looked up.
    index: OnceCell<BTreeMap<Arc<str>, usize>>,
}

/// A storage and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageSpec {
    /// An image.
    Docker(Box<DockerSettings>),
    /// A directory; `~/.prefect/flows` by default.
    Local {
        /// As written: it may begin with `~`, or be relative to the spec.
        directory: Option<String>,
    },
    /// Memory; nothing is kept.
    Memory,
    /// Bytes inside the serialized storage.
    Bytes,
}

impl StorageSpec {
    /// The type of storage.
    pub const fn kind(&self) -> StorageKind {
        match self {
            Self::Docker(_) => StorageKind::Docker,
            Self::Local { .. } => StorageKind::Local,
            Self::Memory => StorageKind::Memory,
            Self::Bytes => StorageKind::Bytes,
        }
    }
}

/// One of `[[flows]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSpec {
    /// The field, such as `flows[0]`.
    pub field: String,
    /// Relative to the spec file. Only a resolved spec may leave it out.
    pub path: Option<String>,
    /// The object in the file that is to be pickled.
    pub object: Option<String>,
    /// By default the object's own name, else the file's name without its extension.
    pub name: Option<FlowName>,
    /// Given, or decided by `object` and the extension; `None` where only the bytes tell.
    pub format: Option<Format>,
    /// Size and digest, which a resolved spec states.
    pub pinned: Option<Content>,
}

/// Something that a spec names and that its host must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The field that names it.
    pub field: String,
    /// Where its bytes come from.
    pub origin: Origin,
    /// Whether size and digest are known: a preview then needs nothing more.
    pub pinned: bool,
}

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A Python file and the object in it that is to be pickled.
    Object {
        /// The file.
        path: String,
        /// The object's name, which may be dotted.
        object: String,
    },
    /// The path of a flow that is stored as it is.
    Flow(String),
    /// The path of a file or directory for the image.
    File(String),
}

impl Spec {
    /// Reads a spec. The diagnostics tell everything that is wrong with it; the spec is `None` if the text is not one
    /// at all.
    pub fn parse(text: &str) -> (Option<Self>, Vec<Diagnostic>) {
        let node = match document::parse(text) {
            Ok(node) => node,
            Err(error) => {
                let mut diagnostic = Diagnostic::new(Code::Syntax, "", error.message);
                diagnostic.line = error.place.map(|place| place.line);
                return (None, vec![diagnostic]);
            }
        };
        let mut reader = Reader::default();
        let spec = read(&mut reader, &node);
        (spec, reader.diagnostics)
    }

    /// The place of each field in a text, even if the spec has errors; for a text with a syntax error, the place of
    /// that error.
    pub fn places(text: &str) -> Vec<(String, Place)> {
        let mut places = Vec::new();
        match document::parse(text) {
            Ok(node) => collect_places("", &node, &mut places, &mut { PLACES }),
            Err(error) => places.extend(error.place.map(|place| (String::new(), place))),
        }
        places
    }

    /// What the host must look at, in the order in which the host gives its findings.
    pub fn sources(&self) -> Vec<Source> {
        let flows = self.flows.iter().filter_map(|flow| {
            let path = flow.path.clone()?;
            let origin = match &flow.object {
                Some(object) => Origin::Object { path, object: object.clone() },
                None => Origin::Flow(path),
            };
            Some(Source { field: flow.field.clone(), origin, pinned: flow.pinned.is_some() })
        });
        let files: &[_] = if let StorageSpec::Docker(settings) = &self.storage { &settings.files } else { &[] };
        let files = files.iter().map(|file| Source {
            field: reader::join_path("storage.files", &file.source),
            origin: Origin::File(file.source.clone()),
            pinned: file.entries.is_some(),
        });
        flows.chain(files).collect()
    }

    /// The base image that a build pulls whatever its sources are, and the settings for the pull. `None` where the pull
    /// depends on the sources, on what the daemon has, or on a policy; `DockerStorage` decides then.
    pub fn pulled_base(&self) -> Option<(&ImageReference, &DockerSettings)> {
        let StorageSpec::Docker(settings) = &self.storage else { return None };
        let base = settings.base_image.as_ref().filter(|base| base.digest().is_none())?;
        let is_pulled = !settings.local_image && settings.naming != Naming::Plan && self.policies.is_empty();
        is_pulled.then_some((base, settings))
    }

    /// The line of a field, or of the nearest field around it.
    pub fn line(&self, field: &str) -> Option<u32> {
        let index = self.index.get_or_init(|| {
            let mut index = BTreeMap::new();
            for (at, (field, _)) in self.places.iter().enumerate() {
                // Of a key that appears twice, only the first is read.
                index.entry(Arc::from(field.as_str())).or_insert(at);
            }
            index
        });
        let mut around = field;
        loop {
            if let Some((_, place)) = index.get(around).and_then(|index| self.places.get(*index)) {
                return Some(place.line);
            }
            around = &around[..around.rfind(['.', '['])?];
        }
    }
}

fn read(reader: &mut Reader, node: &Node) -> Option<Spec> {
    reader.elsewhere = keys::places();
    let whole = Field { path: String::new(), node };
    if let Some((what, help)) = what_else(node) {
        reader.report(Code::NotASpec, &whole, format!("this is a {what}, not a spec"), Some(help));
        return None;
    }
    let mut table = reader.table(&whole)?;
    let storage = table.field("storage").and_then(|field| reader.table(&field));
    let (storage, python) = match storage {
        Some(table) => read_storage(reader, table),
        None => (StorageSpec::Local { directory: None }, None),
    };
    let fields = table.field("flows").map_or_else(Vec::new, |field| reader.elements(&field));
    let has_flows = !fields.is_empty();
    let flows: Vec<_> = fields.into_iter().filter_map(|field| read_flow(reader, &field)).collect();
    let policies = table.field("policies").map_or_else(Vec::new, |field| read_policies(reader, &field));
    reader.finish(table);
    let mut places = Vec::new();
    collect_places("", node, &mut places, &mut { PLACES });
    Some(Spec { storage, python, flows, policies, has_flows, places, index: OnceCell::new() })
}

/// What a document is that people mistake for a spec, and what it is good for. Read as a spec, it would have an error
/// in every key.
fn what_else(node: &Node) -> Option<(&'static str, &'static str)> {
    let Value::Table(entries) = &node.value else { return None };
    let value = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, node)| &node.value);
    match value("type") {
        // A spec has its type in [storage], and in lower case.
        Some(Value::String(kind)) if StorageKind::of_original(kind).is_some() => {
            Some(("serialized storage", "flowhold run, ls and get take it with --storage"))
        }
        _ if value("dockerfile").is_some() && value("plan").is_some() => {
            Some(("preview", "flowhold preview takes it with --since, to see which steps of a spec run again"))
        }
        _ => None,
    }
}

/// The most policies: each has its own memory and time.
const POLICIES: usize = 100;

fn read_policies(reader: &mut Reader, field: &Field<'_>) -> Vec<(String, String)> {
    let mut policies: Vec<(String, String)> = Vec::new();
    let elements = reader.elements(field);
    if elements.len() > POLICIES {
        reader.report(Code::InvalidValue, field, format!("more than {POLICIES} policies"), Some("name fewer"));
        return policies;
    }
    for field in elements {
        let Some(path) = reader.text(&field) else { continue };
        if path.is_empty() || path.contains(char::is_control) {
            reader.report(Code::InvalidValue, &field, format!("{path:?} is not the path of a policy"), None);
        } else if policies.iter().any(|(_, other)| other == path) {
            reader.report(Code::InvalidValue, &field, format!("the policy {path:?} appears twice"), None);
        } else {
            policies.push((field.path.clone(), path.to_owned()));
        }
    }
    policies
}

fn read_storage(reader: &mut Reader, mut table: Table<'_>) -> (StorageSpec, Option<String>) {
    let kind = table.field("type");
    let kind_text = kind.as_ref().and_then(|field| reader.text(field)).unwrap_or(StorageKind::Local.as_str());
    let known = kind_text.parse::<StorageKind>().ok();
    let python = table.field("python").and_then(|field| reader.text(&field).map(str::to_owned));
    // Fields of Local and Docker storages are read whatever the type, so that a field of another type is not taken for
    // a slip.
    let directory = table.field("directory");
    let settings = if known == Some(StorageKind::Docker) {
        DockerSettings::read(reader, &mut table)
    } else {
        refuse_settings(reader, &mut table, kind_text);
        DockerSettings::default()
    };
    if let (Some(field), true) = (&directory, known != Some(StorageKind::Local)) {
        let message = format!("directory belongs to type \"local\", not to {kind_text:?}");
        reader.report(Code::OtherStorage, field, message, None);
    }
    let directory = directory.and_then(|field| read_path(reader, &field));
    reader.finish(table);
    let storage = match known {
        Some(StorageKind::Docker) => StorageSpec::Docker(Box::new(settings)),
        Some(StorageKind::Memory) => StorageSpec::Memory,
        Some(StorageKind::Bytes) => StorageSpec::Bytes,
        Some(StorageKind::Local) => StorageSpec::Local { directory },
        None => {
            if let Some(field) = &kind {
                let message = format!("{kind_text:?} is not a storage type; expected local, docker, memory or bytes");
                let near = reader::nearest(kind_text, StorageKind::WORDS).filter(|(_, is_slip)| *is_slip);
                let help = near.map(|(near, _)| format!("did you mean {near:?}?"));
                reader.report(Code::InvalidValue, field, message, help.as_deref());
            }
            StorageSpec::Local { directory }
        }
    };
    (storage, python)
}

/// Reports fields of the Docker storage in a spec of another type.
fn refuse_settings(reader: &mut Reader, table: &mut Table<'_>, kind: &str) {
    settings::read_python_version(reader, table);
    settings::read_cloudpickle_version(reader, table);
    for key in keys::of_storage(StorageKind::Docker) {
        if let Some(field) = table.field(key.name) {
            let message = format!("{} belongs to type \"docker\", not to {kind:?}", key.name);
            reader.report(Code::OtherStorage, &field, message, Some("write type = \"docker\", or leave it out"));
        }
    }
}

fn read_path(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    if text.is_empty() || text.contains(char::is_control) {
        reader.report(Code::InvalidValue, field, format!("{text:?} is not a path"), Some("write where it is"));
        return None;
    }
    Some(text.to_owned())
}

fn read_flow(reader: &mut Reader, field: &Field<'_>) -> Option<FlowSpec> {
    let mut table = reader.table(field)?;
    let path_field = table.field("path");
    let path = path_field.as_ref().and_then(|field| read_path(reader, field));
    let object_field = table.field("object");
    let mut object = object_field.as_ref().and_then(|field| read_object(reader, field));
    let name_field = table.field("name");
    let name = name_field.as_ref().and_then(|field| reader.parse(field));
    let format_field = table.field("format");
    let format: Option<Format> = format_field.as_ref().and_then(|field| reader.parse(field));
    let pinned = settings::read_content(reader, &mut table);
    reader.finish(table);
    if path.is_none() && path_field.is_some() {
        return None;
    }
    if path.is_none() && pinned.is_none() {
        let help = "path is the flow's file, relative to the spec";
        reader.report(Code::MissingKey, field, format!("{} has no path", field.path), Some(help));
        return None;
    }
    let is_python = path.as_deref().is_some_and(|path| path.ends_with(".py"));
    let by_shape = match path.as_deref() {
        Some(_) if object.is_none() && is_python => Some(Format::Script),
        // The bytes of a pinned flow don't decide its format: a preview does not look at them, and must make the same
        // plan as a build.
        Some(path) if object.is_none() && pinned.is_none() && !is_pickle(path) => None,
        _ => Some(Format::Pickle),
    };
    let contradiction = match (format, object.is_some()) {
        (Some(Format::Script), true) => {
            Some(("an object of a file is pickled: it is not a script", "leave out object to store the file itself"))
        }
        (Some(Format::Pickle), false) if is_python && object_field.is_none() => {
            Some(("a .py file is not a pickle", "name the object in it that is to be pickled: object = \"flow\""))
        }
        _ => None,
    };
    if let (Some(field), Some((message, help))) = (&format_field, contradiction) {
        reader.report(Code::InvalidValue, field, message, Some(help));
    }
    if let (Some(field), false) = (&object_field, is_python || path.is_none()) {
        let message = format!("only a .py file has objects, and {:?} is not one", path.as_deref().unwrap_or_default());
        reader.report(Code::InvalidValue, field, message, Some("leave out object to store the file as it is"));
        object = None;
    }
    // A default name in its place could cause errors that the user did not make.
    if name.is_none() && name_field.is_some() {
        return None;
    }
    Some(FlowSpec { field: field.path.clone(), path, object, name, format: format.or(by_shape), pinned })
}

/// Whether a path has an extension of pickles. Some pickles begin with a byte with which a text may begin, too.
fn is_pickle(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "pkl" | "pickle" | "prefect" | "cpkl" | "cloudpickle" | "p" | "pck" | "pcl")
}

fn read_object(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let identifier = |part: &str| {
        // Beyond ASCII, Python itself decides what a letter is.
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        part.starts_with(letter) && part.chars().all(|c| letter(c) || c.is_ascii_digit())
    };
    if text.split('.').all(identifier) {
        return Some(text.to_owned());
    }
    reader.report(Code::InvalidValue, field, format!("{text:?} is not the name of a Python object"), None);
    None
}

/// At most this many bytes of paths are remembered: a hundred thousand flows need a tenth of that.
const PLACES: usize = 64 << 20;

fn collect_places(path: &str, node: &Node, places: &mut Vec<(String, Place)>, left: &mut usize) {
    *left = left.saturating_sub(path.len());
    if *left == 0 {
        return;
    }
    if let Some(place) = node.place {
        places.push((path.to_owned(), place));
    }
    match &node.value {
        Value::Table(entries) => {
            for (key, node) in entries {
                if *left == 0 {
                    return;
                }
                collect_places(&reader::join_path(path, key), node, places, left);
            }
        }
        Value::Array(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                if *left == 0 {
                    return;
                }
                collect_places(&format!("{path}[{index}]"), node, places, left);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_that_is_pulled_is_said_only_where_it_is_certain() {
        for (text, base) in [
            ("[storage]\ntype = \"docker\"\nbase_image = \"python:3.11\"", Some("python:3.11")),
            ("[storage]\ntype = \"docker\"\nbase_image = \"python:3.11\"\nnaming = \"flow\"", Some("python:3.11")),
            ("[storage]\ntype = \"docker\"", None),
            ("[storage]\ntype = \"docker\"\nbase_image = \"python:3.11\"\nlocal_image = true", None),
            ("[storage]\ntype = \"docker\"\nbase_image = \"python:3.11\"\nnaming = \"plan\"", None),
            ("policies = [\"deny.wasm\"]\n[storage]\ntype = \"docker\"\nbase_image = \"python:3.11\"", None),
            ("[storage]\ntype = \"local\"", None),
        ] {
            let (spec, diagnostics) = Spec::parse(text);
            assert_eq!(diagnostics, []);
            let spec = spec.unwrap();
            assert_eq!(spec.pulled_base().map(|(base, _)| base.as_str()), base, "{text}");
        }
        let pinned = format!("[storage]\ntype = \"docker\"\nbase_image = \"python@sha256:{}\"", "0a".repeat(32));
        assert!(Spec::parse(&pinned).0.unwrap().pulled_base().is_none());
    }
}
