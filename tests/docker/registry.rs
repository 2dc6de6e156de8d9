//! A registry, asked over its own HTTP interface.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use flowhold_core::digest::Digest;
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The digest of the manifest that the registry has under a reference such as `localhost:5000/etl:v1`.
pub(crate) fn digest(reference: &str) -> Option<String> {
    let (repository, tag) = apart(reference);
    let (status, headers, _) = ask(repository, "HEAD", &format!("manifests/{tag}"), &format!("Accept: {MANIFEST}"), "");
    assert!(matches!(status, 200 | 404), "{headers}");
    (status == 200).then(|| header(&headers, "Docker-Content-Digest"))
}

/// Puts a list of images in the place of an image of this platform: itself, and one for `linux/other` that has, besides,
/// this variable in its environment.
pub(crate) fn add_platform(reference: &str, other: &str, variable: &str) {
    let (repository, tag) = apart(reference);
    let get = |path: &str| {
        let (status, headers, body) = ask(repository, "GET", path, &format!("Accept: {MANIFEST}"), "");
        assert_eq!(status, 200, "{headers}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let put = |path: &str, kind: &str, body: &str| {
        let (status, headers, body) = ask(repository, "PUT", path, &format!("Content-Type: {kind}"), body);
        assert_eq!(status, 201, "{headers}{body}");
    };
    let manifest = get(&format!("manifests/{tag}"));
    let config = get(&format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap()));

    let mut other_config = config.clone();
    other_config["architecture"] = other.into();
    other_config["config"]["Env"].as_array_mut().unwrap().push(variable.into());
    let other_config = other_config.to_string();
    let config_digest = Digest::of(other_config.as_bytes());
    let (_, headers, _) = ask(repository, "POST", "blobs/uploads/", "Content-Length: 0", "");
    let place = header(&headers, "Location");
    let place = place.split_once("/blobs/").unwrap().1;
    put(&format!("blobs/{place}&digest={config_digest}"), "application/octet-stream", &other_config);

    let mut other_manifest = manifest.clone();
    other_manifest["config"]["digest"] = config_digest.to_string().into();
    other_manifest["config"]["size"] = other_config.len().into();
    let images = [(config["architecture"].as_str().unwrap(), manifest), (other, other_manifest)];
    let listed = images.map(|(architecture, manifest)| {
        let manifest = manifest.to_string();
        let digest = Digest::of(manifest.as_bytes());
        put(&format!("manifests/{digest}"), MANIFEST, &manifest);
        let platform = json!({ "os": "linux", "architecture": architecture });
        json!({ "mediaType": MANIFEST, "size": manifest.len(), "digest": digest.to_string(), "platform": platform })
    });
    let list = json!({ "schemaVersion": 2, "mediaType": LIST, "manifests": listed });
    put(&format!("manifests/{tag}"), LIST, &list.to_string());
}

fn apart(reference: &str) -> (&str, &str) {
    reference.rsplit_once(':').unwrap()
}

fn header(headers: &str, name: &str) -> String {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap().trim().to_owned()
}

/// Status, headers and body of an answer about a repository, which is `host:port/path`.
fn ask(repository: &str, method: &str, path: &str, more: &str, body: &str) -> (u16, String, String) {
    let (host, repository) = repository.split_once('/').unwrap();
    let mut connection = TcpStream::connect(host).unwrap();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    write!(
        connection,
        "{method} /v2/{repository}/{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n{length}{more}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), headers.to_owned(), body.to_owned())
}
