//! The Docker daemon: what the host asks of it, in the project's own words.
//!
//! Invariant: bollard's types end here. Nothing outside this module names them, so the client can be exchanged, and
//! nobody has to know that a daemon reports errors with status 200.
//!
//! Every operation ends when the `interrupt` of its [`Engine`] is cancelled, and cleans up before it returns: to
//! interrupt it, cancel the token and wait; don't drop the future.

mod address;
mod build;
mod builder;
mod buildkit;
mod classic_transcript;
mod cli_config;
mod cli_context;
mod connection;
mod container;
mod copy_out;
mod credentials;
mod engine;
mod error;
mod fault;
mod ping;
mod pull;
mod push;
mod reference;
mod request_error;
mod retry;
mod run;
mod secrets;
mod step_log;
mod tls;
mod transfer;
mod transfer_line;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{DistributionInspect, ImageInspect},
};
use futures_util::{Stream, StreamExt};
use hyper::Request;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    capability::{ImageBuilder, SecretSource},
    progress::{Event, Operation, Progress},
};
use address::Address;
use credentials::CredentialStore;
use reference::Reference;
use request_error::{Interrupted, RequestError};
use retry::LastProgress;

pub(crate) use engine::PullAhead;
pub use engine::{AddressGrant, Engine};
pub(crate) use error::DockerError;
use fault::Fault;
pub use run::{GRACE, Output, OutputStream};

/// The header with the credentials for a registry.
const AUTH: &str = "X-Registry-Auth";

/// The time limit of requests that the daemon answers at once.
const ANSWER: Duration = Duration::from_secs(120);

/// bollard gives each request 120 s until its answer *begins*, and a request that waits for a container is answered
/// when that ends. So that limit is out of the way; [`Daemon::ask`] has its own.
const FOREVER: u64 = 10 * 365 * 24 * 60 * 60;

/// What all operations share.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Receives progress events.
    pub progress: Arc<dyn Progress>,
    /// Cancelled to stop whatever is running.
    pub interrupt: CancellationToken,
    /// Cancelled to stop at once what is still cleaning up after `interrupt`.
    pub kill: CancellationToken,
    /// Which secrets builds may have.
    pub secrets: SecretGrant,
}

/// Says whether builds may have the secret from this source.
pub type SecretGrant = Arc<dyn Fn(&SecretSource) -> bool + Send + Sync>;

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("interrupt", &self.interrupt).finish_non_exhaustive()
    }
}

/// A connection to one daemon; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    docker: Docker,
    place: Address,
    address: String,
    /// The builder that the daemon prefers, unless `DOCKER_BUILDKIT` names one.
    preferred_builder: ImageBuilder,
    credentials: Arc<CredentialStore>,
    settings: Settings,
}

/// An image in the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InspectedImage {
    /// `sha256:…`
    pub id: String,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Such as `linux/amd64`; none if the daemon may have images of this name for several platforms.
    pub platform: Option<String>,
    /// The image's digests in registries, such as `localhost:5000/a@sha256:…`; empty before the first push or pull.
    pub digests: Vec<String>,
}

impl Daemon {
    /// Connects to the daemon at `base_url` (`unix://`, `tcp://`, `http://`, `https://`, `npipe://`), else at
    /// `DOCKER_HOST`, else in docker's current context, else where this platform's docker usually is. `tcp://` uses TLS
    /// if `DOCKER_TLS_VERIFY` is set, with the certificates in `DOCKER_CERT_PATH`, or if the context has certificates.
    ///
    /// # Errors
    /// If the address can't be used, nothing answers there, or the daemon is older than Docker 17.06.
    pub(crate) async fn connect(base_url: Option<&str>, settings: Settings) -> Result<Self, DockerError> {
        let found = Address::find(base_url, |name| std::env::var(name).ok())?;
        let address = found.to_string();
        // bollard reports a socket in a folder that we may not enter as missing.
        #[cfg(unix)]
        if let Address::Unix(path) = &found
            && std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        {
            return Err(DockerError::SocketDenied { address });
        }
        let docker = match &found {
            #[cfg(unix)]
            Address::Unix(path) => Docker::connect_with_unix(path, FOREVER, API_DEFAULT_VERSION),
            #[cfg(windows)]
            Address::Pipe(path) => Docker::connect_with_named_pipe(path, FOREVER, API_DEFAULT_VERSION),
            Address::Http(host) => Docker::connect_with_http(host, FOREVER, API_DEFAULT_VERSION),
            Address::Https(host, tls) => tls.client(host),
            // `find` returns no address of another platform.
            other => Err(bollard::errors::Error::UnsupportedURISchemeError { uri: other.to_string() }),
        };
        let docker = docker.map_err(|error| RequestError::from(error).into_error("connect", &address))?;
        let mut daemon = Self {
            docker,
            place: found,
            address,
            preferred_builder: ImageBuilder::Classic,
            credentials: Arc::new(CredentialStore::of_user()),
            settings,
        };
        daemon.preferred_builder = daemon.ping().await?;
        Ok(daemon)
    }

    /// The image that the daemon has under this name or id.
    ///
    /// # Errors
    /// If `reference` is malformed, or the daemon doesn't answer.
    pub(crate) async fn image(&self, reference: &str) -> Result<Option<InspectedImage>, DockerError> {
        let name = Reference::parse(reference)?;
        // An id has to stay as it is: its hash is not a tag.
        let name = if reference.starts_with("sha256:") { reference.to_owned() } else { name.full() };
        let question = Request::get(format!("/images/{name}/json"));
        match self.answer::<ImageInspect>(question).await {
            Ok(image) => {
                // If there are several images, a daemon that keeps them in containerd describes any of them.
                let is_one = image.graph_driver.is_some_and(|driver| driver.name != "overlayfs");
                let platform = (image.os.zip(image.architecture)).filter(|_| is_one);
                let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
                Ok(Some(InspectedImage {
                    id: image.id.unwrap_or_default(),
                    labels: labels.into_iter().collect(),
                    platform: platform.map(|(os, architecture)| format!("{os}/{architecture}")),
                    digests: image.repo_digests.unwrap_or_default(),
                }))
            }
            Err(RequestError::Answer { status: 404, .. }) => Ok(None),
            Err(error) => Err(error.into_error("look up an image", &self.address)),
        }
    }

    /// The digest under which the registry has the image; `None` if it has none of that name.
    ///
    /// # Errors
    /// If the registry can't be asked: it is down, unknown, or denies access.
    pub(crate) async fn published(&self, reference: &str) -> Result<Option<String>, DockerError> {
        let name = Reference::parse(reference)?;
        self.patiently(&LastProgress::new(), || self.published_now(&name)).await
    }

    async fn published_now(&self, name: &Reference) -> Result<Option<String>, DockerError> {
        let auth = self.registry_auth(name).await?;
        let question = Request::get(format!("/distribution/{}/json", name.full())).header(AUTH, auth);
        match self.answer::<DistributionInspect>(question).await {
            Ok(found) => Ok(found.descriptor.digest),
            Err(error) => match self.registry_error("lookup", "look up an image in its registry", name, error) {
                DockerError::Registry { fault: Fault::Missing, .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Turns an answer that refuses into an error of the registry, which did not carry out the `operation`, and any
    /// other error into one of the daemon, which was asked to `of_daemon` and did not get so far.
    fn registry_error(
        &self,
        operation: &'static str,
        of_daemon: &'static str,
        name: &Reference,
        error: RequestError,
    ) -> DockerError {
        match error.refusal() {
            Ok((status, message)) => DockerError::Registry {
                operation,
                reference: name.full(),
                registry: name.registry().to_owned(),
                fault: Fault::of(status, &message),
                message,
                present: false,
            },
            Err(error) => error.into_error(of_daemon, &self.address),
        }
    }

    /// Makes a request that is answered at once; an interruption or [`ANSWER`] ends it.
    async fn ask<T, E>(&self, request: impl Future<Output = Result<T, E>>) -> Result<T, RequestError>
    where
        RequestError: From<E>,
    {
        match self.unless_interrupted(tokio::time::timeout(ANSWER, request)).await? {
            Ok(answer) => answer.map_err(RequestError::from),
            Err(_) => Err(RequestError::Timeout(ANSWER)),
        }
    }

    /// Waits for the next item of a stream, however long it takes; an interruption ends that.
    async fn next<T>(
        &self,
        stream: &mut (impl Stream<Item = Result<T, bollard::errors::Error>> + Unpin),
    ) -> Result<Option<T>, RequestError> {
        self.unless_interrupted(stream.next()).await?.transpose().map_err(RequestError::from)
    }

    /// Does work that an interruption drops. Dropped work closes its connections, which makes a working daemon stop.
    async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        self.settings.interrupt.run_until_cancelled(work).await.ok_or(Interrupted)
    }

    /// The value of the header `X-Registry-Auth`: the user's credentials for a registry, or an empty object if there
    /// are none, because the daemon wants the header.
    async fn registry_auth(&self, reference: &Reference) -> Result<String, DockerError> {
        let found = self.unless_interrupted(self.credentials.find(reference.registry())).await??;
        let auth = found.map_or_else(
            || json!({}),
            |found| {
                json!({
                    "username": found.username,
                    "password": found.password,
                    "identitytoken": found.identity_token,
                    "serveraddress": found.server,
                })
            },
        );
        Ok(URL_SAFE.encode(auth.to_string()))
    }

    fn tell(&self, event: Event<'_>) {
        self.settings.progress.event(event);
    }

    /// Reports the beginning and the end of an operation.
    async fn watched<T>(
        &self,
        operation: Operation,
        subject: &str,
        work: impl Future<Output = Result<T, DockerError>>,
    ) -> Result<T, DockerError> {
        self.tell(Event::Started { operation, subject });
        let start = Instant::now();
        let result = work.await;
        let seconds = start.elapsed().as_secs_f64();
        self.tell(match result {
            Ok(_) => Event::Finished { operation, seconds },
            Err(_) => Event::Failed { operation, seconds },
        });
        result
    }
}
