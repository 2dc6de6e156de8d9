//! The configuration of the docker command line: its folder, and `config.json` in it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::credentials::CredentialsError;
use crate::{blob::read_regular, failure::of_system};

/// The largest file of docker's, in bytes.
pub(super) const LARGEST: u64 = 16 << 20;

/// `config.json`. Null counts as missing, as for docker itself.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Config {
    pub(super) auths: Option<BTreeMap<String, Option<Entry>>>,
    pub(super) creds_store: Option<String>,
    pub(super) cred_helpers: Option<BTreeMap<String, Option<String>>>,
    pub(super) current_context: Option<String>,
}

/// What is kept for one registry.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Entry {
    pub(super) auth: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) identitytoken: Option<String>,
}

/// The folder: `DOCKER_CONFIG`, else `.docker` in the home directory.
pub(super) fn folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let configured = variable("DOCKER_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
    configured.or_else(|| Some(std::env::home_dir()?.join(".docker")))
}

/// The configuration file in the folder.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("config.json")
}

/// Reads the configuration file; none if it is missing or empty.
///
/// # Errors
/// If it can't be read, or is not what docker writes. The error doesn't quote its content.
pub(super) fn read(folder: &Path) -> Result<Option<Config>, CredentialsError> {
    let file = file(folder);
    let text = match read_regular(&file, LARGEST) {
        Ok(text) if text.trim_ascii().is_empty() => return Ok(None),
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CredentialsError::Unreadable { file, reason: of_system(&error) }),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        // Names only the place: serde's message may quote a value.
        let reason = format!("not what docker writes, line {} column {}", error.line(), error.column());
        CredentialsError::Unreadable { file, reason }
    })
}
