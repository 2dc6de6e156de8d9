//! Finds and reads the spec.

use std::path::{Path, PathBuf};

use flowhold::{Failure, SpecText, files::absolute};
use serde_json::Value;

use super::{
    output,
    reading::{LARGEST, limited, read_file, read_some, utf8},
};

/// The default name of a spec.
pub(crate) const NAME: &str = "flowhold.toml";

/// A spec and what to call it in messages.
pub(crate) struct SpecFile {
    pub(crate) text: SpecText,
    pub(crate) name: String,
}

/// Where the spec is: `file` if it is given, else the flowhold.toml of `folder`, else the one in the current directory;
/// none if the spec comes from standard input.
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

/// The name that a storage keeps of its spec: without a folder, because the two are in the same one.
pub(crate) fn file_name(spec: &Path) -> String {
    spec.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads a spec.
pub(crate) fn read(file: Option<&Path>, folder: Option<&Path>) -> Result<SpecFile, Failure> {
    let Some(path) = path(file, folder) else { return from_stdin(folder) };
    let failure = |error| {
        let failure = Failure::of_path(path.display(), &error);
        if file.is_none() && error.kind() == std::io::ErrorKind::NotFound {
            return failure.with_help("`flowhold init` writes one; -f names another");
        }
        failure
    };
    let bytes = read_some(&path, LARGEST).map_err(failure)?;
    // The core tells other storages from specs, but a snapshot is not text.
    if output::is_snapshot(&bytes) {
        let message = format!("{} is a snapshot of a storage, not a spec", path.display());
        let help = "flowhold run, ls and get take it with --storage";
        return Err(Failure::input("not-a-spec", message).with_help(help));
    }
    let folder = absolute(&path).map_err(failure)?;
    let folder = folder.parent().unwrap_or(Path::new("/")).to_owned();
    let name = path.display().to_string();
    Ok(SpecFile { text: SpecText { text: utf8(bytes, &name)?, folder }, name })
}

/// The text of a spec: any text that is not a storage, but JSON only if it has a key of a spec.
pub(crate) fn as_spec(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !output::is_storage(text.as_bytes()))?;
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            (value.get("storage").is_some() || value.get("flows").is_some_and(Value::is_array)).then_some(text)
        }
        Err(_) => (!text.trim_start().starts_with('{')).then_some(text),
    }
}

/// Where `build` has written the storage of a spec. If that spec is missing, the storage there is another's.
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

/// Reads another text that goes with a spec.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    utf8(read_file(path, LARGEST)?, &path.display().to_string())
}

fn from_stdin(folder: Option<&Path>) -> Result<SpecFile, Failure> {
    let failure = |error| Failure::of_path("standard input", &error);
    let bytes = limited(std::io::stdin(), LARGEST).map_err(failure)?;
    let folder = absolute(folder.unwrap_or(Path::new("."))).map_err(failure)?;
    Ok(SpecFile { text: SpecText { text: utf8(bytes, "standard input")?, folder }, name: "-".to_owned() })
}
