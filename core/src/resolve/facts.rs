//! The facts that a host finds out for a spec.

use crate::{blob::SharedBlob, failure::Failure, settings::is_absolute, spec::Spec};

/// The facts that the host found out for a spec.
#[derive(Default)]
pub struct Facts {
    /// The user's Python; `None` if no flow needed it.
    pub python: Option<PythonFacts>,
    /// The user's home directory, for `~`.
    pub home: Option<String>,
    /// The folder of the spec, for relative directories.
    pub folder: Option<String>,
    /// One finding for each of [`Spec::sources`], in that order.
    pub findings: Vec<Finding>,
}

impl Facts {
    /// The facts of a host that looks at nothing: enough for a spec that states the size and digest of everything that
    /// it names.
    pub fn skipping(spec: &Spec) -> Self {
        Self { findings: spec.sources().iter().map(|_| Finding::Skipped).collect(), ..Self::default() }
    }

    /// A path of the spec made absolute, as far as the host states home and folder, and without `.` and `..`, so that
    /// two spellings are one place.
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

/// Removes empty, `.` and `..` components by the text alone, as the original does.
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

/// The versions of the user's Python and of packages in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonFacts {
    /// Major and minor, such as `3.9`.
    pub version: String,
    /// The version of Prefect in this Python, if it has one.
    pub prefect: Option<String>,
    /// The version of cloudpickle in this Python, if it has one.
    pub cloudpickle: Option<String>,
}

/// What the host found at one source.
pub enum Finding {
    /// A flow's bytes, and the object's own name, if it has one.
    Flow(Option<String>, SharedBlob),
    /// A file, or a directory with everything below it.
    File(Vec<FoundEntry>),
    /// The host could not read the source.
    Failed(Failure),
    /// The source is pinned and only a preview is wanted, or another source's failure came first.
    Skipped,
    /// The host can't look at the source, as a browser has no files, but wants a preview of everything else.
    Unseen,
}

/// A file, directory or symbolic link that the host found.
pub struct FoundEntry {
    /// Relative to the source, with `/`; empty for the source itself.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// Whether it is a file, a directory or a link.
    pub kind: FoundKind,
}

/// The kind of an entry that the host found.
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
