//! A registry, asked over its own HTTP interface.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// The digest of the manifest that the registry has under a reference such as `localhost:5000/etl:v1`.
pub(crate) fn digest(reference: &str) -> Option<String> {
    let (host, rest) = reference.split_once('/').unwrap();
    let (repository, tag) = rest.rsplit_once(':').unwrap();
    let mut connection = TcpStream::connect(host).unwrap();
    write!(
        connection,
        "HEAD /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Accept: application/vnd.docker.distribution.manifest.v2+json\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap();
    assert!(matches!(status, "200" | "404"), "{answer}");
    let header = answer.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: "));
    header.map(|digest| digest.trim().to_owned()).filter(|_| status == "200")
}
