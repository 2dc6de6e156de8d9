//! The storages of the specification: one enum over the four kinds, and what they have in common.

pub mod bytes;
pub mod docker;
mod kind;
pub mod local;
pub mod memory;

pub use self::{
    bytes::BytesStorage, docker::DockerStorage, kind::StorageKind, local::LocalStorage, memory::MemoryStorage,
};

use crate::{
    blob::SharedBlob,
    capability::{BuildStep, Clock, Docker, Files, Random},
    diagnostic::Code,
    failure::Failure,
    flow::{Flow, FlowMap, Format},
    flow_name::FlowName,
    json::{Json, Object},
    resolve::{ResolvedSpec, ResolvedStorage},
    serialized::{self, Contents},
};

/// What a storage may ask its host for.
#[derive(Clone, Copy)]
pub struct Capabilities<'h> {
    /// For Local storage, and for Docker storage inside the image.
    pub files: &'h dyn Files,
    /// For Docker storage.
    pub docker: &'h dyn Docker,
    /// For the times of steps, and for names by time.
    pub clock: &'h dyn Clock,
    /// For names that nothing else decides.
    pub random: &'h dyn Random,
}

/// Any storage.
#[derive(Debug, Clone, PartialEq)]
pub enum Storage {
    /// Flows in an image.
    Docker(Box<DockerStorage>),
    /// Flows in a directory.
    Local(LocalStorage),
    /// Flows as they are, for tests.
    Memory(MemoryStorage),
    /// Flows as bytes, for tests.
    Bytes(BytesStorage),
}

/// How to run a flow that is not in an image, with a Python of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRun {
    /// The text of a Python program; its arguments are the flow's path and format.
    pub program: &'static str,
    /// The path of the flow, if it is a file already.
    pub path: Option<String>,
    /// The flow.
    pub flow: Flow,
}

/// The Python program that runs a flow, given its path and format.
pub const RUNNER: &str = include_str!("runner.py");

/// What `build` did.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildReport {
    /// The plan digest.
    pub plan: String,
    /// The image's reference; none for storages without image.
    pub image: Option<String>,
    /// The digest under which the registry has the image.
    pub digest: Option<String>,
    /// Whether the image was pushed.
    pub pushed: bool,
    /// The steps, and how long each took.
    pub steps: Vec<BuildStep>,
}

impl Storage {
    /// The storage that a resolved spec describes, with its flows. Nothing is built or written.
    ///
    /// # Errors
    /// If two flows have one location.
    pub fn of(spec: &ResolvedSpec) -> Result<Self, Failure> {
        let flows = || spec.flows.iter().map(|one| one.flow.clone());
        Ok(match &spec.storage {
            ResolvedStorage::Docker(settings) => {
                let mut storage = DockerStorage::new(settings.as_ref().clone());
                for flow in flows() {
                    storage.add_flow(flow)?;
                }
                Self::Docker(Box::new(storage))
            }
            ResolvedStorage::Local { directory } => {
                let mut storage = LocalStorage::new(directory.clone());
                flows().for_each(|flow| storage.stage(flow));
                Self::Local(storage)
            }
            ResolvedStorage::Memory => {
                let mut storage = MemoryStorage::default();
                for flow in flows() {
                    storage.add_flow(flow)?;
                }
                Self::Memory(storage)
            }
            ResolvedStorage::Bytes => {
                let mut storage = BytesStorage::default();
                for flow in flows() {
                    storage.add_flow(flow)?;
                }
                Self::Bytes(storage)
            }
        })
    }

    /// The type of the storage.
    pub const fn kind(&self) -> StorageKind {
        match self {
            Self::Docker(_) => StorageKind::Docker,
            Self::Local(_) => StorageKind::Local,
            Self::Memory(_) => StorageKind::Memory,
            Self::Bytes(_) => StorageKind::Bytes,
        }
    }

    /// The image reference of a Docker storage, the directory of a local one, else the kind.
    ///
    /// # Errors
    /// If an image's name or tag is missing, or its registry does not take the name.
    pub fn name(&self) -> Result<String, Failure> {
        match self {
            Self::Docker(docker) => Ok(docker.name()?.to_string()),
            Self::Local(local) => Ok(local.directory().to_owned()),
            Self::Memory(_) | Self::Bytes(_) => Ok(self.kind().to_string()),
        }
    }

    /// The file of the spec from which a Docker storage was built, if it is known.
    pub fn spec(&self) -> Option<&str> {
        if let Self::Docker(docker) = self { docker.spec.as_deref() } else { None }
    }

    /// Remembers the file of the spec, if this is a Docker storage.
    pub fn set_spec(&mut self, file: String) {
        if let Self::Docker(docker) = self {
            docker.spec = Some(file);
        }
    }

    /// Flow name -> location.
    pub const fn flows(&self) -> &FlowMap {
        match self {
            Self::Docker(docker) => docker.flows(),
            Self::Local(local) => local.flows(),
            Self::Memory(memory) => memory.flows(),
            Self::Bytes(bytes) => bytes.flows(),
        }
    }

    /// Whether a flow of that name is in the storage. A text that is not a name is not in it.
    pub fn contains(&self, name: &str) -> bool {
        self.flows().contains(name)
    }

    /// Adds a flow, and returns its location.
    ///
    /// # Errors
    /// If the flow's name or location is taken, or the flow can't be written.
    pub fn add_flow(&mut self, flow: Flow, host: Capabilities<'_>) -> Result<String, Failure> {
        match self {
            Self::Docker(docker) => docker.add_flow(flow),
            Self::Local(local) => local.add_flow(flow, host.files),
            Self::Memory(memory) => memory.add_flow(flow),
            Self::Bytes(bytes) => bytes.add_flow(flow),
        }
    }

    /// The flow at a location. For a Docker storage, this works inside the image.
    ///
    /// # Errors
    /// If no flow of this storage has the location, or its bytes can't be read.
    pub fn get_flow(&self, location: &str, host: Capabilities<'_>) -> Result<Flow, Failure> {
        match self {
            Self::Docker(docker) => docker.get_flow(location, host.files),
            Self::Local(local) => local.get_flow(location, host.files),
            Self::Memory(memory) => memory.get_flow(location),
            Self::Bytes(bytes) => bytes.get_flow(location),
        }
    }

    /// A flow's bytes. For a Docker storage they may come out of the image, which is not run.
    ///
    /// # Errors
    /// If no flow of this storage has the location, its bytes can't be read, or the image can't be reached.
    pub fn read_flow(&self, location: &str, host: Capabilities<'_>) -> Result<SharedBlob, Failure> {
        if let Self::Docker(docker) = self {
            return docker.read_flow(location, host.docker);
        }
        let flow = self.get_flow(location, host)?;
        flow.content.blob.ok_or_else(|| no_content(&flow.name))
    }

    /// A runner for one flow; only a Docker storage has runners.
    ///
    /// # Errors
    /// If the storage has no runners, no flow has the location, or the image has no name.
    pub fn get_env_runner(&self, location: &str) -> Result<docker::EnvRunner, Failure> {
        match self {
            Self::Docker(docker) => docker.get_env_runner(location),
            _ => Err(unsupported(self.kind(), "no environment runner", "take get_flow: its flows run where they are")),
        }
    }

    /// How to run a flow with a Python of the host. The flows of a Docker storage need its image instead.
    ///
    /// # Errors
    /// If this is a Docker storage, or for the reasons of [`Self::get_flow`].
    pub fn get_python_run(&self, location: &str, host: Capabilities<'_>) -> Result<PythonRun, Failure> {
        if matches!(self, Self::Docker(_)) {
            return Err(unsupported(StorageKind::Docker, "flows that only run in its image", "take get_env_runner"));
        }
        let path = matches!(self, Self::Local(_)).then(|| location.to_owned());
        Ok(PythonRun { program: RUNNER, path, flow: self.get_flow(location, host)? })
    }

    /// Builds. With `expect`, refuses any plan but the one with this digest.
    ///
    /// # Errors
    /// If the plan has another digest or an error, bytes are missing, or pulling, building, pushing or writing fails. A
    /// Docker storage is then as it was before; a Local one may have stored some of its flows.
    pub fn build(&mut self, push: bool, expect: Option<&str>, host: Capabilities<'_>) -> Result<BuildReport, Failure> {
        match self {
            Self::Docker(docker) => docker.build(push, expect, host),
            Self::Local(local) => local.build(expect, host.files),
            Self::Memory(memory) => memory.build(expect),
            Self::Bytes(bytes) => bytes.build(expect),
        }
    }

    /// The object of `flowhold build --format json`.
    ///
    /// # Errors
    /// If the storage can't be serialized: bytes of a flow can't be read.
    pub fn report_json(&self, report: &BuildReport) -> Result<String, Failure> {
        let report = Json::object(vec![
            ("plan", (&report.plan).into()),
            ("image", report.image.as_ref().into()),
            ("digest", report.digest.as_ref().into()),
            ("pushed", report.pushed.into()),
            ("flows", self.flows().into()),
            ("storage", serialized::to_value(self, Contents::Included)?),
            ("steps", report.steps.iter().collect()),
        ]);
        Ok(format!("{report:#}"))
    }

    /// Pulls the base image, and returns its reference.
    ///
    /// # Errors
    /// If this is not a Docker storage, or the daemon can't pull the image.
    pub fn pull_image(&mut self, docker: &dyn Docker) -> Result<String, Failure> {
        self.docker("no base image")?.pull_image(docker)
    }

    /// Pushes the built image, and returns its reference.
    ///
    /// # Errors
    /// If this is not a Docker storage, it has no registry, or the daemon can't push the image.
    pub fn push_image(&mut self, docker: &dyn Docker) -> Result<String, Failure> {
        self.docker("no image")?.push_image(docker)
    }

    /// This storage as a Docker storage; for any other storage, an error that names what it `lacks`.
    fn docker(&mut self, lacks: &str) -> Result<&mut DockerStorage, Failure> {
        match self {
            Self::Docker(docker) => Ok(docker),
            other => Err(unsupported(other.kind(), lacks, "it belongs to docker storages")),
        }
    }
}

/// Stores the only flow of a local spec at once; returns its name and location. A build leaves a flow alone that is
/// there already, but here it is an error if the name is taken.
pub fn add_planned(spec: &ResolvedSpec, files: &dyn Files) -> Result<(String, String), Failure> {
    let (ResolvedStorage::Local { directory }, [only]) = (&spec.storage, spec.flows.as_slice()) else {
        let message = "a spec of a local storage with one flow can be added, and this is another".to_owned();
        return Err(Failure::input(Code::Unsupported, message).with_help("build it"));
    };
    let location = LocalStorage::new(directory.clone()).add_flow(only.flow.clone(), files)?;
    Ok((only.flow.name.to_string(), location))
}

/// Checks an expected plan digest, and reports a build that has nothing more to do.
pub(crate) fn report_of(flows: &[Flow], expect: Option<&str>) -> Result<BuildReport, Failure> {
    let plan = crate::plan::flows_digest(flows);
    check_expected(plan, expect)?;
    Ok(BuildReport { plan: plan.to_string(), image: None, digest: None, pushed: false, steps: Vec::new() })
}

/// Refuses any plan but the expected one.
pub(crate) fn check_expected(actual: crate::digest::Digest, expect: Option<&str>) -> Result<(), Failure> {
    match expect.map(str::parse::<crate::digest::Digest>) {
        None => Ok(()),
        Some(Ok(expected)) if expected == actual => Ok(()),
        Some(Ok(expected)) => {
            let message = format!("the plan is {actual}, not {expected}: something changed since");
            Err(Failure::input(Code::PlanMismatch, message)
                .with_help("`flowhold preview --format json` shows the plan as it is now"))
        }
        Some(Err(error)) => Err(Failure::explained(error)),
    }
}

pub(crate) fn unsupported(kind: StorageKind, what: &str, help: &str) -> Failure {
    Failure::input(Code::Unsupported, format!("a {kind} storage has {what}")).with_help(help)
}

/// A flow's bytes, or an error if they are only described.
pub(crate) fn blob_of(flow: &Flow) -> Result<&SharedBlob, Failure> {
    flow.content.blob.as_ref().ok_or_else(|| no_content(&flow.name))
}

/// The failure for a flow whose bytes are needed, but only described.
pub fn no_content(name: &crate::flow_name::FlowName) -> Failure {
    Failure::input(Code::NoContent, format!("the bytes of the flow {:?} are not here", name.as_str()))
        .with_help("build from the spec")
}

impl From<&BuildStep> for Json {
    fn from(step: &BuildStep) -> Self {
        // Rounded to milliseconds, which is what clocks tell.
        let milliseconds = (step.seconds * 1000.0).round() as u64;
        let seconds = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
        let seconds = seconds.trim_end_matches('0');
        let seconds = if seconds.ends_with('.') { format!("{seconds}0") } else { seconds.to_owned() };
        let mut fields = Object::default();
        fields.put("name", &step.name);
        fields.put("cached", step.cached);
        fields.put("seconds", Self::Number(seconds));
        fields.into()
    }
}

/// Writes formats by flow name, for flows whose format nothing else tells.
pub(crate) fn write_formats<'f>(fields: &mut Object, flows: impl Iterator<Item = (&'f FlowName, Format)>) {
    let formats: Vec<_> = flows.map(|(name, format)| (name.to_string(), format.as_str().into())).collect();
    fields.put_some("formats", (!formats.is_empty()).then_some(Object(formats)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_decimal_fractions() {
        for (seconds, written) in [(0.0, "0.0"), (0.0004, "0.0"), (1.5, "1.5"), (0.123, "0.123"), (600.0, "600.0")] {
            let step = BuildStep { name: "x".to_owned(), cached: true, seconds };
            let expected = format!("{{\"name\":\"x\",\"cached\":true,\"seconds\":{written}}}");
            assert_eq!(Json::from(&step).to_string(), expected);
        }
    }
}
