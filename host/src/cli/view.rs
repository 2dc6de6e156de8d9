//! `flowhold preview` and `flowhold check`: looking without doing.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use flowhold::{Failure, FailureKind, ForecastStep, Need, failure::Severity};
use serde_json::{Value, json};

use super::{Format, SpecArguments, console, exit, planning::Planned, spec_file};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold preview                               the Dockerfile
  flowhold preview --format context              what is sent to the daemon beside it
  flowhold preview --format json | jq -r .plan   the plan digest, for `flowhold build --expect-plan`
  flowhold preview --format json > old.json      then, after a change, what would run again:
  flowhold preview --since old.json")]
pub(crate) struct PreviewArguments {
    #[command(flatten)]
    spec: SpecArguments,
    /// What to show
    #[arg(long, value_name = "FORMAT", default_value = "dockerfile")]
    format: PreviewFormat,
    /// An earlier `preview --format json`: says which steps are still cached, and which would run again; with the formats
    /// dockerfile and json
    #[arg(long, value_name = "OLD.json")]
    since: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PreviewFormat {
    /// The Dockerfile
    Dockerfile,
    /// Everything: plan digest, image, Dockerfile, source map, context, flows, diagnostics
    Json,
    /// Mode, size, digest and path of everything in the build context
    Context,
    /// The resolved spec as JSON: nothing left open
    Spec,
}

#[derive(Args)]
#[command(after_help = "Example:\n  flowhold check --format json | jq '.diagnostics[].code'")]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    spec: SpecArguments,
    /// How diagnostics are shown
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

pub(crate) async fn preview(arguments: PreviewArguments) -> Result<ExitCode, Failure> {
    let since = arguments.since.as_deref().map(spec_file::read_text).transpose()?;
    let Planned { spec, mut session, plan, .. } = arguments.spec.plan(Need::Preview).await?;
    console::show(&session.diagnostics(plan).await?, &spec.name);
    if let PreviewFormat::Json = arguments.format {
        console::text(&session.preview_json(plan, since.as_deref()).await?)?;
    }
    if let Err(failure) = session.need_plan(plan).await {
        return Ok(exit::code(&failure));
    }
    match arguments.format {
        PreviewFormat::Json => Ok(ExitCode::SUCCESS),
        PreviewFormat::Spec => console::text(&session.resolved_spec(plan).await?),
        PreviewFormat::Dockerfile => match session.dockerfile(plan).await? {
            Some(dockerfile) => {
                if let Some(since) = &since {
                    show_forecast(&session.forecast(plan, since).await?, &dockerfile);
                }
                console::text(&dockerfile)
            }
            None => {
                console::note("this storage has no Dockerfile; its flows would be at:");
                let flows = session.planned_flows(plan).await?;
                flows.iter().for_each(|(name, location)| console::note(&format!("  {name}  {location}")));
                Ok(ExitCode::SUCCESS)
            }
        },
        PreviewFormat::Context => {
            let mut lines = String::new();
            for entry in session.context(plan).await? {
                // Only directories and links have no digest: a file that the host can't see is an error.
                let digest = entry.sha256.filter(|digest| !digest.is_empty()).unwrap_or_else(|| "-".repeat(64));
                let size = entry.size.unwrap_or_default();
                lines.push_str(&format!("{:04o} {size:>12} {digest} {}\n", entry.mode, entry.path));
            }
            console::result(lines.as_bytes())
        }
    }
}

pub(crate) async fn check(arguments: CheckArguments) -> Result<ExitCode, Failure> {
    let planned = arguments.spec.plan(Need::Preview).await;
    // A spec that can't be read is a finding, too.
    if let (Format::Json, Err(failure)) = (arguments.format, &planned)
        && failure.kind == FailureKind::Input
    {
        let Failure { code, field, message, help, .. } = failure;
        let field = field.as_deref().unwrap_or_default();
        let finding = json!({ "code": code, "severity": "error", "field": field, "message": message, "help": help });
        console::json(&json!({ "diagnostics": [finding] }))?;
        return Ok(exit::code(failure));
    }
    let Planned { spec, mut session, plan, .. } = planned?;
    let diagnostics = session.diagnostics(plan).await?;
    if arguments.format == Format::Json {
        // The core's own JSON, so that a diagnostic looks the same wherever it is read.
        let preview: Value = serde_json::from_str(&session.preview_json(plan, None).await?).unwrap_or_default();
        console::json(&json!({ "diagnostics": preview["diagnostics"] }))?;
    } else if diagnostics.is_empty() {
        console::note(&format!("{} is fine", spec.name));
    } else {
        console::show(&diagnostics, &spec.name);
    }
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One line per step: whether it is cached, its first line, and why.
fn show_forecast(forecast: &[ForecastStep], dockerfile: &str) {
    let lines: Vec<_> = dockerfile.lines().collect();
    for step in forecast {
        let word = if step.cached { "cached    " } else { "runs again" };
        let line = lines.get((step.line as usize).saturating_sub(1)).copied().unwrap_or_default();
        let mut start: String = line.chars().take(60).collect();
        if start.len() < line.len() {
            start.push('…');
        }
        console::note(&format!("{word}  {}: {start}\n            {}", step.line, step.reason));
    }
    let again = forecast.iter().filter(|step| !step.cached).count();
    console::note(&format!("{again} of {} steps run again", forecast.len()));
}
