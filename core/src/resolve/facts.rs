//! What a host finds out for a spec.

use crate::{blob::SharedBlob, failure::Failure, settings::is_absolute, spec::Spec};

/// What the host found out for a spec.
#[derive(Default)]
pub struct Facts {
    /// The user's Python; none where no flow needed it.
    pub python: Option<PythonFacts>,
    /// The user's home directory, for `~`.
    pub home: Option<String>,
    /// The folder of the spec, for relative directories.
    pub folder: Option<String>,
    /// One for each of [`Spec::sources`], in that order.
    pub findings: Vec<Finding>,
}

impl Facts {
    /// Those of a host that looks at nothing: enough for a spec that states size and digest of all that it names.
    pub fn skipping(spec: &Spec) -> Self {
        Self { findings: spec.sources().iter().map(|_| Finding::Skipped).collect(), ..Self::default() }
    }

    /// A path of the spec's as an absolute one, as far as the host says what it begins at, and without `.` and `..`: two
    /// spellings are one place.
    pub(super) fn absolute(&self, path: &str) -> String {
        let path = self.joined(path);
        if path.starts_with('/') { without_dots(&path) } else { path }
    }

    fn joined(&self, path: &str) -> String {
        let place = |root: &Option<String>, rest: &str| match root {
            Some(root) => format!("{}/{rest}", root.trim_end_matches('/')),
            None => path.to_owned(),
        };
        match path.strip_prefix('~') {
            Some("") => self.home.clone().unwrap_or_else(|| path.to_owned()),
            Some(rest) if rest.starts_with('/') => place(&self.home, rest.trim_start_matches('/')),
            _ if is_absolute(path) => path.to_owned(),
            _ => place(&self.folder, path.strip_prefix("./").unwrap_or(path)),
        }
    }
}

/// By the text alone, as the original does it.
fn without_dots(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What the user's Python is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonFacts {
    /// Major and minor, such as `3.9`.
    pub version: String,
    /// The version of Prefect that it has.
    pub prefect: Option<String>,
    /// The version of cloudpickle that it has.
    pub cloudpickle: Option<String>,
}

/// What the host found at one source.
pub enum Finding {
    /// A flow's bytes, and the name that the object itself has.
    Flow(Option<String>, SharedBlob),
    /// A file, or a directory with everything below it.
    File(Vec<FoundEntry>),
    /// The host could not get at it.
    Failed(Failure),
    /// The source is pinned and only a preview is wanted, or another source's failure came first.
    Skipped,
    /// The host can't look at the source, but what can be previewed without it shall be: a browser has no files.
    Unseen,
}

/// A file, directory or symbolic link that the host found.
pub struct FoundEntry {
    /// Relative to the source, with `/`; empty for the source itself.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: FoundKind,
}

/// What the host found.
pub enum FoundKind {
    /// A regular file.
    File(SharedBlob),
    /// A directory.
    Directory,
    /// A symbolic link and its target.
    Symlink(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_as_far_as_can_be_told() {
        for (home, folder, path, absolute) in [
            (None, None, "~", "~"),
            (None, None, "~/x", "~/x"),
            (None, None, "x", "x"),
            (None, None, "./x", "./x"),
            (None, None, "/", "/"),
            (None, None, "/a/../..", "/"),
            (None, None, "C:/a/../x", "C:/a/../x"),
            (Some("/"), None, "~", "/"),
            (Some("/"), None, "~//x", "/x"),
            (Some("/root"), Some("/f"), "~", "/root"),
            (Some("/root"), Some("/f"), "~/../x", "/x"),
            (Some("/root"), Some("/f"), "~x", "/f/~x"),
            (None, Some("/f"), "./x", "/f/x"),
            (None, Some("/f"), "..", "/"),
            (None, Some("/"), "../x/.", "/x"),
            (None, Some("C:/f/"), "./x", "C:/f/x"),
        ] {
            let [home, folder] = [home, folder].map(|place: Option<&str>| place.map(str::to_owned));
            let facts = Facts { home, folder, ..Facts::default() };
            assert_eq!(facts.absolute(path), absolute, "{path}");
        }
    }
}
