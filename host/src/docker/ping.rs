//! Who answers at the other end: what the head of its answer to a ping says.

use std::time::Duration;

use hyper::{Request, header::HeaderMap};

use super::{
    Daemon, DockerError,
    address::Address,
    connection::{Connection, refusal},
    request_error::{RequestError, words},
};
use crate::capability::ImageBuilder;

/// Docker 17.06: the first to tell a registry's digest (`/distribution`) and a built image's id.
const OLDEST_API: (u32, u32) = (1, 30);

/// The last API whose daemons don't say which they speak.
const UNSAID_API: (u32, u32) = (1, 24);

/// The first API whose daemons have BuildKit, without experiments.
const WITH_BUILDKIT: (u32, u32) = (1, 39);

const CONNECT: Duration = Duration::from_secs(15);

impl Daemon {
    /// What it prefers to build images with. Our requests have no version in the path, and bollard's neither, so the
    /// daemon answers with its newest one, and there is nothing to negotiate but whether that is new enough.
    ///
    /// # Errors
    /// If nobody answers, or something else, or the daemon is too old.
    pub(super) async fn ping(&self) -> Result<ImageBuilder, DockerError> {
        let no_answer = |reason: String| DockerError::NoAnswer { address: self.address.clone(), reason };
        let no_docker = |reason: String| DockerError::NoDaemon { address: self.address.clone(), reason };
        let Ok(answer) = tokio::time::timeout(CONNECT, self.ask(self.pinged())).await else {
            return Err(no_answer(format!("nothing came within {} s", CONNECT.as_secs())));
        };
        let head = answer.map_err(|error| match error {
            RequestError::Answer { status, message } => {
                let answer = if status < 500 { &no_docker as &dyn Fn(_) -> _ } else { &no_answer };
                answer(format!("status {status} {}", words(&message)).trim().to_owned())
            }
            // With TLS 1.3, a daemon that rejects our certificate says so only in place of its first answer.
            RequestError::Cut(reason) if matches!(self.place, Address::Https(..)) => no_docker(reason),
            RequestError::Cut(reason) => no_docker(format!("what answers is not a docker daemon ({reason})")),
            error => error.into_error("say who it is", &self.address),
        })?;
        match api(&head) {
            None => Err(no_docker("what answers is not a docker daemon".to_owned())),
            Some(found) if found < OLDEST_API => {
                Err(DockerError::TooOld { address: self.address.clone(), found, needed: OLDEST_API })
            }
            Some(api) => Ok(preferred(&head, api)),
        }
    }

    async fn pinged(&self) -> Result<HeaderMap, RequestError> {
        let answer = Connection::open(&self.place).await?.send(Request::get("/_ping")).await?;
        if answer.status().is_success() {
            return Ok(answer.headers().clone());
        }
        let (status, message) = refusal(answer).await;
        Err(RequestError::Answer { status, message })
    }
}

fn field<'a>(head: &'a HeaderMap, name: &str) -> Option<&'a str> {
    head.get(name)?.to_str().ok()
}

/// Whether it is Docker itself, and not something that speaks its API.
fn is_docker(head: &HeaderMap) -> bool {
    field(head, "server").is_some_and(|server| server.starts_with("Docker/"))
}

/// Both numbers of the newest version of the API that it speaks, such as `1.41`.
fn api(head: &HeaderMap) -> Option<(u32, u32)> {
    let Some(said) = field(head, "api-version") else { return is_docker(head).then_some(UNSAID_API) };
    let (major, minor) = said.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A Docker daemon that prefers neither, as those before version 23, has both. Others that speak its API have the
/// classic one at most, and report its progress in words of their own.
fn preferred(head: &HeaderMap, api: (u32, u32)) -> ImageBuilder {
    match field(head, "builder-version") {
        Some("2") => ImageBuilder::Buildkit,
        None if is_docker(head) && api >= WITH_BUILDKIT && field(head, "ostype") == Some("linux") => {
            ImageBuilder::Buildkit
        }
        _ => ImageBuilder::Classic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_shows_what_it_is() {
        let (buildkit, classic) = (Some(ImageBuilder::Buildkit), Some(ImageBuilder::Classic));
        for (head, builder) in [
            // Heard from Docker 20.10 and 28.5.
            (&[("server", "Docker/20.10.24 (linux)"), ("ostype", "linux"), ("api-version", "1.41")][..], buildkit),
            (&[("server", "Docker/28.5.2 (linux)"), ("builder-version", "2"), ("api-version", "1.51")], buildkit),
            // Not heard here, but known from elsewhere.
            (&[("server", "Docker/28.0.0 (linux)"), ("builder-version", "1"), ("api-version", "1.48")], classic),
            (&[("server", "Docker/18.06.0 (linux)"), ("ostype", "linux"), ("api-version", "1.38")], classic),
            (&[("server", "Docker/20.10.24 (windows)"), ("ostype", "windows"), ("api-version", "1.41")], classic),
            (&[("server", "Libpod/4.3.1 (linux)"), ("api-version", "1.41")], classic),
            (&[("api-version", "1.41")], classic),
            // Too old, and no daemon.
            (&[("server", "Docker/1.12.6 (linux)")], None),
            (&[("server", "Docker/1.13.1 (linux)"), ("api-version", "1.26")], None),
            (&[("server", "nginx")], None),
            (&[("server", "nginx"), ("api-version", "2")], None),
            (&[], None),
        ] {
            let map: HeaderMap =
                head.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let found = api(&map).filter(|api| *api >= OLDEST_API).map(|api| preferred(&map, api));
            assert_eq!(found, builder, "{head:?}");
        }
    }
}
