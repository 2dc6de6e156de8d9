//! Servers that misbehave in ways the real ones can't be made to.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

/// Gives every request the same answer, and returns host and port. It ends with the tests.
pub(crate) fn server(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A client that has gone away needs no answer.
            answer(connection, status, body).ok();
        }
    });
    format!("localhost:{}", address.port())
}

fn answer(mut connection: TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// A daemon with BuildKit that has every image, and answers every build with these lines; without any, something before
/// it lets no session through.
pub(crate) fn daemon(build: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let build: Option<Arc<str>> = build.map(Arc::from);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let build = build.clone();
            std::thread::spawn(move || answer_as_daemon(connection, build.as_deref()).ok());
        }
    });
    format!("localhost:{}", address.port())
}

fn answer_as_daemon(mut connection: TcpStream, build: Option<&str>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    if first.starts_with("POST /session ") {
        if build.is_none() {
            return write!(connection, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        write!(connection, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")?;
        // Nothing is asked of the client, until it goes.
        return std::io::copy(&mut reader, &mut std::io::sink()).map(|_| ());
    }
    let body = match first.split([' ', '?']).nth(1).unwrap_or_default() {
        "/version" => "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"Os\":\"linux\",\"Arch\":\"amd64\"}",
        "/build" => build.unwrap_or_default(),
        path if path.starts_with("/images/") => "{\"Id\":\"sha256:1\"}",
        _ => "OK",
    };
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nServer: Docker/20.10.24 (linux)\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A port of this machine at which nobody answers, as host and port.
pub(crate) fn nobody() -> String {
    // Closed at once; ports are given out in turn, so that nobody gets it so soon.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("localhost:{}", listener.local_addr().unwrap().port())
}
