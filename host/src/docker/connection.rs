//! A connection to the daemon for one request: what bollard doesn't say, or doesn't let through.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::request::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;

use super::super::address::Address;
use super::super::request_error::{RequestError, root_cause, words};
use crate::failure::of_system;

/// No answer of an error is longer; what follows is not read.
const ERROR_BYTES: usize = 64 * 1024;

/// An open connection; it is closed when this is dropped, which makes the daemon stop.
pub(in crate::docker) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    _pump: AbortOnDropHandle<()>,
}

impl Connection {
    pub(in crate::docker) async fn open(address: &Address) -> Result<Self, RequestError> {
        match address {
            #[cfg(unix)]
            Address::Unix(path) => Self::over(tokio::net::UnixStream::connect(path).await.map_err(unreachable)?).await,
            #[cfg(windows)]
            Address::Pipe(path) => Self::over(pipe(path).await.map_err(unreachable)?).await,
            Address::Http(host) => Self::over(tokio::net::TcpStream::connect(host).await.map_err(unreachable)?).await,
            Address::Https(host, tls) => Self::over(tls.open(host).await.map_err(unreachable)?).await,
            // `find` gives no address of another platform.
            other => Err(unreachable(io::Error::other(format!("{other} is for another system")))),
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, RequestError> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let pump = tokio::spawn(async move {
            // Its error is the request's as well.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { sender, _pump: AbortOnDropHandle::new(pump) })
    }

    /// The answer's head, whatever its status. No request of ours has a body.
    pub(in crate::docker) async fn send(&mut self, request: Builder) -> Result<Response<Incoming>, RequestError> {
        let request = request.header("host", "docker").body(Empty::new()).map_err(|error| broken(&error))?;
        self.sender.send_request(request).await.map_err(|error| broken(&error))
    }
}

/// Status and the daemon's words, of an answer whose status is no success.
pub(in crate::docker) async fn refusal(mut response: Response<Incoming>) -> (u16, String) {
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

/// The connection broke, or carries no HTTP.
pub(in crate::docker) fn broken(error: &(dyn std::error::Error + 'static)) -> RequestError {
    RequestError::Cut(root_cause(error))
}

fn unreachable(error: io::Error) -> RequestError {
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
