//! A package index that, like most mirrors, doesn't say how long its answers hold.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

/// Makes a wheel with a name, a version, and two empty modules.
const WHEEL: &str = "
import sys, zipfile
name, version, path = sys.argv[1:]
info = '%s-%s.dist-info/' % (name, version)
modules = [name + '.py', name + '_more/tests/long.py']
with zipfile.ZipFile(path, 'w') as wheel:
    for module in modules:
        wheel.writestr(module, '')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n' % (name, version))
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    files = [*modules, info + 'METADATA', info + 'WHEEL', info + 'RECORD']
    wheel.writestr(info + 'RECORD', ''.join(file + ',,\\n' for file in files))
";

/// The file name of a package's wheel.
pub(crate) fn wheel_name(package: &str, version: &str) -> String {
    format!("{}-{version}-py3-none-any.whl", package.replace('-', "_"))
}

/// The bytes of a wheel.
pub(crate) fn wheel(package: &str, version: &str) -> Vec<u8> {
    let folder = flowhold_tests::Folder::new();
    let path = folder.path().join("wheel");
    let mut python = Command::new("python3");
    python.args(["-c", WHEEL, &package.replace('-', "_"), version]).arg(&path).stdin(Stdio::null());
    assert!(python.status().unwrap().success());
    std::fs::read(path).unwrap()
}

/// A package index, which ends with the tests.
pub(crate) struct Index {
    /// The address for installers, in builds that use the network of this machine.
    pub(crate) url: String,
    behind: Arc<Mutex<Behind>>,
}

#[derive(Default)]
struct Behind {
    /// Wheels, and the pages of packages, by path.
    files: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
}

impl Index {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}/simple", listener.local_addr().unwrap().port());
        let behind = Arc::<Mutex<Behind>>::default();
        let served = Arc::clone(&behind);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that has gone away needs no answer.
                answer(connection, &served).ok();
            }
        });
        Self { url, behind }
    }

    /// Adds a version of a package, which may be a new one.
    pub(crate) fn publish(&self, package: &str, version: &str) {
        let file = format!("/{}", wheel_name(package, version));
        let mut behind = self.behind.lock().unwrap();
        let page = behind.files.entry(format!("/simple/{package}/")).or_default();
        page.extend(format!("<a href=\"{file}\">{}</a>\n", &file[1..]).bytes());
        behind.files.insert(file, wheel(package, version));
    }

    /// The paths that were asked for since the last call, except those that the index doesn't have.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.behind.lock().unwrap().asked)
    }
}

fn answer(mut connection: TcpStream, behind: &Mutex<Behind>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let (method, path) = request.split_once(' ').unwrap_or_default();
    let path = path.split(' ').next().unwrap_or_default();
    let mut behind = behind.lock().unwrap();
    let Some(body) = behind.files.get(path).cloned() else {
        return write!(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    behind.asked.push(path.to_owned());
    let kind = if path.ends_with('/') { "text/html" } else { "application/zip" };
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    if method == "HEAD" { Ok(()) } else { connection.write_all(&body) }
}
