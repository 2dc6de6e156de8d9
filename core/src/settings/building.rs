//! How an image is built, apart from its content. Of these settings, only platform and installer are part of the plan
//! digest.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    capability::{BuildSecret, SecretSource},
    diagnostic::Code,
    env_name::{EnvName, EnvValue},
    failure::Explain,
    image::ImageReference,
    json::{Json, Object},
    reader::{Field, Reader, Table},
    words::words,
};

/// How an image is built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildSettings {
    /// What installs the requirements; if left out, uv, or pip where uv is not available.
    pub installer: Option<Installer>,
    /// The platform of the image; if left out, the daemon's own.
    pub platform: Option<Platform>,
    /// The network of the build's steps; if left out, the daemon's default.
    pub network: Option<String>,
    /// Arguments of the build: proxies, and arguments for the builder itself. They don't get into the image.
    pub build_args: Vec<(EnvName, EnvValue)>,
    /// Secrets that the installing step may read. They are in no layer.
    pub secrets: Vec<BuildSecret>,
    /// Images, mostly of a registry, whose steps count as cached.
    pub cache_from: Vec<ImageReference>,
    /// Whether the image records its steps for later builds, wherever it is pushed to.
    pub inline_cache: bool,
}

words! {
    /// What installs requirements.
    Installer is "an installer":
    /// uv.
    Uv = "uv",
    /// pip.
    Pip = "pip",
}

/// `linux/arm64/v8`: operating system, architecture, and for some a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform(String);

/// The only way for a daemon's build to leave its cache in a registry.
pub(crate) const INLINE: &str = "inline";

impl Platform {
    /// The platform as specs write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let word =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let parts = text.split('/');
        if matches!(parts.clone().count(), 2 | 3) && parts.into_iter().all(word) {
            return Ok(Self(text.to_owned()));
        }
        Err(PlatformError(text.to_owned()))
    }
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform")]
pub struct PlatformError(String);

impl Explain for PlatformError {
    fn code(&self) -> Code {
        Code::InvalidValue
    }

    fn help(&self) -> Option<String> {
        Some("write it like \"linux/amd64\" or \"linux/arm/v7\"".to_owned())
    }
}

impl BuildSettings {
    /// Takes the settings out of a table and leaves everything else in it.
    pub(super) fn read(reader: &mut Reader, table: &mut Table<'_>) -> Self {
        Self {
            installer: table.field("installer").and_then(|field| reader.parse(&field)),
            platform: table.field("platform").and_then(|field| reader.parse(&field)),
            network: table.field("network").and_then(|field| read_network(reader, &field)),
            build_args: table
                .field("build_args")
                .map_or_else(Vec::new, |field| super::read_variables(reader, &field, is_predefined)),
            secrets: table.field("secrets").map_or_else(Vec::new, |field| read_secrets(reader, &field)),
            cache_from: table.field("cache_from").map_or_else(Vec::new, |field| super::parse_all(reader, &field)),
            inline_cache: table.field("cache_to").is_some_and(|field| read_cache_to(reader, &field)),
        }
    }

    /// The settings that differ from their defaults.
    pub(super) fn write(&self, fields: &mut Object) {
        fields.put_some("installer", self.installer.map(Installer::as_str));
        fields.put_some("platform", self.platform.as_ref().map(Platform::as_str));
        fields.put_some("network", self.network.as_ref());
        super::put_variables(fields, "build_args", &self.build_args);
        let secrets = self.secrets.iter().map(secret_to_json);
        fields.put_some("secrets", (!self.secrets.is_empty()).then(|| secrets.collect::<Json>()));
        super::put_texts(fields, "cache_from", &self.cache_from);
        fields.put_some("cache_to", self.inline_cache.then_some(INLINE));
    }
}

fn secret_to_json(secret: &BuildSecret) -> Json {
    let (key, value) = match &secret.source {
        SecretSource::Env(name) => ("env", name),
        SecretSource::File(path) => ("file", path),
    };
    Json::object(vec![("id", (&secret.id).into()), (key, value.into())])
}

fn read_network(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    if is_word(text) {
        return Some(text.to_owned());
    }
    let help = "\"none\", \"host\" and \"default\" are, and with the classic builder the name of any other";
    reader.report(Code::InvalidValue, field, format!("{text:?} is not a network"), Some(help));
    None
}

fn read_cache_to(reader: &mut Reader, field: &Field<'_>) -> bool {
    let Some(text) = reader.text(field) else { return false };
    if text == INLINE {
        return true;
    }
    let help = "write \"inline\": the pushed image tells later builds of its steps";
    reader.report(Code::InvalidValue, field, format!("the daemon can't leave its cache at {text:?}"), Some(help));
    false
}

fn read_secrets(reader: &mut Reader, field: &Field<'_>) -> Vec<BuildSecret> {
    // The browser's module has a map of this type anyway.
    let (mut secrets, mut places) = (Vec::new(), BTreeMap::<Arc<str>, usize>::new());
    for field in reader.elements(field) {
        let Some(secret) = read_secret(reader, &field) else { continue };
        if places.insert(Arc::from(secret.id.as_str()), secrets.len()).is_none() {
            secrets.push(secret);
        } else {
            reader.report(Code::InvalidValue, &field, format!("the secret {:?} appears twice", secret.id), None);
        }
    }
    secrets
}

fn read_secret(reader: &mut Reader, field: &Field<'_>) -> Option<BuildSecret> {
    let mut table = reader.table(field)?;
    let id = table.field("id");
    let id = id.as_ref().and_then(|field| read_id(reader, field)).or_else(|| {
        let help = "id is the name of the file that the installer finds";
        if id.is_none() {
            reader.report(Code::MissingKey, field, format!("{} has no id", field.path), Some(help));
        }
        None
    });
    let env = table.field("env").and_then(|field| reader.parse::<EnvName>(&field));
    let file = table.field("file").and_then(|field| reader.text(&field).map(str::to_owned));
    reader.finish(table);
    let source = match (env, file) {
        (Some(env), None) => SecretSource::Env(env.as_str().to_owned()),
        (None, Some(file)) if !file.is_empty() && !file.contains(char::is_control) => SecretSource::File(file),
        _ => {
            let help = "env is a variable of the environment in which flowhold runs, file a path";
            let message = format!("{} needs one of env and file", field.path);
            reader.report(Code::MissingKey, field, message, Some(help));
            return None;
        }
    };
    Some(BuildSecret { id: id?, source })
}

fn read_id(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    if is_word(text) {
        return Some(text.to_owned());
    }
    let help = "letters, digits, dot, dash and underscore; the first one is a letter, digit or underscore";
    reader.report(Code::InvalidValue, field, format!("{text:?} is not the id of a secret"), Some(help));
    None
}

/// Whether a build argument has a meaning without an ARG, of which Flowhold's Dockerfiles have none: the arguments that
/// Docker's reference calls predefined, in upper or lower case, and those that BuildKit itself reads.
fn is_predefined(name: &str) -> bool {
    const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
    let one_case = |proxy: &&str| name == *proxy || name == proxy.to_ascii_lowercase();
    name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" || PROXIES.iter().any(one_case)
}

/// Whether a text needs no quoting anywhere.
fn is_word(text: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(first)
        && text.bytes().all(|b| first(b) || matches!(b, b'.' | b'-'))
}
