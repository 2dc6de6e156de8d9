//! The storages of the specification as classes.

use flowhold_core::{
    blob::{Content, read_all},
    capability::refused,
    failure::Failure,
    flow::{Flow as CoreFlow, Format},
    flow_name::FlowNameError,
    serialized, snapshot,
    spec::{Spec, StorageSpec},
    storage::{
        BytesStorage as CoreBytes, DockerStorage as CoreDocker, LocalStorage as CoreLocal, Storage, StorageKind,
        no_content,
    },
    words::WordError,
};
use js_sys::{Array, JSON, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, thrown, to_js, wrong_argument},
    input::{assign, bytes_of, field, said, spec_text, text, text_of, text_or_object},
    nothing::Nothing,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A named payload. A text is stored as UTF-8, and as a script unless `format` says otherwise. */
export interface Flow {
    name: string;
    format?: 'pickle' | 'script';
    content: Uint8Array | string;
}

/** What a build did: the object of `flowhold build --format json`. */
export interface BuildReport {
    plan: string;
    image: string | null;
    digest: string | null;
    pushed: boolean;
    flows: Record<string, string>;
    storage: object;
    steps: { name: string; cached: boolean; seconds: number }[];
}
"#;

#[wasm_bindgen]
extern "C" {
    /// A flow.
    #[wasm_bindgen(typescript_type = "Flow")]
    pub type FlowInput;

    /// A storage as JSON (text or object) or as a snapshot.
    #[wasm_bindgen(typescript_type = "string | object | Uint8Array")]
    pub type Serialized;

    /// The arguments of a Docker storage.
    #[wasm_bindgen(typescript_type = "object")]
    pub type Arguments;
}

/// Declares the class of one kind of storage. The functions below hold what the classes share. Documentation is given
/// as attributes: wasm-bindgen quotes doc comments that come through a macro.
macro_rules! storage_class {
    ($(#[$doc:meta])+ $class:ident, $kind:expr, $constructor:item) => {
        $(#[$doc])+
        #[wasm_bindgen]
        pub struct $class(Storage);

        #[wasm_bindgen]
        impl $class {
            #[wasm_bindgen(constructor)]
            $constructor

            /// Reads a storage: JSON as text or object, or a snapshot.
            pub fn deserialize(serialized: &Serialized) -> Result<$class, Thrown> {
                Ok(Self(deserialize(serialized, $kind)?))
            }

            /// The image's reference, the directory, or the kind of storage. Throws while an image has no name or tag.
            #[wasm_bindgen(getter)]
            pub fn name(&self) -> Result<String, Thrown> {
                self.0.name().map_err(thrown)
            }

            /// Flow name -> location.
            #[wasm_bindgen(getter, unchecked_return_type = "Record<string, string>")]
            pub fn flows(&self) -> Result<JsValue, Thrown> {
                to_js(self.0.flows())
            }

            /// Adds a flow, and returns its location. Throws if the name is taken.
            #[wasm_bindgen(js_name = addFlow)]
            pub fn add_flow(&mut self, flow: &FlowInput) -> Result<String, Thrown> {
                add_flow(&mut self.0, flow_of(flow)?).map_err(thrown)
            }

            /// Whether a flow of that name is in the storage. False for anything that is not a name.
            pub fn contains(&self, #[wasm_bindgen(unchecked_param_type = "unknown")] name: &JsValue) -> bool {
                name.as_string().is_some_and(|name| self.0.contains(&name))
            }

            /// The flow at a location. Throws if there is none.
            #[wasm_bindgen(js_name = getFlow, unchecked_return_type = "Flow & { format: 'pickle' | 'script'; content: Uint8Array<ArrayBuffer> }")]
            pub fn get_flow(
                &self,
                #[wasm_bindgen(unchecked_param_type = "string")] location: &JsValue,
            ) -> Result<Object, Thrown> {
                flow_at(&self.0, location)
            }

            /// The storage as JSON.
            pub fn serialize(&self) -> Result<String, Thrown> {
                serialized::to_json(&self.0).map_err(thrown)
            }

            /// The storage as a snapshot, which `deserialize` reads.
            #[wasm_bindgen(unchecked_return_type = "Uint8Array<ArrayBuffer>")]
            pub fn snapshot(&self) -> Result<Vec<u8>, Thrown> {
                snapshot::encode(&self.0).map_err(thrown)
            }

            /// Builds the storage. Rejects if the build needs a daemon or files, which this host does not have.
            #[wasm_bindgen(unchecked_return_type = "Promise<BuildReport>")]
            pub fn build(&self) -> Promise {
                match build(&self.0) {
                    Ok(report) => Promise::resolve(&report),
                    Err(error) => Promise::reject(&error),
                }
            }
        }
    };
}

storage_class! {
    #[doc = "Flows in an image. Here it can be described, not built."]
    DockerStorage, StorageKind::Docker,
    #[doc = "A storage without flows. The arguments have the names of `[storage]` in a spec."]
    pub fn new(settings: Option<Arguments>) -> Result<DockerStorage, Thrown> {
        Ok(Self(docker(settings.as_ref().map(AsRef::as_ref))?))
    }
}

storage_class! {
    #[doc = "Flows as they are, for tests. Serializing it keeps no flows."]
    MemoryStorage, StorageKind::Memory,
    #[doc = "A storage without flows."]
    #[expect(clippy::new_without_default, reason = "JavaScript has no Default")]
    pub fn new() -> MemoryStorage {
        Self(Storage::Memory(Default::default()))
    }
}

storage_class! {
    #[doc = "Flows as bytes, for tests. It survives serializing with everything in it."]
    BytesStorage, StorageKind::Bytes,
    #[doc = "A storage without flows."]
    #[expect(clippy::new_without_default, reason = "JavaScript has no Default")]
    pub fn new() -> BytesStorage {
        Self(Storage::Bytes(CoreBytes::default()))
    }
}

storage_class! {
    #[doc = "Flows in a directory. Here it can be read from JSON; what needs files is refused."]
    LocalStorage, StorageKind::Local,
    #[doc = "A storage in this directory."]
    pub fn new(#[wasm_bindgen(unchecked_param_type = "string")] directory: &JsValue) -> Result<LocalStorage, Thrown> {
        Ok(Self(Storage::Local(CoreLocal::new(text_of(directory, "directory")?))))
    }
}

fn docker(settings: Option<&JsValue>) -> Result<Storage, Thrown> {
    let storage = Object::new();
    if let Some(settings) = settings {
        if !settings.is_object() {
            return Err(wrong_argument("the arguments of a storage must be an object"));
        }
        assign(&storage, settings)
            .map_err(|error| wrong_argument(format!("the arguments can't be read: {}", said(&error))))?;
    }
    js_sys::Reflect::set(&storage, &"type".into(), &"docker".into())?;
    let spec = Object::new();
    js_sys::Reflect::set(&spec, &"storage".into(), &storage)?;
    let (spec, diagnostics) = Spec::parse(&spec_text(&spec)?);
    if let Some(error) = diagnostics.into_iter().find(|diagnostic| diagnostic.is_error()) {
        return Err(thrown(Failure::from(error)));
    }
    match spec.map(|spec| spec.storage) {
        Some(StorageSpec::Docker(settings)) => Ok(Storage::Docker(Box::new(CoreDocker::new(*settings)))),
        _ => Err(wrong_argument("these are not arguments of a docker storage")),
    }
}

fn deserialize(serialized: &JsValue, kind: StorageKind) -> Result<Storage, Thrown> {
    let storage = match bytes_of(serialized) {
        Some(bytes) => serialized::from_bytes(&bytes),
        None => serialized::from_json(&text_or_object(serialized, "a serialized storage")?),
    };
    let storage = storage.map_err(thrown)?;
    if storage.kind() == kind {
        Ok(storage)
    } else {
        Err(wrong_argument(format!("this is a {} storage, not a {kind} storage", storage.kind())))
    }
}

fn flow_of(input: &JsValue) -> Result<CoreFlow, Thrown> {
    if !input.is_object() {
        return Err(wrong_argument("a flow must be an object: { name, content }"));
    }
    let name = text(input, "name")?.ok_or_else(|| wrong_argument("the flow has no name"))?;
    let content = field(input, "content")?.ok_or_else(|| wrong_argument("the flow has no content"))?;
    let (bytes, by_content) = match (bytes_of(&content), content.as_string()) {
        (Some(bytes), _) => {
            let format = Format::of(&bytes);
            (bytes, format)
        }
        (None, Some(text)) => (text.into_bytes(), Format::Script),
        (None, None) => return Err(wrong_argument("the content of a flow must be a Uint8Array or a string")),
    };
    let format = match text(input, "format")? {
        Some(format) => format.parse().map_err(|error: WordError| thrown(Failure::explained(error)))?,
        None => by_content,
    };
    let name = name.parse().map_err(|error: FlowNameError| thrown(Failure::explained(error)))?;
    Ok(CoreFlow { name, format, content: Content::from_bytes(bytes) })
}

fn flow_at(storage: &Storage, location: &JsValue) -> Result<Object, Thrown> {
    let location = text_of(location, "location")?;
    let CoreFlow { name, format, content } = get_flow(storage, &location).map_err(thrown)?;
    let blob = content.blob.ok_or_else(|| thrown(no_content(&name)))?;
    let bytes = read_all(blob.as_ref()).map_err(thrown)?;
    let flow = [
        Array::of2(&"name".into(), &name.as_str().into()),
        Array::of2(&"format".into(), &format.as_str().into()),
        Array::of2(&"content".into(), &Uint8Array::from(bytes.as_slice())),
    ];
    Object::from_entries(&flow.into_iter().collect::<Array>())
}

/// Does what `Storage::read_flow` does without daemon and files, and also returns the flow's name and format.
fn get_flow(storage: &Storage, location: &str) -> Result<CoreFlow, Failure> {
    match storage {
        Storage::Docker(docker) => {
            let blob = docker.added(location)?.ok_or_else(|| refused("docker"))?;
            let name = docker.flows().at(location)?.clone();
            Ok(CoreFlow { format: docker.format(&name), content: Content::of(blob)?, name })
        }
        Storage::Local(local) => local.get_flow(location, &Nothing),
        Storage::Memory(memory) => memory.get_flow(location),
        Storage::Bytes(bytes) => bytes.get_flow(location),
    }
}

/// Does what `Storage::add_flow` does without files: the module has no code that writes them.
fn add_flow(storage: &mut Storage, flow: CoreFlow) -> Result<String, Failure> {
    match storage {
        Storage::Docker(docker) => docker.add_flow(flow),
        Storage::Memory(memory) => memory.add_flow(flow),
        Storage::Bytes(bytes) => bytes.add_flow(flow),
        Storage::Local(local) => local.refuse_known(&flow.name).and_then(|()| Err(refused("files"))),
    }
}

/// Does what `Storage::build` does without daemon and files.
fn build(storage: &Storage) -> Result<JsValue, Thrown> {
    let report = match storage {
        Storage::Docker(_) => Err(refused("docker")),
        Storage::Local(_) => Err(refused("files")),
        Storage::Memory(memory) => memory.build(None),
        Storage::Bytes(bytes) => bytes.build(None),
    };
    let report = report.and_then(|report| storage.report_json(&report)).map_err(thrown)?;
    JSON::parse(&report)
}
