//! Building an image with BuildKit.
//!
//! The request is our own, not bollard's, whose BuildKit support costs 74 crates, and reads the build's end from text.
//! The daemon is sent [those files of the context](file_sync) that it doesn't have from earlier builds, and answers
//! with [reports](trace) in lines of JSON.

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
    build::{self, ArchiveError, Sent},
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
            let request = Request::post(format!("/build?{}", query(name, options, &session.id)));
            self.each_line(self.send(request).await?, |line| transcript.take(line, &*self.settings.progress)).await
        };
        let end = self.unless_interrupted(building).await?;
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

    /// Reads the build's secrets and context, on a thread of its own.
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
        let read = self.unless_interrupted(reading).await?;
        read.unwrap_or_else(|error| Err(DockerError::Context(io::Error::other(error))))
    }
}

fn query(name: &Reference, options: &BuildOptions, session: &str) -> String {
    let mut arguments = options.build_args.clone();
    if options.inline_cache {
        arguments.push(("BUILDKIT_INLINE_CACHE".to_owned(), "1".to_owned()));
    }
    let mut query = build::query(name, options, &arguments) + "&version=2&remote=client-session";
    push_parameter(&mut query, "session", session);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_parameter() {
        let options = BuildOptions {
            reference: String::new(),
            labels: vec![("a&b".to_owned(), "c=\"d\"".to_owned())],
            builder: crate::capability::ImageBuilder::Buildkit,
            platform: Some("linux/arm64&version=1".to_owned()),
            network: None,
            build_args: vec![("é".to_owned(), "#".to_owned())],
            secrets: Vec::new(),
            cache_from: vec!["r/a:1".to_owned()],
            inline_cache: true,
        };
        assert_eq!(
            query(&Reference::parse("localhost:5000/a:1").unwrap(), &options, "i&d"),
            "dockerfile=Dockerfile&t=localhost%3A5000%2Fa%3A1&labels=%7B%22a%26b%22%3A%22c%3D%5C%22d%5C%22%22%7D\
             &buildargs=%7B%22%C3%A9%22%3A%22%23%22%2C%22BUILDKIT_INLINE_CACHE%22%3A%221%22%7D\
             &platform=linux%2Farm64%26version%3D1&cachefrom=%5B%22r%2Fa%3A1%22%5D&version=2&remote=client-session&session=i%26d"
        );
    }
}
