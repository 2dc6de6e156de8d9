//! `flowhold push` and `flowhold pull`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use flowhold::{Failure, Host, Need};
use serde_json::{Value, json};

use super::{
    Format, ProgressArguments, SpecArguments, build::show_diagnostics, console, docker_host, exit, output, planning,
    spec_file, store,
};

#[derive(Args)]
#[command(after_help = "Example:\n  flowhold build --no-push && flowhold push")]
pub(crate) struct PushArguments {
    /// The storage [default: storage.json beside the spec]
    #[arg(long, value_name = "FILE")]
    storage: Option<PathBuf>,
    /// The spec whose storage.json is meant
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    #[command(flatten)]
    pub(super) progress: ProgressArguments,
}

#[derive(Args)]
pub(crate) struct PullArguments {
    #[command(flatten)]
    spec: SpecArguments,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    #[command(flatten)]
    pub(super) progress: ProgressArguments,
}

pub(crate) async fn push(arguments: PushArguments) -> Result<ExitCode, Failure> {
    let (host, _) = docker_host(Host::builder(), arguments.progress.progress)?;
    let mut session = host.session().await?;
    let beside = || spec_file::storage_beside(arguments.file.as_deref());
    let file = arguments.storage.clone().map_or_else(beside, Ok)?;
    let before = store::read_built(&file)?;
    let storage = store::open_bytes(&mut session, &before).await?;
    match &arguments.storage {
        Some(file) => store::refuse_foreign_daemon(&mut session, storage, file).await?,
        None => store::refuse_other_spec(&mut session, storage, arguments.file.as_deref()).await?,
    }
    let image = session.push_image(storage).await?;
    let serialized = session.serialize(storage).await?;
    // Printed first: what was pushed must be known even if nothing can be written.
    let code = match arguments.format {
        Format::Json => {
            let storage: Value = serde_json::from_str(&serialized).unwrap_or_default();
            console::json(&json!({ "image": image, "digest": storage["digest"] }))?
        }
        Format::Human => console::text(&image)?,
    };
    let is_json = before.trim_ascii_start().starts_with(b"{");
    let after = if is_json { (serialized + "\n").into_bytes() } else { session.snapshot(storage).await? };
    if after == before || !file.is_file() || output::is_open(&file) {
        return Ok(code);
    }
    if store::read_file(&file)? == before {
        output::write(&file, &after)?;
    } else {
        let file = file.display();
        console::note(&format!("note: {file} was written meanwhile, and is left as it is: the digest is not in it"));
    }
    Ok(code)
}

pub(crate) async fn pull(arguments: PullArguments) -> Result<ExitCode, Failure> {
    let spec = spec_file::read(arguments.spec.file.as_deref(), None)?;
    let (host, interrupt) = docker_host(arguments.spec.host()?, arguments.progress.progress)?;
    let mut session = host.session().await?;
    let python = arguments.spec.python.as_deref();
    let plan = planning::plan(&mut session, &spec.text, python, Need::Preview, &interrupt).await?;
    show_diagnostics(&mut session, &spec, plan).await?;
    if let Err(failure) = session.need_plan(plan).await {
        return Ok(exit::code(&failure));
    }
    let storage = session.storage_of(plan).await?;
    let image = session.pull_image(storage).await?;
    match arguments.format {
        Format::Json => console::json(&json!({ "image": image })),
        Format::Human => console::text(&image),
    }
}
