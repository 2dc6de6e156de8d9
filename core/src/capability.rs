//! What the core must ask its host for: one trait for each imported interface of `wit/storage.wit`, which describes
//! each call.
//!
//! Invariant: nothing else in this crate reaches outside. A host may refuse any call with a [`Failure`].

use crate::{
    blob::SharedBlob,
    failure::{Failure, FailureKind},
};

/// The granted part of a file system.
pub trait Files {
    /// Opens a file; `None` if no such file exists.
    fn open(&self, path: &str) -> Result<Option<SharedBlob>, Failure>;
    /// Stores a new file, whole and synced, or not at all. False where the path is taken.
    fn create(&self, path: &str, content: &SharedBlob) -> Result<bool, Failure>;
    /// Stores new files, each as `create` does, with fewer syncs if the host can batch them.
    fn create_all(&self, files: &[(String, SharedBlob)]) -> Result<Vec<bool>, Failure> {
        files.iter().map(|(path, content)| self.create(path, content)).collect()
    }
    /// Stores a file, whole and synced, in place of whatever was there.
    fn replace(&self, path: &str, content: &SharedBlob) -> Result<(), Failure>;
    /// The names in a directory, sorted; empty if the directory does not exist.
    fn entries(&self, directory: &str) -> Result<Vec<String>, Failure>;
    /// Makes a directory and its parents, where missing.
    fn create_directory(&self, directory: &str) -> Result<(), Failure>;
}

/// The container engine.
pub trait Docker {
    /// Connects to the daemon at an address; without one, to the daemon that the host chooses.
    fn connect(&self, base_url: Option<&str>) -> Result<Box<dyn Daemon>, Failure>;
}

/// A connection to one daemon.
pub trait Daemon {
    /// The image with this reference, if the daemon has it.
    fn image(&self, reference: &str) -> Result<Option<LocalImage>, Failure>;
    /// The digest under which the registry has this reference, if the registry has it.
    fn published(&self, reference: &str) -> Result<Option<String>, Failure>;
    /// Pulls an image, for the daemon's own platform if no other is given.
    fn pull(&self, reference: &str, platform: Option<&str>) -> Result<(), Failure>;
    /// The builder that this daemon uses.
    fn builder(&self) -> Result<Builder, Failure>;
    /// Builds and tags an image from a tar stream that holds the Dockerfile.
    fn build(&self, archive: &[Segment], options: &BuildOptions) -> Result<BuiltImage, Failure>;
    /// Pushes an image, and returns the digest under which the registry has it.
    fn push(&self, reference: &str) -> Result<Option<String>, Failure>;
    /// Runs a command in a new container, and returns its exit code.
    fn run(&self, run: &ContainerRun) -> Result<i64, Failure>;
    /// Reads a file of an image without running the image.
    fn copy_out(&self, image: &str, path: &str) -> Result<Option<SharedBlob>, Failure>;
}

/// An image that the daemon has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// The daemon's id of the image.
    pub id: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

/// A piece of a tar stream.
#[derive(Clone)]
pub enum Segment {
    /// Headers, padding, and Flowhold's own small files.
    Bytes(Vec<u8>),
    /// The bytes of a flow or file.
    Blob(SharedBlob),
}

/// The part of the daemon that builds images.
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
    /// The name of a variable in the host's environment.
    Env(String),
    /// The path of a file.
    File(String),
}

/// A secret that steps of a build may mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// The name by which the Dockerfile mounts the secret.
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
    /// The platform of the image; `None` for the daemon's own.
    pub platform: Option<String>,
    /// The network of the steps; `None` for the daemon's default.
    pub network: Option<String>,
    /// The build's arguments.
    pub build_args: Vec<(String, String)>,
    /// The secrets that steps may mount.
    pub secrets: Vec<BuildSecret>,
    /// Images whose steps count as cached.
    pub cache_from: Vec<String>,
    /// Whether a later build can name the built image in `cache_from`.
    pub inline_cache: bool,
}

/// The result of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltImage {
    /// The daemon's id of the image.
    pub id: String,
    /// The steps that the daemon took.
    pub steps: Vec<BuildStep>,
}

/// One step of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildStep {
    /// The instruction of the Dockerfile, or another action of the build.
    pub name: String,
    /// Whether the daemon took the step from its cache.
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
    /// After how many seconds the container is stopped; `None` for never.
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
