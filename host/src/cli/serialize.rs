//! `flowhold serialize`

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use flowhold::{Failure, Host, Need, Session, SpecText, Storage};

use super::{console, exit, output, spec_file};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold serialize storage.json --to snapshot -o storage.bin
  flowhold serialize storage.bin              back to JSON")]
pub(crate) struct Arguments {
    /// A spec, a storage as JSON, or a snapshot; `-` is standard input
    input: PathBuf,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    to: Target,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The Python that pickles flows, if the input is a spec
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// The storage as JSON
    Json,
    /// The storage as bytes
    Snapshot,
}

pub(crate) async fn serialize(arguments: Arguments) -> Result<ExitCode, Failure> {
    let bytes = read(&arguments.input)?;
    let mut session = Host::builder().build()?.session().await?;
    let storage = match as_spec(&bytes) {
        Some(text) => of_spec(&mut session, text, &arguments).await?,
        None => session.deserialize(&bytes).await?,
    };
    let serialized = match arguments.to {
        Target::Json => (session.serialize(storage).await? + "\n").into_bytes(),
        Target::Snapshot => session.snapshot(storage).await?,
    };
    match &arguments.output {
        Some(path) => output::write(path, &serialized).map(|()| ExitCode::SUCCESS),
        None => match arguments.to {
            Target::Json => console::result(&serialized),
            Target::Snapshot => console::stream(&*serialized),
        },
    }
}

async fn of_spec(session: &mut Session, text: &str, arguments: &Arguments) -> Result<Storage, Failure> {
    let absolute = std::path::absolute(&arguments.input).unwrap_or_default();
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let spec = SpecText { text: text.to_owned(), folder };
    let interrupt = exit::on_signal();
    let plan = spec_file::plan(session, &spec, arguments.python.as_deref(), Need::Build, &interrupt).await?;
    console::show(&session.diagnostics(plan).await?, &arguments.input.display().to_string());
    session.need_plan(plan).await?;
    session.storage_of(plan).await
}

/// A text that is no storage must be a spec: a snapshot begins with a word and a zero, and a storage in JSON has its
/// `type` at the top, where a spec has its tables.
fn as_spec(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.starts_with("flowhold\0"))?;
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => (value.get("storage").is_some() || value.get("flows").is_some_and(serde_json::Value::is_array))
            .then_some(text),
        Err(_) => (!text.trim_start().starts_with('{')).then_some(text),
    }
}

fn read(input: &Path) -> Result<Vec<u8>, Failure> {
    if input == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().take(512 << 20).read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|error| Failure::of_path("standard input", &error));
    }
    std::fs::read(input).map_err(|error| Failure::of_path(input.display(), &error))
}
