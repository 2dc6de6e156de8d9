//! `flowhold build`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use flowhold::{
    Failure, Need, Plan, Session, Storage,
    failure::{Diagnostic, Severity},
    progress::clean,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Format, ProgressArguments, SpecArguments, console, engine, exit,
    exit::ADDING,
    output, planning,
    spec_file::{self, SpecFile},
    store, watch,
};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold build                             what ./flowhold.toml says
  flowhold build flows/etl                   what flows/etl/flowhold.toml says
  flowhold build --no-push --format json     a report for programs
  flowhold build --expect-plan sha256:…      only what that preview showed
  flowhold build --watch                     again whenever a flow, or what it is made of, is edited")]
pub(crate) struct Arguments {
    /// The folder of the spec; a relative --file starts there, too
    pub(super) path: Option<PathBuf>,
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// Leave the image in the daemon
    #[arg(long)]
    no_push: bool,
    /// Refuse to build any plan but the one with this digest, which covers the content of the image, not its name, daemon
    /// and registry
    #[arg(long, value_name = "DIGEST")]
    expect_plan: Option<String>,
    /// Where the serialized storage is written [default: storage.json beside the spec]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Build again whenever something changes, until it is interrupted; not for local storages
    #[arg(long, conflicts_with = "expect_plan")]
    watch: bool,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    #[command(flatten)]
    pub(super) progress: ProgressArguments,
}

pub(crate) async fn build(arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.watch {
        return watch::watch(&arguments).await.map(|never| match never {});
    }
    let spec = arguments.read()?;
    let host = arguments.spec.host()?;
    let interrupt = exit::on_signal();
    let docker = Arc::new(engine(arguments.progress.progress, &interrupt));
    let host = host.docker(docker.clone()).build()?;
    let mut session = host.session().await?;
    // If a plan is expected, another one is not built, so nothing is pulled ahead.
    if arguments.expect_plan.is_none() {
        session.pull_ahead(docker);
    }
    let plan = arguments.plan(&mut session, &spec, &interrupt).await?;
    show_diagnostics(&mut session, &spec, plan).await?;
    if let Err(failure) = session.need_plan(plan).await {
        return Ok(exit::code(&failure));
    }
    let storage = session.storage_of(plan).await?;
    arguments.store(&mut session, &spec, plan, storage, &interrupt).await?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    pub(super) fn read(&self) -> Result<SpecFile, Failure> {
        spec_file::read(self.spec.file.as_deref(), self.path.as_deref())
    }

    pub(super) async fn plan(
        &self,
        session: &mut Session,
        spec: &SpecFile,
        interrupt: &CancellationToken,
    ) -> Result<Plan, Failure> {
        planning::plan(session, &spec.text, self.spec.python.as_deref(), Need::Build, interrupt).await
    }

    /// Where the serialized storage is written.
    pub(super) fn output(&self, folder: &Path) -> PathBuf {
        self.output.clone().unwrap_or_else(|| folder.join("storage.json"))
    }

    /// Builds the storage of a plan, and prints the report.
    pub(super) async fn store(
        &self,
        session: &mut Session,
        spec: &SpecFile,
        plan: Plan,
        storage: Storage,
        interrupt: &CancellationToken,
    ) -> Result<(), Failure> {
        let (push, path) = (!self.no_push, self.output(&spec.text.folder));
        output::may_write_storage(&path)?;
        if push && session.image(plan).await?.is_some_and(|image| image.registry.is_none()) {
            let help = "give registry_url in [storage], or --no-push";
            let message = "the image stays in the daemon: the spec names no registry";
            console::show(&[warning("push-without-registry", "storage.registry_url", message, help)], &spec.name);
        }
        if session.inputs().is_copied(&path) {
            let message = format!("{} is in it, and each build writes it: each will have another plan", path.display());
            let help = "name another file with -o, or a smaller directory in files";
            console::show(&[warning("output-in-files", "storage.files", &message, help)], &spec.name);
        }
        let mut other_spec = None;
        if let Some(file) = spec_file::path(self.spec.file.as_deref(), self.path.as_deref()) {
            let file = spec_file::file_name(&file);
            other_spec = self.other_spec(session, &path, &file).await?;
            session.set_spec(storage, &file).await?;
        }
        let is_local = store::grant_directory(session, storage).await?;
        let building = session.build(storage, push, self.expect_plan.as_deref());
        // At a signal, the daemon's work ends by itself and cleans up. Files need no cleaning up.
        let report = if is_local { exit::until(interrupt, ADDING, building).await? } else { building.await? };
        let serialized = session.serialize(storage).await?;
        // The report is printed even if this fails: what was built and pushed must be known.
        let written = output::write_storage(&path, (serialized + "\n").as_bytes());
        if let (Some(other), Ok(())) = (other_spec, &written) {
            console::note(&format!("note: {} was built from {other} before; -o keeps both", path.display()));
        }
        let report = match self.format {
            // A reader of many reports has to know where each ends.
            Format::Json if self.watch => {
                serde_json::from_str(&report).map_or(report, |report: Value| report.to_string())
            }
            Format::Json => report,
            Format::Human => summary(&report, written.is_ok().then_some(&path)),
        };
        // If the storage goes to stdout, nothing else does.
        if output::is_stdout(&path) {
            console::note(&report);
            return written;
        }
        let read = console::report(&report)?;
        written?;
        if self.watch && !read {
            return Err(exit::interrupted("nobody reads the reports any more"));
        }
        Ok(())
    }
}

impl Arguments {
    /// The name of another spec from which the storage was built: the specs of a folder share one storage.json.
    async fn other_spec(&self, session: &mut Session, path: &Path, file: &str) -> Result<Option<String>, Failure> {
        if self.output.is_some() || !path.is_file() {
            return Ok(None);
        }
        let Ok(before) = session.deserialize(&store::read_file(path)?).await else { return Ok(None) };
        let other = session.spec(before).await?.filter(|other| other != file);
        Ok(other.map(|other| clean(&other).into_owned()))
    }
}

/// A warning that only a build can give.
fn warning(code: &str, field: &str, message: &str, help: &str) -> Diagnostic {
    Diagnostic {
        code: code.to_owned(),
        severity: Severity::Warning,
        field: field.to_owned(),
        message: message.to_owned(),
        help: Some(help.to_owned()),
        line: None,
        policy: None,
    }
}

/// Shows errors and warnings.
pub(super) async fn show_diagnostics(session: &mut Session, spec: &SpecFile, plan: Plan) -> Result<(), Failure> {
    let mut diagnostics = session.diagnostics(plan).await?;
    diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Info);
    console::show(&diagnostics, &spec.name);
    Ok(())
}

fn summary(report: &str, output: Option<&PathBuf>) -> String {
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    let steps = report["steps"].as_array().into_iter().flatten().filter_map(|step| step["name"].as_str());
    steps.filter(|name| name.ends_with(" already")).for_each(|name| console::note(&format!("nothing to do: {name}")));
    let mut lines = Vec::new();
    if let Some(image) = report["image"].as_str() {
        let fate = if report["pushed"] == true { "pushed" } else { "built" };
        lines.push(format!("image    {image} ({fate})"));
    }
    if let Some(digest) = report["digest"].as_str() {
        lines.push(format!("digest   {digest}"));
    }
    lines.push(format!("plan     {}", report["plan"].as_str().unwrap_or_default()));
    if report["storage"]["type"] == "Memory" {
        console::note("note: a memory storage is gone when the process ends: its flows are not written anywhere");
    }
    for (name, location) in report["flows"].as_object().into_iter().flatten() {
        lines.push(format!("flow     {}  {}", clean(name), location.as_str().unwrap_or_default()));
    }
    lines.extend(output.map(|output| format!("storage  {}", output.display())));
    lines.join("\n")
}
