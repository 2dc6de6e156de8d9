//! A BuildKit session, in which BuildKit may ask us for secrets, credentials for registries, and files of the context
//! while it builds.
//!
//! The daemon is asked to turn a connection around (`POST /session`, `Upgrade: h2c`), on which we are then the gRPC
//! server. Each message follows five bytes: a zero, for not compressed, and its length. A call is one message there and
//! one back, except for [files](super::file_sync).

use std::sync::Arc;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use hyper::{
    Request, Response, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::{
    file_sync::{Broken, Shared},
    protobuf,
};
use crate::{
    docker::{
        address::Address,
        connection::{Connection, broken, refusal},
        credentials::CredentialStore,
        request_error::RequestError,
        secrets::Secrets,
    },
    progress::{Event, Progress},
};

const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";
const FILES: &str = "/moby.filesync.v1.FileSync/DiffCopy";
/// BuildKit asks this every second. A session that doesn't answer is closed, and ends the build.
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// The longest question.
const QUESTION_BYTES: usize = 64 * 1024;
const QUESTIONS_AT_ONCE: u32 = 32;

// gRPC's status codes.
const OK: u8 = 0;
const NOT_FOUND: u8 = 5;
const UNIMPLEMENTED: u8 = 12;

/// The answers to BuildKit's questions.
pub(super) struct Answers {
    pub(super) secrets: Arc<Secrets>,
    pub(super) credentials: Arc<CredentialStore>,
    pub(super) context: Shared,
    pub(super) progress: Arc<dyn Progress>,
}

/// An open session; it ends when this is dropped.
pub(super) struct Session {
    /// The id by which a build names the session.
    pub(super) id: String,
    _server: AbortOnDropHandle<()>,
}

impl Session {
    /// Opens a session. BuildKit compares the context with files from earlier sessions with the same key.
    pub(super) async fn open(address: &Address, key: &str, answers: Answers) -> Result<Self, RequestError> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut request = Request::post("/session")
            .header("connection", "Upgrade")
            .header("upgrade", "h2c")
            .header("x-docker-expose-session-uuid", &id)
            .header("x-docker-expose-session-name", "flowhold")
            .header("x-docker-expose-session-sharedkey", key);
        for method in [GET_SECRET, CREDENTIALS, FILES, HEALTH] {
            request = request.header("x-docker-expose-session-grpc-method", method);
        }
        let mut connection = Connection::open(address).await?;
        let response = connection.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (status, words) = refusal(response).await;
            return Err(RequestError::NoSession(format!("status {status} {words}").trim_end().to_owned()));
        }
        let stream = hyper::upgrade::on(response).await.map_err(|error| broken(&error))?;
        let server = tokio::spawn(async move {
            let mut settings = h2::server::Builder::new();
            settings.max_concurrent_streams(QUESTIONS_AT_ONCE);
            // BuildKit asks for each file in a frame of its own, which h2 would take for a flood.
            settings.data_frame_budget(usize::MAX);
            let handshake = settings.handshake(TokioIo::new(stream));
            if let Ok(connection) = handshake.await {
                serve(connection, Arc::new(answers)).await;
            }
        });
        Ok(Self { id, _server: AbortOnDropHandle::new(server) })
    }
}

/// Answers calls until the daemon closes the connection. BuildKit reports what an unanswered call means.
async fn serve<T>(mut connection: h2::server::Connection<T, Bytes>, answers: Arc<Answers>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut calls = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let answers = Arc::clone(&answers);
        calls.spawn(async move {
            // BuildKit repeats a broken call if it has to.
            let _ = call(request, respond, &answers).await;
        });
        while calls.try_join_next().is_some() {}
    }
}

async fn call(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answers: &Answers,
) -> Result<(), h2::Error> {
    let (asked, mut body) = request.into_parts();
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    if asked.uri.path() == FILES {
        let mut stream = respond.send_response(head, false)?;
        match answers.context.answer(&asked.headers, body, &mut stream).await {
            Ok(()) => end(stream, OK)?,
            Err(Broken) => stream.send_reset(Reason::CANCEL),
        }
        return Ok(());
    }
    let mut message = Vec::new();
    while let Some(bytes) = body.data().await {
        let bytes = bytes?;
        body.flow_control().release_capacity(bytes.len())?;
        message.extend_from_slice(&bytes);
        if message.len() > QUESTION_BYTES {
            respond.send_reset(Reason::CANCEL);
            return Ok(());
        }
    }
    let answer = answers.to(asked.uri.path(), message.get(5..).unwrap_or_default()).await;
    let mut stream = respond.send_response(head, false)?;
    let status = match answer {
        Ok(message) => {
            let mut frame = vec![0];
            frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
            frame.extend_from_slice(&message);
            stream.send_data(frame.into(), false)?;
            OK
        }
        Err(status) => status,
    };
    end(stream, status)
}

fn end(mut stream: SendStream<Bytes>, status: u8) -> Result<(), h2::Error> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    stream.send_trailers(trailers)
}

impl Answers {
    /// The answer to a call, or gRPC's status.
    async fn to(&self, method: &str, question: &[u8]) -> Result<Vec<u8>, u8> {
        let asked = protobuf::text_field(question, 1).unwrap_or_default();
        let mut answer = Vec::new();
        match method {
            GET_SECRET => protobuf::push_field(&mut answer, 1, self.secrets.get(&asked).ok_or(NOT_FOUND)?),
            CREDENTIALS => {
                let found = self.credentials.find(&asked).await.unwrap_or_else(|error| {
                    // The registry may need no credentials.
                    self.progress.event(Event::Message { text: &error.to_string() });
                    None
                });
                if let Some(found) = found {
                    // A token is sent without a user name.
                    let secret = found.identity_token.as_ref().unwrap_or(&found.password);
                    let user = if found.identity_token.is_some() { "" } else { &found.username };
                    protobuf::push_field(&mut answer, 1, user.as_bytes());
                    protobuf::push_field(&mut answer, 2, secret.as_bytes());
                }
            }
            // The status SERVING.
            HEALTH => answer.extend([0x08, 1]),
            _ => return Err(UNIMPLEMENTED),
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        capability::{BuildSecret, SecretSource},
        docker::{
            build::{ArchiveError, Sent},
            buildkit::context::BuildContext,
        },
        progress::Silent,
    };

    #[tokio::test]
    async fn only_what_the_build_was_given_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let auth = r#"{"auths":{"localhost:5000":{"auth":"bWU6c2VjcmV0"}}}"#;
        std::fs::write(folder.path().join("config.json"), auth).unwrap();
        let secret = BuildSecret { id: "token".to_owned(), source: SecretSource::Env("TOKEN".to_owned()) };
        let mut credentials = CredentialStore::default();
        credentials.folder = Some(folder.path().to_owned());
        let answers = Answers {
            secrets: Arc::new(Secrets::read(&[secret], |_| true, |_| Some("hunter2".into())).unwrap()),
            credentials: Arc::new(credentials),
            context: Shared {
                context: BuildContext::of(&[]).unwrap(),
                sent: Sent::of(0, Arc::new(Silent)),
                archive_error: ArchiveError::default(),
            },
            progress: Arc::new(Silent),
        };
        let question = |text: &str| {
            let mut message = Vec::new();
            protobuf::push_field(&mut message, 1, text.as_bytes());
            message
        };
        let told: BTreeMap<_, _> = [
            ("secret", answers.to(GET_SECRET, &question("token")).await),
            ("unknown secret", answers.to(GET_SECRET, &question("other")).await),
            ("login", answers.to(CREDENTIALS, &question("localhost:5000")).await),
            ("no login", answers.to(CREDENTIALS, &question("localhost:5001")).await),
            ("health", answers.to(HEALTH, &[]).await),
            ("file", answers.to(FILES, &[]).await),
        ]
        .into();
        assert_eq!(
            told,
            [
                ("secret", Ok(b"\x0a\x07hunter2".to_vec())),
                ("unknown secret", Err(NOT_FOUND)),
                ("login", Ok(b"\x0a\x02me\x12\x06secret".to_vec())),
                ("no login", Ok(Vec::new())),
                ("health", Ok(vec![8, 1])),
                ("file", Err(UNIMPLEMENTED)),
            ]
            .into()
        );
    }
}
