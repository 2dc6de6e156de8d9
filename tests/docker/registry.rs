//! A registry, asked over its own HTTP interface; and registries of a test's own, which may be killed.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use flowhold_tests::Folder;
use serde_json::Value;

use crate::daemon::wait_for;

/// A registry that lives as long as this.
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

    /// One whose directory for data is prepared first.
    pub(crate) fn on(prepare: impl FnOnce(&Path)) -> Self {
        let folder = Folder::new();
        let data = data(&folder);
        fs::create_dir(&data).unwrap();
        prepare(&data);
        let (process, address) = start(&folder, "127.0.0.1:0");
        Self { folder, process: Mutex::new(process), address }
    }

    /// Where it keeps what it is given.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts it again after it was killed, at the same address.
    pub(crate) fn restart(&self) {
        let (process, address) = start(&self.folder, &self.address);
        assert_eq!(address, self.address);
        *self.process.lock().unwrap() = process;
    }

    /// Whether it has an image in whole: the manifest with this digest and all that it names, each with the bytes that
    /// its own digest says.
    pub(crate) fn has_whole(&self, digest: &str) -> bool {
        let manifest = self.blob(digest).map(|path| fs::read(path).unwrap());
        let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).unwrap_or_default();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let mut named = layers.chain([&manifest["config"]]).map(|part| part["digest"].as_str().unwrap_or_default());
        manifest["layers"].is_array() && named.all(|digest| self.blob(digest).is_some())
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
