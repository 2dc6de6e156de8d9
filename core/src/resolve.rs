//! From a spec to a resolved spec: the host's facts fill in whatever the user left open.

mod facts;

pub use facts::{Facts, Finding, FoundEntry, FoundKind, PythonFacts};

use std::collections::BTreeMap;

use crate::{
    blob::{Content, SharedBlob},
    capability::SecretSource,
    context_path::ContextPath,
    diagnostic::{Code, Diagnostic, Severity},
    failure::{Explain, Failure},
    flow::{Flow, FlowMapError, Format},
    flow_name::FlowName,
    image::ImageReference,
    json::{Json, Object},
    prefect_version::PrefectVersion,
    python::PythonVersion,
    requirement::normal_version,
    settings::{DockerSettings, EntryKind, FileEntry},
    spec::{FlowSpec, Spec, StorageSpec},
    storage::StorageKind,
};

/// Where a Local storage keeps flows, unless the spec says otherwise.
pub const LOCAL_DIRECTORY: &str = "~/.prefect/flows";

/// A spec with nothing left open but the names that only a build chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSpec {
    /// The storage.
    pub storage: ResolvedStorage,
    /// The interpreter that the spec names, and with which a build pickles again.
    pub python: Option<String>,
    /// The flows, in order; names and slugs are unique.
    pub flows: Vec<ResolvedFlow>,
    /// The policies that must judge the plan, as in the spec.
    pub policies: Vec<String>,
}

/// A storage and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolvedStorage {
    /// An image.
    Docker(Box<DockerSettings>),
    /// An absolute directory.
    Local {
        /// Without a slash at its end.
        directory: String,
    },
    /// Memory; nothing is kept.
    Memory,
    /// Bytes inside the serialized storage.
    Bytes,
}

/// A flow and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFlow {
    /// The flow.
    pub flow: Flow,
    /// The field, such as `flows[0]`.
    pub field: String,
    /// As the spec states it.
    pub path: Option<String>,
    /// As the spec states it.
    pub object: Option<String>,
}

/// Fills in what a spec leaves open. There is no resolved spec if a diagnostic is an error.
pub fn resolve(spec: &Spec, facts: Facts) -> (Option<ResolvedSpec>, Vec<Diagnostic>) {
    let failed = facts.findings.iter().any(|finding| matches!(finding, Finding::Failed(_)));
    let mut resolver = Resolver { spec, failed, diagnostics: Vec::new() };
    let resolved = resolver.run(facts);
    for diagnostic in &mut resolver.diagnostics {
        diagnostic.line = spec.line(&diagnostic.field);
    }
    let failed = resolver.diagnostics.iter().any(Diagnostic::is_error);
    (resolved.filter(|_| !failed), resolver.diagnostics)
}

struct Resolver<'s> {
    spec: &'s Spec,
    /// The host reported a failure, which explains why findings are missing.
    failed: bool,
    diagnostics: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn report(&mut self, code: Code, field: impl Into<String>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::new(code, field, message));
    }

    fn refuse(&mut self, field: &str, failure: Failure) {
        let code = Code::ALL.iter().find(|code| code.as_str() == failure.code).copied().unwrap_or(Code::HostFault);
        let diagnostic = Diagnostic::new(code, field, failure.message).with_help(failure.help.as_deref());
        self.diagnostics.push(Diagnostic { severity: Severity::Error, ..diagnostic });
    }

    fn run(&mut self, mut facts: Facts) -> Option<ResolvedSpec> {
        let sources = self.spec.sources();
        if sources.len() != facts.findings.len() {
            let message = format!("{} sources, but {} findings", sources.len(), facts.findings.len());
            self.report(Code::HostFault, "", message);
            return None;
        }
        let mut findings = std::mem::take(&mut facts.findings).into_iter();
        let mut flows = Vec::new();
        for flow in &self.spec.flows {
            let finding = if flow.path.is_some() { findings.next() } else { None };
            flows.extend(self.flow(flow, finding.unwrap_or(Finding::Skipped)));
        }
        let are_files = matches!(self.spec.storage.kind(), StorageKind::Docker | StorageKind::Local);
        self.check_names(&flows, are_files);
        if !self.spec.has_flows {
            self.report(Code::NoFlows, "flows", "the spec has no flows");
        }
        let storage = match &self.spec.storage {
            StorageSpec::Docker(settings) => self.docker(settings.as_ref().clone(), &facts, &flows, findings),
            StorageSpec::Local { directory } => Self::local(directory.as_deref(), &facts),
            StorageSpec::Memory => ResolvedStorage::Memory,
            StorageSpec::Bytes => ResolvedStorage::Bytes,
        };
        let policies = self.spec.policies.iter().map(|(_, path)| path.clone()).collect();
        Some(ResolvedSpec { storage, python: self.spec.python.clone(), flows, policies })
    }

    fn flow(&mut self, spec: &FlowSpec, finding: Finding) -> Option<ResolvedFlow> {
        let (own_name, content) = match (finding, &spec.pinned) {
            (Finding::Flow(name, blob), pinned) => match self.content(&spec.field, blob, pinned.as_ref()) {
                // A pinned flow does not get its object's name, which a preview could not know.
                Some(content) => (name.filter(|_| pinned.is_none()), content),
                None => return None,
            },
            (Finding::Skipped | Finding::Unseen, Some(pinned)) => (None, pinned.clone()),
            (Finding::Unseen, None) => {
                let path = spec.path.as_deref().unwrap_or_default();
                self.unseen(&spec.field, path, "size and digest, and so the plan, stay open");
                (None, Content::unseen())
            }
            (Finding::Failed(failure), _) => {
                self.refuse(&spec.field, failure);
                return None;
            }
            (Finding::Skipped, None) if self.failed => return None,
            _ => {
                self.report(Code::HostFault, &spec.field, "the host found nothing that is a flow");
                return None;
            }
        };
        let name = match &spec.name {
            Some(name) => name.clone(),
            None => self.name(spec, own_name)?,
        };
        let (format, content) = self.format(spec, content)?;
        let flow = Flow { name, format, content };
        Some(ResolvedFlow { flow, field: spec.field.clone(), path: spec.path.clone(), object: spec.object.clone() })
    }

    /// The format of a flow's bytes. If neither spec nor path tells it, the first byte does.
    fn format(&mut self, spec: &FlowSpec, content: Content) -> Option<(Format, Content)> {
        let (None, Some(blob)) = (spec.format, &content.blob) else {
            return Some((spec.format.unwrap_or(Format::Pickle), content));
        };
        match blob.read(0, 1) {
            Ok(first) => Some((Format::of(&first), content)),
            Err(failure) if failure.code == Code::NoContent.as_str() => {
                let path = spec.path.as_deref().unwrap_or_default();
                let message = format!("{path} may be a pickle or a script, which its first byte would tell");
                let help = "state its format, or give its bytes";
                self.diagnostics.push(Diagnostic::new(Code::UnseenSource, &spec.field, message).with_help(help));
                Some((Format::Pickle, Content { seen: false, ..content }))
            }
            Err(failure) => {
                self.refuse(&spec.field, failure);
                None
            }
        }
    }

    fn unseen(&mut self, field: &str, path: &str, consequence: &str) {
        let message = format!("{path} is not here: {consequence}");
        let help = "give its bytes, or take the resolved spec: flowhold preview --format spec";
        self.diagnostics.push(Diagnostic::new(Code::UnseenSource, field, message).with_help(help));
    }

    fn content(&mut self, field: &str, blob: SharedBlob, pinned: Option<&Content>) -> Option<Content> {
        let content = match Content::of(blob) {
            Ok(content) => content,
            Err(failure) => {
                self.refuse(field, failure);
                return None;
            }
        };
        if let Some(pinned) = pinned.filter(|pinned| **pinned != content) {
            let message = format!("its bytes are not those that the spec states ({content:?} instead of {pinned:?})");
            self.report(Code::SourceChanged, field, message);
            return None;
        }
        Some(content)
    }

    fn name(&mut self, spec: &FlowSpec, own_name: Option<String>) -> Option<FlowName> {
        let text = own_name.or_else(|| spec.path.as_deref().map(file_stem)).unwrap_or_default();
        match text.parse::<FlowName>() {
            Ok(name) => Some(name),
            Err(error) => {
                self.diagnostics.push(Diagnostic::explained(&error, &spec.field));
                None
            }
        }
    }

    fn check_names(&mut self, flows: &[ResolvedFlow], are_files: bool) {
        let mut places = BTreeMap::<&str, &ResolvedFlow>::new();
        for one in flows {
            let name = &one.flow.name;
            // In Memory and Bytes storages, a flow's location is its name.
            let place = if are_files { name.slug() } else { name.as_str() };
            let Some(other) = places.insert(place, one) else { continue };
            let field = format!("{}.name", one.field);
            if other.flow.name == *name {
                let error = FlowMapError::Duplicate { name: name.to_string() };
                let help = format!("{} and {} have the same name: give one of them another", other.field, one.field);
                self.diagnostics.push(Diagnostic::new(Code::DuplicateFlow, field, error.to_string()).with_help(&*help));
            } else {
                let message = format!(
                    "the flows {:?} and {:?} have the same slug: {:?}",
                    other.flow.name.as_str(),
                    name.as_str(),
                    name.slug()
                );
                let help = "give one of them another name: a flow's file is named after its slug";
                self.diagnostics.push(Diagnostic::new(Code::SlugClash, field, message).with_help(help));
            }
        }
    }

    fn local(directory: Option<&str>, facts: &Facts) -> ResolvedStorage {
        let absolute = facts.absolute(directory.unwrap_or(LOCAL_DIRECTORY));
        let trimmed = absolute.trim_end_matches('/');
        ResolvedStorage::Local { directory: if trimmed.is_empty() { "/" } else { trimmed }.to_owned() }
    }

    fn docker(
        &mut self,
        mut settings: DockerSettings,
        facts: &Facts,
        flows: &[ResolvedFlow],
        findings: impl Iterator<Item = Finding>,
    ) -> ResolvedStorage {
        for (file, finding) in settings.files.iter_mut().zip(findings) {
            let field = crate::reader::join_path("storage.files", &file.source);
            file.entries.iter_mut().for_each(leave_out_bytecode);
            if let Finding::File(found) = finding {
                let mut entries = self.entries(&field, found);
                leave_out_bytecode(&mut entries);
                if let Some(stated) = file.entries.as_ref().filter(|stated| **stated != entries) {
                    let at = stated.iter().zip(&entries).take_while(|(stated, found)| stated == found).count();
                    let json = |entries: &[FileEntry]| entries.get(at).map(|entry| entry.to_json().to_string());
                    let [stated, found] =
                        [stated, &entries].map(|one| json(one).unwrap_or_else(|| "nothing".to_owned()));
                    let message = format!("{} is not what the spec states: {found} instead of {stated}", file.source);
                    self.report(Code::SourceChanged, field, message);
                }
                file.entries = Some(entries);
            } else if let Finding::Failed(failure) = finding {
                self.refuse(&field, failure);
            } else if let (Finding::Unseen, None) = (&finding, &file.entries) {
                self.unseen(&field, &file.source, "it is taken for a file, and the plan stays open");
                file.entries = Some(vec![FileEntry::new(None, None, EntryKind::File(Content::unseen()))]);
            } else if file.entries.is_none() {
                self.report(Code::HostFault, field, "the host found neither file nor directory");
            }
        }
        for secret in &mut settings.building.secrets {
            if let SecretSource::File(path) = &mut secret.source {
                *path = facts.absolute(path);
            }
        }
        if let Some(python) = &facts.python {
            self.python(&mut settings, python, flows);
        }
        self.check_python(&settings, flows);
        if settings.base_image.is_none() {
            settings.base_image = settings.base().ok();
        } else if let Some(base) = settings.base_image.as_ref().filter(|base| is_floating(base)) {
            let message = format!("the base image {base} changes under its name");
            let help = "name a version, or a digest, to build the same image again";
            self.diagnostics.push(Diagnostic::new(Code::FloatingBase, "storage.base_image", message).with_help(help));
        }
        ResolvedStorage::Docker(Box::new(settings))
    }

    /// Takes the facts of the Python that pickled the flows, unless the spec states others. If all objects are pinned,
    /// the facts are not taken: a build asks a Python, a preview need not, and both must know the same.
    fn python(&mut self, settings: &mut DockerSettings, python: &PythonFacts, flows: &[ResolvedFlow]) {
        let mut objects = self.spec.flows.iter().filter(|flow| flow.object.is_some()).peekable();
        let is_told = objects.peek().is_none() || objects.any(|flow| flow.pinned.is_none());
        match python.version.parse::<PythonVersion>() {
            Ok(version) => match settings.python_version {
                Some(stated) if stated != version => {
                    let message = format!("the spec says Python {stated}, but Python {version} pickles the flows");
                    self.report(Code::InvalidValue, "storage.python_version", message);
                }
                _ if is_told => settings.python_version = Some(version),
                _ => {}
            },
            Err(error) => self.report(Code::HostFault, "storage.python", error.to_string()),
        }
        if !is_told {
            return;
        }
        if settings.prefect_version.is_none()
            && !settings.python_dependencies.iter().any(|one| one.name() == "prefect" && one.says_which())
            && let Some(prefect) = &python.prefect
        {
            match prefect.parse::<PrefectVersion>() {
                Ok(version) => settings.prefect_version = Some(version),
                Err(error) => self.report(Code::HostFault, "storage.prefect_version", error.to_string()),
            }
        }
        let pickled = flows.iter().any(|flow| flow.object.is_some());
        if settings.cloudpickle_version.is_none()
            && pickled
            && let Some(cloudpickle) = &python.cloudpickle
        {
            match normal_version(cloudpickle) {
                // No index has a local version.
                Some((version, _)) => settings.cloudpickle_version = version.split('+').next().map(str::to_owned),
                None => {
                    let message = format!("{cloudpickle:?} is not a PEP 440 version");
                    self.report(Code::HostFault, "storage.cloudpickle_version", message);
                }
            }
        }
    }

    fn check_python(&mut self, settings: &DockerSettings, flows: &[ResolvedFlow]) {
        let Some(pickle) = flows.iter().find(|flow| flow.flow.format == Format::Pickle) else { return };
        let Some(python) = settings.python_version else {
            let message = "it is not known which Python made this pickle; another minor version may fail to load it";
            let help = "state it: python_version = \"3.11\" in [storage]";
            self.diagnostics.push(Diagnostic::new(Code::PythonUnknown, &pickle.field, message).with_help(help));
            return;
        };
        let Some(base) = &settings.base_image else { return };
        let named =
            base.tag().filter(|_| base.path().rsplit('/').next() == Some("python")).and_then(PythonVersion::of_tag);
        if let Some(named) = named.filter(|named| *named != python) {
            let message = format!("the base image has Python {named}, but Python {python} pickled the flows");
            let help = format!("take a base image with Python {python}, or pickle with Python {named} (--python)");
            self.diagnostics
                .push(Diagnostic::new(Code::PythonMismatch, "storage.base_image", message).with_help(&*help));
        }
    }

    fn entries(&mut self, field: &str, found: Vec<FoundEntry>) -> Vec<FileEntry> {
        let mut entries = Vec::with_capacity(found.len());
        for entry in found {
            let path = match entry.path.as_str() {
                "" => None,
                path => match path.parse::<ContextPath>() {
                    Ok(path) => Some(path),
                    Err(error) => {
                        self.report(error.code(), field, error.to_string());
                        continue;
                    }
                },
            };
            let kind = match entry.kind {
                FoundKind::Directory => EntryKind::Directory,
                FoundKind::Symlink(target) => EntryKind::Symlink(target),
                FoundKind::File(blob) => match self.content(field, blob, None) {
                    Some(content) => EntryKind::File(content),
                    None => continue,
                },
            };
            entries.push(FileEntry::new(path, Some(entry.mode), kind));
        }
        FileEntry::sort(&mut entries);
        entries
    }
}

/// `flows/etl.py` -> `etl`
fn file_stem(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => name.to_owned(),
    }
}

fn is_floating(base: &ImageReference) -> bool {
    base.digest().is_none() && matches!(base.tag(), None | Some("latest"))
}

impl ResolvedStorage {
    const fn kind(&self) -> StorageKind {
        match self {
            Self::Docker(_) => StorageKind::Docker,
            Self::Local { .. } => StorageKind::Local,
            Self::Memory => StorageKind::Memory,
            Self::Bytes => StorageKind::Bytes,
        }
    }
}

impl ResolvedSpec {
    /// The resolved spec in the shape of a spec, with nothing left open.
    pub fn to_json(&self) -> Json {
        let mut storage = Object::default();
        storage.put("type", self.storage.kind().as_str());
        match &self.storage {
            ResolvedStorage::Docker(settings) => settings.write(&mut storage),
            ResolvedStorage::Local { directory } => storage.put("directory", directory),
            ResolvedStorage::Memory | ResolvedStorage::Bytes => {}
        }
        storage.put_some("python", self.python.as_ref());
        let flows = self.flows.iter().map(ResolvedFlow::to_json).collect::<Json>();
        let mut fields = Object::default();
        fields.put("storage", storage);
        fields.put("flows", flows);
        if !self.policies.is_empty() {
            fields.put("policies", self.policies.iter().map(Json::from).collect::<Json>());
        }
        fields.into()
    }
}

impl ResolvedFlow {
    fn to_json(&self) -> Json {
        let mut fields = Object::default();
        fields.put_some("path", self.path.as_ref());
        fields.put_some("object", self.object.as_ref());
        fields.put("name", self.flow.name.as_str());
        fields.put("format", self.flow.format.as_str());
        fields.put("size", self.flow.content.size);
        fields.put("sha256", self.flow.content.sha256.hex());
        fields.into()
    }
}

/// Leaves out the `__pycache__` folders that Python makes wherever it imports something. Their bytecode is of no use in
/// an image: it states when its source was written, and in the image the source has another time.
fn leave_out_bytecode(entries: &mut Vec<FileEntry>) {
    let is_bytecode = |path: &ContextPath| path.as_str().split('/').any(|part| part == "__pycache__");
    entries.retain(|entry| !entry.path.as_ref().is_some_and(is_bytecode));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{blob::in_memory, digest::Digest};

    fn settings(storage: &str, python: PythonFacts) -> Result<DockerSettings, Vec<Diagnostic>> {
        settings_of(storage, "", Some(python))
    }

    fn settings_of(storage: &str, flow: &str, python: Option<PythonFacts>) -> Result<DockerSettings, Vec<Diagnostic>> {
        let text = format!(
            "[storage]\ntype = \"docker\"\n{storage}\n[[flows]]\nname = \"a\"\nobject = \"a\"\npath = \"a.py\"\n{flow}"
        );
        let spec = Spec::parse(&text).0.unwrap();
        let facts = Facts { python, findings: vec![Finding::Unseen], ..Facts::default() };
        match resolve(&spec, facts) {
            (Some(ResolvedSpec { storage: ResolvedStorage::Docker(settings), .. }), _) => Ok(*settings),
            (_, found) => Err(found),
        }
    }

    fn python(prefect: &str, cloudpickle: &str) -> PythonFacts {
        let (prefect, cloudpickle) = (Some(prefect.to_owned()), Some(cloudpickle.to_owned()));
        PythonFacts { version: "3.9".to_owned(), prefect, cloudpickle }
    }

    #[test]
    fn the_users_versions_are_taken_unless_the_spec_says_others() {
        let taken = settings("", python("0.6.6", "3.0.0\n")).unwrap();
        let told = |settings: &DockerSettings| settings.prefect_version.as_ref().map(ToString::to_string);
        assert_eq!(told(&taken).as_deref(), Some("0.6.6"));
        assert_eq!(taken.cloudpickle_version.as_deref(), Some("3.0.0"));
        let stated = settings("python_dependencies = [\"prefect[aws]==0.6.5\"]", python("0.6.6", "3.0.0")).unwrap();
        assert_eq!(told(&stated), None);
        let open =
            settings("python_dependencies = [\"prefect[aws]; os_name == 'nt'\"]", python("0.6.6", "3.0.0")).unwrap();
        assert_eq!(told(&open).as_deref(), Some("0.6.6"));
        let spaced = settings("cloudpickle_version = \"\\n3.0\"", python("0.6.6", "3.0.0")).unwrap();
        assert_eq!(spaced.cloudpickle_version.as_deref(), Some("3.0"));
        let local = settings("", python("0.6.6", "3.0.0+mine")).unwrap();
        assert_eq!(local.cloudpickle_version.as_deref(), Some("3.0.0"));
        let odd = settings("", python("0.6.6", "3.0\n--index-url https://x"));
        assert!(odd.is_err_and(|found| found.iter().any(|one| one.code == Code::HostFault)));
    }

    #[test]
    fn of_a_pinned_flow_a_build_knows_no_more_than_its_preview() {
        let pinned = format!("size = 1\nsha256 = \"{}\"\n", "0".repeat(64));
        for storage in ["", "python_version = \"3.9\""] {
            let build = settings_of(storage, &pinned, Some(python("0.6.6", "3.0.0"))).unwrap();
            assert_eq!(build, settings_of(storage, &pinned, None).unwrap());
        }
        assert!(settings_of("python_version = \"3.8\"", &pinned, Some(python("0.6.6", "3.0.0"))).is_err());
    }

    #[test]
    fn a_flows_own_name_is_taken_unless_a_preview_could_not_know_it() {
        let named = |pinned: &str, finding| {
            let text = format!("[[flows]]\nobject = \"a\"\npath = \"a.py\"\n{pinned}");
            let facts = Facts { home: Some("/".to_owned()), findings: vec![finding], ..Facts::default() };
            resolve(&Spec::parse(&text).0.unwrap(), facts).0.unwrap().flows[0].flow.name.to_string()
        };
        let pickled = || Finding::Flow(Some("own".to_owned()), in_memory(b"pickle"));
        assert_eq!(named("", pickled()), "own");
        let pinned = format!("size = 6\nsha256 = \"{}\"\n", Digest::of(b"pickle").hex());
        assert_eq!(named(&pinned, pickled()), "a");
        assert_eq!(named(&pinned, Finding::Skipped), "a");
    }

    #[test]
    fn a_stated_python_is_the_one_that_pickles() {
        let found = settings("python_version = \"3.8\"", python("0.6.6", "3.0.0")).unwrap_err();
        let errors = found.iter().filter(|one| one.is_error());
        let told: Vec<_> = errors.map(|one| (one.code, one.field.as_str(), one.message.as_str())).collect();
        let message = "the spec says Python 3.8, but Python 3.9 pickles the flows";
        assert_eq!(told, [(Code::InvalidValue, "storage.python_version", message)]);
        assert!(settings("python_version = \"3.9\"", python("0.6.6", "3.0.0")).is_ok());
    }

    #[test]
    fn what_was_skipped_after_a_failure_is_no_second_one() {
        let text = "[[flows]]\npath = \"none.py\"\n[[flows]]\npath = \"a.py\"\nobject = \"flow\"\n";
        let failed = Finding::Failed(Failure::input(Code::MissingFile, "none.py: no such file"));
        let facts = Facts { findings: vec![failed, Finding::Skipped], ..Facts::default() };
        let found = resolve(&Spec::parse(text).0.unwrap(), facts).1;
        assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::MissingFile]);
    }

    #[test]
    fn local_directories() {
        let facts = Facts { home: Some("/".to_owned()), ..Facts::default() };
        for (stated, directory) in
            [(Some("/"), "/"), (Some("/a/"), "/a"), (Some("C:/a/"), "C:/a"), (None, "/.prefect/flows")]
        {
            let directory = directory.to_owned();
            assert_eq!(Resolver::local(stated, &facts), ResolvedStorage::Local { directory }, "{stated:?}");
        }
    }

    #[test]
    fn stems() {
        for (path, stem) in
            [("flows/etl.py", "etl"), ("a\\b.pkl", "b"), (".hidden", ".hidden"), ("a.b.py", "a.b"), ("x", "x")]
        {
            assert_eq!(file_stem(path), stem);
        }
    }
}
