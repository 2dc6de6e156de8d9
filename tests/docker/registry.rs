//! A registry, asked over its own HTTP interface; and registries of a test's own, which may be killed.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use flowhold_core::digest::Digest;
use flowhold_tests::Folder;
use serde_json::{Value, json};

use crate::daemon::wait_for;

/// Manifests of Docker's own type, and of the type of daemons that keep images in containerd.
const MANIFESTS: &str =
    "Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry that runs until this is dropped.
pub(crate) struct Registry {
    folder: Folder,
    process: Mutex<Child>,
    /// Host and port.
    pub(crate) address: String,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self::on(|_| ())
    }

    /// A registry whose data directory is prepared first.
    pub(crate) fn on(prepare: impl FnOnce(&Path)) -> Self {
        let folder = Folder::new();
        let data = data(&folder);
        fs::create_dir(&data).unwrap();
        prepare(&data);
        let (process, address) = start(&folder, "127.0.0.1:0");
        Self { folder, process: Mutex::new(process), address }
    }

    /// The directory in which the registry keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// Kills the registry, as `kill -9` does.
    pub(crate) fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts the registry again after it was killed, at the same address.
    pub(crate) fn restart(&self) {
        let (process, address) = start(&self.folder, &self.address);
        assert_eq!(address, self.address);
        *self.process.lock().unwrap() = process;
    }

    /// Whether the registry has all of an image: the manifest with this digest and all blobs that the manifest names,
    /// each with the bytes of its digest.
    pub(crate) fn has_whole(&self, digest: &str) -> bool {
        let manifest = self.blob(digest).map(|path| fs::read(path).unwrap());
        let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).unwrap_or_default();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let mut named = layers.chain([&manifest["config"]]).map(|part| part["digest"].as_str().unwrap_or_default());
        manifest["layers"].is_array() && named.all(|digest| self.blob(digest).is_some())
    }

    /// Empties the file of a blob.
    pub(crate) fn lose(&self, digest: &str) {
        fs::write(self.blob(digest).unwrap(), "").unwrap();
    }

    /// The file of a blob, if it has the right bytes.
    fn blob(&self, digest: &str) -> Option<PathBuf> {
        let (algorithm, hash) = digest.split_once(':')?;
        let path =
            self.data().join("docker/registry/v2/blobs").join(algorithm).join(&hash[..2]).join(hash).join("data");
        let sum = Command::new("sha256sum").arg(&path).output().unwrap();
        String::from_utf8_lossy(&sum.stdout).starts_with(hash).then_some(path)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap();
        process.kill().ok();
        process.wait().ok();
    }
}

fn data(folder: &Folder) -> PathBuf {
    folder.path().join("data")
}

/// Starts a registry's process, and waits until it listens.
fn start(folder: &Folder, address: &str) -> (Child, String) {
    let config = format!(
        "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"{address}\" }}\n",
        data(folder).display()
    );
    let config = folder.write("config.yml", config);
    let log = folder.path().join("log");
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(config).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let process = command.spawn().unwrap();
    let address = wait_for("the registry listens", || {
        let log = fs::read_to_string(&log).unwrap();
        let (_, port) = log.split_once("listening on 127.0.0.1:")?;
        port.split(|c: char| !c.is_ascii_digit()).next().map(|port| format!("localhost:{port}"))
    });
    (process, address)
}

/// The digest of the manifest that the registry has under a reference such as `localhost:5000/etl:v1`.
pub(crate) fn digest(reference: &str) -> Option<String> {
    let (repository, tag) = apart(reference);
    let (status, headers, _) = ask(repository, "HEAD", &format!("manifests/{tag}"), MANIFESTS, "");
    assert!(matches!(status, 200 | 404), "{headers}");
    (status == 200).then(|| header(&headers, "Docker-Content-Digest"))
}

/// Replaces an image of this platform with a list of two images: itself, and a copy for `linux/other` that also has
/// this variable in its environment.
pub(crate) fn add_platform(reference: &str, other: &str, variable: &str) {
    let (repository, tag) = apart(reference);
    let get = |path: &str| {
        let (status, headers, body) = ask(repository, "GET", path, MANIFESTS, "");
        assert_eq!(status, 200, "{headers}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let put = |path: &str, kind: &str, body: &str| {
        let (status, headers, body) = ask(repository, "PUT", path, &format!("Content-Type: {kind}"), body);
        assert_eq!(status, 201, "{headers}{body}");
    };
    let manifest = get(&format!("manifests/{tag}"));
    let kind = manifest["mediaType"].as_str().unwrap().to_owned();
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
        put(&format!("manifests/{digest}"), &kind, &manifest);
        let platform = json!({ "os": "linux", "architecture": architecture });
        json!({ "mediaType": kind, "size": manifest.len(), "digest": digest.to_string(), "platform": platform })
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
