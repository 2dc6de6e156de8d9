//! Opens the storage that a command is about.

use std::{
    borrow::Cow,
    net::IpAddr,
    path::{Path, PathBuf},
};

use flowhold::{
    Access, Failure, Session, Storage,
    files::absolute,
    progress::{clean, without_passwords},
};
use serde_json::Value;

use super::{
    StoreArguments, console,
    reading::{self, LARGEST_STORAGE},
    spec_file,
};

/// Files that show a process that it is inside an image: ours have the first, Prefect's the second.
const INSIDE: [&str; 2] = ["/opt/flowhold/manifest.json", "/root/.prefect/healthcheck.py"];

/// Opens the storage file or directory of the arguments.
pub(crate) async fn open(session: &mut Session, arguments: &StoreArguments) -> Result<Storage, Failure> {
    match &arguments.storage {
        Some(file) => open_file(session, file).await,
        None => open_directory(session, arguments.directory.as_deref()).await,
    }
}

/// Says where else a flow that was not found may be.
pub(crate) fn tell_of_none(arguments: &StoreArguments) {
    let Ok(directory) = local_directory(arguments.directory.as_deref()) else { return };
    if arguments.storage.is_none() && !directory.is_dir() {
        console::note(&format!("note: there is no directory {}", directory.display()));
    }
    if arguments.storage.is_none() && arguments.directory.is_none() && Path::new("storage.json").is_file() {
        console::note("note: --storage storage.json looks in what was built here");
    }
}

/// Opens a storage file, and grants what belongs to it.
pub(crate) async fn open_file(session: &mut Session, file: &Path) -> Result<Storage, Failure> {
    let bytes = read_built(file)?;
    open_bytes(session, &bytes).await.map_err(|failure| match failure.code.as_str() {
        "invalid-storage" if spec_file::as_spec(&bytes).is_some() => Failure {
            message: format!("{} is a spec, not the storage that is built from it", file.display()),
            ..failure
        }
        .with_help("`flowhold build` writes that: storage.json"),
        "invalid-storage" => Failure { message: format!("{}: {}", file.display(), failure.message), ..failure },
        _ => failure,
    })
}

/// Refuses the storage beside a spec if another spec was built there since.
pub(crate) async fn refuse_other_spec(
    session: &mut Session,
    storage: Storage,
    spec: Option<&Path>,
) -> Result<(), Failure> {
    let Some(spec) = spec.map(spec_file::file_name) else { return Ok(()) };
    match session.spec(storage).await? {
        Some(other) if other != spec => {
            let message = format!("the storage.json beside {spec} was built from {other:?}");
            let help = format!("build {spec} again, each with a file of its own: -o; --storage names it");
            Err(Failure::input("other-spec", message).with_help(help))
        }
        _ => Ok(()),
    }
}

/// Reads a storage that should have been built.
pub(crate) fn read_built(file: &Path) -> Result<Vec<u8>, Failure> {
    read_file(file).map_err(|failure| match failure.code.as_str() {
        "missing-file" => failure.with_help("`flowhold build` writes one; --storage names another"),
        _ => failure,
    })
}

/// The bytes of a storage file.
pub(crate) fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    reading::read_file(file, LARGEST_STORAGE)
}

/// Opens what a storage file holds, and grants what belongs to it.
pub(crate) async fn open_bytes(session: &mut Session, bytes: &[u8]) -> Result<Storage, Failure> {
    let storage = session.deserialize(bytes).await?;
    grant_directory(session, storage).await?;
    Ok(storage)
}

/// Whether the flows of a storage are files in a directory.
pub(crate) async fn is_local(session: &mut Session, storage: Storage) -> Result<bool, Failure> {
    Ok(session.kind(storage).await? == "local")
}

/// Grants a local storage its own directory. Says whether the storage is local.
pub(crate) async fn grant_directory(session: &mut Session, storage: Storage) -> Result<bool, Failure> {
    let is_local = is_local(session, storage).await?;
    if is_local {
        let directory = session.name(storage).await?;
        session.grant(&below_home(Path::new(&directory))?, Access::Write)?;
    }
    Ok(is_local)
}

/// Opens a directory of flows.
pub(crate) async fn open_directory(session: &mut Session, directory: Option<&Path>) -> Result<Storage, Failure> {
    let directory = local_directory(directory)?;
    session.grant(&directory, Access::Write)?;
    session.local(&directory.to_string_lossy()).await
}

/// The directory as an absolute path; `~/.prefect/flows` by default.
pub(crate) fn local_directory(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    // A shell does not expand the `~` of `--directory=~/flows`.
    let directory = directory.unwrap_or(Path::new("~/.prefect/flows"));
    let directory =
        absolute(&below_home(directory)?).map_err(|error| Failure::of_path("the directory of the flows", &error))?;
    if directory.to_str().is_none() {
        return Err(Failure::input("file-error", format!("{}: its name is not Unicode", directory.display()))
            .with_help("take another with --directory"));
    }
    Ok(directory)
}

/// Expands `~` in a path that no shell has expanded.
fn below_home(path: &Path) -> Result<Cow<'_, Path>, Failure> {
    match path.strip_prefix("~") {
        Ok(below) => Ok(home()?.join(below).into()),
        Err(_) => Ok(path.into()),
    }
}

fn home() -> Result<PathBuf, Failure> {
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let no_home = || Failure::input("no-home", "your home directory is not known");
    home.ok_or_else(|| no_home().with_help("set HOME, or give --directory"))
}

/// Refuses a storage file whose docker daemon is on another machine, unless `DOCKER_HOST` names that daemon too:
/// daemons get the user's credentials for registries, and anybody may have written the file.
pub(crate) async fn refuse_foreign_daemon(session: &mut Session, storage: Storage, file: &Path) -> Result<(), Failure> {
    if session.kind(storage).await? != "docker" {
        return Ok(());
    }
    let serialized: Value = serde_json::from_str(&session.serialize(storage).await?).unwrap_or_default();
    let Some(address) = serialized["base_url"].as_str() else { return Ok(()) };
    if is_of_this_machine(address) || std::env::var("DOCKER_HOST").is_ok_and(|own| own == address) {
        return Ok(());
    }
    let address = without_passwords(&clean(address)).into_owned();
    let message = format!("{} names the docker daemon {address}, which would get your credentials", file.display());
    Err(Failure::input("not-granted", message).with_help(format!("if it is yours, set DOCKER_HOST={address}")))
}

fn is_of_this_machine(address: &str) -> bool {
    let Some((scheme, place)) = address.split_once("://") else { return true };
    let host = match place.trim_end_matches('/').rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => place.trim_end_matches('/'),
    };
    match scheme {
        "unix" => true,
        "npipe" => place.starts_with("//./"),
        _ if matches!(host, "" | "localhost") => true,
        _ => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// The directory of a flow that is in the image in which this process runs.
pub(crate) fn directory_in_image(location: &str) -> Option<&Path> {
    let is_inside = INSIDE.iter().any(|path| Path::new(path).is_file()) && Path::new(location).is_file();
    is_inside.then(|| Path::new(location).parent()).flatten()
}

/// Inside an image, grants the directory of a flow that is in it. Says whether it did.
pub(crate) async fn is_inside_image(session: &mut Session, location: &str) -> Result<bool, Failure> {
    let Some(directory) = directory_in_image(location) else { return Ok(false) };
    session.grant(directory, Access::Read)?;
    Ok(true)
}

/// Name and location of a flow, by its name or by its location.
pub(crate) async fn locate(session: &mut Session, storage: Storage, flow: &str) -> Result<(String, String), Failure> {
    let flows = session.flows(storage).await?;
    let by_name = flows.iter().find(|(name, _)| name == flow);
    match by_name.or_else(|| flows.iter().find(|(_, location)| location == flow)) {
        Some(found) => Ok(found.clone()),
        None => {
            const SHOWN: usize = 20;
            let names: Vec<_> = flows.iter().take(SHOWN).map(|(name, _)| name.as_str()).collect();
            let more = match flows.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more: `flowhold ls` lists them"),
            };
            let place = session.name(storage).await.unwrap_or_else(|_| "the storage".to_owned());
            let help = if names.is_empty() {
                "it has no flows".to_owned()
            } else {
                format!("it has {}{more}", names.join(", "))
            };
            Err(Failure::input("flow-not-found", format!("no flow {flow:?} is in {place}")).with_help(help))
        }
    }
}
