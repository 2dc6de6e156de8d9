//! Building an image with BuildKit.
//!
//! The request is our own, not bollard's: its BuildKit support costs 74 crates, and reads the build's end from text.
//! Of the context the daemon is sent [what it doesn't have](file_sync) from earlier builds, and it answers with
//! [reports](trace) in lines of JSON.

mod connection;
mod context;
mod file_sync;
mod protobuf;
mod session;
mod trace;
mod transcript;

use std::io;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Map, Value};

use super::build::{ArchiveError, Sent};
use super::reference::Reference;
use super::request_error::RequestError;
use super::secrets::Secrets;
use super::{Daemon, DockerError};
use crate::blob::Blob;
use crate::capability::{BuildOptions, BuildSecret, BuiltImage};
use connection::{broken, refusal};
use context::Context;
use file_sync::Shared;
use session::{Answers, Session};
use transcript::Transcript;

pub(super) use connection::Connection;

/// No line of an answer is longer: BuildKit's own messages aren't.
const LINE_BYTES: usize = 16 * 1024 * 1024;

impl Daemon {
    pub(super) async fn build_with_buildkit(
        &self,
        archive: Vec<Blob>,
        name: &Reference,
        options: &BuildOptions,
    ) -> Result<BuiltImage, DockerError> {
        let (secrets, context) = self.read_inputs(archive, options.secrets.clone()).await?;
        let mut transcript = Transcript::new(Arc::clone(&secrets));
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
            let query = query(name, options, &session.id);
            let mut connection = self.ask(Connection::open(&self.place)).await?;
            let response = connection.send(Request::post(format!("/build?{query}"))).await?;
            if !response.status().is_success() {
                let (status, message) = self.ask(async { Ok::<_, RequestError>(refusal(response).await) }).await?;
                return Err(RequestError::Answer { status, message });
            }
            each_line(response, |line| transcript.take(line, &*self.settings.progress)).await
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

    /// What a build is made of and what it may know, read by a thread of its own.
    async fn read_inputs(
        &self,
        archive: Vec<Blob>,
        wanted: Vec<BuildSecret>,
    ) -> Result<(Arc<Secrets>, Context), DockerError> {
        let granted = Arc::clone(&self.settings.secrets);
        let reading = tokio::task::spawn_blocking(move || {
            let secrets = Secrets::read(&wanted, &*granted, |name| std::env::var_os(name))?;
            Ok((Arc::new(secrets), Context::of(&archive).map_err(DockerError::Context)?))
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

/// Gives each line of an answer to `take`, as it comes.
async fn each_line(
    mut answer: Response<Incoming>,
    mut take: impl FnMut(&[u8]) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut line = Vec::new();
    while let Some(frame) = answer.body_mut().frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let bytes = frame.data_ref().map(|bytes| &bytes[..]).unwrap_or_default();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.ends_with(b"\n") {
                if !line.trim_ascii().is_empty() {
                    take(&line)?;
                }
                line.clear();
            } else if line.len() > LINE_BYTES {
                return Err(RequestError::Cut("a line of the answer has no end".to_owned()));
            }
        }
    }
    Ok(())
}

fn query(name: &Reference, options: &BuildOptions, session: &str) -> String {
    let object = |pairs: &[(String, String)]| {
        let pairs = pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        Value::Object(pairs.collect::<Map<_, _>>()).to_string()
    };
    let mut arguments = options.build_args.clone();
    if options.inline_cache {
        arguments.push(("BUILDKIT_INLINE_CACHE".to_owned(), "1".to_owned()));
    }
    let mut query = "version=2&dockerfile=Dockerfile".to_owned();
    let mut add = |key: &str, value: &str| {
        query.push('&');
        query.push_str(key);
        query.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => query.push(char::from(byte)),
                _ => query.push_str(&format!("%{byte:02X}")),
            }
        }
    };
    add("t", &name.full());
    add("labels", &object(&options.labels));
    add("buildargs", &object(&arguments));
    for (key, value) in [("platform", &options.platform), ("networkmode", &options.network)] {
        if let Some(value) = value {
            add(key, value);
        }
    }
    if !options.cache_from.is_empty() {
        add("cachefrom", &Value::from(options.cache_from.clone()).to_string());
    }
    add("session", session);
    add("remote", "client-session");
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
            query(&Reference::parse("localhost:5000/a:1").unwrap(), &options, "id"),
            "version=2&dockerfile=Dockerfile&t=localhost%3A5000%2Fa%3A1&labels=%7B%22a%26b%22%3A%22c%3D%5C%22d%5C%22%22%7D\
             &buildargs=%7B%22%C3%A9%22%3A%22%23%22%2C%22BUILDKIT_INLINE_CACHE%22%3A%221%22%7D\
             &platform=linux%2Farm64%26version%3D1&cachefrom=%5B%22r%2Fa%3A1%22%5D&session=id&remote=client-session"
        );
    }
}
