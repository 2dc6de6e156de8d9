//! Identifies the daemon by the head of its answer to a ping, as docker's own client does.

use std::time::Duration;

use bollard::models::SystemVersion;
use hyper::{Request, header::HeaderMap};

use super::{
    Daemon, DockerError,
    address::Address,
    connection::Connection,
    request_error::{RequestError, words},
};
use crate::capability::ImageBuilder;

/// Docker 17.06: the first that tells a registry's digest (`/distribution`) and a built image's id.
const OLDEST_API: (u32, u32) = (1, 30);

/// The first API version in which BuildKit is not experimental.
const WITH_BUILDKIT: (u32, u32) = (1, 39);

const CONNECT: Duration = Duration::from_secs(15);

impl Daemon {
    /// The builder that the daemon prefers. Neither our requests nor bollard's have a version in the path, so the
    /// daemon answers with its newest one, and there is nothing to negotiate but whether that is new enough.
    ///
    /// # Errors
    /// If nothing answers, what answers is not a docker daemon, or the daemon is too old.
    pub(super) async fn ping(&self) -> Result<ImageBuilder, DockerError> {
        let no_answer = |reason: String| DockerError::NoAnswer { address: self.address.clone(), reason };
        let no_docker = |reason: String| DockerError::NoDaemon { address: self.address.clone(), reason };
        let Ok(answer) = tokio::time::timeout(CONNECT, self.identity()).await else {
            return Err(no_answer(format!("nothing came within {} s", CONNECT.as_secs())));
        };
        let identity = answer.map_err(|error| match error {
            RequestError::Answer { status, message } => {
                let answer = if status < 500 { &no_docker as &dyn Fn(_) -> _ } else { &no_answer };
                answer(format!("status {status} {}", words(&message)).trim().to_owned())
            }
            // With TLS 1.3, a daemon that rejects our certificate says so only in place of its first answer.
            RequestError::Cut(reason) if matches!(self.place, Address::Https(..)) => no_docker(reason),
            RequestError::Cut(reason) => no_docker(format!("what answers is not a docker daemon ({reason})")),
            error => error.into_error("say who it is", &self.address),
        })?;
        match identity.api {
            None => Err(no_docker("what answers is not a docker daemon".to_owned())),
            Some(found) if found < OLDEST_API => {
                Err(DockerError::TooOld { address: self.address.clone(), found, needed: OLDEST_API })
            }
            Some(_) => Ok(identity.preferred_builder()),
        }
    }

    async fn identity(&self) -> Result<Identity, RequestError> {
        let ping = async { Connection::open(&self.place).await?.send(Request::get("/_ping")).await };
        let mut identity = Identity::of(self.ask(ping).await?.headers());
        if identity.api.is_none() {
            // Docker 1.12, or a proxy that strips the daemon's headers. For the answer to `/version`, a daemon starts
            // two programs, which is why it isn't asked for first.
            identity.take_version(&self.answer(Request::get("/version")).await?);
        }
        Ok(identity)
    }
}

/// What is known about the daemon.
#[derive(Debug, Default)]
struct Identity {
    /// Major and minor of the newest version of the API that the daemon speaks.
    api: Option<(u32, u32)>,
    /// Whether the daemon is Docker itself, and not something that speaks its API.
    is_docker: bool,
    is_linux: bool,
    builder: Option<String>,
}

impl Identity {
    fn of(head: &HeaderMap) -> Self {
        let field = |name: &str| head.get(name).and_then(|value| value.to_str().ok());
        Self {
            api: field("api-version").and_then(numbers),
            is_docker: field("server").is_some_and(|server| server.starts_with("Docker/")),
            is_linux: field("ostype") == Some("linux"),
            builder: field("builder-version").map(str::to_owned),
        }
    }

    fn take_version(&mut self, version: &SystemVersion) {
        self.api = version.api_version.as_deref().and_then(numbers);
        self.is_linux = version.os.as_deref() == Some("linux");
    }

    /// A Docker daemon that names no builder, as those before version 23, has both. Other programs that speak its API
    /// have the classic one at most, and report its progress in words of their own.
    fn preferred_builder(&self) -> ImageBuilder {
        let has_both = self.is_docker && self.is_linux && self.api.is_some_and(|api| api >= WITH_BUILDKIT);
        match self.builder.as_deref() {
            Some("2") => ImageBuilder::Buildkit,
            None if has_both => ImageBuilder::Buildkit,
            _ => ImageBuilder::Classic,
        }
    }
}

/// Major and minor of a version such as `1.41`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_shows_what_it_is() {
        let (buildkit, classic) = (ImageBuilder::Buildkit, ImageBuilder::Classic);
        for (head, api, builder) in [
            // Heard from Docker 20.10.
            ([("server", "Docker/20.10.24 (linux)"), ("ostype", "linux"), ("api-version", "1.41")], (1, 41), buildkit),
            // Not heard here, but known from elsewhere.
            ([("server", "Docker/28.0 (linux)"), ("builder-version", "2"), ("api-version", "1.48")], (1, 48), buildkit),
            ([("server", "Docker/28.0 (linux)"), ("builder-version", "1"), ("api-version", "1.48")], (1, 48), classic),
            ([("server", "Docker/18.06.0 (linux)"), ("ostype", "linux"), ("api-version", "1.38")], (1, 38), classic),
            ([("server", "Docker/20.10 (windows)"), ("ostype", "windows"), ("api-version", "1.41")], (1, 41), classic),
            ([("server", "Libpod/4.3.1 (linux)"), ("ostype", "linux"), ("api-version", "1.41")], (1, 41), classic),
        ] {
            let map: HeaderMap =
                head.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let identity = Identity::of(&map);
            assert_eq!((identity.api, identity.preferred_builder()), (Some(api), builder), "{head:?}");
        }
        let mut identity = Identity::of(
            &[("server".parse().unwrap(), "Docker/20.10.24 (linux)".parse().unwrap())].into_iter().collect(),
        );
        assert_eq!(identity.api, None);
        let (api_version, os) = (Some("1.41".to_owned()), Some("linux".to_owned()));
        identity.take_version(&SystemVersion { api_version, os, ..SystemVersion::default() });
        assert_eq!((identity.api, identity.preferred_builder()), (Some((1, 41)), buildkit));
        assert_eq!(["1.41", "1", "v1.41", ""].map(numbers), [Some((1, 41)), None, None, None]);
    }
}
