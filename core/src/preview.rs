//! Previews, which people look at before they build: a spec with the host's facts, as one value.

use std::rc::Rc;

use crate::{
    capability::{Clock, Random, Segment},
    context::ContextEntry,
    diagnostic::{Code, Diagnostic},
    digest::Digest,
    dockerfile::{Mounts, Step, steps},
    failure::Failure,
    flow::{Flow, FlowMap},
    forecast::{ForecastStep, PlanOutline, forecast},
    json::{Json, Object},
    naming,
    plan::{self, BuildPlan},
    resolve::{Facts, ResolvedSpec, ResolvedStorage, resolve},
    settings::EntryKind,
    spec::Spec,
};

/// A spec, resolved and planned as far as its mistakes allow.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The resolved spec, unless a diagnostic is an error.
    pub resolved: Option<ResolvedSpec>,
    /// The plan of a Docker storage, unless a diagnostic is an error.
    pub plan: Option<BuildPlan>,
    /// Flow name -> location.
    pub flows: FlowMap,
    /// All findings: those of reading the spec, then of resolving and planning it, then of its policies.
    pub diagnostics: Vec<Diagnostic>,
    /// Fields and names of the policies that have yet to judge the plan.
    pub(crate) unjudged: Vec<(String, String)>,
    /// The spec, which knows the lines of its fields.
    pub(crate) spec: Option<Rc<Spec>>,
}

impl Preview {
    /// Resolves a spec with the facts of its host and plans it. `diagnostics` are those of reading the spec; without a
    /// spec there are no others.
    pub fn of(spec: Option<Rc<Spec>>, mut diagnostics: Vec<Diagnostic>, facts: Facts) -> Self {
        let mut preview = Self {
            resolved: None,
            plan: None,
            flows: FlowMap::default(),
            diagnostics: Vec::new(),
            unjudged: Vec::new(),
            spec,
        };
        if let Some(spec) = preview.spec.clone() {
            let (resolved, found) = resolve(&spec, facts);
            diagnostics.extend(found);
            if let Some(resolved) = &resolved {
                preview.plan(resolved, &spec, &mut diagnostics);
            }
            preview.resolved = resolved;
            for (field, policy) in &spec.policies {
                let message = format!("the policy {policy} has not judged the plan, which stays open");
                let mut diagnostic = Diagnostic::new(Code::UnjudgedPlan, field, message);
                diagnostic.line = spec.line(field);
                diagnostics.push(diagnostic);
            }
            preview.unjudged.clone_from(&spec.policies);
        }
        diagnostics.dedup();
        if diagnostics.iter().any(|diagnostic| diagnostic.code == Code::UnseenSource) {
            preview.resolved = None;
        }
        if diagnostics.iter().any(Diagnostic::is_error) {
            (preview.resolved, preview.plan) = (None, None);
            // Flows may be missing because of an error, and a registry's rule says nothing about a name that is wrong
            // itself.
            let misnamed =
                diagnostics.iter().any(|one| one.field == "storage.image_name" && one.code != Code::RegistryRule);
            diagnostics.retain(|one| one.code != Code::NoFlows && !(misnamed && one.code == Code::RegistryRule));
        }
        preview.diagnostics = diagnostics;
        preview
    }

    fn plan(&mut self, resolved: &ResolvedSpec, spec: &Spec, diagnostics: &mut Vec<Diagnostic>) {
        let names = || resolved.flows.iter().map(|one| one.flow.name.clone());
        match &resolved.storage {
            ResolvedStorage::Docker(settings) => {
                let flows: Vec<Flow> = resolved.flows.iter().map(|one| one.flow.clone()).collect();
                let (plan, mut found) = plan::plan(settings, &flows);
                for diagnostic in &mut found {
                    diagnostic.line = spec.line(&diagnostic.field);
                }
                diagnostics.extend(found);
                self.flows = plan.as_ref().map(|plan| plan.flows.clone()).unwrap_or_default();
                self.plan = plan;
            }
            ResolvedStorage::Local { directory } => {
                for name in names() {
                    let location = plan::location(directory, &name);
                    // Names are unique in a resolved spec.
                    drop(self.flows.insert(name, location));
                }
            }
            ResolvedStorage::Memory | ResolvedStorage::Bytes => {
                for name in names() {
                    let location = name.to_string();
                    drop(self.flows.insert(name, location));
                }
            }
        }
    }

    /// The resolved spec, if it can be built.
    ///
    /// # Errors
    /// The reason why it can't be built: the first error, an unseen source, or a policy that has yet to judge.
    pub fn ready(&self) -> Result<&ResolvedSpec, Failure> {
        match &self.resolved {
            Some(resolved) if self.unjudged.is_empty() => Ok(resolved),
            _ => Err(self.refusal()),
        }
    }

    /// The build context as tar, Dockerfile first.
    ///
    /// # Errors
    /// As [`Preview::ready`]; if the storage has no build context; or if bytes are missing.
    pub fn archive(&self) -> Result<Vec<Segment>, Failure> {
        self.ready()?;
        self.plan.as_ref().ok_or_else(|| self.refusal())?.archive(Mounts::Needed)
    }

    /// The plan digest: of the image for a Docker storage, of the flows for any other.
    pub fn digest(&self) -> Option<Digest> {
        self.ready().ok().and_then(|_| self.computed_digest())
    }

    /// The plan digest, even if policies have yet to judge.
    pub fn computed_digest(&self) -> Option<Digest> {
        let resolved = self.resolved.as_ref()?;
        match &self.plan {
            Some(plan) => plan.digest,
            None => Some(plan::flows_digest(&resolved.flows.iter().map(|one| one.flow.clone()).collect::<Vec<_>>())),
        }
    }

    /// Why there is no resolved spec or no build context: the first error, an unseen source, a policy that has yet to
    /// judge, or a storage that has no build context.
    pub fn refusal(&self) -> Failure {
        let error = self.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let open = |code| self.diagnostics.iter().find(|diagnostic| diagnostic.code == code);
        match error.or_else(|| open(Code::UnseenSource)).or_else(|| open(Code::UnjudgedPlan)) {
            Some(diagnostic) => Failure::from(diagnostic.clone()),
            None => Failure::input(Code::Unsupported, "only a docker storage has a build context")
                .with_help("write type = \"docker\" in [storage]"),
        }
    }

    /// Whether the image's name or tag will be a UUID.
    pub fn needs_uuid(&self) -> bool {
        match (self.resolved.as_ref().map(|resolved| &resolved.storage), &self.plan) {
            (Some(ResolvedStorage::Docker(settings)), Some(plan)) => naming::needs_uuid(settings, plan),
            _ => false,
        }
    }

    /// Fills in the parts of the image's name that only a build chooses, as a build at this time would.
    ///
    /// # Errors
    /// If the joined names are not an image reference.
    pub fn choose_names(&mut self, clock: &dyn Clock, random: &dyn Random) -> Result<(), Failure> {
        let Some(ResolvedStorage::Docker(settings)) = self.resolved.as_ref().map(|resolved| &resolved.storage) else {
            return Ok(());
        };
        if let Some(plan) = &mut self.plan {
            let chosen = naming::choose(settings, plan, clock, random)?;
            plan.image.name = Some(chosen.name.to_string());
            plan.image.tag = Some(chosen.tag.to_string());
            plan.image.reference = Some(chosen.reference.to_string());
        }
        Ok(())
    }

    /// Which steps a daemon that has built an earlier plan would take from its cache; empty without a Dockerfile.
    pub fn forecast(&self, since: &PlanOutline) -> Vec<ForecastStep> {
        self.plan.as_ref().map_or_else(Vec::new, |plan| forecast(since, &PlanOutline::of(plan)))
    }

    /// The steps of the Dockerfile.
    pub fn steps(&self) -> Vec<Step> {
        self.plan.as_ref().map_or_else(Vec::new, |plan| steps(&plan.instructions))
    }

    /// The entries of the build context; empty for any storage but Docker.
    pub fn context(&self) -> &[ContextEntry] {
        self.plan.as_ref().map_or(&[], |plan| &plan.context)
    }

    /// The object of `flowhold preview --format json`, with a forecast if there is an earlier plan.
    pub fn to_json(&self, since: Option<&PlanOutline>) -> Object {
        let plan = self.plan.as_ref();
        let source_map = plan.map_or(&[][..], |plan| &plan.source_map);
        let mut fields = Object::default();
        fields.put("plan", self.digest().map(|digest| digest.to_string()));
        fields.put("image", plan.map(|plan| &plan.image));
        fields.put_some("platform", plan.and_then(|plan| plan.platform.as_ref()));
        fields.put("dockerfile", plan.map(|plan| &plan.dockerfile));
        fields.put("source_map", source_map.iter().collect::<Json>());
        fields.put("steps", self.steps().iter().collect::<Json>());
        fields.put("context", context_lines(self.context()).collect::<Json>());
        fields.put("flows", &self.flows);
        fields.put("diagnostics", self.diagnostics.iter().collect::<Json>());
        fields.put_some("forecast", since.map(|since| self.forecast(since).into_iter().collect::<Json>()));
        fields
    }
}

/// An entry of the build context, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextLine {
    /// Relative to the context, with `/` between components.
    pub path: String,
    /// In bytes; 0 for directories and links, `None` if the bytes are unseen.
    pub size: Option<u64>,
    /// 64 hexadecimal digits; empty for directories and links, `None` if the bytes are unseen.
    pub sha256: Option<String>,
    /// Unix permission bits.
    pub mode: u32,
    /// The target of a link.
    pub link: Option<String>,
}

/// A build context as people see it.
pub fn context_lines(context: &[ContextEntry]) -> impl Iterator<Item = ContextLine> {
    context.iter().map(|entry| ContextLine {
        path: entry.path.clone(),
        size: entry.is_seen().then(|| entry.size()),
        sha256: entry.is_seen().then(|| entry.sha256()),
        mode: entry.mode,
        link: if let EntryKind::Symlink(target) = &entry.kind { Some(target.clone()) } else { None },
    })
}

impl From<ContextLine> for Json {
    fn from(line: ContextLine) -> Self {
        let mut fields = Object::default();
        fields.put("path", line.path);
        fields.put("size", line.size);
        fields.put("sha256", line.sha256);
        fields.put("mode", line.mode);
        fields.put_some("link", line.link);
        fields.into()
    }
}
