//! What people look at before they build: a spec with its facts, as one value.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    context::ContextEntry,
    diagnostic::{Code, Diagnostic},
    digest::Digest,
    dockerfile::SourceLine,
    flow::{Flow, FlowMap},
    plan::{self, BuildPlan, ImageChoice},
    resolve::{Facts, ResolvedSpec, ResolvedStorage, resolve},
    spec::Spec,
};

/// A spec, resolved and planned as far as its mistakes allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The resolved spec, unless a diagnostic is an error.
    pub resolved: Option<ResolvedSpec>,
    /// The plan of a Docker storage, unless a diagnostic is an error.
    pub plan: Option<BuildPlan>,
    /// Flow name -> location.
    pub flows: FlowMap,
    /// Everything there is to say, in the order of the spec.
    pub diagnostics: Vec<Diagnostic>,
}

impl Preview {
    /// Reads a spec and finds out all that can be known without a host.
    pub fn of(spec: Option<&Spec>, mut diagnostics: Vec<Diagnostic>, facts: Facts) -> Self {
        let mut preview = Self { resolved: None, plan: None, flows: FlowMap::default(), diagnostics: Vec::new() };
        if let Some(spec) = spec {
            let (resolved, found) = resolve(spec, facts);
            diagnostics.extend(found);
            if let Some(resolved) = &resolved {
                preview.plan(resolved, spec, &mut diagnostics);
            }
            preview.resolved = resolved;
        }
        diagnostics.dedup();
        if diagnostics.iter().any(Diagnostic::is_error) {
            (preview.resolved, preview.plan) = (None, None);
            // Its flows may be among what is wrong.
            diagnostics.retain(|diagnostic| diagnostic.code != Code::NoFlows);
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

    /// The plan digest: of the image for a Docker storage, of the flows for any other.
    pub fn digest(&self) -> Option<Digest> {
        let resolved = self.resolved.as_ref()?;
        Some(match &self.plan {
            Some(plan) => plan.digest,
            None => flows_digest(&resolved.flows.iter().map(|one| one.flow.clone()).collect::<Vec<_>>()),
        })
    }

    /// What goes into the build context; for other storages than Docker nothing does.
    pub fn context(&self) -> &[ContextEntry] {
        self.plan.as_ref().map_or(&[], |plan| &plan.context)
    }

    /// The object of `flowhold preview --format json`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'p> {
            plan: Option<String>,
            image: Option<&'p ImageChoice>,
            dockerfile: Option<&'p str>,
            source_map: &'p [SourceLine],
            context: Vec<Value>,
            flows: &'p FlowMap,
            diagnostics: &'p [Diagnostic],
        }
        let context = self.context().iter().map(|entry| {
            let (size, sha256) = (entry.size(), entry.sha256());
            json!({ "path": entry.path, "size": size, "sha256": sha256, "mode": entry.mode })
        });
        let plan = self.plan.as_ref();
        pretty(&Shape {
            plan: self.digest().map(|digest| digest.to_string()),
            image: plan.map(|plan| &plan.image),
            dockerfile: plan.map(|plan| plan.dockerfile.as_str()),
            source_map: plan.map_or(&[], |plan| &plan.source_map),
            context: context.collect(),
            flows: &self.flows,
            diagnostics: &self.diagnostics,
        })
    }
}

/// The digest of flows that no image holds.
pub(crate) fn flows_digest(flows: &[Flow]) -> Digest {
    let flows: Vec<_> = flows
        .iter()
        .map(|flow| json!([flow.name.as_ref(), flow.format.as_str(), flow.content.size, flow.content.sha256.hex()]))
        .collect();
    Digest::of(json!(["flowhold flows 1", flows]).to_string().as_bytes())
}

/// JSON for people: two spaces of indent.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    // Serializing plain data into a string has nothing that could fail.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
