//! `flowhold add`, `ls`, `get` and `contains`: the flows of a storage, one by one.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use flowhold::{
    Access, Failure, Host, Need, SpecText,
    blob::Blob,
    capability::Files,
    files::{Grants, parent_of},
    progress::clean,
};
use serde_json::{Map, Value, json};

use super::{Format, StoreArguments, console, docker_host, exit, exit::ADDING, output, planning, store, user_host};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold add etl.py                  the script itself
  flowhold add etl.py:flow             the object `flow`, pickled
  flowhold add etl.pkl --name nightly  a pickle as it is")]
pub(crate) struct AddArguments {
    /// The flow's file, and after a colon the object in it that is to be pickled
    #[arg(value_name = "PATH[:OBJECT]")]
    flow: String,
    /// Its name [default: the object's, else the file's]
    #[arg(long)]
    name: Option<String>,
    /// Where it is stored [default: ~/.prefect/flows]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The Python that pickles it
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
    /// How the location is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Args)]
pub(crate) struct LsArguments {
    #[command(flatten)]
    store: StoreArguments,
    /// How the flows are listed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Args)]
pub(crate) struct GetArguments {
    /// A location, or a flow's name
    location: String,
    #[command(flatten)]
    store: StoreArguments,
    /// A new file for the bytes; `-` is standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How the flow is printed: as it is, or what is known of it, with its bytes in base64 unless a file takes them
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Args)]
pub(crate) struct ContainsArguments {
    /// A flow's name
    name: String,
    #[command(flatten)]
    store: StoreArguments,
    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// Plans a spec of this one flow, so that names, formats and pickling are the same as everywhere.
pub(crate) async fn add(arguments: AddArguments) -> Result<ExitCode, Failure> {
    let directory = store::local_directory(arguments.directory.as_deref())?;
    let folder = std::env::current_dir().map_err(|error| Failure::of_path("the current directory", &error))?;
    let mut flow = Map::new();
    // A colon may be part of a file's name, or of a Windows drive.
    let split = arguments.flow.rsplit_once(':').filter(|_| !folder.join(&arguments.flow).exists());
    let (path, object) = split.map_or((arguments.flow.as_str(), None), |(path, object)| (path, Some(object)));
    flow.insert("path".to_owned(), json!(path));
    if let Some(object) = object {
        flow.insert("object".to_owned(), json!(object));
    }
    if let Some(name) = &arguments.name {
        flow.insert("name".to_owned(), json!(name));
    }
    let spec = json!({ "storage": { "type": "local", "directory": directory }, "flows": [flow] });
    let spec = SpecText { text: spec.to_string(), folder };
    let mut session = user_host().build()?.session().await?;
    let interrupt = exit::on_signal();
    let plan = planning::plan(&mut session, &spec, arguments.python.as_deref(), Need::Build, &interrupt).await?;
    session.need_plan(plan).await.map_err(without_spec)?;
    session.grant(&directory, Access::Write)?;
    let added = exit::until(&interrupt, ADDING, session.add_planned(plan)).await?;
    if arguments.format == Format::Json {
        return console::json(&json!({ "name": added.0, "location": added.1 }));
    }
    console::text(&added.1)
}

/// Rewords a failure for people who wrote no spec.
fn without_spec(failure: Failure) -> Failure {
    let help = if failure.code == "missing-file" { Some("check the path".to_owned()) } else { failure.help };
    Failure { field: None, help, ..failure }
}

pub(crate) async fn ls(arguments: LsArguments) -> Result<ExitCode, Failure> {
    let mut session = Host::builder().build()?.session().await?;
    let storage = store::open(&mut session, &arguments.store).await?;
    let flows = session.flows(storage).await?;
    if flows.is_empty() {
        store::tell_of_none(&arguments.store);
    }
    if arguments.format == Format::Json {
        let flows: Map<_, _> = flows.into_iter().map(|(name, location)| (name, Value::String(location))).collect();
        return console::json(&json!({ "flows": flows }));
    }
    let width = flows.iter().map(|(name, _)| clean(name).chars().count()).max().unwrap_or(0).min(60);
    // A storage file may be anybody's text, and a terminal obeys control characters in it.
    let line = |(name, location): &(String, String)| format!("{:width$}  {}\n", clean(name), clean(location));
    console::result(flows.iter().map(line).collect::<String>().as_bytes())
}

pub(crate) async fn get(arguments: GetArguments) -> Result<ExitCode, Failure> {
    let (host, interrupt) = docker_host(Host::builder(), super::Mode::Auto)?;
    let mut session = host.session().await?;
    let storage = match (&arguments.store, store::directory_in_image(&arguments.location)) {
        (StoreArguments { storage: None, directory: None }, Some(directory)) => {
            store::open_directory(&mut session, Some(directory)).await?
        }
        (given, _) => store::open(&mut session, given).await?,
    };
    let found = store::locate(&mut session, storage, &arguments.location).await;
    let (name, location) = found.inspect_err(|_| store::tell_of_none(&arguments.store))?;
    let docker = session.kind(storage).await? == "docker";
    let blob = if docker && store::is_inside_image(&mut session, &location).await? {
        session.get_flow(storage, &location).await?.content
    } else {
        if let Some(file) = &arguments.store.storage {
            store::refuse_foreign_daemon(&mut session, storage, file).await?;
        }
        session.read_flow(storage, &location).await?
    };
    let file = arguments.output.filter(|path| !output::is_stdout(path));
    if let Some(path) = &file {
        save(&blob, path)?;
        if arguments.format == Format::Human {
            return Ok(ExitCode::SUCCESS);
        }
    }
    exit::until_blocked(&interrupt, "writing the flow", move || match arguments.format {
        Format::Json => console::json(&described(&name, &location, &blob, file.as_deref())?),
        Format::Human => console::flow(&blob),
    })
    .await
}

pub(crate) async fn contains(arguments: ContainsArguments) -> Result<ExitCode, Failure> {
    let mut session = Host::builder().build()?.session().await?;
    let storage = store::open(&mut session, &arguments.store).await?;
    let contained = session.contains(storage, &arguments.name).await?;
    if !contained {
        store::tell_of_none(&arguments.store);
    }
    match arguments.format {
        Format::Json => console::json(&json!({ "name": arguments.name, "contained": contained }))?,
        Format::Human => console::text(&contained.to_string())?,
    };
    Ok(if contained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Describes a flow for programs.
fn described(name: &str, location: &str, blob: &Blob, file: Option<&Path>) -> Result<Value, Failure> {
    let unreadable = |error: io::Error| Failure::of_path(location, &error);
    let digest: String = blob.sha256().map_err(unreadable)?.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut flow = json!({ "name": name, "location": location, "size": blob.length(), "sha256": digest });
    match file {
        Some(file) => flow["path"] = json!(file.display().to_string()),
        None => {
            let mut bytes = Vec::new();
            blob.copy_to(&mut bytes).map_err(unreadable)?;
            flow["content"] = json!(STANDARD.encode(bytes));
        }
    }
    Ok(flow)
}

/// Writes a new file, whole and synced, or none.
fn save(blob: &Blob, path: &Path) -> Result<(), Failure> {
    let failure = |error: io::Error| Failure::of_path(path.display(), &error);
    let folder = parent_of(path).canonicalize().map_err(failure)?;
    let name = path.file_name().ok_or_else(|| failure(io::ErrorKind::IsADirectory.into()))?;
    let mut grants = Grants::default();
    grants.grant(&folder, Access::Write)?;
    let place = folder.join(name);
    // A lossy conversion would name another file.
    let place = place.to_str().ok_or_else(|| failure(io::Error::other("the path is not Unicode")))?;
    if grants.create(place, blob)? {
        return Ok(());
    }
    Err(Failure::input("path-taken", format!("{} exists already", path.display()))
        .with_help("it was left as it is; name another file"))
}
