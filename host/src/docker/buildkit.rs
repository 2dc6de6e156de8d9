//! Building an image with BuildKit.
//!
//! The request is our own, not bollard's: its BuildKit support costs 74 crates, and reads the build's end from text. Of
//! the context the daemon is sent [what it doesn't have](file_sync) from earlier builds, and it answers with
//! [reports](trace) in lines of JSON.

mod context;
mod file_sync;
mod masked_log;
mod protobuf;
mod session;
mod trace;
mod transcript;

use std::{io, sync::Arc};

use hyper::Request;

use super::{
    Daemon, DockerError,
    build::{ArchiveError, Sent, query},
    connection::push_parameter,
    reference::Reference,
    secrets::Secrets,
};
use crate::{
    blob::Blob,
    capability::{BuildOptions, BuildSecret, BuiltImage},
};
use context::BuildContext;
use file_sync::Shared;
use session::{Answers, Session};
use transcript::BuildkitTranscript;

impl Daemon {
    pub(super) async fn build_with_buildkit(
        &self,
        archive: Vec<Blob>,
        name: &Reference,
        options: &BuildOptions,
    ) -> Result<BuiltImage, DockerError> {
        let (secrets, context) = self.read_inputs(archive, options.secrets.clone()).await?;
        let mut transcript = BuildkitTranscript::new(Arc::clone(&secrets));
        let archive_error = ArchiveError::default();
        let sent = Sent::of(context.bytes, Arc::clone(&self.settings.progress));
        let building = async {
            let answers = Answers {
                secrets,
                credentials: Arc::clone(&self.credentials),
                context: Shared { context, sent, archive_error: archive_error.clone() },
                progress: Arc::clone(&self.settings.progress),
            };
            let session = self.ask(Session::open(&self.place, &name.repository, answers)).await?;
            let mut arguments = options.build_args.clone();
            if options.inline_cache {
                arguments.push(("BUILDKIT_INLINE_CACHE".to_owned(), "1".to_owned()));
            }
            let mut query = query(name, options, &arguments) + "&version=2&remote=client-session";
            push_parameter(&mut query, "session", &session.id);
            let request = Request::post(format!("/build?{query}"));
            self.each_line(self.send(request).await?, |line| transcript.take(line, &*self.settings.progress)).await
        };
        // Dropping it closes the connections, which is what makes the daemon stop.
        let end = tokio::select! {
            biased;
            () = self.settings.interrupt.cancelled() => return Err(DockerError::Interrupted),
            end = building => end,
        };
        transcript.end(&*self.settings.progress);
        if let Some(error) = archive_error.take() {
            return Err(DockerError::Context(error));
        }
        end.map_err(|error| transcript.error(error, &self.address))?;
        match self.named(name, transcript.image_id.take(), transcript.tagged).await? {
            Some(id) => Ok(BuiltImage { id, steps: transcript.steps() }),
            None => Err(DockerError::BuildCut { step: transcript.step() }),
        }
    }

    /// The build's secrets and context, read by a thread of its own.
    async fn read_inputs(
        &self,
        archive: Vec<Blob>,
        wanted: Vec<BuildSecret>,
    ) -> Result<(Arc<Secrets>, BuildContext), DockerError> {
        let granted = Arc::clone(&self.settings.secrets);
        let reading = tokio::task::spawn_blocking(move || {
            let secrets = Secrets::read(&wanted, &*granted, |name| std::env::var_os(name))?;
            Ok((Arc::new(secrets), BuildContext::of(&archive).map_err(DockerError::Context)?))
        });
        // A secret may be a pipe that nobody writes to.
        let read = tokio::select! {
            biased;
            () = self.settings.interrupt.cancelled() => return Err(DockerError::Interrupted),
            read = reading => read,
        };
        read.unwrap_or_else(|error| Err(DockerError::Context(io::Error::other(error))))
    }
}
