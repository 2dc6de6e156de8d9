//! The interface `planning`.

use flowhold_core::{
    capability::Segment,
    diagnostic::Diagnostic,
    forecast::PlanOutline,
    preview::{Preview, context_lines},
    resolve::{Facts, Finding, FoundEntry, FoundKind, PythonFacts},
    spec::{Origin, Spec},
};

use crate::{
    exports::flowhold::storage::planning as wit,
    flowhold::storage::diagnostics,
    host::{diagnostic_to_host, failure_from_host, failure_to_host, from_host, to_host},
};

/// A spec and what is wrong with it.
pub(crate) struct GuestSpec {
    spec: Option<Spec>,
    diagnostics: Vec<Diagnostic>,
}

impl wit::GuestSpec for GuestSpec {
    fn new(text: String) -> Self {
        let (spec, diagnostics) = Spec::parse(&text);
        Self { spec, diagnostics }
    }

    fn diagnostics(&self) -> Vec<diagnostics::Diagnostic> {
        self.diagnostics.iter().map(diagnostic_to_host).collect()
    }

    fn python(&self) -> Option<String> {
        self.spec.as_ref()?.python.clone()
    }

    fn sources(&self) -> Vec<wit::Source> {
        let sources = self.spec.as_ref().map(Spec::sources).unwrap_or_default();
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

    fn plan(&self, facts: wit::Facts) -> wit::Plan {
        let preview = Preview::of(self.spec.as_ref(), self.diagnostics.clone(), facts_from_host(facts));
        wit::Plan::new(GuestPlan(preview))
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

/// A plan, or what keeps the spec from having one.
pub(crate) struct GuestPlan(pub(crate) Preview);

impl wit::GuestPlan for GuestPlan {
    fn diagnostics(&self) -> Vec<diagnostics::Diagnostic> {
        self.0.diagnostics.iter().map(diagnostic_to_host).collect()
    }

    fn digest(&self) -> Option<String> {
        self.0.digest().map(|digest| digest.to_string())
    }

    fn dockerfile(&self) -> Option<String> {
        self.0.plan.as_ref().map(|plan| plan.dockerfile.clone())
    }

    fn source_map(&self) -> Vec<wit::SourceLine> {
        let lines = self.0.plan.iter().flat_map(|plan| &plan.source_map);
        lines.map(|source| wit::SourceLine { line: source.line, field: source.field.clone() }).collect()
    }

    fn steps(&self) -> Vec<wit::Step> {
        let steps = self.0.steps().into_iter();
        steps.map(|step| wit::Step { line: step.line, lines: step.lines, why: step.why.to_owned() }).collect()
    }

    fn forecast(&self, since: String) -> Result<Vec<wit::ForecastStep>, diagnostics::Failure> {
        let since = PlanOutline::from_json(&since).map_err(failure_to_host)?;
        let steps = self.0.forecast(&since).into_iter();
        let steps = steps.map(|step| wit::ForecastStep { line: step.line, cached: step.cached, reason: step.reason });
        Ok(steps.collect())
    }

    fn context(&self) -> Vec<wit::ContextEntry> {
        let entries = context_lines(self.0.context()).map(|entry| wit::ContextEntry {
            path: entry.path,
            size: entry.size,
            sha256: entry.sha256,
            mode: entry.mode,
            link: entry.link,
        });
        entries.collect()
    }

    fn image(&self) -> Option<wit::Image> {
        let image = self.0.plan.as_ref()?.image.clone();
        Some(wit::Image { registry: image.registry, name: image.name, tag: image.tag, reference: image.reference })
    }

    fn flows(&self) -> Vec<(String, String)> {
        self.0.flows.iter().map(|(name, location)| (name.to_string(), location.to_owned())).collect()
    }

    fn spec(&self) -> Result<String, diagnostics::Failure> {
        match &self.0.resolved {
            Some(resolved) => Ok(format!("{:#}", resolved.to_json())),
            None => Err(failure_to_host(self.0.refusal())),
        }
    }

    fn to_json(&self, since: Option<String>) -> Result<String, diagnostics::Failure> {
        let since = since.map(|text| PlanOutline::from_json(&text)).transpose().map_err(failure_to_host)?;
        Ok(self.0.to_json(since.as_ref()))
    }

    fn archive(&self) -> Result<Vec<wit::ArchiveSegment>, diagnostics::Failure> {
        let segments = match &self.0.plan {
            Some(plan) => plan.archive().map_err(failure_to_host)?,
            None => return Err(failure_to_host(self.0.refusal())),
        };
        let segments = segments.into_iter().map(|segment| match segment {
            Segment::Bytes(bytes) => Ok(wit::ArchiveSegment::Bytes(bytes)),
            Segment::Blob(blob) => Ok(wit::ArchiveSegment::Blob(to_host(&blob).map_err(failure_to_host)?)),
        });
        segments.collect()
    }
}
