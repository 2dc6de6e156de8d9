//! Servers that misbehave in ways the real ones can't be made to.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;

/// The first byte of TLS.
const TLS: u8 = 0x16;

/// Starts a server that gives every request the same answer, and returns host and port. It ends with the tests.
pub(crate) fn server(status: &'static str, body: &'static str) -> String {
    server_with("", status, body)
}

/// Like `server`, with these additional header lines, each with its line end.
pub(crate) fn server_with(head: &'static str, status: &'static str, body: &'static str) -> String {
    serve(move |connection| answer(connection, head, status, body))
}

/// A registry that has nothing, and makes this file when it is asked for something. It ends with the tests.
pub(crate) fn registry_that_tells(asked: PathBuf) -> String {
    serve(move |connection| {
        // If the file's folder is gone, nobody looks for the file.
        std::fs::write(&asked, "").ok();
        answer(connection, "", "404 Not Found", "{\"errors\":[]}")
    })
}

/// Answers each connection in a thread of its own, and returns host and port. It ends with the tests.
fn serve(answer: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A client that has gone away needs no answer.
            std::thread::spawn(move || answer(connection).ok());
        }
    });
    format!("localhost:{}", address.port())
}

fn answer(mut connection: TcpStream, head: &str, status: &str, body: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    // A client that begins with TLS is answered at once, in HTTP, and then tries HTTP.
    if reader.fill_buf()?.first() != Some(&TLS) {
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
    }
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\n{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// A daemon with BuildKit that has every image.
#[derive(Default)]
pub(crate) struct Daemon {
    /// The lines that answer every build; if none, sessions are refused, as by a proxy in front of the daemon.
    pub(crate) build: Option<String>,
    /// The lines that answer every pull and every push.
    pub(crate) transfer: &'static str,
    /// The plan digest that every image has as its label.
    pub(crate) plan: String,
    /// How often the daemon was asked to pull.
    pub(crate) pulls: Arc<AtomicUsize>,
}

impl Daemon {
    /// Starts the daemon, and returns host and port. It ends with the tests.
    pub(crate) fn start(self) -> String {
        serve(move |connection| answer_as_daemon(connection, &self))
    }
}

fn answer_as_daemon(mut connection: TcpStream, daemon: &Daemon) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    if first.starts_with("POST /session ") {
        if daemon.build.is_none() {
            return write!(connection, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        write!(connection, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")?;
        // The client is asked for nothing: waits until it closes the connection.
        return std::io::copy(&mut reader, &mut std::io::sink()).map(|_| ());
    }
    let image = json!({ "Id": "sha256:1", "Config": { "Labels": { "io.flowhold.plan": daemon.plan } } }).to_string();
    let body = match first.split([' ', '?']).nth(1).unwrap_or_default() {
        "/build" => daemon.build.as_deref().unwrap_or_default(),
        "/images/create" => {
            daemon.pulls.fetch_add(1, Ordering::Relaxed);
            daemon.transfer
        }
        path if path.starts_with("/images/") && path.ends_with("/push") => daemon.transfer,
        path if path.starts_with("/images/") => &image,
        _ => "OK",
    };
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nServer: Docker/20.10.24 (linux)\r\nApi-Version: 1.41\r\nOstype: linux\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A port of this machine at which nobody answers, as host and port.
pub(crate) fn nobody() -> String {
    // The port is closed at once. Ports are given out in turn, so nobody gets this one so soon.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("localhost:{}", listener.local_addr().unwrap().port())
}

/// Starts a server that gives every request an endless answer, and returns host and port. It ends with the tests.
pub(crate) fn endless() -> String {
    serve(|mut connection| {
        write!(connection, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\"")?;
        loop {
            // Slowly: a client that keeps all of it must not fill this machine's memory.
            std::thread::sleep(std::time::Duration::from_millis(20));
            connection.write_all(&[b'x'; 1 << 20])?;
        }
    })
}
