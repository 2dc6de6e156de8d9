//! The component's imports: each call of a guest ends here, and nothing that the guest says is trusted.

use std::{
    fs::{File, TryLockError},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use wasmtime::{
    Result as Trap,
    component::{HasData, Resource, ResourceTable},
};

use crate::{
    bindings::flowhold::storage::{
        clock,
        docker::{
            self as wit_docker, BuildOptions, Builder, BuiltImage, ContainerRun, LocalImage, PushedImage, Segment,
        },
        files as wit_files, plans, random,
    },
    blob::Blob,
    capability::{Clock, Daemon, Docker, Files, Random},
    failure::{Failure, of_system},
    files::{Grants, batches},
    limits::Limits,
    parallel::{aside, aside_if},
    quota::Quota,
};

/// What one instance of the component may use.
pub(crate) struct Capabilities {
    pub(crate) table: ResourceTable,
    pub(crate) limits: Limits,
    /// How many bytes the guest may still make its host hold.
    pub(crate) quota: Quota,
    /// How many more files the guest may have open.
    pub(crate) open_files: Quota,
    /// The ticks that are left to the guest in this call; none without a deadline.
    pub(crate) ticks: Option<u32>,
    pub(crate) grants: Grants,
    pub(crate) held: DirectoryLock,
    /// An embedder's own files, in place of the grants.
    pub(crate) files: Option<Arc<dyn Files>>,
    pub(crate) docker: Arc<dyn Docker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// The locked directory to which the current call adds flows.
#[derive(Debug, Default, Clone)]
pub(crate) struct DirectoryLock(Arc<Mutex<Option<Arc<File>>>>);

impl DirectoryLock {
    /// Keeps the directory locked as long as the result is held.
    fn held(&self) -> Option<Arc<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, directory: Option<File>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = directory.map(Arc::new);
    }
}

/// A call in progress. When it ends or is dropped, its directory is unlocked for others who add flows, once the write
/// in progress is done.
#[must_use]
pub(crate) struct CallGuard(pub(crate) DirectoryLock);

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// Reading or hashing fewer bytes than this costs less than a thread.
const SMALL: u64 = 1 << 20;

/// A connection to a daemon, for which a guest has a handle.
#[expect(unreachable_pub, reason = "the bindings want it so")]
pub struct DaemonHandle(Arc<dyn Daemon>);

/// Ties the bindings to [`Capabilities`].
pub(crate) struct Has;

impl HasData for Has {
    type Data<'a> = &'a mut Capabilities;
}

impl plans::Host for Capabilities {}

impl wit_files::HostBlob for Capabilities {
    async fn new(&mut self, bytes: Vec<u8>) -> Trap<Resource<Blob>> {
        let permit = self.quota.take(bytes.len());
        let permit = permit.ok_or_else(|| wasmtime::format_err!("the guest makes its host hold too many bytes"))?;
        Ok(self.table.push(Blob::in_memory(bytes).with(permit))?)
    }

    async fn length(&mut self, blob: Resource<Blob>) -> Trap<u64> {
        Ok(self.table.get(&blob)?.length())
    }

    async fn sha256(&mut self, blob: Resource<Blob>) -> Trap<Result<Vec<u8>, Failure>> {
        let blob = self.table.get(&blob)?.clone();
        let digest = aside_if(blob.length() > SMALL, move || blob.sha256()).await;
        Ok(digest.map(|digest| digest.to_vec()).map_err(|error| unreadable(&error)))
    }

    async fn read(&mut self, blob: Resource<Blob>, offset: u64, length: u32) -> Trap<Result<Vec<u8>, Failure>> {
        // One call never reads more than this into the host's memory; the guest asks again for the rest.
        const LARGEST: u32 = 16 << 20;
        let blob = self.table.get(&blob)?.clone();
        let length = u64::from(length.min(LARGEST)).min(blob.length());
        let read = move || blob.read(offset, length as usize).map(Vec::from);
        Ok(aside_if(length > SMALL, read).await.map_err(|error| unreadable(&error)))
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
    async fn open(&mut self, path: String) -> Trap<Result<Resource<Blob>, Failure>> {
        let missing = || Failure::input("missing-file", format!("{path}: no such file"));
        // Opening a granted file is fast, so it runs here; an embedder's `Files` may block, so it runs on a blocking
        // thread.
        let opened = match &self.files {
            None => self.grants.open(&path),
            Some(_) => {
                self.with_files({
                    let path = path.clone();
                    move |files| files.open(&path)
                })
                .await
            }
        };
        match opened.and_then(|blob| self.within_limits(blob.ok_or_else(missing)?)) {
            Ok(blob) => Ok(Ok(self.table.push(blob)?)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn create(&mut self, path: String, content: Resource<Blob>) -> Trap<Result<bool, Failure>> {
        let content = self.table.get(&content)?.clone();
        Ok(self.with_files(move |files| files.create(&path, &content)).await)
    }

    async fn create_all(&mut self, files: Vec<(String, Resource<Blob>)>) -> Trap<Result<Vec<bool>, Failure>> {
        let open = |(path, content): (String, Resource<Blob>)| Ok((path, self.table.get(&content)?.clone()));
        let all = files.into_iter().map(open).collect::<Trap<Vec<_>>>()?;
        let mut created = Vec::with_capacity(all.len());
        // The caller may drop this future between two batches, instead of waiting for all files.
        for batch in batches(&all) {
            let batch = batch.to_vec();
            match self.with_files(move |files| files.create_all(&batch)).await {
                Ok(some) => created.extend(some),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(created))
    }

    async fn replace(&mut self, path: String, content: Resource<Blob>) -> Trap<Result<(), Failure>> {
        let content = self.table.get(&content)?.clone();
        Ok(self.with_files(move |files| files.replace(&path, &content)).await)
    }

    async fn entries(&mut self, directory: String) -> Trap<Result<Vec<String>, Failure>> {
        Ok(self.with_files(move |files| files.entries(&directory)).await)
    }

    async fn create_directory(&mut self, directory: String) -> Trap<Result<(), Failure>> {
        let path = directory.clone();
        let made = self.with_files(move |files| files.create_directory(&path)).await;
        if made.is_ok() && self.files.is_none() && self.held.held().is_none() {
            self.held.set(lock(self.grants.open_directory(&directory)).await);
        }
        Ok(made)
    }
}

impl wit_docker::HostDaemon for Capabilities {
    async fn image(&mut self, daemon: Resource<DaemonHandle>, reference: String) -> Trap<Result<LocalImage, Failure>> {
        let missing = || Failure::input("no-such-image", format!("the daemon has no image {reference}"));
        Ok(self.daemon(&daemon)?.image(&reference).await.and_then(|image| image.ok_or_else(missing)))
    }

    async fn published(&mut self, daemon: Resource<DaemonHandle>, reference: String) -> Trap<Result<String, Failure>> {
        let missing = || Failure::input("not-published", format!("the registry has no {reference}"));
        Ok(self.daemon(&daemon)?.published(&reference).await.and_then(|digest| digest.ok_or_else(missing)))
    }

    async fn pull(
        &mut self,
        daemon: Resource<DaemonHandle>,
        reference: String,
        platform: Option<String>,
    ) -> Trap<Result<(), Failure>> {
        Ok(self.daemon(&daemon)?.pull(&reference, platform.as_deref()).await)
    }

    async fn builder(&mut self, daemon: Resource<DaemonHandle>) -> Trap<Result<Builder, Failure>> {
        Ok(self.daemon(&daemon)?.builder().await)
    }

    async fn build(
        &mut self,
        daemon: Resource<DaemonHandle>,
        archive: Vec<Segment>,
        options: BuildOptions,
    ) -> Trap<Result<BuiltImage, Failure>> {
        let mut pieces = Vec::with_capacity(archive.len());
        for segment in archive {
            pieces.push(match segment {
                Segment::Bytes(bytes) => Blob::in_memory(bytes),
                Segment::Blob(blob) => self.table.get(&blob)?.clone(),
            });
        }
        Ok(self.daemon(&daemon)?.build(pieces, options).await)
    }

    async fn push(&mut self, daemon: Resource<DaemonHandle>, reference: String) -> Trap<Result<PushedImage, Failure>> {
        Ok(self.daemon(&daemon)?.push(&reference).await.map(|digest| PushedImage { digest }))
    }

    async fn run(&mut self, daemon: Resource<DaemonHandle>, run: ContainerRun) -> Trap<Result<i64, Failure>> {
        Ok(self.daemon(&daemon)?.run(run).await)
    }

    async fn copy_out(
        &mut self,
        daemon: Resource<DaemonHandle>,
        image: String,
        path: String,
    ) -> Trap<Result<Resource<Blob>, Failure>> {
        let missing = || Failure::input("missing-file", format!("the image {image} has no file {path}"));
        let copied = self.daemon(&daemon)?.copy_out(&image, &path).await;
        match copied.and_then(|blob| self.within_limits(blob.ok_or_else(missing)?)) {
            Ok(blob) => Ok(Ok(self.table.push(blob)?)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn drop(&mut self, daemon: Resource<DaemonHandle>) -> Trap<()> {
        self.table.delete(daemon)?;
        Ok(())
    }
}

impl wit_docker::Host for Capabilities {
    async fn connect(&mut self, base_url: Option<String>) -> Trap<Result<Resource<DaemonHandle>, Failure>> {
        let docker = Arc::clone(&self.docker);
        match docker.connect(base_url.as_deref()).await {
            Ok(daemon) => Ok(Ok(self.table.push(DaemonHandle(daemon))?)),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

impl clock::Host for Capabilities {
    async fn now(&mut self) -> Trap<u64> {
        Ok(self.clock.now())
    }
}

impl random::Host for Capabilities {
    async fn uuid(&mut self) -> Trap<String> {
        Ok(self.random.uuid())
    }
}

impl Capabilities {
    /// Passes a blob on to the guest, unless the guest has too many files open.
    fn within_limits(&self, blob: Blob) -> Result<Blob, Failure> {
        if !blob.is_open_file() {
            return Ok(blob);
        }
        let too_many = || Failure::input("file-error", "too many files are open at once");
        self.open_files.take(1).map(|permit| blob.with(permit)).ok_or_else(too_many)
    }

    /// Does work with files that may take long. If nobody waits for it any more, the directory stays locked until it
    /// ends.
    fn with_files<T, W>(&self, work: W) -> impl Future<Output = T> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&dyn Files) -> T + Send + 'static,
    {
        let files = self.files.clone().unwrap_or_else(|| Arc::new(self.grants.clone()));
        let held = self.held.held();
        aside(move || {
            let done = work(&*files);
            drop(held);
            done
        })
    }

    fn daemon(&self, daemon: &Resource<DaemonHandle>) -> Trap<Arc<dyn Daemon>> {
        Ok(Arc::clone(&self.table.get(daemon)?.0))
    }
}

/// Only one process at a time adds flows to a directory. Without the lock, no flow would be torn or overwritten, but a
/// flow might mix with another of the same slug and a different name. So if a directory can't be locked (Windows, some
/// network file systems), or no thread can be had to wait for the lock, adding goes on without it.
async fn lock(directory: Option<File>) -> Option<File> {
    let directory = directory?;
    match directory.try_lock() {
        Ok(()) => Some(directory),
        Err(TryLockError::WouldBlock) => {
            let (tell, told) = tokio::sync::oneshot::channel();
            // Not one of the threads for blocking work: the holder of the lock may need the last of them to finish.
            let waiting = std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
                let locked = directory.lock().map(|()| directory);
                // If nobody waits any more, dropping the directory unlocks it.
                let _ = tell.send(locked);
            });
            waiting.ok()?;
            told.await.ok()?.ok()
        }
        Err(TryLockError::Error(_)) => None,
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::input("file-error", of_system(error))
}
