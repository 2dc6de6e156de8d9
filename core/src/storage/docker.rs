//! Docker storage: flows in an image.

use super::{BuildReport, Capabilities, RUNNER, check_expected, no_content};
use crate::{
    blob::{Content, SharedBlob},
    capability::{BuildOptions, BuildStep, Builder, Clock, ContainerRun, Daemon, Docker, Files, LocalImage},
    diagnostic::{Code, Diagnostic},
    digest::Digest,
    dockerfile::Mounts,
    failure::Failure,
    flow::{Flow, FlowMap, Format},
    flow_name::FlowName,
    image::{self, ImageReference, ImageTag},
    name_map::NameMap,
    naming,
    plan::{self, BuildPlan},
    serialized::Extra,
    settings::{DockerSettings, Naming, Platform},
};

/// The label under which an image carries its plan digest.
pub const PLAN_LABEL: &str = "io.flowhold.plan";

/// Flows in an image, and how to build it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DockerStorage {
    /// A build enters the image name and tag that it chose.
    pub(crate) settings: DockerSettings,
    pub(crate) map: FlowMap,
    pub(crate) formats: NameMap<Format>,
    /// In a storage that was read from JSON, only sizes and digests: the bytes are in the image.
    pub(crate) contents: NameMap<Content>,
    pub(crate) built: Option<Built>,
    /// The file of the spec from which the storage was built, without its folder.
    pub(crate) spec: Option<String>,
    /// Errors in settings that were read from JSON and can't be used.
    pub(crate) unusable: Vec<Diagnostic>,
    pub(crate) extra: Extra,
}

/// The result of the last build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The plan digest.
    pub plan: Digest,
    /// The digest under which the registry has the image.
    pub digest: Option<String>,
}

/// Runs one flow in a container of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvRunner {
    base_url: Option<String>,
    image: Image,
    command: Vec<String>,
}

/// What it takes to use the flows in the image of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Image {
    reference: String,
    /// The digest of the plan from which the image was built, if it is known.
    plan: Option<Digest>,
    is_in_registry: bool,
    platform: Option<String>,
}

impl DockerStorage {
    /// A storage without flows.
    pub fn new(settings: DockerSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Flow name -> location in the image.
    pub const fn flows(&self) -> &FlowMap {
        &self.map
    }

    /// `registry/image_name:image_tag`; an error while name or tag is missing.
    pub fn name(&self) -> Result<ImageReference, Failure> {
        self.usable(|field| field != "prefect_version")?;
        let (Some(name), Some(tag)) = (&self.settings.image_name, &self.settings.image_tag) else {
            let missing = match (&self.settings.image_name, &self.settings.image_tag) {
                (None, None) => "image name and image tag",
                (None, _) => "image name",
                _ => "image tag",
            };
            return Err(Failure::input(Code::NoImageName, format!("the storage has no {missing}"))
                .with_help("give it one, or build: a build chooses what is missing"));
        };
        image::join(self.settings.registry_url.as_ref(), name, tag).map_err(Failure::explained)
    }

    /// An error if a setting for which `is_needed` is true can't be used.
    fn usable(&self, is_needed: impl Fn(&str) -> bool) -> Result<(), Failure> {
        match self.unusable.iter().find(|one| is_needed(&one.field)) {
            Some(one) => Err(one.clone().into()),
            None => Ok(()),
        }
    }

    /// Adds a flow, and returns its location in the image. An error if the name, or its slug, is taken.
    pub fn add_flow(&mut self, flow: Flow) -> Result<String, Failure> {
        let location = plan::location(self.settings.flow_directory(), &flow.name);
        if !self.map.contains(flow.name.as_str())
            && let Ok(other) = self.map.at(&location)
        {
            let message =
                format!("the flows {:?} and {:?} would be one file: {location}", other.as_str(), flow.name.as_str());
            return Err(Failure::input(Code::SlugClash, message).with_help("give one of them another name"));
        }
        self.map.insert(flow.name.clone(), location.clone())?;
        self.formats.insert(flow.name.clone(), flow.format);
        self.contents.insert(flow.name, flow.content);
        Ok(location)
    }

    /// The flow at a location. This works inside the image, where the flow is a file.
    pub fn get_flow(&self, location: &str, files: &dyn Files) -> Result<Flow, Failure> {
        let name = self.map.at(location)?.clone();
        let blob = files.open(location)?.ok_or_else(|| {
            Failure::input(Code::NoContent, format!("there is no {location} here"))
                .with_help("a flow of a docker storage is a file of its image, and is read there")
        })?;
        Ok(Flow { format: self.format(&name), content: Content::of(blob)?, name })
    }

    /// The bytes of a flow that was added here; `None` if they are only in the image.
    pub fn added(&self, location: &str) -> Result<Option<SharedBlob>, Failure> {
        let name = self.map.at(location)?;
        Ok(self.contents.get(name.as_str()).and_then(|content| content.blob.clone()))
    }

    /// A flow's bytes: those that were added, else those in the image, which is not run.
    pub fn read_flow(&self, location: &str, docker: &dyn Docker) -> Result<SharedBlob, Failure> {
        if let Some(blob) = self.added(location)? {
            return Ok(blob);
        }
        let image = self.image()?;
        let daemon = docker.connect(self.settings.base_url.as_deref())?;
        image.have(daemon.as_ref())?;
        daemon.copy_out(&image.reference, location)?.ok_or_else(|| {
            Failure::input(Code::FlowNotFound, format!("the image {} has no file {location}", image.reference))
        })
    }

    fn image(&self) -> Result<Image, Failure> {
        Ok(Image {
            reference: self.name()?.to_string(),
            plan: self.built.as_ref().map(|built| built.plan),
            is_in_registry: self.settings.registry_url.is_some(),
            platform: self.settings.building.platform.as_ref().map(ToString::to_string),
        })
    }

    /// A runner for the flow at a location.
    pub fn get_env_runner(&self, location: &str) -> Result<EnvRunner, Failure> {
        let name = self.map.at(location)?;
        let mut command = ["python", "-u", "-c", RUNNER, location].map(str::to_owned).to_vec();
        // Flowhold's own JSON states the formats of all flows but pickles. JSON of the original, and JSON that has been
        // through the original, states neither formats nor contents: then the first byte tells the format.
        let is_told = self.formats.get(name.as_str()).is_some() || self.contents.get(name.as_str()).is_some();
        command.extend(is_told.then(|| self.format(name).as_str().to_owned()));
        Ok(EnvRunner { base_url: self.settings.base_url.clone(), image: self.image()?, command })
    }

    /// The plan for the current settings and flows. Every flow's bytes must be known at least by size and digest.
    pub fn plan(&self) -> Result<(BuildPlan, Vec<Diagnostic>), Failure> {
        self.usable(|_| true)?;
        let mut flows = Vec::with_capacity(self.map.len());
        for (name, _) in self.map.iter() {
            // The original also stores flows under names that no file can be named after.
            let name: FlowName = name.as_str().parse().map_err(Failure::explained)?;
            let content = self.contents.get(name.as_str()).cloned().ok_or_else(|| no_content(&name))?;
            flows.push(Flow { format: self.format(&name), name, content });
        }
        let mut settings = self.settings.clone();
        // A tag that an earlier build chose is the digest of its plan, not of this one.
        let chosen = |tag: &ImageTag| self.built.as_ref().is_some_and(|built| built.plan.hex() == tag.as_str());
        if settings.naming == Naming::Plan && settings.image_tag.as_ref().is_some_and(chosen) {
            settings.image_tag = None;
        }
        match plan::plan(&settings, &flows) {
            (Some(plan), diagnostics) => Ok((plan, diagnostics)),
            (None, diagnostics) => Err(first_error(diagnostics)),
        }
    }

    /// Builds the image, and pushes it if `push` and there is a registry. A failed build leaves the storage as it was.
    pub fn build(&mut self, push: bool, expect: Option<&str>, host: Capabilities<'_>) -> Result<BuildReport, Failure> {
        let (plan, _) = self.plan()?;
        let plan_digest =
            plan.digest.ok_or_else(|| Failure::input(Code::NoContent, "some of the bytes are not here"))?;
        check_expected(plan_digest, expect)?;
        let push = push && self.settings.registry_url.is_some();
        let chosen = naming::choose(&self.settings, &plan, host.clock, host.random)?;
        let reference = chosen.reference.to_string();
        // Under a tag that is not the plan digest, the registry may have the image of another plan.
        let of_plan = chosen.tag.as_str() == plan_digest.hex();
        let daemon = host.docker.connect(self.settings.base_url.as_deref())?;
        let mut steps = Steps { clock: host.clock, done: Vec::new() };
        let exists = self.settings.naming == Naming::Plan && has_plan(daemon.as_ref(), &reference, &plan_digest)?;
        if exists {
            steps.cached(format!("{reference} is built already"));
        } else {
            let options = self.options(daemon.builder()?, &reference, &plan_digest)?;
            let mounts = if options.builder == Builder::Buildkit { Mounts::All } else { Mounts::None };
            let archive = plan.archive(mounts)?;
            self.pull(daemon.as_ref(), &mut steps)?;
            let built = daemon
                .build(&archive, &options)
                .map_err(|failure| failure.while_doing(&format!("building {reference}")))?;
            steps.done.extend(built.steps);
        }
        let digest = if push {
            Some(publish(daemon.as_ref(), &reference, &plan_digest, exists && of_plan, &mut steps)?)
        } else {
            None
        };
        self.settings.image_name = Some(chosen.name);
        self.settings.image_tag = Some(chosen.tag);
        self.built = Some(Built { plan: plan_digest, digest: digest.clone().flatten() });
        Ok(BuildReport {
            plan: plan_digest.to_string(),
            image: Some(reference),
            pushed: digest.is_some(),
            digest: digest.flatten(),
            steps: steps.done,
        })
    }

    fn options(&self, builder: Builder, reference: &str, plan: &Digest) -> Result<BuildOptions, Failure> {
        let building = &self.settings.building;
        if builder == Builder::Classic && !building.secrets.is_empty() {
            return Err(Failure::input(
                Code::NeedsBuildkit,
                "the daemon has no BuildKit, and without it secrets would be in the image",
            )
            .with_help("take a daemon with BuildKit, and don't set DOCKER_BUILDKIT=0"));
        }
        Ok(BuildOptions {
            reference: reference.to_owned(),
            labels: vec![plan_label(plan)],
            builder,
            platform: building.platform.as_ref().map(ToString::to_string),
            network: building.network.clone(),
            build_args: building.build_args.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            secrets: building.secrets.clone(),
            cache_from: building.cache_from.iter().map(ToString::to_string).collect(),
            inline_cache: building.inline_cache,
        })
    }

    /// Pulls the base image, and returns its reference.
    pub fn pull_image(&self, docker: &dyn Docker) -> Result<String, Failure> {
        let base = self.settings.base()?.to_string();
        let daemon = docker.connect(self.settings.base_url.as_deref())?;
        self.pull_base(daemon.as_ref(), &base)?;
        Ok(base)
    }

    /// Pushes the built image, and returns its reference.
    pub fn push_image(&mut self, docker: &dyn Docker) -> Result<String, Failure> {
        let reference = self.name()?.to_string();
        if self.settings.registry_url.is_none() {
            return Err(Failure::input(Code::PushWithoutRegistry, format!("{reference} has no registry to push to"))
                .with_help("give registry_url in [storage], and build again"));
        }
        let daemon = docker.connect(self.settings.base_url.as_deref())?;
        let plan = self.built.as_ref().map(|built| &built.plan);
        let digest = push_plan(daemon.as_ref(), &reference, plan)?;
        if let Some(built) = &mut self.built {
            built.digest = digest;
        }
        Ok(reference)
    }

    fn pull(&self, daemon: &dyn Daemon, steps: &mut Steps<'_>) -> Result<(), Failure> {
        let base = self.settings.base()?.to_string();
        if self.settings.local_image {
            // The builder would silently pull an image that is missing.
            return match daemon.image(&base)? {
                Some(_) => Ok(()),
                None => Err(Failure::input(Code::NoLocalImage, format!("the daemon has no image {base}"))
                    .with_help("pull it first (flowhold pull), or leave out local_image")),
            };
        }
        // The image that a digest names does not change, but a digest may name images for several platforms.
        if base.contains('@') && self.settings.building.platform.is_none() && daemon.image(&base)?.is_some() {
            return Ok(());
        }
        steps.run(format!("pull {base}"), || self.pull_base(daemon, &base))
    }

    fn pull_base(&self, daemon: &dyn Daemon, base: &str) -> Result<(), Failure> {
        pull(daemon, base, self.settings.building.platform.as_ref().map(Platform::as_str))
    }

    /// The format of a flow's bytes.
    pub fn format(&self, name: &FlowName) -> Format {
        self.formats.get(name.as_str()).copied().unwrap_or(Format::Pickle)
    }
}

impl EnvRunner {
    /// Runs the flow with this environment, and returns its exit code. The host passes its output through.
    pub fn run(&self, env: Vec<(String, String)>, timeout: Option<u64>, docker: &dyn Docker) -> Result<i64, Failure> {
        let daemon = docker.connect(self.base_url.as_deref())?;
        self.image.have(daemon.as_ref())?;
        let (image, command) = (self.image.reference.clone(), self.command.clone());
        daemon.run(&ContainerRun { image, command, env, timeout_seconds: timeout })
    }
}

impl Image {
    /// Pulls the image if the daemon lacks it and a registry may have it. It is an error if the image is from another
    /// build.
    fn have(&self, daemon: &dyn Daemon) -> Result<(), Failure> {
        let found = daemon.image(&self.reference)?;
        if found.is_some() || !self.is_in_registry {
            return check_plan(found, &self.reference, self.plan.as_ref());
        }
        pull(daemon, &self.reference, self.platform.as_deref())?;
        check_plan(daemon.image(&self.reference)?, &self.reference, self.plan.as_ref())
    }
}

fn pull(daemon: &dyn Daemon, reference: &str, platform: Option<&str>) -> Result<(), Failure> {
    daemon.pull(reference, platform).map_err(|failure| failure.while_doing(&format!("pulling {reference}")))
}

/// Whether the daemon has an image of this plan under the reference.
fn has_plan(daemon: &dyn Daemon, reference: &str, plan: &Digest) -> Result<bool, Failure> {
    Ok(daemon.image(reference)?.is_some_and(|image| image.labels.contains(&plan_label(plan))))
}

/// Pushes the image, unless the registry has it already. The registry is only asked if `may_be_there`, which is false
/// if the reference may have the image of another plan.
fn publish(
    daemon: &dyn Daemon,
    reference: &str,
    plan: &Digest,
    may_be_there: bool,
    steps: &mut Steps<'_>,
) -> Result<Option<String>, Failure> {
    if may_be_there && let Some(digest) = daemon.published(reference)? {
        steps.cached(format!("{reference} is pushed already"));
        return Ok(Some(digest));
    }
    steps.run(format!("push {reference}"), || push_plan(daemon, reference, Some(plan)))
}

/// Pushes an image, but not one that is known to be of another plan: another build may have taken its name.
fn push_plan(daemon: &dyn Daemon, reference: &str, plan: Option<&Digest>) -> Result<Option<String>, Failure> {
    check_plan(daemon.image(reference)?, reference, plan)?;
    let digest = daemon.push(reference).map_err(|failure| failure.while_doing(&format!("pushing {reference}")))?;
    // The push may have taken minutes, in which another build may have taken the name.
    check_plan(daemon.image(reference)?, reference, plan)?;
    Ok(digest)
}

/// An error if the image that the daemon has under the reference is of another plan.
fn check_plan(found: Option<LocalImage>, reference: &str, plan: Option<&Digest>) -> Result<(), Failure> {
    match (plan, found) {
        (Some(plan), Some(image)) if !image.labels.contains(&plan_label(plan)) => {
            let message = format!("the image {reference} is not that of the plan {plan}: another build took its name");
            Err(Failure::input(Code::PlanMismatch, message).with_help("build again, or give it a name of its own"))
        }
        _ => Ok(()),
    }
}

fn plan_label(plan: &Digest) -> (String, String) {
    (PLAN_LABEL.to_owned(), plan.to_string())
}

fn first_error(diagnostics: Vec<Diagnostic>) -> Failure {
    let mut errors = diagnostics.into_iter().filter(Diagnostic::is_error);
    let Some(first) = errors.next() else {
        return Failure::input(Code::MissingKey, "the storage has no base image");
    };
    let others = errors.count();
    let mut failure = Failure::from(first);
    if others > 0 {
        failure.message = format!("{} (and {others} more)", failure.message);
    }
    failure
}

/// The steps of a build that are not the daemon's own, timed by the host's clock.
struct Steps<'h> {
    clock: &'h dyn Clock,
    done: Vec<BuildStep>,
}

impl Steps<'_> {
    fn run<T>(&mut self, name: String, act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let start = self.clock.now();
        let result = act()?;
        let seconds = self.clock.now().saturating_sub(start) as f64 / 1000.0;
        self.done.push(BuildStep { name, cached: false, seconds });
        Ok(result)
    }

    fn cached(&mut self, name: String) {
        self.done.push(BuildStep { name, cached: true, seconds: 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(name: &str) -> Flow {
        Flow { name: name.parse().unwrap(), format: Format::Script, content: Content::from_bytes("print()") }
    }

    #[test]
    fn a_storage_of_defaults_can_be_planned() {
        let mut storage = DockerStorage::new(DockerSettings::default());
        storage.add_flow(flow("a")).unwrap();
        assert!(storage.plan().unwrap().0.dockerfile.starts_with("FROM python:3.6\n"));
    }

    #[test]
    fn the_tag_of_an_earlier_plan_is_not_the_next_ones() {
        for own in [None, Some("v1")] {
            let settings = DockerSettings {
                naming: Naming::Plan,
                image_tag: own.map(|tag| tag.parse().unwrap()),
                ..DockerSettings::default()
            };
            let mut storage = DockerStorage::new(settings);
            storage.add_flow(flow("a")).unwrap();
            // What a build leaves.
            let (first, _) = storage.plan().unwrap();
            storage.settings.image_tag = first.image.tag.as_ref().map(|tag| tag.parse().unwrap());
            storage.built = first.digest.map(|plan| Built { plan, digest: None });
            storage.add_flow(flow("b")).unwrap();
            let (next, _) = storage.plan().unwrap();
            assert_ne!(next.digest, first.digest);
            let expected = own.map_or_else(|| next.digest.unwrap().hex(), str::to_owned);
            assert_eq!(next.image.tag, Some(expected));
        }
    }
}
