//! Building an image: with [BuildKit](super::buildkit), or here with the daemon's classic builder.
//!
//! The status is 200 whatever happens, and a killed daemon just stops talking. So a build has succeeded only if the
//! daemon sent the image's id, and the image's name stands for that id.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, body::Frame};
use serde_json::{Map, Value};

use super::{
    Daemon, DockerError, classic_transcript::ClassicTranscript, connection::push_parameter, fault::named_at_once,
    reference::Reference, request_error::Interrupted,
};
use crate::{
    blob::Blob,
    capability::{BuildOptions, BuiltImage, ImageBuilder},
    progress::{Event, Operation, Progress},
};

/// How many bytes of the context are sent between two progress reports.
const CONTEXT_BYTES: u64 = 1024 * 1024;

impl Daemon {
    /// Builds an image from the context in `archive`, a tar in pieces, in which the content of each file is a piece of
    /// its own. The archive is sent as it is read and never held. A build that fails or is interrupted leaves no
    /// container; the results of its finished steps stay in the daemon's cache.
    ///
    /// # Errors
    /// [`DockerError::Context`] if reading `archive` fails, whatever the daemon makes of the half context;
    /// [`DockerError::BuildStep`] if a step fails.
    pub(crate) async fn build(&self, archive: Vec<Blob>, options: &BuildOptions) -> Result<BuiltImage, DockerError> {
        let name = Reference::parse(&options.reference)?;
        let build = |archive| async {
            match options.builder {
                ImageBuilder::Buildkit => self.build_with_buildkit(archive, &name, options).await,
                ImageBuilder::Classic => self.build_classically(archive, &name, options).await,
            }
        };
        let work = async {
            match build(archive.clone()).await {
                Err(error) if is_named_at_once(&error) => {
                    let text = "another build gave an image this name at the same moment: trying again";
                    self.tell(Event::Message { text });
                    build(archive).await
                }
                result => result,
            }
        };
        self.watched(Operation::Build, &options.reference, work).await
    }

    async fn build_classically(
        &self,
        archive: Vec<Blob>,
        name: &Reference,
        options: &BuildOptions,
    ) -> Result<BuiltImage, DockerError> {
        if !options.secrets.is_empty() {
            return Err(DockerError::NeedsBuildkit { what: "a secret", address: self.address.clone() });
        }
        let archive_error = ArchiveError::default();
        let sent = Sent::of(archive.iter().map(Blob::length).sum(), Arc::clone(&self.settings.progress));
        let body = counted(archive, archive_error.clone(), sent);
        let query = query(name, options, &options.build_args) + "&rm=1&forcerm=1";
        let request = Request::post(format!("/build?{query}")).header("content-type", "application/x-tar");
        let mut transcript = ClassicTranscript::default();
        let building = async {
            let body = UnsyncBoxBody::new(StreamBody::new(body.map(|piece| piece.map(Frame::data))));
            let answering = self.send_with(request, body).await?;
            self.each_line(answering, |line| transcript.take(line, Instant::now(), &*self.settings.progress)).await
        };
        let end = match self.unless_interrupted(building).await {
            Ok(end) => end,
            Err(Interrupted) => {
                self.wait_for_removal(transcript.container.as_deref()).await;
                return Err(DockerError::Interrupted);
            }
        };
        transcript.end(Instant::now(), &*self.settings.progress);
        if let Some(error) = archive_error.take() {
            return Err(DockerError::Context(error));
        }
        end.map_err(|error| transcript.error(error, &self.address))?;
        match self.named(name, transcript.image_id.take(), transcript.tagged).await? {
            Some(id) => Ok(BuiltImage { id, steps: transcript.steps }),
            None => Err(DockerError::BuildCut { step: transcript.step() }),
        }
    }

    /// The image's id, if the daemon sent one at the end and either said that the image was `tagged` or has that image
    /// under the name.
    pub(super) async fn named(
        &self,
        name: &Reference,
        image_id: Option<String>,
        tagged: bool,
    ) -> Result<Option<String>, DockerError> {
        let Some(id) = image_id else { return Ok(None) };
        let is_named = tagged || self.image(&name.full()).await?.is_some_and(|image| image.id == id);
        Ok(is_named.then_some(id))
    }
}

/// The query of a request to build, for either builder.
pub(super) fn query(name: &Reference, options: &BuildOptions, arguments: &[(String, String)]) -> String {
    let object = |pairs: &[(String, String)]| {
        let pairs = pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        Value::Object(pairs.collect::<Map<_, _>>()).to_string()
    };
    let mut query = "dockerfile=Dockerfile".to_owned();
    let mut add = |key: &str, value: &str| push_parameter(&mut query, key, value);
    add("t", &name.full());
    add("labels", &object(&options.labels));
    add("buildargs", &object(arguments));
    for (key, value) in [("platform", &options.platform), ("networkmode", &options.network)] {
        if let Some(value) = value {
            add(key, value);
        }
    }
    if !options.cache_from.is_empty() {
        add("cachefrom", &Value::from(options.cache_from.clone()).to_string());
    }
    query
}

fn is_named_at_once(error: &DockerError) -> bool {
    let (DockerError::BuildRefused { message, .. } | DockerError::BuildStep { message, .. }) = error else {
        return false;
    };
    named_at_once(message)
}

/// The error of the archive, if reading it failed while the client sent it.
#[derive(Debug, Clone, Default)]
pub(super) struct ArchiveError(Arc<Mutex<Option<io::Error>>>);

impl ArchiveError {
    /// Keeps the error. The caller must break off the request, or else the daemon would build half a context.
    pub(super) fn keep(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Counts how much of a context was sent, and reports it now and then.
pub(super) struct Sent {
    bytes: AtomicU64,
    bytes_total: u64,
    progress: Arc<dyn Progress>,
}

impl Sent {
    pub(super) fn of(bytes_total: u64, progress: Arc<dyn Progress>) -> Self {
        Self { bytes: AtomicU64::new(0), bytes_total, progress }
    }

    pub(super) fn more(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before / CONTEXT_BYTES < (before + bytes) / CONTEXT_BYTES {
            self.tell(false);
        }
    }

    /// Reports that everything was sent.
    pub(super) fn all(&self) {
        self.tell(true);
    }

    fn tell(&self, complete: bool) {
        let (bytes_sent, bytes_total) = (self.bytes.load(Ordering::Relaxed), self.bytes_total);
        self.progress.event(Event::Context { bytes_sent, bytes_total, complete });
    }
}

/// The archive as one stream, which reports how much has passed.
fn counted(
    archive: Vec<Blob>,
    archive_error: ArchiveError,
    sent: Sent,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let pieces = stream::iter(archive).flat_map(|piece| piece.stream());
    let end = stream::once(std::future::ready(None));
    pieces.map(Some).chain(end).filter_map(move |item| {
        let passed_on = match item {
            Some(Ok(bytes)) => {
                sent.more(bytes.len() as u64);
                Some(Ok(bytes))
            }
            Some(Err(error)) => {
                archive_error.keep(error);
                Some(Err(io::Error::other("the build context ended early")))
            }
            None => {
                sent.all();
                None
            }
        };
        std::future::ready(passed_on)
    })
}
