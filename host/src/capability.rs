//! What the core asks of its host: a trait for each imported interface of `core/wit`, where each call is described.
//!
//! A program that embeds the core supplies its own implementations with [`HostBuilder`](crate::HostBuilder), or takes
//! those of this crate: granted directories ([`Grants`](crate::files::Grants)), a Docker daemon
//! ([`Engine`](crate::Engine), which asks the program about other daemons and secrets that a spec names), the system's
//! clock and randomness. A capability that it does not supply is refused: the core gets a [`Failure`] with the code
//! `no-capability`, and passes it on.
//!
//! Invariant: arguments come from a guest, and nothing about them is trusted.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;

pub use crate::bindings::flowhold::storage::docker::{
    BuildOptions, BuildSecret, BuildStep, Builder as ImageBuilder, BuiltImage, ContainerRun, LocalImage, SecretSource,
};
use crate::{
    blob::Blob,
    failure::{Failure, FailureKind},
};

/// The result of a call that takes a while.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// The granted part of a file system.
///
/// These calls may wait for a disk: those of an embedder run on a blocking thread, so that other tasks of the runtime go
/// on, and they run to their end even if nobody waits for them any more.
pub trait Files: Send + Sync {
    /// Opens a file; none if no such file exists.
    ///
    /// # Errors
    /// If the path was not granted, or is no regular file.
    fn open(&self, path: &str) -> Result<Option<Blob>, Failure>;
    /// Stores a new file, whole and synced, or not at all. False if the path is taken: nothing is overwritten.
    ///
    /// # Errors
    /// If the path was not granted, or can't be written.
    fn create(&self, path: &str, content: &Blob) -> Result<bool, Failure>;
    /// Stores new files, each as [`create`](Files::create) does, and returns its result for each. Override this if
    /// fewer syncs will do for all of them.
    ///
    /// # Errors
    /// If one of the paths was not granted, or can't be written; other files may have been stored by then.
    fn create_all(&self, files: &[(String, Blob)]) -> Result<Vec<bool>, Failure> {
        files.iter().map(|(path, content)| self.create(path, content)).collect()
    }
    /// Stores a file, whole and synced, in place of whatever was there.
    ///
    /// # Errors
    /// If the path was not granted, or can't be written.
    fn replace(&self, path: &str, content: &Blob) -> Result<(), Failure>;
    /// The names in a directory, sorted; empty if the directory does not exist.
    ///
    /// # Errors
    /// If the directory was not granted, or can't be read.
    fn entries(&self, directory: &str) -> Result<Vec<String>, Failure>;
    /// Makes a directory and its parents, where missing.
    ///
    /// # Errors
    /// If the directory was not granted, or can't be made.
    fn create_directory(&self, directory: &str) -> Result<(), Failure>;
}

/// The container engine.
pub trait Docker: Send + Sync {
    /// Connects to the daemon at `base_url`, or without one to the daemon of the host's choice.
    fn connect<'a>(&'a self, base_url: Option<&'a str>) -> Answer<'a, Arc<dyn Daemon>>;
}

/// A connection to one daemon.
pub trait Daemon: Send + Sync {
    /// The image with this reference, if the daemon has it.
    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<LocalImage>>;
    /// The digest under which the registry has this reference, if it has it.
    fn published<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<String>>;
    /// Pulls an image, for the daemon's own platform where none is given.
    fn pull<'a>(&'a self, reference: &'a str, platform: Option<&'a str>) -> Answer<'a, ()>;
    /// The builder that makes this daemon's images.
    fn builder(&self) -> Answer<'_, ImageBuilder>;
    /// Builds and tags an image from the pieces of a tar stream that holds the Dockerfile.
    fn build(&self, archive: Vec<Blob>, options: BuildOptions) -> Answer<'_, BuiltImage>;
    /// Pushes, and returns the digest under which the registry has the image.
    fn push<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<String>>;
    /// Runs a command in a new container, passes its output through, removes it, and returns the exit code.
    fn run(&self, run: ContainerRun) -> Answer<'_, i64>;
    /// Reads a file of an image without running the image; none if the image has no such file.
    fn copy_out<'a>(&'a self, image: &'a str, path: &'a str) -> Answer<'a, Option<Blob>>;
}

/// Time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;
}

/// Randomness.
pub trait Random: Send + Sync {
    /// A version 4 UUID, lower case with dashes.
    fn uuid(&self) -> String;
}

/// This machine's clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Random for System {
    fn uuid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// A host without a Docker daemon: connecting fails with the code `no-capability`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDocker;

impl Docker for NoDocker {
    fn connect<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, Arc<dyn Daemon>> {
        let failure = Failure::new(FailureKind::Unavailable, "no-capability", "this host has no docker");
        Box::pin(async { Err(failure) })
    }
}
