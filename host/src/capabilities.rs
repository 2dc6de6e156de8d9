//! The component's imports, supplied: each call of a guest ends here, and nothing that it says is trusted.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;
use wasmtime::{
    Result as Trap, StoreLimits,
    component::{HasData, Resource, ResourceTable},
};

use crate::{
    bindings::flowhold::storage::{
        clock, diagnostics,
        docker::{self as wit_docker, BuildStep, BuiltImage, ContainerRun, LocalImage, Segment},
        files as wit_files, random,
    },
    blob::Blob,
    docker::{BuildRequest, Daemon, OutputStream, RunRequest, Settings},
    failure::{Failure, FailureKind},
    files::Grants,
    progress::Progress,
};

/// Takes what a flow's container prints.
pub type Output = Arc<dyn Fn(OutputStream, &[u8]) -> io::Result<()> + Send + Sync>;

/// What one instance of the component may use.
pub(crate) struct Capabilities {
    pub(crate) table: ResourceTable,
    pub(crate) limits: StoreLimits,
    pub(crate) grants: Grants,
    pub(crate) docker: Option<Docker>,
    /// Where files that come out of images are kept while a guest has handles of them.
    pub(crate) temporary: Mutex<Option<tempfile::TempDir>>,
}

/// The Docker capability.
#[derive(Clone)]
pub(crate) struct Docker {
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) interrupt: CancellationToken,
    pub(crate) output: Output,
}

/// Ties the bindings to [`Capabilities`].
pub(crate) struct Has;

impl HasData for Has {
    type Data<'a> = &'a mut Capabilities;
}

impl diagnostics::Host for Capabilities {}

impl wit_files::HostBlob for Capabilities {
    async fn new(&mut self, bytes: Vec<u8>) -> Trap<Resource<Blob>> {
        Ok(self.table.push(Blob::in_memory(bytes))?)
    }

    async fn length(&mut self, blob: Resource<Blob>) -> Trap<u64> {
        Ok(self.table.get(&blob)?.length())
    }

    async fn sha256(&mut self, blob: Resource<Blob>) -> Trap<Result<Vec<u8>, Failure>> {
        let blob = self.table.get(&blob)?.clone();
        // A thread of its own would cost more than hashing a small file.
        const SMALL: u64 = 1 << 20;
        let digest = match blob.length() {
            0..=SMALL => blob.sha256(),
            _ => blocking(move || blob.sha256()).await,
        };
        Ok(digest.map(|digest| digest.to_vec()).map_err(|error| unreadable(&error)))
    }

    async fn read(&mut self, blob: Resource<Blob>, offset: u64, length: u32) -> Trap<Result<Vec<u8>, Failure>> {
        // No guest makes the host hold more than this at once; it asks again for the rest.
        const LARGEST: u32 = 16 << 20;
        let blob = self.table.get(&blob)?.clone();
        let read = blob.read(offset, length.min(LARGEST) as usize);
        Ok(read.map(|bytes| bytes.to_vec()).map_err(|error| unreadable(&error)))
    }

    async fn share(&mut self, blob: Resource<Blob>) -> Trap<Resource<Blob>> {
        let shared = self.table.get(&blob)?.clone();
        Ok(self.table.push(shared)?)
    }

    async fn drop(&mut self, blob: Resource<Blob>) -> Trap<()> {
        self.table.delete(blob)?;
        Ok(())
    }
}

impl wit_files::Host for Capabilities {
    async fn open(&mut self, path: String) -> Trap<Result<Option<Resource<Blob>>, Failure>> {
        match self.grants.open(&path) {
            Ok(Some(blob)) => Ok(Ok(Some(self.table.push(blob)?))),
            Ok(None) => Ok(Ok(None)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn create(&mut self, path: String, content: Resource<Blob>) -> Trap<Result<bool, Failure>> {
        Ok(self.grants.create(&path, self.table.get(&content)?))
    }

    async fn replace(&mut self, path: String, content: Resource<Blob>) -> Trap<Result<(), Failure>> {
        Ok(self.grants.replace(&path, self.table.get(&content)?))
    }

    async fn entries(&mut self, directory: String) -> Trap<Result<Vec<String>, Failure>> {
        Ok(self.grants.entries(&directory))
    }

    async fn create_directory(&mut self, directory: String) -> Trap<Result<(), Failure>> {
        Ok(self.grants.create_directory(&directory))
    }
}

impl wit_docker::HostDaemon for Capabilities {
    async fn image(
        &mut self,
        daemon: Resource<Daemon>,
        reference: String,
    ) -> Trap<Result<Option<LocalImage>, Failure>> {
        let image = self.table.get(&daemon)?.clone().image(&reference).await;
        let local =
            |image: crate::docker::LocalImage| LocalImage { id: image.id, labels: image.labels.into_iter().collect() };
        Ok(image.map(|image| image.map(local)).map_err(Failure::from))
    }

    async fn published(
        &mut self,
        daemon: Resource<Daemon>,
        reference: String,
    ) -> Trap<Result<Option<String>, Failure>> {
        Ok(self.table.get(&daemon)?.clone().published(&reference).await.map_err(Failure::from))
    }

    async fn pull(&mut self, daemon: Resource<Daemon>, reference: String) -> Trap<Result<(), Failure>> {
        Ok(self.table.get(&daemon)?.clone().pull(&reference).await.map_err(Failure::from))
    }

    async fn build(
        &mut self,
        daemon: Resource<Daemon>,
        archive: Vec<Segment>,
        reference: String,
        labels: Vec<(String, String)>,
    ) -> Trap<Result<BuiltImage, Failure>> {
        let mut pieces = Vec::with_capacity(archive.len());
        for segment in archive {
            pieces.push(match segment {
                Segment::Bytes(bytes) => Blob::in_memory(bytes),
                Segment::Blob(blob) => self.table.get(&blob)?.clone(),
            });
        }
        let archive = stream::iter(pieces).flat_map(|piece: Blob| match piece.as_bytes() {
            Some(bytes) => stream::once(async move { Ok::<Bytes, io::Error>(bytes) }).left_stream(),
            None => piece.stream().right_stream(),
        });
        let labels: BTreeMap<_, _> = labels.into_iter().collect();
        let built = self.table.get(&daemon)?.clone().build(archive, BuildRequest { reference, labels }).await;
        Ok(built.map_err(Failure::from).map(|built| BuiltImage {
            id: built.image_id,
            steps: built
                .steps
                .into_iter()
                .map(|step| BuildStep { name: step.name, cached: step.cached, seconds: step.seconds })
                .collect(),
        }))
    }

    async fn push(&mut self, daemon: Resource<Daemon>, reference: String) -> Trap<Result<Option<String>, Failure>> {
        Ok(self.table.get(&daemon)?.clone().push(&reference).await.map(Some).map_err(Failure::from))
    }

    async fn run(&mut self, daemon: Resource<Daemon>, run: ContainerRun) -> Trap<Result<i64, Failure>> {
        let daemon = self.table.get(&daemon)?.clone();
        let Some(docker) = &self.docker else { return Ok(Err(no_docker())) };
        let output = Arc::clone(&docker.output);
        let request = RunRequest {
            image: run.image,
            command: run.command,
            env: run.env,
            timeout: run.timeout_seconds.map(Duration::from_secs),
        };
        Ok(daemon.run(request, &mut move |to, bytes| output(to, bytes)).await.map_err(Failure::from))
    }

    async fn copy_out(
        &mut self,
        daemon: Resource<Daemon>,
        image: String,
        path: String,
    ) -> Trap<Result<Option<Resource<Blob>>, Failure>> {
        let daemon = self.table.get(&daemon)?.clone();
        let to = match self.temporary_path() {
            Ok(to) => to,
            Err(error) => return Ok(Err(Failure::of_path("a temporary file", &error))),
        };
        match daemon.copy_out(&image, &path, &to).await {
            Ok(false) => Ok(Ok(None)),
            Ok(true) => match Blob::open(&to) {
                Ok(blob) => Ok(Ok(Some(self.table.push(blob)?))),
                Err(error) => Ok(Err(Failure::of_path(to.display(), &error))),
            },
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn drop(&mut self, daemon: Resource<Daemon>) -> Trap<()> {
        self.table.delete(daemon)?;
        Ok(())
    }
}

impl wit_docker::Host for Capabilities {
    async fn connect(&mut self, base_url: Option<String>) -> Trap<Result<Resource<Daemon>, Failure>> {
        let Some(docker) = &self.docker else { return Ok(Err(no_docker())) };
        let settings = Settings { progress: Arc::clone(&docker.progress), interrupt: docker.interrupt.clone() };
        match Daemon::connect(base_url.as_deref(), settings).await {
            Ok(daemon) => Ok(Ok(self.table.push(daemon)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl clock::Host for Capabilities {
    async fn now(&mut self) -> Trap<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for Capabilities {
    async fn uuid(&mut self) -> Trap<String> {
        Ok(uuid::Uuid::new_v4().to_string())
    }
}

impl Capabilities {
    fn temporary_path(&self) -> io::Result<std::path::PathBuf> {
        let mut temporary = self.temporary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let folder = match &*temporary {
            Some(folder) => folder.path().to_owned(),
            None => temporary.insert(tempfile::tempdir()?).path().to_owned(),
        };
        Ok(folder.join(uuid::Uuid::new_v4().to_string()))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::input("file-error", error.to_string())
}

fn no_docker() -> Failure {
    Failure::new(FailureKind::Unavailable, "no-capability", "this host has no docker")
}
