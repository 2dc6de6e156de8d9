//! The build plan of a Docker storage: a pure function of its settings and flows.

mod digest;
mod install;
mod taken_paths;

pub(crate) use digest::flows_digest;

use std::rc::Rc;

use crate::{
    blob::Content,
    capability::Segment,
    context::{self, ContextEntry},
    diagnostic::{Code, Diagnostic},
    digest::Digest,
    dockerfile::{self, Instruction, Mounts, SourceLine, Sourced},
    env_name::{EnvName, EnvValue},
    failure::{Explain, Failure},
    flow::{Flow, FlowMap},
    flow_name::FlowName,
    image::{self, ImageName, ImageReference, ImageTag},
    json::Json,
    order::sort,
    path::MOST_COMPONENT_BYTES,
    policy::NamedText,
    reader::join_path,
    script,
    settings::{self, DockerSettings, EntryKind, ImageFile, Naming},
};
use taken_paths::TakenPaths;

/// Where Flowhold's own files are in an image: installer, requirements, manifest, health check.
pub const OWN_DIRECTORY: &str = "/opt/flowhold";

/// The most layers that a plan may add. Docker refuses an image with too many (`max depth exceeded`), and the base
/// image has some, too.
const MAX_LAYERS: usize = 110;

/// Both builders of Docker refuse longer lines: `dockerfile line greater than max allowed size of 65535`.
const LONGEST_LINE: usize = 65_535;

/// What will be built. Nothing in a plan depends on a host, a daemon or the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlan {
    /// Digest of everything that ends up in the image, but not of the image's names; `None` while some of the content
    /// is unseen.
    pub digest: Option<Digest>,
    /// The instructions.
    pub instructions: Vec<Sourced>,
    /// The platform of the image; `None` for the daemon's own.
    pub platform: Option<String>,
    /// The requirements that are installed, each with the name of its package.
    pub requirements: Vec<NamedText>,
    /// The instructions as text.
    pub dockerfile: String,
    /// Which field made which line.
    pub source_map: Vec<SourceLine>,
    /// What is sent to the daemon beside the Dockerfile, in order.
    pub context: Vec<ContextEntry>,
    /// The name that the image will have.
    pub image: ImageChoice,
    /// Flow name -> location in the image.
    pub flows: FlowMap,
}

/// The parts of an image reference; those that only the build will choose are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageChoice {
    /// `registry_url`.
    pub registry: Option<String>,
    /// Image name.
    pub name: Option<String>,
    /// Image tag.
    pub tag: Option<String>,
    /// The whole reference, if neither name nor tag is missing.
    pub reference: Option<String>,
}

impl From<&ImageChoice> for Json {
    fn from(image: &ImageChoice) -> Self {
        Self::object(vec![
            ("registry", image.registry.as_ref().into()),
            ("name", image.name.as_ref().into()),
            ("tag", image.tag.as_ref().into()),
            ("reference", image.reference.as_ref().into()),
        ])
    }
}

/// Makes a plan, unless a diagnostic is an error.
pub fn plan(settings: &DockerSettings, flows: &[Flow]) -> (Option<BuildPlan>, Vec<Diagnostic>) {
    let mut planner = Planner {
        settings,
        flows,
        diagnostics: Vec::new(),
        taken: TakenPaths::default(),
        context: Vec::new(),
        requirements: Vec::new(),
    };
    let plan = planner.run();
    let failed = planner.diagnostics.iter().any(Diagnostic::is_error);
    (plan.filter(|_| !failed), planner.diagnostics)
}

impl BuildPlan {
    /// The context as tar, with the Dockerfile first. `mounts` are those that the builder supports.
    ///
    /// # Errors
    /// If the bytes of a file are missing, or a link's target can't be written into an archive.
    pub fn archive(&self, mounts: Mounts) -> Result<Vec<Segment>, Failure> {
        context::archive(&dockerfile::render(&self.instructions, mounts).0, &self.context)
    }
}

struct Planner<'s> {
    settings: &'s DockerSettings,
    flows: &'s [Flow],
    diagnostics: Vec<Diagnostic>,
    taken: TakenPaths,
    context: Vec<ContextEntry>,
    requirements: Vec<NamedText>,
}

impl Planner<'_> {
    fn run(&mut self) -> Option<BuildPlan> {
        let (instructions, flows) = self.instructions()?;
        self.check_layers(&instructions);
        let (dockerfile, source_map) = dockerfile::render(&instructions, Mounts::Needed);
        self.check_lines(&dockerfile, &source_map);
        let context = std::mem::take(&mut self.context);
        let platform = self.settings.building.platform.as_ref();
        let is_seen = context.iter().all(ContextEntry::is_seen);
        let digest = is_seen.then(|| {
            let content = dockerfile::render(&instructions, Mounts::None).0;
            digest::of_image(&content, platform, &context)
        });
        Some(BuildPlan {
            digest,
            instructions,
            platform: platform.map(ToString::to_string),
            requirements: std::mem::take(&mut self.requirements),
            dockerfile,
            source_map,
            context,
            image: self.image(digest.as_ref()),
            flows,
        })
    }

    /// The instructions, ordered so that what rarely changes comes first, and the locations of the flows. Also fills
    /// the context.
    fn instructions(&mut self) -> Option<(Vec<Sourced>, FlowMap)> {
        let mut instructions = vec![self.base()?];
        // The plan has an order of its own, so that it does not depend on the order in which the spec lists variables
        // and files.
        let mut variables: Vec<_> = self.settings.env_vars.iter().collect();
        sort(&mut variables, |one, other| one.0.as_str().cmp(other.0.as_str()));
        let (installer, other): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(name, _)| is_installer_variable(name));
        instructions.extend(self.env(why::INSTALLER_VARIABLES, &installer));
        instructions.extend(self.install());
        instructions.extend(self.env(why::VARIABLES, &other));
        let mut files: Vec<_> = self.settings.files.iter().collect();
        sort(&mut files, |one, other| one.source.cmp(&other.source));
        for (index, file) in files.into_iter().enumerate() {
            instructions.push(self.file(index, file));
        }
        let locations = self.flow_map()?;
        // The manifest changes more rarely than the flows, whose bytes it does not state: an edited flow leaves the
        // manifest cached.
        instructions.extend(self.manifest(&locations));
        instructions.extend(self.copy_flows());
        instructions.extend(self.health_check());
        Some((instructions, locations))
    }

    fn check_layers(&mut self, instructions: &[Sourced]) {
        let layers = instructions.iter().filter(|one| makes_layer(&one.instruction)).count();
        if layers > MAX_LAYERS {
            let message = format!(
                "the image would have {layers} layers, and Docker takes at most {MAX_LAYERS}: each of files makes one"
            );
            let help = "put the files into one directory and copy that";
            self.diagnostics.push(Diagnostic::new(Code::TooManyLayers, "storage.files", message).with_help(help));
        }
    }

    fn check_lines(&mut self, dockerfile: &str, source_map: &[SourceLine]) {
        for (index, line) in dockerfile.lines().enumerate().filter(|(_, line)| line.len() > LONGEST_LINE) {
            let source = source_map.iter().find(|source| source.line as usize == index + 1);
            let field = source.map_or("", |source| source.field.as_str());
            let message = format!(
                "the Dockerfile would have a line of {} bytes, and Docker takes at most {LONGEST_LINE}",
                line.len()
            );
            let help = "put long texts into a file (files = { … })";
            self.diagnostics.push(Diagnostic::new(Code::LineTooLong, field, message).with_help(help));
        }
    }

    fn base(&mut self) -> Option<Sourced> {
        let base = self.settings.base().ok()?;
        if let Some(error) = image::too_deep(&base) {
            self.refuse("storage.base_image", &error);
        }
        Some(sourced(why::BASE, Instruction::From(base), ["storage.base_image".to_owned()]))
    }

    fn env(&self, why: &'static str, variables: &[&(EnvName, EnvValue)]) -> Option<Sourced> {
        let fields = variables.iter().map(|(name, _)| vec![join_path("storage.env_vars", name.as_str())]).collect();
        let variables: Vec<_> = variables.iter().map(|one| (*one).clone()).collect();
        (!variables.is_empty()).then_some(Sourced { instruction: Instruction::Env(variables), fields, why })
    }

    fn file(&mut self, index: usize, file: &ImageFile) -> Sourced {
        let field = join_path("storage.files", &file.source);
        let entries = file.entries.as_deref().unwrap_or_default();
        let base = settings::last_name(&file.source);
        let is_directory = entries.iter().any(|entry| entry.path.is_none() && entry.kind == EntryKind::Directory);
        let into = file.destination.as_str().trim_end_matches('/');
        let destination = match (is_directory, file.destination.is_directory()) {
            (false, true) => format!("{into}/{base}"),
            (false, false) => into.to_owned(),
            (true, _) => format!("{into}/"),
        };
        let (separator, name) = if is_directory || file.destination.is_directory() {
            // Named after the destination, because the name of the source does not get into the image.
            ('-', destination.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
        } else {
            // If the destination is a directory of the base image, COPY puts the file into it under this name.
            ('/', base)
        };
        let name = if separator == '/' && name.len() <= MOST_COMPONENT_BYTES { name.to_owned() } else { safe(name) };
        let context_path = format!("files/{index}{separator}{name}");
        let by = Rc::from(field.as_str());
        for entry in entries {
            let below = entry.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
            let target = format!("{}{below}", destination.trim_end_matches('/'));
            self.take(&target, &by, entry.kind == EntryKind::Directory);
            let path = format!("{context_path}{below}");
            self.context.push(ContextEntry {
                path,
                mode: entry.mode & mode_bits(&entry.kind),
                kind: entry.kind.clone(),
            });
        }
        let source = if is_directory { format!("{context_path}/") } else { context_path };
        sourced(why::FILES, Instruction::Copy { source, destination }, [field])
    }

    /// Two claims for one path are an error, never an overwrite.
    fn take(&mut self, path: &str, field: &Rc<str>, directory: bool) {
        let Some(clash) = self.taken.take(path, field, directory) else { return };
        // A limit, because two directories may have thousands of files in common.
        if self.diagnostics.len() < 100 || !self.diagnostics.iter().any(Diagnostic::is_error) {
            self.diagnostics.push(clash);
        }
    }

    fn flow_map(&mut self) -> Option<FlowMap> {
        let mut map = FlowMap::default();
        for (index, flow) in self.flows.iter().enumerate() {
            let location = location(self.settings.flow_directory(), &flow.name);
            self.take(&location, &Rc::from(format!("flows[{index}]")), false);
            let path = format!("flows/{}.prefect", flow.name.slug());
            self.context.push(ContextEntry::file(path, flow.content.clone()));
            if let Err(error) = map.insert(flow.name.clone(), location) {
                self.diagnostics.push(Diagnostic::new(
                    Code::DuplicateFlow,
                    format!("flows[{index}]"),
                    error.to_string(),
                ));
                return None;
            }
        }
        Some(map)
    }

    /// All flows in one layer, however many there are.
    fn copy_flows(&self) -> Option<Sourced> {
        if self.flows.is_empty() {
            return None;
        }
        let destination = format!("{}/", self.settings.flow_directory());
        let copy = Instruction::Copy { source: "flows/".to_owned(), destination };
        let mut fields: Vec<_> = (0..self.flows.len()).map(|index| format!("flows[{index}]")).collect();
        if self.settings.prefect_directory.is_some() {
            fields.push("storage.prefect_directory".to_owned());
        }
        Some(sourced(why::FLOWS, copy, fields))
    }

    fn manifest(&mut self, locations: &FlowMap) -> Option<Sourced> {
        if self.flows.is_empty() {
            return None;
        }
        let flows: Vec<_> = self
            .flows
            .iter()
            .zip(locations.iter())
            .map(|(flow, (name, location))| {
                let format = flow.format.as_str().into();
                Json::object(vec![("name", name.as_str().into()), ("location", location.into()), ("format", format)])
            })
            .collect();
        let python = self.settings.python_version.map(|version| version.to_string());
        let manifest = Json::object(vec![("python", python.into()), ("flows", flows.into())]).to_string() + "\n";
        let files = [("health_check.py", script::health_check()), ("manifest.json", Content::from_bytes(manifest))];
        for (name, content) in files {
            self.take(&format!("{OWN_DIRECTORY}/{name}"), &Rc::from("flows"), false);
            self.context.push(ContextEntry::file(format!("flowhold/{name}"), content));
        }
        let copy = Instruction::Copy { source: "flowhold/".to_owned(), destination: format!("{OWN_DIRECTORY}/") };
        Some(sourced(why::MANIFEST, copy, ["flows".to_owned()]))
    }

    fn health_check(&self) -> Option<Sourced> {
        let run = ["python", &format!("{OWN_DIRECTORY}/health_check.py"), &format!("{OWN_DIRECTORY}/manifest.json")];
        let run = Instruction::Run { arguments: run.map(str::to_owned).to_vec(), mounts: Vec::new() };
        (!self.flows.is_empty()).then(|| sourced(why::HEALTH_CHECK, run, ["flows".to_owned()]))
    }

    /// The image's name, as far as it is known before a build.
    fn image(&mut self, digest: Option<&Digest>) -> ImageChoice {
        let settings = self.settings;
        let (chosen_name, chosen_tag) = self.chosen(digest);
        let name = settings.image_name.clone().or(chosen_name);
        let tag = settings.image_tag.clone().or(chosen_tag);
        if settings.naming == Naming::Flow && self.flows.len() != 1 && (name.is_none() || tag.is_none()) {
            let message =
                format!("naming = \"flow\" names an image after its only flow, and there are {}", self.flows.len());
            let help = "give image_name and image_tag, or another naming";
            self.diagnostics.push(Diagnostic::new(Code::NamingNeedsOneFlow, "storage.naming", message).with_help(help));
        }
        let reference = match (&name, &tag) {
            (Some(name), Some(tag)) => self.reference(name, tag),
            (name, _) => {
                // The registry's rules can be checked before name and tag are chosen.
                if let (Ok(some), Ok(tag)) = ("name".parse(), "tag".parse()) {
                    self.reference(name.as_ref().unwrap_or(&some), &tag);
                }
                None
            }
        };
        ImageChoice {
            registry: settings.registry_url.as_ref().map(ToString::to_string),
            name: name.map(|name| name.to_string()),
            tag: tag.map(|tag| tag.to_string()),
            reference: reference.map(|reference| reference.to_string()),
        }
    }

    /// The name and tag that `naming` gives if they are left out, as far as that needs neither clock nor randomness.
    fn chosen(&self, digest: Option<&Digest>) -> (Option<ImageName>, Option<ImageTag>) {
        let slug = if let [only] = self.flows { Some(only.name.slug()) } else { None };
        match self.settings.naming {
            Naming::Uuid => (None, None),
            Naming::Flow => (slug.and_then(|slug| slug.parse().ok()), None),
            Naming::Plan => (slug.unwrap_or("flows").parse().ok(), digest.and_then(|digest| digest.hex().parse().ok())),
        }
    }

    fn reference(&mut self, name: &ImageName, tag: &ImageTag) -> Option<ImageReference> {
        match image::join(self.settings.registry_url.as_ref(), name, tag) {
            Ok(reference) => Some(reference),
            Err(error) => {
                let field =
                    if self.settings.registry_url.is_some() { "storage.registry_url" } else { "storage.image_name" };
                self.refuse(field, &error);
                None
            }
        }
    }

    fn refuse(&mut self, field: &str, error: &dyn Explain) {
        self.diagnostics.push(Diagnostic::explained(error, field));
    }
}

/// The location of a flow: `<directory>/<slug>.prefect`.
pub fn location(directory: &str, name: &FlowName) -> String {
    format!("{}/{}.prefect", directory.trim_end_matches('/'), name.slug())
}

/// Whether an installer reads a variable, which must then be set before the installer runs.
fn is_installer_variable(name: &EnvName) -> bool {
    let upper = name.as_str().to_ascii_uppercase();
    upper.starts_with("PIP_") || upper.starts_with("UV_") || upper.ends_with("_PROXY")
}

fn makes_layer(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Copy { .. } | Instruction::Run { .. })
}

/// An instruction of one line.
fn sourced(why: &'static str, instruction: Instruction, fields: impl Into<Vec<String>>) -> Sourced {
    Sourced { instruction, fields: vec![fields.into()], why }
}

/// Why each step is there, and why at its place: what rarely changes comes first.
mod why {
    pub(super) const BASE: &str = "Everything else is added to this image.";
    pub(super) const INSTALLER_VARIABLES: &str =
        "Installers read these variables, so they are set before anything is installed.";
    pub(super) const INSTALLER: &str =
        "Installs the requirements with uv, or pip where that can't be, and leaves neither cache nor installer.";
    pub(super) const REQUIREMENTS: &str = "Requirements travel as a file, never through a shell.";
    pub(super) const INSTALL: &str =
        "One installer resolves all requirements together; it runs again only when one of them changes.";
    pub(super) const VARIABLES: &str = "Set after installing, so that another value installs nothing again.";
    pub(super) const FILES: &str =
        "Copied after the requirements, which take longest, and before the flows, which change most often.";
    pub(super) const MANIFEST: &str =
        "The health check, and the list of flows that it loads: it stays the same when a flow is edited.";
    pub(super) const FLOWS: &str =
        "All flows in one layer, however many, and the last thing copied: flows change most often.";
    pub(super) const HEALTH_CHECK: &str =
        "Checks Python's version and loads every flow: if one can't be loaded, there is no image.";
}

/// The permission bits that an entry keeps in an image. Files lose set-user-id and set-group-id, which the classic
/// builder drops: one plan must be one image, whatever the builder.
const fn mode_bits(kind: &EntryKind) -> u32 {
    if matches!(kind, EntryKind::Directory) { 0o7777 } else { 0o777 }
}

/// A file name that needs no quoting anywhere.
fn safe(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    if matches!(name, "" | "." | "..") { "_".to_owned() } else { name.chars().take(100).map(plain).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{preview::Preview, resolve::Facts, spec::Spec};

    fn preview(storage: &str) -> Preview {
        let text = format!("[storage]\ntype = \"docker\"\nbase_image = \"python:3.9\"\n{storage}");
        let (spec, diagnostics) = Spec::parse(&text);
        let facts = spec.as_ref().map(Facts::skipping).unwrap_or_default();
        Preview::of(spec.map(Rc::new), diagnostics, facts)
    }

    fn errors(preview: &Preview) -> Vec<(Code, &str)> {
        let errors = preview.diagnostics.iter().filter(|one| one.is_error());
        errors.map(|one| (one.code, one.field.as_str())).collect()
    }

    #[test]
    fn a_source_has_a_name_on_every_system() {
        for source in ["/a/..", "/a/./", "C:\\x\\..", "C:/x/.\\", "/a\nb"] {
            let file = format!("[storage.files]\n{} = \"/opt/x\"\n", Json::from(source));
            let seen = preview(&file);
            assert!(errors(&seen).contains(&(Code::InvalidPath, &join_path("storage.files", source))), "{source}");
        }
    }

    #[test]
    fn modes_are_those_of_the_image_whatever_the_host_says() {
        let digest = "0".repeat(64);
        let modes = |mode: &str| {
            let seen = preview(&format!(
                "[storage.files.\"/srv/x\"]\ndestination = \"/opt/x\"\nentries = [{{ path = \"\"{mode} }}, \
                 {{ path = \"d\"{mode} }}, {{ path = \"f\", size = 1, sha256 = \"{digest}\"{mode} }}, \
                 {{ path = \"l\", link = \"f\"{mode} }}]\n"
            ));
            let entries = seen.plan.iter().flat_map(|plan| &plan.context);
            entries.filter(|entry| entry.path.starts_with("files")).map(|entry| entry.mode).collect::<Vec<_>>()
        };
        assert_eq!(modes(""), [0o755, 0o755, 0o644, 0o777]);
        assert_eq!(modes(", mode = 448"), [0o755, 0o700, 0o700, 0o777]);
    }

    #[test]
    fn as_many_layers_as_docker_takes() {
        let files = |count| -> String {
            let entry = format!("entries = [{{ size = 1, sha256 = \"{}\" }}]", "0".repeat(64));
            (0..count).map(|n| format!("files.\"/{n}\" = {{ destination = \"/x/{n}\", {entry} }}\n")).collect()
        };
        let most = preview(&files(110));
        assert_eq!((errors(&most), most.digest().is_some()), (vec![], true));
        assert_eq!(errors(&preview(&files(111))), [(Code::TooManyLayers, "storage.files")]);
    }

    #[test]
    fn lines_as_long_as_docker_takes_them() {
        let variable = |length: usize| preview(&format!("env_vars.A = \"{}\"\n", "x".repeat(length)));
        // ENV A="…"
        let most = variable(65_535 - 8);
        assert!(errors(&most).is_empty());
        assert_eq!(most.plan.unwrap().dockerfile.lines().map(str::len).max(), Some(65_535));
        assert_eq!(errors(&variable(65_536 - 8)), [(Code::LineTooLong, "storage.env_vars.A")]);
    }
}
