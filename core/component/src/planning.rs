//! The interface `planning`.

use std::{cell::RefCell, rc::Rc};

use flowhold_core::{
    capability::Segment,
    diagnostic::{Diagnostic, Severity},
    forecast::PlanOutline,
    json::Json,
    plan::ImageChoice,
    policy::{BaseImage, CopyLine, NamedText, Verdict},
    preview::{ContextLine, Preview, context_lines},
    resolve::{Facts, Finding, FoundEntry, FoundKind, PythonFacts},
    spec::{Origin, Spec},
};

use crate::{
    exports::flowhold::storage::planning as wit,
    flowhold::storage::{diagnostics, plans},
    host::{diagnostic_to_host, failure_from_host, failure_to_host, from_host, to_host},
};

/// A spec and what is wrong with it.
pub(crate) struct GuestSpec {
    spec: Option<Rc<Spec>>,
    diagnostics: Vec<Diagnostic>,
}

impl wit::GuestSpec for GuestSpec {
    fn new(text: String) -> Self {
        let (spec, diagnostics) = Spec::parse(&text);
        Self { spec: spec.map(Rc::new), diagnostics }
    }

    fn diagnostics(&self) -> Vec<diagnostics::Diagnostic> {
        self.diagnostics.iter().map(diagnostic_to_host).collect()
    }

    fn python(&self) -> Option<String> {
        self.spec.as_ref()?.python.clone()
    }

    fn sources(&self) -> Vec<wit::Source> {
        let sources = self.spec.as_deref().map(Spec::sources).unwrap_or_default();
        let sources = sources.into_iter().map(|source| wit::Source {
            field: source.field,
            pinned: source.pinned,
            origin: match source.origin {
                Origin::Object { path, object } => wit::Origin::Object((path, object)),
                Origin::Flow(path) => wit::Origin::Flow(path),
                Origin::File(path) => wit::Origin::File(path),
            },
        });
        sources.collect()
    }

    fn policies(&self) -> Vec<String> {
        let policies = self.spec.iter().flat_map(|spec| &spec.policies);
        policies.map(|(_, path)| path.clone()).collect()
    }

    fn pulled_base(&self) -> Option<wit::PulledImage> {
        let spec = self.spec.as_ref().filter(|_| !self.diagnostics.iter().any(Diagnostic::is_error))?;
        let (base, settings) = spec.pulled_base()?;
        let platform = settings.building.platform.as_ref().map(ToString::to_string);
        Some(wit::PulledImage { reference: base.to_string(), base_url: settings.base_url.clone(), platform })
    }

    fn plan(&self, facts: wit::Facts) -> wit::Plan {
        let preview = Preview::of(self.spec.clone(), self.diagnostics.clone(), facts_from_host(facts));
        wit::Plan::new(GuestPlan(RefCell::new(preview)))
    }
}

fn facts_from_host(facts: wit::Facts) -> Facts {
    let findings = facts.findings.into_iter().map(|finding| match finding {
        wit::Finding::Flow((name, blob)) => Finding::Flow(name, from_host(blob)),
        wit::Finding::File(entries) => Finding::File(entries.into_iter().map(entry_from_host).collect()),
        wit::Finding::Failed(failure) => Finding::Failed(failure_from_host(failure)),
        wit::Finding::Skipped => Finding::Skipped,
        wit::Finding::Unseen => Finding::Unseen,
    });
    let python = facts.python.map(|python| PythonFacts {
        version: python.version,
        prefect: python.prefect,
        cloudpickle: python.cloudpickle,
    });
    Facts { python, home: facts.home, folder: facts.folder, findings: findings.collect() }
}

fn entry_from_host(entry: wit::Entry) -> FoundEntry {
    let kind = match entry.kind {
        wit::EntryKind::File(blob) => FoundKind::File(from_host(blob)),
        wit::EntryKind::Directory => FoundKind::Directory,
        wit::EntryKind::Symlink(target) => FoundKind::Symlink(target),
    };
    FoundEntry { path: entry.path, mode: entry.mode, kind }
}

/// A plan, or the diagnostics that keep the spec from having one.
pub(crate) struct GuestPlan(pub(crate) RefCell<Preview>);

impl wit::GuestPlan for GuestPlan {
    fn diagnostics(&self) -> Vec<diagnostics::Diagnostic> {
        self.0.borrow().diagnostics.iter().map(diagnostic_to_host).collect()
    }

    fn digest(&self) -> Option<String> {
        self.0.borrow().digest().map(|digest| digest.to_string())
    }

    fn dockerfile(&self) -> Option<String> {
        self.0.borrow().plan.as_ref().map(|plan| plan.dockerfile.clone())
    }

    fn source_map(&self) -> Vec<wit::SourceLine> {
        let preview = self.0.borrow();
        let lines = preview.plan.iter().flat_map(|plan| &plan.source_map);
        lines.map(|source| wit::SourceLine { line: source.line, field: source.field.clone() }).collect()
    }

    fn steps(&self) -> Vec<wit::Step> {
        let steps = self.0.borrow().steps().into_iter();
        steps.map(|step| wit::Step { line: step.line, lines: step.lines, why: step.why.to_owned() }).collect()
    }

    fn forecast(&self, since: String) -> Result<Vec<wit::ForecastStep>, diagnostics::Failure> {
        let since = PlanOutline::from_json(&since).map_err(failure_to_host)?;
        let steps = self.0.borrow().forecast(&since).into_iter();
        let steps = steps.map(|step| wit::ForecastStep { line: step.line, cached: step.cached, reason: step.reason });
        Ok(steps.collect())
    }

    fn context(&self) -> Vec<wit::ContextEntry> {
        context_lines(self.0.borrow().context()).map(context_entry_to_host).collect()
    }

    fn image(&self) -> Option<wit::Image> {
        Some(image_to_host(self.0.borrow().plan.as_ref()?.image.clone()))
    }

    fn flows(&self) -> Vec<(String, String)> {
        flows_to_host(&self.0.borrow())
    }

    fn build_plan(&self) -> Option<wit::BuildPlan> {
        let preview = self.0.borrow();
        preview.can_be_judged().then(|| build_plan_to_host(&preview))
    }

    fn judge(&self, policy: String, verdicts: Result<Vec<wit::Verdict>, diagnostics::Failure>) {
        let verdicts = verdicts.map(|verdicts| verdicts.into_iter().map(verdict_from_host).collect());
        self.0.borrow_mut().judge(&policy, verdicts.map_err(failure_from_host));
    }

    fn ready(&self) -> Result<(), diagnostics::Failure> {
        self.0.borrow().ready().map(|_| ()).map_err(failure_to_host)
    }

    fn spec(&self) -> Result<String, diagnostics::Failure> {
        let preview = self.0.borrow();
        let resolved = preview.ready().map_err(failure_to_host)?;
        Ok(format!("{:#}", resolved.to_json()))
    }

    fn to_json(&self, since: Option<String>) -> Result<String, diagnostics::Failure> {
        let since = since.map(|text| PlanOutline::from_json(&text)).transpose().map_err(failure_to_host)?;
        Ok(format!("{:#}", Json::from(self.0.borrow().to_json(since.as_ref()))))
    }

    fn archive(&self) -> Result<Vec<wit::ArchiveSegment>, diagnostics::Failure> {
        let segments = self.0.borrow().archive().map_err(failure_to_host)?.into_iter().map(|segment| match segment {
            Segment::Bytes(bytes) => Ok(wit::ArchiveSegment::Bytes(bytes)),
            Segment::Blob(blob) => Ok(wit::ArchiveSegment::Blob(to_host(&blob).map_err(failure_to_host)?)),
        });
        segments.collect()
    }
}

fn image_to_host(image: ImageChoice) -> wit::Image {
    wit::Image { registry: image.registry, name: image.name, tag: image.tag, reference: image.reference }
}

fn context_entry_to_host(entry: ContextLine) -> wit::ContextEntry {
    let ContextLine { path, size, sha256, mode, link } = entry;
    wit::ContextEntry { path, size, sha256, mode, link }
}

fn build_plan_to_host(preview: &Preview) -> wit::BuildPlan {
    let base = |image: BaseImage| plans::BaseImage {
        reference: image.reference,
        registry: image.registry,
        repository: image.repository,
        tag: image.tag,
        digest: image.digest,
    };
    let requirement = |one: NamedText| plans::Requirement { name: one.name, text: one.text, field: one.field };
    let variable = |one: NamedText| plans::Variable { name: one.name, value: one.text, field: one.field };
    let copied = |one: CopyLine| plans::Copied { source: one.source, destination: one.destination, field: one.field };
    let plan = preview.plan.as_ref();
    wit::BuildPlan {
        storage: preview.storage().map(|kind| kind.to_string()).unwrap_or_default(),
        digest: preview.computed_digest().map(|digest| digest.to_string()),
        base_image: preview.base_image().map(base),
        image: plan.map(|plan| image_to_host(plan.image.clone())),
        requirements: preview.requirements().iter().cloned().map(requirement).collect(),
        variables: preview.variables().into_iter().map(variable).collect(),
        copies: preview.copies().into_iter().map(copied).collect(),
        dockerfile: plan.map(|plan| plan.dockerfile.clone()),
        context: context_lines(preview.context()).map(context_entry_to_host).collect(),
        flows: flows_to_host(preview),
    }
}

fn flows_to_host(preview: &Preview) -> Vec<(String, String)> {
    preview.flows.iter().map(|(name, location)| (name.to_string(), location.to_owned())).collect()
}

fn verdict_from_host(verdict: wit::Verdict) -> Verdict {
    let severity = match verdict.severity {
        plans::Severity::Error => Severity::Error,
        plans::Severity::Warning => Severity::Warning,
        plans::Severity::Info => Severity::Info,
    };
    let wit::Verdict { code, field, message, help, .. } = verdict;
    Verdict { code, severity, field, message, help }
}
