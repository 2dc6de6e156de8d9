//! Finds and reads the spec.

use std::{
    env,
    io::Read,
    path::{Path, PathBuf},
};

use flowhold::{Failure, Need, Plan, Session, SpecText, files::absolute, python};
use tokio_util::sync::CancellationToken;

use super::{console, exit};

/// The name of a spec that nobody named.
pub(crate) const NAME: &str = "flowhold.toml";

/// No spec is larger, and none is read into memory that is.
pub(crate) const LARGEST: u64 = 64 << 20;
/// The same of storages, which may have their flows in them.
pub(crate) const LARGEST_STORAGE: u64 = 512 << 20;

/// A spec and what to call it in messages.
pub(crate) struct SpecFile {
    pub(crate) text: SpecText,
    pub(crate) name: String,
}

/// Where the spec is: `file` if it is given, else the flowhold.toml of `folder`, else that of the current directory;
/// none if it comes from standard input.
pub(crate) fn path(file: Option<&Path>, folder: Option<&Path>) -> Option<PathBuf> {
    match (file, folder) {
        (Some(file), _) if file == Path::new("-") => None,
        (Some(file), None) => Some(file.to_owned()),
        (Some(file), Some(folder)) => Some(folder.join(file)),
        (None, Some(folder)) if folder.is_file() => Some(folder.to_owned()),
        (None, Some(folder)) => Some(folder.join(NAME)),
        (None, None) => Some(PathBuf::from(NAME)),
    }
}

/// Reads a spec.
pub(crate) fn read(file: Option<&Path>, folder: Option<&Path>) -> Result<SpecFile, Failure> {
    let Some(path) = path(file, folder) else { return from_stdin(folder) };
    let failure = |error| {
        let failure = Failure::of_path(path.display(), &error);
        if file.is_none() && error.kind() == std::io::ErrorKind::NotFound {
            return failure.with_help("`flowhold init` writes one; -f names another".to_owned());
        }
        failure
    };
    let bytes = read_some(&path, LARGEST).map_err(failure)?;
    let folder = absolute(&path).map_err(failure)?;
    let folder = folder.parent().unwrap_or(Path::new("/")).to_owned();
    let name = path.display().to_string();
    Ok(SpecFile { text: SpecText { text: utf8(bytes, &name)?, folder }, name })
}

/// Where `build` has written the storage of a spec. Beside one that is not there, it is another one's.
pub(crate) fn storage_beside(file: Option<&Path>) -> Result<PathBuf, Failure> {
    let spec = file.unwrap_or(Path::new(NAME));
    if spec.is_dir() {
        return Err(Failure::of_path(spec.display(), &std::io::ErrorKind::IsADirectory.into())
            .with_help(format!("name the spec in it: -f {}", spec.join(NAME).display())));
    }
    let storage = spec.with_file_name("storage.json");
    match std::fs::metadata(spec) {
        Err(error) if file.is_some() && storage.exists() => Err(Failure::of_path(spec.display(), &error)),
        _ => Ok(storage),
    }
}

/// Reads another text that people keep beside a spec.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    utf8(read_file(path, LARGEST)?, &path.display().to_string())
}

/// Plans, unless it is interrupted, and shows what the flows' files print while they are pickled.
pub(crate) async fn plan(
    session: &mut Session,
    spec: &SpecText,
    python: Option<&str>,
    need: Need,
    interrupt: &CancellationToken,
) -> Result<Plan, Failure> {
    let (lines, mut printed) = tokio::sync::mpsc::unbounded_channel();
    session.print_to(Some(lines));
    session.keep_pickles_in(pickles());
    // What is typed is meant from here; what a spec says, from its folder.
    let python = python.map(|chosen| python::path_of(chosen, Path::new("")).map_or(chosen.into(), from_here));
    let show = |line: String| console::note(&format!("    {}", flowhold::progress::clean(&line)));
    let planned = {
        let planning = exit::until(interrupt, "the spec was read", session.plan(spec, python.as_deref(), need));
        tokio::pin!(planning);
        loop {
            tokio::select! {
                biased;
                planned = &mut planning => break planned,
                Some(line) = printed.recv() => show(line),
            }
        }
    };
    session.print_to(None);
    while let Ok(line) = printed.try_recv() {
        show(line);
    }
    planned
}

fn from_here(path: PathBuf) -> String {
    absolute(&path).unwrap_or(path).display().to_string()
}

/// Where pickles are kept: `FLOWHOLD_CACHE` names a directory for it, or is `off`. Else it is the one that the operating
/// system has for a user's caches.
fn pickles() -> Option<PathBuf> {
    let ours = match env::var_os("FLOWHOLD_CACHE").filter(|value| !value.is_empty()) {
        Some(off) if off == "off" => return None,
        Some(directory) => PathBuf::from(directory),
        None => users_caches()?.join("flowhold"),
    };
    Some(ours.join("pickles"))
}

fn users_caches() -> Option<PathBuf> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::home_dir().filter(|path| path.is_absolute());
    if cfg!(windows) {
        named("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        named("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))
    }
}

/// Reads a file that is no larger.
pub(crate) fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>, Failure> {
    read_some(path, largest).map_err(|error| Failure::of_path(path.display(), &error))
}

fn read_some(path: &Path, largest: u64) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    limited(std::fs::File::open(path)?, largest)
}

fn from_stdin(folder: Option<&Path>) -> Result<SpecFile, Failure> {
    let failure = |error| Failure::of_path("standard input", &error);
    let bytes = limited(std::io::stdin(), LARGEST).map_err(failure)?;
    let folder = absolute(folder.unwrap_or(Path::new("."))).map_err(failure)?;
    Ok(SpecFile { text: SpecText { text: utf8(bytes, "standard input")?, folder }, name: "-".to_owned() })
}

/// What there is to read, unless it is larger.
pub(crate) fn limited(reader: impl Read, largest: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(std::io::Error::other(format!("it is larger than {} MiB", largest >> 20)));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        // Editors of Windows mark so what is UTF-8.
        bytes.drain(..3);
    }
    Ok(bytes)
}

fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::input("syntax", format!("{name} is not UTF-8 (byte {at})"))
    })
}
