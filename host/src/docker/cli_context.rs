//! The contexts of the docker command line, which are named daemons.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{DockerError, cli_config, request_error::words};
use crate::{blob::read_regular, failure::of_system, progress::clean};

/// Where the daemon of a context is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CliContext {
    pub(super) name: String,
    pub(super) address: String,
    /// Its certificates, if it has any.
    pub(super) certificates: Option<PathBuf>,
}

/// Why a context can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContextError {
    name: String,
    reason: String,
}

impl From<ContextError> for DockerError {
    fn from(error: ContextError) -> Self {
        Self::NoContext { name: clean(&error.name).into_owned(), reason: words(&error.reason) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    #[serde(default)]
    host: String,
}

/// The context that is `named` (by `DOCKER_CONTEXT`), else the one of `docker context use`; none if it is the default.
/// `folder` is docker's own.
///
/// # Errors
/// If the context can't be read.
pub(super) fn chosen(named: Option<String>, folder: &Path) -> Result<Option<CliContext>, ContextError> {
    // If the configuration is broken, the search for credentials says so.
    let current = || cli_config::read(folder).ok().flatten()?.current_context;
    let Some(name) = named.or_else(current).filter(|name| !name.is_empty() && name != "default") else {
        return Ok(None);
    };
    let id = format!("{:x}", Sha256::digest(&name));
    let file = folder.join("contexts/meta").join(&id).join("meta.json");
    let wrong = |reason: String| ContextError { name: name.clone(), reason };
    let meta = read_regular(&file, cli_config::LARGEST);
    let meta = meta.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong("there is none of that name".to_owned()),
        _ => wrong(format!("{}: {}", file.display(), of_system(&error))),
    })?;
    let meta: Meta = serde_json::from_slice(&meta)
        .map_err(|error| wrong(format!("{} is not what docker writes: {error}", file.display())))?;
    let address = meta.endpoints.get("docker").map(|endpoint| endpoint.host.clone()).unwrap_or_default();
    if address.is_empty() {
        return Err(wrong("it has no docker endpoint".to_owned()));
    }
    let certificates = folder.join("contexts/tls").join(&id).join("docker");
    Ok(Some(CliContext { name, address, certificates: Some(certificates).filter(|path| path.is_dir()) }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_context_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let chosen = |named: Option<&str>| chosen(named.map(str::to_owned), folder.path());
        assert_eq!(chosen(None), Ok(None));
        // What `docker context create far --docker host=tcp://far:2376,ca=…` leaves; the folder is the name's sha256.
        let id = "512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868";
        write(
            &format!("contexts/meta/{id}/meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far:2376","SkipTLSVerify":false}}}"#,
        );
        let far = |certificates| {
            Ok(Some(CliContext { name: "far".to_owned(), address: "tcp://far:2376".to_owned(), certificates }))
        };
        assert_eq!(chosen(Some("far")), far(None));
        assert_eq!(chosen(None), Ok(None));
        write("config.json", r#"{"auths":{},"currentContext":"far"}"#);
        write(&format!("contexts/tls/{id}/docker/ca.pem"), "");
        assert_eq!(chosen(None), far(Some(folder.path().join(format!("contexts/tls/{id}/docker")))));
        assert_eq!(chosen(Some("default")), Ok(None));
        let gone = DockerError::from(chosen(Some("gone")).unwrap_err());
        assert_eq!(gone.to_string(), r#"the docker context "gone" can't be used: there is none of that name"#);
        write("config.json", r#"{"auths":{"#);
        assert_eq!(chosen(None), Ok(None));
    }
}
