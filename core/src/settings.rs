//! The arguments of the Docker storage, as the specification names them, and how they are read and written.

mod building;

pub(crate) use building::INLINE;
pub use building::{BuildSettings, Installer, Platform, PlatformError};

use crate::{
    blob::Content,
    context_path::ContextPath,
    diagnostic::Code,
    digest::Digest,
    document::Value,
    env_name::{EnvName, EnvNameError, EnvValue},
    failure::{Explain, Failure},
    image::{ImageName, ImageReference, ImageTag, RegistryUrl},
    image_path::ImagePath,
    json::{Json, Object},
    order,
    prefect_version::PrefectVersion,
    python::PythonVersion,
    reader::{Field, Reader, Table},
    requirement::{Requirement, normal_version},
    words::words,
};

/// Where flows are in an image, unless the spec says otherwise.
pub const PREFECT_DIRECTORY: &str = "/root/.prefect";

/// The arguments of a Docker storage. Each default is the specification's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerSettings {
    /// Registry to push to; without one, the image is not pushed.
    pub registry_url: Option<RegistryUrl>,
    /// Base of the image; by default `python:X.Y` of the Python that pickled the flows, else `python:3.6`.
    pub base_image: Option<ImageReference>,
    /// Requirements that are installed.
    pub python_dependencies: Vec<Requirement>,
    /// Chosen by `naming` when left out.
    pub image_name: Option<ImageName>,
    /// Chosen by `naming` when left out.
    pub image_tag: Option<ImageTag>,
    /// Environment variables of the image, each once.
    pub env_vars: Vec<(EnvName, EnvValue)>,
    /// Files and directories that are copied into the image.
    pub files: Vec<ImageFile>,
    /// Address of the Docker daemon; if left out, the host chooses.
    pub base_url: Option<String>,
    /// Release, branch, tag or commit of Prefect to install; without one, Prefect is not installed.
    pub prefect_version: Option<PrefectVersion>,
    /// The base image is local: it is not pulled.
    pub local_image: bool,
    /// How missing names are chosen.
    pub naming: Naming,
    /// Where flows are in the image; `/root/.prefect` by default.
    pub prefect_directory: Option<ImagePath>,
    /// The Python that pickled the flows.
    pub python_version: Option<PythonVersion>,
    /// The cloudpickle that pickled the flows, which the image needs to load them.
    pub cloudpickle_version: Option<String>,
    /// How the image is built.
    pub building: BuildSettings,
}

words! {
    /// How image name and tag are chosen where the spec leaves them out.
    #[derive(Default)]
    Naming is "a way of naming":
    /// A UUID for each.
    #[default]
    Uuid = "uuid",
    /// The only flow's slug, and the time.
    Flow = "flow",
    /// The plan digest as tag: a plan that is built already is not built again.
    Plan = "plan",
}

/// A source on the host and its destination in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Absolute path on the host.
    pub source: String,
    /// Path in the image. With a slash at the end it is a directory, into which a source file goes. The content of a
    /// source directory becomes the content of the destination.
    pub destination: ImagePath,
    /// The source and everything below it; `None` until the host has looked.
    pub entries: Option<Vec<FileEntry>>,
}

/// A file, directory or symbolic link below a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Relative to the source; `None` for the source itself.
    pub path: Option<ContextPath>,
    /// Unix permission bits.
    pub mode: u32,
    /// Whether it is a file, a directory or a link.
    pub kind: EntryKind,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File(Content),
    /// A directory.
    Directory,
    /// A symbolic link and its target, which is kept as it is.
    Symlink(String),
}

impl DockerSettings {
    /// The base image, or the default.
    pub(crate) fn base(&self) -> Result<ImageReference, Failure> {
        if let Some(base) = &self.base_image {
            return Ok(base.clone());
        }
        let version = self.python_version.map_or_else(|| "3.6".to_owned(), |version| version.to_string());
        format!("python:{version}").parse().map_err(Failure::explained)
    }

    /// Takes the settings out of a table and leaves everything else in it.
    pub(crate) fn read(reader: &mut Reader, table: &mut Table<'_>) -> Self {
        Self {
            registry_url: table.field("registry_url").and_then(|field| parse_reference(reader, &field)),
            base_image: table.field("base_image").and_then(|field| parse_reference(reader, &field)),
            python_dependencies: table
                .field("python_dependencies")
                .map_or_else(Vec::new, |field| parse_all(reader, &field)),
            image_name: table.field("image_name").and_then(|field| reader.parse(&field)),
            image_tag: table.field("image_tag").and_then(|field| reader.parse(&field)),
            env_vars: table.field("env_vars").map_or_else(Vec::new, |field| read_variables(reader, &field, |_| true)),
            files: table.field("files").map_or_else(Vec::new, |field| read_files(reader, &field)),
            base_url: table.field("base_url").and_then(|field| read_base_url(reader, &field)),
            prefect_version: table.field("prefect_version").and_then(|field| reader.parse(&field)),
            local_image: table.field("local_image").and_then(|field| reader.flag(&field)).unwrap_or_default(),
            naming: table.field("naming").and_then(|field| reader.parse(&field)).unwrap_or_default(),
            prefect_directory: table.field("prefect_directory").and_then(|field| reader.parse(&field)),
            python_version: read_python_version(reader, table),
            cloudpickle_version: read_cloudpickle_version(reader, table),
            building: BuildSettings::read(reader, table),
        }
    }

    /// The settings that differ from their defaults, in the order of the specification.
    pub(crate) fn write(&self, fields: &mut Object) {
        fields.put_some("registry_url", text(self.registry_url.as_ref()));
        fields.put_some("base_image", text(self.base_image.as_ref()));
        put_texts(fields, "python_dependencies", &self.python_dependencies);
        fields.put_some("image_name", text(self.image_name.as_ref()));
        fields.put_some("image_tag", text(self.image_tag.as_ref()));
        put_variables(fields, "env_vars", &self.env_vars);
        let files = self.files.iter().map(|file| (file.source.clone(), file.to_json()));
        fields.put_some("files", (!self.files.is_empty()).then(|| Object(files.collect())));
        fields.put_some("base_url", self.base_url.as_ref());
        fields.put_some("prefect_version", text(self.prefect_version.as_ref()));
        fields.put_some("local_image", self.local_image.then_some(true));
        fields.put_some("naming", (self.naming != Naming::default()).then(|| self.naming.as_str()));
        fields.put_some("prefect_directory", text(self.prefect_directory.as_ref()));
        fields.put_some("python_version", text(self.python_version.as_ref()));
        fields.put_some("cloudpickle_version", self.cloudpickle_version.as_ref());
        self.building.write(fields);
    }

    /// Where flows are in the image, without a slash at the end.
    pub fn flow_directory(&self) -> &str {
        self.prefect_directory.as_ref().map_or(PREFECT_DIRECTORY, |path| path.as_str().trim_end_matches('/'))
    }
}

fn put_texts(fields: &mut Object, key: &str, values: &[impl ToString]) {
    let texts = values.iter().map(ToString::to_string);
    fields.put_some(key, (!values.is_empty()).then(|| texts.collect::<Json>()));
}

fn put_variables(fields: &mut Object, key: &str, variables: &[(EnvName, EnvValue)]) {
    let values = variables.iter().map(|(name, value)| (name.to_string(), Json::from(value.to_string())));
    fields.put_some(key, (!variables.is_empty()).then(|| Object(values.collect())));
}

fn text<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(T::to_string)
}

impl ImageFile {
    fn to_json(&self) -> Json {
        let destination = self.destination.to_string().into();
        match &self.entries {
            None => destination,
            Some(entries) => {
                let entries = entries.iter().map(FileEntry::to_json).collect();
                Json::object(vec![("destination", destination), ("entries", entries)])
            }
        }
    }
}

impl FileEntry {
    /// An entry with the mode that it has in an image. `mode` is what the host found or the spec states.
    pub(crate) fn new(path: Option<ContextPath>, mode: Option<u32>, kind: EntryKind) -> Self {
        let mode = match (&kind, mode) {
            // COPY copies the content of a source directory, and makes the directory itself.
            (EntryKind::Directory, _) if path.is_none() => 0o755,
            // Systems report different modes for links, and Linux ignores them.
            (EntryKind::Symlink(_), _) => 0o777,
            (_, Some(mode)) => mode & 0o7777,
            (EntryKind::Directory, None) => 0o755,
            (EntryKind::File(_), None) => 0o644,
        };
        Self { path, mode, kind }
    }

    /// Sorts by path: the source itself comes first, and the content of a directory comes after the directory.
    pub(crate) fn sort(entries: &mut Vec<Self>) {
        order::sort(entries, |one, other| one.path.cmp(&other.path));
    }

    pub(crate) fn to_json(&self) -> Json {
        let mut fields = Object::default();
        fields.put("path", self.path.as_ref().map_or("", |path| path.as_str()));
        fields.put("mode", self.mode);
        match &self.kind {
            EntryKind::File(content) => {
                fields.put("size", content.size);
                fields.put("sha256", content.sha256.hex());
            }
            EntryKind::Directory => {}
            EntryKind::Symlink(target) => fields.put("link", target),
        }
        fields.into()
    }
}

/// Size and digest, where a resolved spec states them: both or neither.
pub(crate) fn read_content(reader: &mut Reader, table: &mut Table<'_>) -> Option<Content> {
    let size = table.field("size");
    let sha256 = table.field("sha256");
    match (size, sha256) {
        (Some(size), Some(sha256)) => {
            let size = reader.number(&size);
            let sha256: Option<Digest> = reader.parse(&sha256);
            Some(Content::stated(size?, sha256?))
        }
        (Some(alone), None) | (None, Some(alone)) => {
            reader.report(Code::MissingKey, &alone, "size and sha256 go together", Some("give both, or neither"));
            None
        }
        (None, None) => None,
    }
}

fn parse_all<T: std::str::FromStr<Err: Explain>>(reader: &mut Reader, field: &Field<'_>) -> Vec<T> {
    reader.elements(field).iter().filter_map(|element| parse_reference(reader, element)).collect()
}

/// Parses a reference to something in a registry or a package index, and reports a secret in it.
fn parse_reference<T: std::str::FromStr<Err: Explain>>(reader: &mut Reader, field: &Field<'_>) -> Option<T> {
    reader.find_secret(field, None);
    reader.parse(field)
}

/// Whether a variable's value has `$NAME` or `${NAME}` of its own name in it.
fn names_itself(value: &str, name: &str) -> bool {
    value.split('$').skip(1).any(|rest| {
        let after = rest.strip_prefix('{').unwrap_or(rest).strip_prefix(name);
        after.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

/// Reads variables, and reports those for which `is_read` is false.
fn read_variables(reader: &mut Reader, field: &Field<'_>, is_read: fn(&str) -> bool) -> Vec<(EnvName, EnvValue)> {
    let Some(mut table) = reader.table(field) else { return Vec::new() };
    let mut variables = Vec::new();
    for (key, field) in table.rest() {
        let name = key.parse().map_err(|error: EnvNameError| reader.refuse(&field, &error)).ok();
        reader.find_secret(&field, Some(key));
        let value = reader.parse::<EnvValue>(&field);
        if let (Some(name), Some(value)) = (name, value) {
            if names_itself(value.as_str(), key) {
                reader.report(Code::UnexpandedVariable, &field, format!("${key} is not expanded"), None);
            }
            if !is_read(key) {
                reader.report(Code::UnusedBuildArg, &field, format!("no step of the build reads {key}"), None);
            }
            variables.push((name, value));
        }
    }
    variables
}

fn read_files(reader: &mut Reader, field: &Field<'_>) -> Vec<ImageFile> {
    let Some(mut table) = reader.table(field) else { return Vec::new() };
    let fields = table.rest();
    let relative: Vec<_> = fields.iter().map(|(source, _)| *source).filter(|source| !is_absolute(source)).collect();
    if !relative.is_empty() {
        let message = format!("sources must be absolute paths; these are not: {}", relative.join(", "));
        let help = "write the whole path, beginning at the root";
        reader.report(Code::RelativeFile, field, message, Some(help));
    }
    fields
        .into_iter()
        .filter(|(source, _)| is_absolute(source))
        .filter_map(|(source, field)| {
            if source.contains(char::is_control) || matches!(last_name(source), "." | "..") {
                let message = format!("{source:?} has a control character, or ends in no name");
                reader.report(Code::InvalidPath, &field, message, None);
                return None;
            }
            read_file(reader, source, &field)
        })
        .collect()
}

fn read_file(reader: &mut Reader, source: &str, field: &Field<'_>) -> Option<ImageFile> {
    let source = source.to_owned();
    if !matches!(field.node.value, Value::Table(_)) {
        return Some(ImageFile { source, destination: reader.parse(field)?, entries: None });
    }
    let mut table = reader.table(field)?;
    let destination = table.field("destination");
    if destination.is_none() {
        reader.report(
            Code::MissingKey,
            field,
            format!("{} has no destination", field.path),
            Some("destination is its path in the image"),
        );
    }
    let entries = table.field("entries").map(|field| {
        let elements = reader.elements(&field);
        let all = elements.len();
        let mut entries: Vec<_> = elements.into_iter().filter_map(|element| read_entry(reader, &element)).collect();
        FileEntry::sort(&mut entries);
        let is_whole = entries.len() == all && matches!(field.node.value, Value::Array(_));
        if is_whole && entries.iter().filter(|entry| entry.path.is_none()).count() != 1 {
            reader.report(Code::InvalidValue, &field, "one entry has no path: the source itself", None);
        }
        entries
    });
    reader.finish(table);
    Some(ImageFile { source, destination: reader.parse(&destination?)?, entries })
}

fn read_entry(reader: &mut Reader, field: &Field<'_>) -> Option<FileEntry> {
    let mut table = reader.table(field)?;
    let path = match table.field("path") {
        Some(path) if reader.text(&path) == Some("") => Some(None),
        Some(path) => reader.parse(&path).map(Some),
        None => Some(None),
    };
    let mode = table.field("mode").and_then(|mode| reader.number(&mode)).map(|mode| (mode & 0o7777) as u32);
    let content = read_content(reader, &mut table);
    let link = table.field("link").and_then(|link| reader.text(&link).map(str::to_owned));
    reader.finish(table);
    let kind = match (content, link) {
        (Some(content), _) => EntryKind::File(content),
        (None, Some(target)) => EntryKind::Symlink(target),
        (None, None) => EntryKind::Directory,
    };
    Some(FileEntry::new(path?, mode, kind))
}

fn read_base_url(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    reader.find_secret(field, None);
    let text = reader.text(field)?;
    const SCHEMES: [&str; 5] = ["unix://", "tcp://", "http://", "https://", "npipe://"];
    if SCHEMES.iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme)) {
        return Some(text.to_owned());
    }
    let message = format!("{text:?} is not the address of a Docker daemon");
    let help = if text.starts_with("ssh://") {
        "forward its socket, and name that: `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`, unix:///tmp/docker.sock"
            .to_owned()
    } else {
        format!("it begins with one of {}", SCHEMES.join(", "))
    };
    reader.report(Code::InvalidValue, field, message, Some(&help));
    None
}

/// Reads which Python pickled the flows; specs of every storage type may state it.
pub(crate) fn read_python_version(reader: &mut Reader, table: &mut Table<'_>) -> Option<PythonVersion> {
    table.field("python_version").and_then(|field| reader.parse(&field))
}

/// Reads which cloudpickle pickled the flows; specs of every storage type may state it.
pub(crate) fn read_cloudpickle_version(reader: &mut Reader, table: &mut Table<'_>) -> Option<String> {
    table.field("cloudpickle_version").and_then(|field| read_release(reader, &field))
}

/// Reads a release, which may follow `cloudpickle==`.
fn read_release(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let version = normal_version(text);
    if version.is_none() {
        reader.report(Code::InvalidValue, field, format!("{text:?} is not a PEP 440 version"), None);
    }
    version.map(|(version, _)| version)
}

/// The name of a source, without the directories above it.
pub(crate) fn last_name(source: &str) -> &str {
    // A backslash separates components only on Windows, where no absolute path begins with a slash.
    let separators: &[char] = if source.starts_with('/') { &['/'] } else { &['/', '\\'] };
    source.trim_end_matches(separators).rsplit(separators).next().unwrap_or_default()
}

pub(crate) fn is_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive = bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    path.starts_with('/') || (drive && matches!(bytes[2], b'/' | b'\\'))
}
