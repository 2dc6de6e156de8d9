//! What the core must ask its host for: one trait an interface of `wit/storage.wit`, where each call is described.
//!
//! Invariant: nothing else in this crate reaches outside. A host may refuse any call with a [`Failure`].

use crate::{
    blob::SharedBlob,
    failure::{Failure, FailureKind},
};

/// The granted part of a file system.
pub trait Files {
    /// Opens a file; none where no such file exists.
    fn open(&self, path: &str) -> Result<Option<SharedBlob>, Failure>;
    /// Stores a new file, whole and synced, or not at all. False where the path is taken.
    fn create(&self, path: &str, content: &SharedBlob) -> Result<bool, Failure>;
    /// Stores new files, each as `create` does, at the cost of fewer syncs where the host can.
    fn create_all(&self, files: &[(String, SharedBlob)]) -> Result<Vec<bool>, Failure> {
        files.iter().map(|(path, content)| self.create(path, content)).collect()
    }
    /// Stores a file, whole and synced, in place of whatever was there.
    fn replace(&self, path: &str, content: &SharedBlob) -> Result<(), Failure>;
    /// The names in a directory, sorted; empty where it does not exist.
    fn entries(&self, directory: &str) -> Result<Vec<String>, Failure>;
    /// Makes a directory and its parents, where missing.
    fn create_directory(&self, directory: &str) -> Result<(), Failure>;
}

/// The container engine.
pub trait Docker {
    /// Connects to the daemon at an address, or to the host's own choice.
    fn connect(&self, base_url: Option<&str>) -> Result<Box<dyn Daemon>, Failure>;
}

/// A connection to one daemon.
pub trait Daemon {
    /// The image with this reference, if the daemon has it.
    fn image(&self, reference: &str) -> Result<Option<LocalImage>, Failure>;
    /// The digest under which the registry has this reference, if it has it.
    fn published(&self, reference: &str) -> Result<Option<String>, Failure>;
    /// Pulls an image, for the daemon's own platform where none is given.
    fn pull(&self, reference: &str, platform: Option<&str>) -> Result<(), Failure>;
    /// What builds this daemon's images.
    fn builder(&self) -> Result<Builder, Failure>;
    /// Builds and tags an image from a tar stream that holds the Dockerfile.
    fn build(&self, archive: &[Segment], options: &BuildOptions) -> Result<BuiltImage, Failure>;
    /// Pushes, and returns the digest under which the registry has the image.
    fn push(&self, reference: &str) -> Result<Option<String>, Failure>;
    /// Runs a command in a new container, and returns its exit code.
    fn run(&self, run: &ContainerRun) -> Result<i64, Failure>;
    /// A file of an image, read without running it.
    fn copy_out(&self, image: &str, path: &str) -> Result<Option<SharedBlob>, Failure>;
}

/// An image that the daemon has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// The daemon's id of it.
    pub id: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

/// A piece of a tar stream.
#[derive(Clone)]
pub enum Segment {
    /// Headers, padding, and our own small files.
    Bytes(Vec<u8>),
    /// The bytes of a flow or file.
    Blob(SharedBlob),
}

/// What in the daemon builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builder {
    /// BuildKit.
    Buildkit,
    /// The legacy builder, which any daemon has.
    #[default]
    Classic,
}

/// Where the host finds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The name of a variable of its environment.
    Env(String),
    /// The path of a file.
    File(String),
}

/// A secret that steps of a build may mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// The name by which the Dockerfile mounts it.
    pub id: String,
    /// Where its value is.
    pub source: SecretSource,
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildOptions {
    /// The reference that the image gets.
    pub reference: String,
    /// Labels, in addition to the Dockerfile's.
    pub labels: Vec<(String, String)>,
    /// The builder that the Dockerfile was written for.
    pub builder: Builder,
    /// The platform of the image; none for the daemon's own.
    pub platform: Option<String>,
    /// The network of the steps; none for the daemon's default.
    pub network: Option<String>,
    /// The build's arguments.
    pub build_args: Vec<(String, String)>,
    /// What steps may mount as secrets.
    pub secrets: Vec<BuildSecret>,
    /// Images whose steps count as cached.
    pub cache_from: Vec<String>,
    /// Whether the image itself can be such a one later.
    pub inline_cache: bool,
}

/// What a build made.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltImage {
    /// The daemon's id of it.
    pub id: String,
    /// What the daemon did.
    pub steps: Vec<BuildStep>,
}

/// One step of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildStep {
    /// The instruction, or what else was done.
    pub name: String,
    /// Whether the daemon took it from its cache.
    pub cached: bool,
    /// How long it took.
    pub seconds: f64,
}

/// A command to run in a new container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRun {
    /// The image's reference.
    pub image: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// After which the container is killed.
    pub timeout_seconds: Option<u64>,
}

/// Time.
pub trait Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;
}

/// Randomness.
pub trait Random {
    /// A version 4 UUID, lower case with dashes.
    fn uuid(&self) -> String;
}

/// The failure of a host that lacks a capability.
pub fn refused(capability: &str) -> Failure {
    Failure {
        kind: FailureKind::Unavailable,
        code: "no-capability".to_owned(),
        field: None,
        message: format!("this host has no {capability}"),
        help: Some("take a host that grants it, such as the flowhold binary".to_owned()),
    }
}
