//! A connection to the daemon for one request that bollard can't make, or whose answer it doesn't give us whole.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    http::request::Builder,
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Daemon,
    address::Address,
    request_error::{RequestError, root_cause, words},
};
use crate::failure::of_system;

/// The longest answer with an error; the rest is not read.
const ERROR_BYTES: usize = 64 * 1024;

/// The longest line of an answer, as for BuildKit's own messages, and the longest answer that is one document.
const LINE_BYTES: usize = 16 * 1024 * 1024;

/// The body of a request.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An open connection; it is closed when this is dropped, which makes the daemon stop.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    _pump: AbortOnDropHandle<()>,
}

/// A request that was sent; its answer waits until it is read. The daemon stops when this is dropped.
pub(super) struct Answering {
    response: Response<Incoming>,
    _connection: Connection,
}

impl Connection {
    pub(super) async fn open(address: &Address) -> Result<Self, RequestError> {
        match address {
            #[cfg(unix)]
            Address::Unix(path) => Self::over(tokio::net::UnixStream::connect(path).await.map_err(unreachable)?).await,
            #[cfg(windows)]
            Address::Pipe(path) => Self::over(pipe(path).await.map_err(unreachable)?).await,
            Address::Http(host) => Self::over(tokio::net::TcpStream::connect(host).await.map_err(unreachable)?).await,
            Address::Https(host, tls) => Self::over(tls.open(host).await.map_err(unreachable)?).await,
            // `find` returns no address of another platform.
            other => Err(unreachable(io::Error::other(format!("{other} is for another system")))),
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, RequestError> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let pump = tokio::spawn(async move {
            // The request fails with the same error.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { sender, _pump: AbortOnDropHandle::new(pump) })
    }

    /// Sends a request, and returns the head of the answer, whatever its status.
    pub(super) async fn send(&mut self, request: Builder) -> Result<Response<Incoming>, RequestError> {
        self.send_with(request, nothing()).await
    }

    async fn send_with(&mut self, request: Builder, body: Body) -> Result<Response<Incoming>, RequestError> {
        let request = request.header("host", "docker").body(body).map_err(|error| broken(&error))?;
        self.sender.send_request(request).await.map_err(|error| broken(&error))
    }
}

impl Daemon {
    /// Asks a question, and reads the answer, which is JSON.
    pub(super) async fn answer<T: DeserializeOwned>(&self, question: Builder) -> Result<T, RequestError> {
        self.ask(async {
            let mut connection = Connection::open(&self.place).await?;
            let response = connection.send(question).await?;
            if !response.status().is_success() {
                let (status, message) = refusal(response).await;
                return Err(RequestError::Answer { status, message });
            }
            let body = Limited::new(response, LINE_BYTES).collect().await.map_err(|error| broken(&*error))?;
            serde_json::from_slice(&body.to_bytes()).map_err(|error| broken(&error))
        })
        .await
    }

    /// Sends a request whose answer may take its time to begin.
    pub(super) async fn send(&self, request: Builder) -> Result<Answering, RequestError> {
        self.send_with(request, nothing()).await
    }

    /// Like `send`, with a body that is sent as it is read.
    pub(super) async fn send_with(&self, request: Builder, body: Body) -> Result<Answering, RequestError> {
        let mut connection = self.ask(Connection::open(&self.place)).await?;
        let response = connection.send_with(request, body).await?;
        Ok(Answering { response, _connection: connection })
    }

    /// Gives each line of an answer to `take`, as it comes.
    pub(super) async fn each_line(
        &self,
        mut answering: Answering,
        mut take: impl FnMut(&[u8]) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        let response = &mut answering.response;
        if !response.status().is_success() {
            let (status, message) =
                self.ask(async { Ok::<_, RequestError>(refusal(answering.response).await) }).await?;
            return Err(RequestError::Answer { status, message });
        }
        let mut line = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
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
        if line.trim_ascii().is_empty() { Ok(()) } else { take(&line) }
    }
}

fn nothing() -> Body {
    UnsyncBoxBody::new(Empty::new().map_err(|never| match never {}))
}

/// The status and the daemon's words of an answer that is not a success.
pub(super) async fn refusal(mut response: Response<Incoming>) -> (u16, String) {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    let status = response.status().as_u16();
    let mut answer = Vec::new();
    while let Some(Ok(frame)) = response.body_mut().frame().await {
        answer.extend_from_slice(frame.data_ref().map(|bytes| &bytes[..]).unwrap_or_default());
        if answer.len() > ERROR_BYTES {
            break;
        }
    }
    let message = match serde_json::from_slice::<Refusal>(&answer) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(&answer[..answer.len().min(ERROR_BYTES)]).into_owned(),
    };
    (status, words(&message))
}

/// Adds a parameter to a query.
pub(super) fn push_parameter(query: &mut String, key: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(key);
    query.push('=');
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => query.push(char::from(byte)),
            _ => query.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The error of a connection that broke, or carries no HTTP.
pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> RequestError {
    RequestError::Cut(root_cause(error))
}

fn unreachable(error: io::Error) -> RequestError {
    if error.kind() == io::ErrorKind::NotFound {
        return RequestError::Unreachable { reason: "there is no such socket".to_owned(), denied: false };
    }
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    RequestError::Unreachable { reason: words(&of_system(&error)), denied }
}

/// All of a pipe's instances may be taken for a moment.
#[cfg(windows)]
async fn pipe(path: &str) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    const ALL_BUSY: i32 = 231;
    loop {
        match tokio::net::windows::named_pipe::ClientOptions::new().open(path) {
            Err(error) if error.raw_os_error() == Some(ALL_BUSY) => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}
