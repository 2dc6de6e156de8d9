//! `moby.filesync.v1.FileSync/DiffCopy`: BuildKit is told what is in the context, and asks for the files that it
//! doesn't have.
//!
//! Both sides send packets. We send a `STAT` for each entry, and an empty one after the last. BuildKit sends a `REQ`
//! with the number of each file that it wants, counted over all entries. We send the file's content in `DATA`, and an
//! empty one after it. At the end, BuildKit sends `FIN`, and so do we.

use std::{collections::HashSet, future::poll_fn};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use h2::{RecvStream, SendStream};
use hyper::header::HeaderMap;
use tokio::sync::mpsc;

use super::{
    context::{BuildContext, Entry},
    protobuf::{Value, fields, push_field, push_number},
};
use crate::docker::build::{ArchiveError, Sent};

// Types of packets.
const STAT: u64 = 0;
const REQ: u64 = 1;
const DATA: u64 = 2;
const FIN: u64 = 3;

/// The longest packet that BuildKit sends.
const PACKET_BYTES: usize = 64 * 1024;

/// Packets are collected up to this length, and sent together.
const TOGETHER: usize = 64 * 1024;

/// The context was not sent: the connection broke, or a file could not be read.
pub(super) struct Broken;

impl From<h2::Error> for Broken {
    fn from(_: h2::Error) -> Self {
        Self
    }
}

/// What BuildKit asks for.
enum FileRequest {
    /// A file, by its number.
    File(usize),
    Finish,
}

/// A context that BuildKit may ask for.
pub(super) struct Shared {
    pub(super) context: BuildContext,
    pub(super) sent: Sent,
    pub(super) archive_error: ArchiveError,
}

impl Shared {
    /// Answers one call; returns when BuildKit has all that it wants.
    pub(super) async fn answer(
        &self,
        metadata: &HeaderMap,
        body: RecvStream,
        stream: &mut SendStream<Bytes>,
    ) -> Result<(), Broken> {
        let texts = |name| metadata.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let wanted: Vec<_> = texts("include-patterns").chain(texts("followpaths")).collect();
        let entries = self.context.below(texts("dir-name").next().unwrap_or_default(), &wanted);
        // BuildKit asks for the Dockerfile by itself beforehand; that is not reported.
        let sent = (entries.len() == self.context.entries.len()).then_some(&self.sent);
        let (requests, requested) = mpsc::unbounded_channel();
        tokio::try_join!(listen(body, &entries, requests), self.give(&entries, requested, sent, stream))?;
        if let Some(sent) = sent {
            sent.all();
        }
        Ok(())
    }

    async fn give(
        &self,
        entries: &[&Entry],
        mut requested: mpsc::UnboundedReceiver<FileRequest>,
        sent: Option<&Sent>,
        stream: &mut SendStream<Bytes>,
    ) -> Result<(), Broken> {
        let mut packets = Packets { stream, waiting: Vec::new() };
        for entry in entries {
            packets.add(STAT, 0, |packet| push_field(packet, 2, &entry.stat())).await?;
        }
        packets.add(STAT, 0, |_| ()).await?;
        loop {
            let request = match requested.try_recv() {
                Ok(request) => request,
                Err(_) => {
                    packets.send().await?;
                    requested.recv().await.ok_or(Broken)?
                }
            };
            let FileRequest::File(number) = request else {
                packets.add(FIN, 0, |_| ()).await?;
                return packets.send().await;
            };
            let Some(content) = entries.get(number).and_then(|entry| entry.content.as_ref()) else { continue };
            let mut pieces = content.stream();
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| {
                    self.archive_error.keep(error);
                    Broken
                })?;
                if let Some(sent) = sent {
                    sent.more(piece.len() as u64);
                }
                packets.add(DATA, number, |packet| push_field(packet, 4, &piece)).await?;
            }
            packets.add(DATA, number, |_| ()).await?;
        }
    }
}

/// Packets to send; small ones are sent together.
struct Packets<'s> {
    stream: &'s mut SendStream<Bytes>,
    waiting: Vec<u8>,
}

impl Packets<'_> {
    async fn add(&mut self, kind: u64, number: usize, more: impl FnOnce(&mut Vec<u8>)) -> Result<(), Broken> {
        push_packet(&mut self.waiting, kind, number, more);
        if self.waiting.len() >= TOGETHER { self.send().await } else { Ok(()) }
    }

    /// Sends what is waiting, and returns when the connection has taken it, so that no more is held.
    async fn send(&mut self) -> Result<(), Broken> {
        let mut bytes = Bytes::from(std::mem::take(&mut self.waiting));
        while !bytes.is_empty() {
            self.stream.reserve_capacity(bytes.len());
            let capacity = poll_fn(|context| self.stream.poll_capacity(context)).await.ok_or(Broken)??;
            self.stream.send_data(bytes.split_to(capacity.min(bytes.len())), false)?;
        }
        Ok(())
    }
}

/// Passes on BuildKit's requests, each file once, until BuildKit has everything.
async fn listen(
    mut body: RecvStream,
    entries: &[&Entry],
    requests: mpsc::UnboundedSender<FileRequest>,
) -> Result<(), Broken> {
    let mut received = BytesMut::new();
    let mut asked = HashSet::new();
    while let Some(bytes) = body.data().await {
        let bytes = bytes?;
        body.flow_control().release_capacity(bytes.len())?;
        received.extend_from_slice(&bytes);
        while let Some(message) = message(&mut received)? {
            let (mut kind, mut number) = (STAT, 0);
            for (field, value) in fields(&message) {
                match (field, value) {
                    (1, Value::Number(value)) => kind = value,
                    (3, Value::Number(value)) => number = usize::try_from(value).unwrap_or(usize::MAX),
                    _ => {}
                }
            }
            match kind {
                REQ if number < entries.len() && asked.insert(number) => {
                    let _ = requests.send(FileRequest::File(number));
                }
                FIN => {
                    let _ = requests.send(FileRequest::Finish);
                    return Ok(());
                }
                _ => return Err(Broken),
            }
        }
    }
    Err(Broken)
}

/// Takes the next gRPC message, if all of it is there.
fn message(received: &mut BytesMut) -> Result<Option<Bytes>, Broken> {
    let Some((&[_, a, b, c, d], rest)) = received.split_first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > PACKET_BYTES {
        return Err(Broken);
    }
    if rest.len() < length {
        return Ok(None);
    }
    received.advance(5);
    Ok(Some(received.split_to(length).freeze()))
}

/// Adds a packet as a gRPC message.
fn push_packet(messages: &mut Vec<u8>, kind: u64, number: usize, more: impl FnOnce(&mut Vec<u8>)) {
    let start = messages.len();
    messages.extend([0; 5]);
    push_number(messages, 1, kind);
    push_number(messages, 3, number as u64);
    more(messages);
    let length = u32::try_from(messages.len() - start - 5).unwrap_or(u32::MAX);
    messages[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::{Request, Response};

    use super::*;
    use crate::{blob::Blob, progress::Silent};

    /// The packets that BuildKit would get if it sent these bytes, and whether the call completed.
    async fn told(asked: Vec<u8>) -> (Vec<(u64, u64, Vec<u8>)>, bool) {
        let mut archive = Vec::new();
        for (path, content) in [("Dockerfile", "FROM x\n"), ("flows/a", "content")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_path(path).unwrap();
            header.set_cksum();
            archive.push(Blob::in_memory(header.as_bytes().to_vec()));
            archive.push(Blob::in_memory(content.as_bytes().to_vec()));
            archive.push(Blob::in_memory(vec![0; 512 - content.len()]));
        }
        archive.push(Blob::in_memory(vec![0; 1024]));
        let context = BuildContext::of(&archive).unwrap();
        let sent = Sent::of(context.bytes, Arc::new(Silent));
        let shared = Shared { context, sent, archive_error: ArchiveError::default() };

        let (here, there) = tokio::io::duplex(64 * 1024);
        let server = tokio::spawn(async move {
            let mut connection = h2::server::handshake(here).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            let answer = tokio::spawn(async move {
                let (head, body) = request.into_parts();
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                let end = shared.answer(&head.headers, body, &mut stream).await;
                stream.send_data(Bytes::new(), true).unwrap();
                end.is_ok()
            });
            while connection.accept().await.is_some() {}
            answer.await.unwrap()
        });
        let (mut client, connection) = h2::client::handshake(there).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::post("http://x/").header("dir-name", "context").body(()).unwrap();
        let (response, mut stream) = client.send_request(request, false).unwrap();
        stream.send_data(asked.into(), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        let mut received = BytesMut::new();
        while let Some(bytes) = body.data().await {
            received.extend_from_slice(&bytes.unwrap());
        }
        drop((client, stream, body));
        connection.await.unwrap().unwrap();
        let mut packets = Vec::new();
        while let Ok(Some(packet)) = message(&mut received) {
            let (mut kind, mut number, mut bytes) = (0, 0, Vec::new());
            for (field, value) in fields(&packet) {
                match field {
                    1 => kind = value.number(),
                    3 => number = value.number(),
                    _ => bytes = value.bytes().to_vec(),
                }
            }
            packets.push((kind, number, bytes));
        }
        (packets, server.await.unwrap())
    }

    fn request(kind: u64, number: usize) -> Vec<u8> {
        let mut message = Vec::new();
        push_packet(&mut message, kind, number, |_| ());
        message
    }

    #[tokio::test]
    async fn files_are_sent_once_when_they_are_asked_for() {
        // Dockerfile, flows, flows/a; a directory has no content, and the STAT after the last entry is empty.
        let asked = [request(REQ, 2), request(REQ, 1), request(REQ, 0), request(FIN, 0)].concat();
        let (packets, complete) = told(asked).await;
        let kinds: Vec<_> = packets.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [STAT, STAT, STAT, STAT, DATA, DATA, DATA, DATA, FIN]);
        assert!(!packets[2].2.is_empty() && packets[3].2.is_empty() && complete);
        let data = |number, bytes: &[u8]| (DATA, number, bytes.to_vec());
        assert_eq!(packets[4..8], [data(2, b"content"), data(2, b""), data(0, b"FROM x\n"), data(0, b"")]);
    }

    #[tokio::test]
    async fn what_makes_no_sense_ends_it() {
        for asked in [
            [request(REQ, 0), request(REQ, 0)].concat(),
            request(REQ, 3),
            request(STAT, 0),
            request(9, 0),
            vec![0, 0xff, 0xff, 0xff, 0xff],
            vec![0; 3],
            Vec::new(),
        ] {
            let (packets, complete) = told(asked.clone()).await;
            assert!(!complete && packets.iter().all(|(kind, ..)| *kind != FIN), "{asked:?}");
        }
    }
}
