//! Plans, as a session's user sees them.

use std::path::{Path, PathBuf};

use wasmtime::component::ResourceAny;

use crate::{
    Session,
    bindings::exports::flowhold::storage::planning::{ArchiveSegment, ContextEntry, Facts, ForecastStep, Image},
    blob::Blob,
    failure::{Diagnostic, Failure},
    sources::{self, Need},
};

/// The text of a spec and the folder that its paths are relative to.
#[derive(Debug, Clone)]
pub struct SpecText {
    /// TOML or JSON.
    pub text: String,
    /// An absolute path.
    pub folder: PathBuf,
}

/// A plan inside a session.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub(crate) resource: ResourceAny,
}

/// Calls a method of a resource; a guest that breaks is a failure.
macro_rules! call {
    ($session:ident . $interface:ident . $resource:ident . $method:ident ($($argument:expr),*)) => {{
        let _guard = $session.begin();
        let guest = $session.core.$interface();
        let called = guest.$resource().$method(&mut $session.store, $($argument),*).await;
        called.map_err(|error| $crate::failure::Failure::of_guest(&error))
    }};
}
pub(crate) use call;

impl Session {
    /// Reads a spec, looks at everything that it names, and plans. Errors of the spec are among the diagnostics.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn plan(&mut self, spec: &SpecText, python: Option<&str>, need: Need) -> Result<Plan, Failure> {
        let handle = call!(self.flowhold_storage_planning.spec.call_constructor(&spec.text))?;
        let stated = call!(self.flowhold_storage_planning.spec.call_python(handle))?;
        let policies = call!(self.flowhold_storage_planning.spec.call_policies(handle))?;
        let sources = call!(self.flowhold_storage_planning.spec.call_sources(handle))?;
        if let Some(engine) = self.pulling.take()
            && policies.is_empty()
            && self.policies.is_empty()
            && let Some(base) = call!(self.flowhold_storage_planning.spec.call_pulled_base(handle))?
        {
            self.pull = engine.pull_ahead(base);
        }
        let python = python.or(stated.as_deref());
        let look = sources::look(&sources, &spec.folder, python, &self.pickling, need, &self.sources).await;
        (self.inputs, self.job) = (look.inputs, look.job);
        policies.iter().for_each(|policy| self.inputs.add_file(&spec.folder.join(policy)));
        let table = &mut self.store.data_mut().table;
        let mut push = |blob: Blob| table.push(blob);
        let findings = look.found.into_iter().map(|found| found.hand_over(&mut push));
        let findings = findings.collect::<Result<_, _>>().map_err(|error| Failure::of_guest(&error.into()))?;
        let facts = Facts {
            python: look.python,
            home: std::env::home_dir().as_deref().and_then(Path::to_str).map(str::to_owned),
            folder: spec.folder.to_str().map(str::to_owned),
            findings,
        };
        let resource = call!(self.flowhold_storage_planning.spec.call_plan(handle, &facts))?;
        self.release(handle).await?;
        let plan = Plan { resource };
        self.judge(plan, policies, &spec.folder).await?;
        Ok(plan)
    }

    /// The Python that a spec names.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn python_of(&mut self, spec: &str) -> Result<Option<String>, Failure> {
        let handle = call!(self.flowhold_storage_planning.spec.call_constructor(spec))?;
        let named = call!(self.flowhold_storage_planning.spec.call_python(handle))?;
        self.release(handle).await?;
        Ok(named)
    }

    /// Drops a plan, so that the next one can use its memory: for sessions that plan again and again.
    ///
    /// # Errors
    /// If the core fails, or the plan was dropped before.
    pub async fn forget(&mut self, plan: Plan) -> Result<(), Failure> {
        self.release(plan.resource).await
    }

    /// All findings about the spec.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn diagnostics(&mut self, plan: Plan) -> Result<Vec<Diagnostic>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_diagnostics(plan.resource))
    }

    /// Fails unless the plan can be carried out.
    ///
    /// # Errors
    /// The first error of the spec.
    pub async fn need_plan(&mut self, plan: Plan) -> Result<(), Failure> {
        call!(self.flowhold_storage_planning.plan.call_ready(plan.resource))?
    }

    /// The plan digest; none while a diagnostic is an error.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn digest(&mut self, plan: Plan) -> Result<Option<String>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_digest(plan.resource))
    }

    /// The Dockerfile; none for storages without image.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn dockerfile(&mut self, plan: Plan) -> Result<Option<String>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_dockerfile(plan.resource))
    }

    /// What the build context holds.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn context(&mut self, plan: Plan) -> Result<Vec<ContextEntry>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_context(plan.resource))
    }

    /// The image's reference as far as it is known; none for storages without image.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn image(&mut self, plan: Plan) -> Result<Option<Image>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_image(plan.resource))
    }

    /// The name and location of each flow.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn planned_flows(&mut self, plan: Plan) -> Result<Vec<(String, String)>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_flows(plan.resource))
    }

    /// The resolved spec as JSON.
    ///
    /// # Errors
    /// The first error of the spec.
    pub async fn resolved_spec(&mut self, plan: Plan) -> Result<String, Failure> {
        call!(self.flowhold_storage_planning.plan.call_spec(plan.resource))?
    }

    /// The JSON of `flowhold preview --format json`; with that of an earlier plan in `since`, it contains a forecast.
    ///
    /// # Errors
    /// If `since` is not the JSON of a preview.
    pub async fn preview_json(&mut self, plan: Plan, since: Option<&str>) -> Result<String, Failure> {
        call!(self.flowhold_storage_planning.plan.call_to_json(plan.resource, since))?
    }

    /// Which steps a daemon would take from its cache if it has built the plan whose preview, as JSON, is `since`.
    ///
    /// # Errors
    /// If `since` is not the JSON of a preview.
    pub async fn forecast(&mut self, plan: Plan, since: &str) -> Result<Vec<ForecastStep>, Failure> {
        call!(self.flowhold_storage_planning.plan.call_forecast(plan.resource, since))?
    }

    /// The build context as tar, in pieces, Dockerfile first.
    ///
    /// # Errors
    /// If the plan has no context, or bytes are missing.
    pub async fn archive(&mut self, plan: Plan) -> Result<Vec<Blob>, Failure> {
        let segments = call!(self.flowhold_storage_planning.plan.call_archive(plan.resource))??;
        let table = &mut self.store.data_mut().table;
        let blobs = segments.into_iter().map(|segment| match segment {
            ArchiveSegment::Bytes(bytes) => Ok(Blob::in_memory(bytes)),
            ArchiveSegment::Blob(blob) => table.delete(blob),
        });
        blobs.collect::<Result<_, _>>().map_err(|error| Failure::of_guest(&error.into()))
    }
}
