//! `flowhold serialize`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use flowhold::{Failure, Need, Session, SpecText, Storage, files::absolute};
use tokio_util::sync::CancellationToken;

use super::{
    console, exit, output, planning,
    reading::{LARGEST_STORAGE, limited},
    spec_file, store, user_host,
};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold serialize storage.json --to snapshot -o storage.bin
  flowhold serialize storage.bin              back to JSON")]
pub(crate) struct Arguments {
    /// A spec, a storage as JSON, or a snapshot; `-` is standard input
    input: PathBuf,
    /// What to write
    #[arg(long, alias = "format", value_name = "FORMAT", default_value = "json")]
    to: Target,
    /// Where to write it [default: standard output]
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
    let interrupt = exit::on_signal();
    let mut session = user_host().build()?.session().await?;
    let storage = match spec_file::as_spec(&bytes) {
        Some(text) => match of_spec(&mut session, text, &arguments, &interrupt).await? {
            Ok(storage) => storage,
            Err(told) => return Ok(told),
        },
        None => session.deserialize(&bytes).await?,
    };
    let serialized = match arguments.to {
        Target::Json => (session.serialize(storage).await? + "\n").into_bytes(),
        Target::Snapshot => session.snapshot(storage).await?,
    };
    let path = arguments.output.clone();
    output::written(&interrupt, "writing the storage", path.as_deref(), move || {
        match (arguments.output, arguments.to) {
            (Some(path), _) if !output::is_stdout(&path) => {
                output::write_storage(&path, &serialized).map(|()| ExitCode::SUCCESS)
            }
            (_, Target::Json) => console::result(&serialized),
            (_, Target::Snapshot) => console::stream(&*serialized),
        }
    })
    .await
}

/// Plans a spec, and shows what is wrong with it. The inner error is the exit code for a spec with errors.
async fn of_spec(
    session: &mut Session,
    text: &str,
    arguments: &Arguments,
    interrupt: &CancellationToken,
) -> Result<Result<Storage, ExitCode>, Failure> {
    let folder = absolute(&arguments.input).unwrap_or_default();
    let folder = folder.parent().unwrap_or(Path::new("/")).to_owned();
    let spec = SpecText { text: text.to_owned(), folder };
    let plan = planning::plan(session, &spec, arguments.python.as_deref(), Need::Build, interrupt).await?;
    console::show(&session.diagnostics(plan).await?, &arguments.input.display().to_string());
    if let Err(failure) = session.need_plan(plan).await {
        return Ok(Err(exit::code(&failure)));
    }
    session.storage_of(plan).await.map(Ok)
}

fn read(input: &Path) -> Result<Vec<u8>, Failure> {
    if input == Path::new("-") {
        let read = limited(std::io::stdin(), LARGEST_STORAGE);
        return read.map_err(|error| Failure::of_path("standard input", &error));
    }
    store::read_file(input)
}
