//! Which field writes which path of an image.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use crate::diagnostic::{Code, Diagnostic};

/// The paths of an image that fields have claimed, and all directories above them.
#[derive(Default)]
pub(super) struct TakenPaths {
    taken: Vec<Taken>,
    /// Path -> index in `taken`. The browser's module has a map of this type anyway.
    places: BTreeMap<Arc<str>, usize>,
}

/// The field that put something at a path of the image, or below it.
struct Taken {
    by: Rc<str>,
    kind: TakenKind,
}

/// What is at a path.
enum TakenKind {
    File,
    /// Claimed as a directory, which several fields may do.
    Directory,
    /// A directory that no field claimed, with a claimed path in it.
    Above,
}

impl TakenPaths {
    /// Claims a path; returns a diagnostic if the path is taken. Several fields may claim the same directory.
    pub(super) fn take(&mut self, path: &str, field: &Rc<str>, directory: bool) -> Option<Diagnostic> {
        if path.is_empty() && directory {
            return None;
        }
        let mut above = Vec::new();
        let mut rest = path;
        while let Some((parent, _)) = rest.rsplit_once('/') {
            match self.at(parent) {
                Some(Taken { by, kind: TakenKind::File }) => return Some(clash(parent, by, field)),
                // All directories above this one were entered with it.
                Some(_) => break,
                None => above.push(parent),
            }
            rest = parent;
        }
        let kind = if directory { TakenKind::Directory } else { TakenKind::File };
        match self.at(path) {
            None => self.put(path, field, kind),
            Some(Taken { kind: TakenKind::Above, .. }) if directory => self.put(path, field, kind),
            Some(Taken { kind: TakenKind::Directory, .. }) if directory => {}
            Some(Taken { by, .. }) => return Some(clash(path, by, field)),
        }
        above.into_iter().for_each(|path| self.put(path, field, TakenKind::Above));
        None
    }

    fn at(&self, path: &str) -> Option<&Taken> {
        self.places.get(path).map(|place| &self.taken[*place])
    }

    fn put(&mut self, path: &str, by: &Rc<str>, kind: TakenKind) {
        self.places.insert(Arc::from(path), self.taken.len());
        self.taken.push(Taken { by: Rc::clone(by), kind });
    }
}

fn clash(path: &str, one: &str, other: &str) -> Diagnostic {
    let message = format!("{path} in the image would be written by {one} and by {other}");
    Diagnostic::new(Code::PathClash, other, message)
        .with_help("give one of them another destination; one that ends in / is a directory, into which a file goes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that ends in `/` is a directory.
    #[test]
    fn only_directories_may_be_claimed_twice() {
        for (one, other, at) in [
            ("/a/", "/a", Some("/a")),
            ("/a", "/a/", Some("/a")),
            ("/a", "/a", Some("/a")),
            ("/a", "/a/b", Some("/a")),
            ("/a", "/a/b/c/", Some("/a")),
            ("/a/b", "/a", Some("/a")),
            ("/a/b/c/", "/a", Some("/a")),
            ("/a/", "/a/", None),
            ("/a/", "/a/b", None),
            ("/a/b", "/a/", None),
            ("/a/b", "/a/c", None),
            ("/a/b", "/ab", None),
        ] {
            let mut taken = TakenPaths::default();
            let mut take =
                |path: &str, field: &str| taken.take(path.trim_end_matches('/'), &Rc::from(field), path.ends_with('/'));
            assert_eq!(take(one, "one"), None);
            assert_eq!(take(other, "other"), at.map(|at| clash(at, "one", "other")), "{one} and {other}");
        }
    }
}
