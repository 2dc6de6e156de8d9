//! Storages as JSON: the fields that the original's `serialize()` writes, followed by Flowhold's own.
//!
//! JSON written by Prefect 0.6.6 loads, and is written again with every field that it had.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    blob::Content,
    diagnostic::{Code, Diagnostic},
    digest::Digest,
    document::Node,
    failure::Failure,
    flow::{Flow, FlowMap, Format},
    flow_name::{FlowName, FlowNameError},
    json::{self, Json, Object},
    name_map::NameMap,
    reader::{Field, Reader, Table},
    settings::DockerSettings,
    storage::{
        BytesStorage, DockerStorage, LocalStorage, MemoryStorage, Storage, StorageKind, docker::Built, write_formats,
    },
};

/// The fields of a serialized storage that are unknown here, or that it writes in another form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    /// The fields as they were read. A field stays as it was read while its value in `ours` is still what would be
    /// written.
    read: Object,
    /// The fields that would have been written just after reading.
    ours: Object,
}

impl Extra {
    fn of(storage: &Storage, read: &Object) -> Self {
        // This can't fail for missing contents, since they are left out.
        let Ok(Json::Object(ours)) = to_value(storage, Contents::LeftOut) else { return Self::default() };
        let mut read = read.clone();
        // `flows` has only one form, so it is always written anew.
        read.0.retain(|(key, _)| key != "flows" || ours.get(key).is_none());
        Self { read, ours }
    }

    fn restore(&self, fields: &mut Object) {
        let (known, mut unknown) = (&mut fields.0, Vec::new());
        for (key, read) in &self.read.0 {
            let ours = self.ours.get(key);
            match known.iter_mut().find(|(name, _)| name == key) {
                Some((_, value)) if ours == Some(value) => *value = read.clone(),
                None if ours.is_none() => unknown.push((key.clone(), read.clone())),
                _ => {}
            }
        }
        known.append(&mut unknown);
    }
}

/// JSON for people: two spaces of indent.
pub fn to_json(storage: &Storage) -> Result<String, Failure> {
    Ok(format!("{:#}", to_value(storage, Contents::Included)?))
}

/// Where the flows of a Bytes storage go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Into the JSON, as base64.
    Included,
    /// Elsewhere, not into the JSON.
    LeftOut,
}

/// The JSON of a storage as a value.
pub(crate) fn to_value(storage: &Storage, contents: Contents) -> Result<Json, Failure> {
    let extra = extra_of(storage);
    let mut fields = Object::default();
    fields.put("type", storage.kind().original());
    fields.put("__version__", env!("CARGO_PKG_VERSION"));
    match storage {
        Storage::Docker(docker) => {
            for key in ["registry_url", "image_name", "image_tag"] {
                fields.put(key, Json::Null);
            }
            fields.put("flows", docker.flows());
            write_docker(docker, &mut fields);
        }
        Storage::Local(local) => {
            fields.put("directory", local.directory());
            fields.put("flows", &local.all());
            // Without its format, a file's first byte would have to tell what it is.
            write_formats(&mut fields, local.all_formats().entries().iter().map(|(name, format)| (name, *format)));
        }
        Storage::Memory(_) => {}
        Storage::Bytes(bytes) => {
            let mut flows = Vec::new();
            if contents == Contents::Included {
                for (flow, content) in bytes.contents()? {
                    flows.push((flow.name.to_string(), BASE64_STANDARD.encode(content).into()));
                }
            }
            fields.put("flows", Object(flows));
            write_formats(&mut fields, no_pickles(bytes.all().iter().map(|flow| (&flow.name, flow.format))));
        }
    }
    extra.restore(&mut fields);
    Ok(fields.into())
}

/// The flows that are not pickles: to the original, every flow is a pickle.
fn no_pickles<'f>(flows: impl Iterator<Item = (&'f FlowName, Format)>) -> impl Iterator<Item = (&'f FlowName, Format)> {
    flows.filter(|(_, format)| *format != Format::Pickle)
}

fn write_docker(docker: &DockerStorage, fields: &mut Object) {
    docker.settings.write(fields);
    write_formats(fields, no_pickles(docker.formats.entries().iter().map(|(name, format)| (name, *format))));
    let content =
        |content: &Content| Json::object(vec![("size", content.size.into()), ("sha256", content.sha256.hex().into())]);
    let contents = docker.contents.entries().iter().map(|(name, one)| (name.to_string(), content(one)));
    fields.put_some("contents", (!docker.contents.entries().is_empty()).then(|| Object(contents.collect())));
    fields.put_some("spec", docker.spec.as_ref());
    if let Some(built) = &docker.built {
        fields.put("plan", built.plan.to_string());
        fields.put("digest", built.digest.as_ref());
    }
}

fn extra_of(storage: &Storage) -> &Extra {
    match storage {
        Storage::Docker(docker) => &docker.extra,
        Storage::Local(local) => &local.extra,
        Storage::Memory(memory) => &memory.extra,
        Storage::Bytes(bytes) => &bytes.flows.extra,
    }
}

/// Reads a storage.
///
/// # Errors
/// If the text is not a serialized storage. The message tells everything that is wrong with it.
pub fn from_json(text: &str) -> Result<Storage, Failure> {
    from_parts(text, None)
}

/// Reads a storage from JSON or a snapshot, told apart by content.
///
/// # Errors
/// If the bytes are neither, or are damaged.
pub fn from_bytes(bytes: &[u8]) -> Result<Storage, Failure> {
    if crate::snapshot::is_snapshot(bytes) {
        return crate::snapshot::decode(bytes);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("it is neither JSON nor a snapshot"))?;
    from_json(text)
}

/// Reads a storage from JSON, and the flows of a Bytes storage from `payloads` as well.
pub(crate) fn from_parts(text: &str, payloads: Option<Vec<(String, Vec<u8>)>>) -> Result<Storage, Failure> {
    let values = json::parse(text).map_err(|error| invalid(format!("not JSON: {error}")))?;
    let node = Node::from(&values);
    let mut reader = Reader::default();
    let storage = read(&mut reader, Field { path: String::new(), node: &node }, &values, payloads);
    if let Some(missing) = reader.diagnostics.iter().find(|diagnostic| diagnostic.code == Code::NoReadings) {
        return Err(Failure { field: None, ..missing.clone().into() });
    }
    let errors = reader.diagnostics.into_iter().filter(Diagnostic::is_error);
    let messages: Vec<_> = errors.map(|diagnostic| diagnostic.message).collect();
    match storage {
        Some(storage) if messages.is_empty() => Ok(storage),
        _ => Err(invalid(messages.join("; "))),
    }
}

fn invalid(message: impl std::fmt::Display) -> Failure {
    Failure::input(Code::InvalidStorage, format!("not a serialized storage: {message}"))
        .with_help("`flowhold build` writes one, as does `serialize()` of the original")
}

fn read(
    reader: &mut Reader,
    field: Field<'_>,
    values: &Json,
    payloads: Option<Vec<(String, Vec<u8>)>>,
) -> Option<Storage> {
    let place = Field { path: "type".to_owned(), node: field.node };
    let mut table = reader.table(&field)?;
    let Some(kind) = table.field("type") else {
        reader.report(Code::MissingKey, &place, "it has no type", None);
        return None;
    };
    let kind_text = reader.text(&kind)?;
    drop(table.field("__version__"));
    let mut storage = match StorageKind::of_original(kind_text) {
        Some(StorageKind::Docker) => Storage::Docker(Box::new(read_docker(reader, &mut table, values)?)),
        Some(StorageKind::Local) => Storage::Local(read_local(reader, &mut table)?),
        Some(StorageKind::Memory) => Storage::Memory(MemoryStorage::default()),
        Some(StorageKind::Bytes) => Storage::Bytes(read_bytes(reader, &mut table, payloads)?),
        None => {
            let message = format!("{kind_text:?} is not a storage type; expected Docker, Local, Memory or Bytes");
            reader.report(Code::InvalidValue, &kind, message, None);
            return None;
        }
    };
    let Json::Object(fields) = values else { return None };
    let extra = Extra::of(&storage, fields);
    match &mut storage {
        Storage::Docker(docker) => docker.extra = extra,
        Storage::Local(local) => local.extra = extra,
        Storage::Memory(memory) => memory.extra = extra,
        Storage::Bytes(bytes) => bytes.flows.extra = extra,
    }
    Some(storage)
}

fn read_docker(reader: &mut Reader, table: &mut Table<'_>, values: &Json) -> Option<DockerStorage> {
    let text = |key: &str| values.get(key).and_then(Json::as_str);
    let before = reader.diagnostics.len();
    let mut settings = DockerSettings::read(reader, table);
    let mut unusable = Vec::new();
    for one in reader.diagnostics.split_off(before) {
        match (one.field.as_str(), text(&one.field)) {
            // The original takes any text for these settings. A text that can't be used is an error only where the
            // setting is needed; an empty text means that the setting is left out.
            ("registry_url" | "image_name" | "image_tag" | "prefect_version", Some(text)) if one.is_error() => {
                unusable.extend((!text.is_empty()).then_some(one));
            }
            _ => reader.diagnostics.push(one),
        }
    }
    if settings.registry_url.is_none()
        && let Some((registry, name)) = text("image_name").and_then(crate::image::split)
    {
        // The image name may have the registry in it: the original's runner knows no other way to say where the image
        // is.
        unusable.retain(|one| one.field != "image_name");
        (settings.registry_url, settings.image_name) = (Some(registry), Some(name));
    }
    let (map, formats) = read_flows(reader, table)?;
    let mut contents = NameMap::default();
    if let Some(field) = table.field("contents") {
        for (key, field) in reader.table(&field)?.rest() {
            let name = name(reader, key, &field)?;
            let mut table = reader.table(&field)?;
            if let Some(content) = crate::settings::read_content(reader, &mut table) {
                contents.insert(name, content);
            }
        }
    }
    let plan = table.field("plan").and_then(|field| reader.parse::<Digest>(&field));
    let digest = table.field("digest").and_then(|field| reader.text(&field).map(str::to_owned));
    let spec = table.field("spec").and_then(|field| reader.text(&field).map(str::to_owned));
    let built = plan.map(|plan| Built { plan, digest });
    Some(DockerStorage { settings, map, formats, contents, built, spec, unusable, extra: Extra::default() })
}

fn read_local(reader: &mut Reader, table: &mut Table<'_>) -> Option<LocalStorage> {
    let directory = table.field("directory").and_then(|field| reader.text(&field));
    let mut storage = LocalStorage::new(directory.unwrap_or(crate::resolve::LOCAL_DIRECTORY).to_owned());
    (storage.map, storage.formats) = read_flows(reader, table)?;
    Some(storage)
}

fn read_bytes(
    reader: &mut Reader,
    table: &mut Table<'_>,
    payloads: Option<Vec<(String, Vec<u8>)>>,
) -> Option<BytesStorage> {
    let mut contents = Vec::new();
    if let Some(field) = table.field("flows") {
        for (key, field) in reader.table(&field)?.rest() {
            let name = name(reader, key, &field)?;
            let Ok(bytes) = BASE64_STANDARD.decode(reader.text(&field)?) else {
                reader.report(Code::InvalidStorage, &field, format!("{} is not base64", field.path), None);
                return None;
            };
            contents.push((name, bytes));
        }
    }
    let formats = read_formats(reader, table)?;
    for (key, bytes) in payloads.into_iter().flatten() {
        match FlowName::of_stored(&key) {
            Ok(name) => contents.push((name, bytes)),
            Err(error) => {
                // The name is not in the JSON, so the error has no field of its own.
                reader.diagnostics.push(Diagnostic::explained(&error, "flows"));
                return None;
            }
        }
    }
    let mut storage = BytesStorage::default();
    for (name, bytes) in contents {
        let format = formats.get(name.as_str()).copied().unwrap_or(Format::Pickle);
        if let Err(failure) = storage.add_flow(Flow { name, format, content: Content::from_bytes(bytes) }) {
            reader.diagnostics.push(Diagnostic::new(Code::InvalidStorage, "flows", failure.message));
            return None;
        }
    }
    Some(storage)
}

fn read_flows(reader: &mut Reader, table: &mut Table<'_>) -> Option<(FlowMap, NameMap<Format>)> {
    let mut map = FlowMap::default();
    if let Some(field) = table.field("flows") {
        for (key, field) in reader.table(&field)?.rest() {
            let name = name(reader, key, &field)?;
            let location = reader.text(&field)?.to_owned();
            // A table has each key once.
            drop(map.insert(name, location));
        }
    }
    Some((map, read_formats(reader, table)?))
}

fn read_formats(reader: &mut Reader, table: &mut Table<'_>) -> Option<NameMap<Format>> {
    let mut formats = NameMap::default();
    if let Some(field) = table.field("formats") {
        for (key, field) in reader.table(&field)?.rest() {
            formats.insert(name(reader, key, &field)?, reader.parse(&field)?);
        }
    }
    Some(formats)
}

fn name(reader: &mut Reader, key: &str, field: &Field<'_>) -> Option<FlowName> {
    FlowName::of_stored(key).map_err(|error: FlowNameError| reader.refuse(field, &error)).ok()
}
