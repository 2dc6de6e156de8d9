//! The requirements that are installed into an image, and the steps that install them.

use std::{collections::BTreeMap, rc::Rc};

use super::{OWN_DIRECTORY, Planner, sourced, why};
use crate::{
    blob::Content,
    context::ContextEntry,
    diagnostic::{Code, Diagnostic},
    dockerfile::{Instruction, Mount, Sourced},
    flow::Format,
    policy::NamedText,
    script,
};

/// Where `install.py` has its cache and its secrets: in memory, so that no layer gets even an empty directory.
const CACHE_DIRECTORY: &str = "/dev/shm/flowhold";
const SECRETS_DIRECTORY: &str = "/dev/shm/flowhold-secrets";

impl Planner<'_> {
    /// The dependencies, Prefect, and cloudpickle, which loads pickles.
    fn requirements(&mut self) -> Vec<NamedText> {
        let mut lines = Vec::new();
        let mut require = |name: &str, text, field: String| {
            lines.push(NamedText { name: name.to_owned(), text, field });
        };
        let field = |index: usize| format!("storage.python_dependencies[{index}]");
        let mut names = BTreeMap::new();
        for (index, requirement) in self.settings.python_dependencies.iter().enumerate() {
            let first = *names.entry(requirement.name()).or_insert(index);
            if first != index {
                let message = format!("{} is required here and in {}", requirement.name(), field(first));
                self.diagnostics.push(Diagnostic::new(Code::RepeatedRequirement, field(index), message));
            }
            require(requirement.name(), requirement.to_string(), field(index));
        }
        if let Some(version) = &self.settings.prefect_version {
            // Without a version of its own, it adds extras.
            if let Some(index) = names.get("prefect")
                && self.settings.python_dependencies[*index].says_which()
            {
                let message = format!("prefect is required here and by prefect_version {version}");
                self.diagnostics.push(Diagnostic::new(Code::RepeatedRequirement, field(*index), message));
            }
            require("prefect", version.requirement(), "storage.prefect_version".to_owned());
        }
        let pickled = self.flows.iter().any(|flow| flow.format == Format::Pickle);
        // Prefect brings some version of cloudpickle, but pickles need the version that made them.
        if pickled && !names.contains_key("cloudpickle") {
            let line = match &self.settings.cloudpickle_version {
                Some(version) => Some(format!("cloudpickle=={version}")),
                None => self.settings.prefect_version.is_none().then(|| "cloudpickle".to_owned()),
            };
            if let Some(line) = line {
                require("cloudpickle", line, "flows".to_owned());
            }
        }
        lines
    }

    /// Reports the secrets that no step uses.
    fn look_at_secrets(&mut self, is_installed: bool) {
        let ids = self.settings.building.secrets.iter().map(|secret| secret.id.as_str());
        let unused: Vec<_> = ids.filter(|id| !is_installed || !is_used(id)).collect();
        if unused.is_empty() {
            return;
        }
        let ids = unused.join(", ");
        let message = if is_installed {
            format!("the installer makes no use of these, beyond files in {SECRETS_DIRECTORY}: {ids}")
        } else {
            format!("nothing is installed, so that no step has these: {ids}")
        };
        self.diagnostics.push(Diagnostic::new(Code::UnreadSecret, "storage.secrets", message));
    }

    /// The steps that install the requirements: these travel in a file, and one installer resolves them together.
    pub(super) fn install(&mut self) -> Vec<Sourced> {
        let lines = self.requirements();
        self.look_at_secrets(!lines.is_empty());
        if lines.is_empty() {
            return Vec::new();
        }
        let fields: Vec<_> = lines.iter().map(|line| line.field.clone()).collect();
        let text: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
        self.requirements = lines;
        let own = |name: &str| format!("{OWN_DIRECTORY}/{name}");
        let by = Rc::from(fields.first().map_or("", String::as_str));
        for (name, content) in [("requirements.txt", Content::from_bytes(text)), ("install.py", script::install())] {
            self.take(&own(name), &by, false);
            self.context.push(ContextEntry::file(name, content));
        }
        let copy = |name: &str| Instruction::Copy { source: name.to_owned(), destination: own(name) };
        let mut arguments = vec!["python".to_owned(), own("install.py"), own("requirements.txt")];
        arguments.extend(self.settings.building.installer.map(|installer| installer.as_str().to_owned()));
        let mut mounts = vec![Mount::Cache { id: "flowhold-install", target: CACHE_DIRECTORY }];
        mounts.extend(self.settings.building.secrets.iter().map(|secret| {
            let target = format!("{SECRETS_DIRECTORY}/{}", secret.id);
            Mount::Secret { id: secret.id.clone(), target }
        }));
        let mut run_fields = fields.clone();
        run_fields.extend(self.settings.building.installer.map(|_| "storage.installer".to_owned()));
        run_fields.extend((0..self.settings.building.secrets.len()).map(|index| format!("storage.secrets[{index}]")));
        vec![
            sourced(why::INSTALLER, copy("install.py"), fields.clone()),
            sourced(why::REQUIREMENTS, copy("requirements.txt"), fields),
            sourced(why::INSTALL, Instruction::Run { arguments, mounts }, run_fields),
        ]
    }
}

/// Whether the installer uses a secret, by the rule of `use_secrets` in `install.py`.
fn is_used(id: &str) -> bool {
    let is_variable = id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    id == "netrc" || (is_variable && !id.starts_with(|c: char| c.is_ascii_digit()))
}
