//! Servers that misbehave in ways the real ones can't be made to.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
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

/// A port of this machine at which nobody answers, as host and port.
pub(crate) fn nobody() -> String {
    // Closed at once; ports are given out in turn, so that nobody gets it so soon.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("localhost:{}", listener.local_addr().unwrap().port())
}
