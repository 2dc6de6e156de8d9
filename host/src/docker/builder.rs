//! Which builder a daemon has.

use hyper::{Request, header::HeaderMap};

use super::{Daemon, DaemonVersion, DockerError, connection::Connection, request_error::RequestError};
use crate::capability::ImageBuilder;

/// The first API whose daemons have BuildKit, without experiments.
const WITH_BUILDKIT: (u32, u32) = (1, 39);

/// The variable with which people choose a builder for the docker command line, 0 or 1.
const VARIABLE: &str = "DOCKER_BUILDKIT";

impl Daemon {
    /// What builds images: what `DOCKER_BUILDKIT` says, else what the daemon prefers.
    ///
    /// # Errors
    /// If the daemon doesn't answer.
    pub(crate) async fn builder(&self) -> Result<ImageBuilder, DockerError> {
        if let Some(builder) = std::env::var(VARIABLE).ok().as_deref().and_then(chosen) {
            return Ok(builder);
        }
        let ping = async {
            let mut connection = Connection::open(&self.place).await?;
            Ok::<_, RequestError>(connection.send(Request::get("/_ping")).await?.headers().clone())
        };
        let headers = self.ask(ping).await.map_err(|error| error.into_error("report its builder", &self.address))?;
        Ok(preferred(&headers, &self.version))
    }
}

/// Go's spellings of true and false. Any other value is ignored.
fn chosen(value: &str) -> Option<ImageBuilder> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(ImageBuilder::Buildkit),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(ImageBuilder::Classic),
        _ => None,
    }
}

/// A Docker daemon that prefers neither, as those before version 23, has both. Others that speak its API have the
/// classic one at most, and report its progress in words of their own.
fn preferred(headers: &HeaderMap, version: &DaemonVersion) -> ImageBuilder {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_docker = header("server").is_some_and(|server| server.starts_with("Docker/"));
    let is_new = version.api >= WITH_BUILDKIT;
    match header("builder-version") {
        Some("2") => ImageBuilder::Buildkit,
        None if is_docker && is_new && version.os == "linux" => ImageBuilder::Buildkit,
        _ => ImageBuilder::Classic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_shows_what_it_has() {
        let linux = |api| DaemonVersion { os: "linux".to_owned(), api };
        let windows = DaemonVersion { os: "windows".to_owned(), ..linux((1, 41)) };
        for (headers, version, builder) in [
            // Heard from Docker 20.10.
            (&[("server", "Docker/20.10.24 (linux)")][..], linux((1, 41)), ImageBuilder::Buildkit),
            // Not heard here, but known from elsewhere.
            (&[("builder-version", "2"), ("server", "Docker/28.0.0 (linux)")], linux((1, 48)), ImageBuilder::Buildkit),
            (&[("builder-version", "1"), ("server", "Docker/28.0.0 (linux)")], linux((1, 48)), ImageBuilder::Classic),
            (&[("server", "Docker/18.06.0 (linux)")], linux((1, 38)), ImageBuilder::Classic),
            (&[("server", "Docker/20.10.24 (windows)")], windows, ImageBuilder::Classic),
            (&[("server", "Libpod/4.3.1 (linux)")], linux((1, 41)), ImageBuilder::Classic),
            (&[], linux((1, 41)), ImageBuilder::Classic),
        ] {
            let map: HeaderMap =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(preferred(&map, &version), builder, "{headers:?}");
        }
        assert_eq!(
            ["0", "1", "", "yes"].map(chosen),
            [Some(ImageBuilder::Classic), Some(ImageBuilder::Buildkit), None, None]
        );
    }
}
