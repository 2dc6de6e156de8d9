//! Who writes what in an image.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use crate::diagnostic::{Code, Diagnostic};

/// The paths of an image that fields have claimed, and all above them.
#[derive(Default)]
pub(super) struct TakenPaths(BTreeMap<String, Taken>);

/// The field that put something at a path of the image, or below it.
struct Taken {
    by: Rc<str>,
    kind: TakenKind,
}

/// What is at a path.
enum TakenKind {
    File,
    /// Claimed as such; several fields may.
    Directory,
    /// Nobody claimed it, but it has something in it.
    Above,
}

impl TakenPaths {
    /// Claims a path; says so if it is taken. A directory may be claimed by several fields.
    pub(super) fn take(&mut self, path: String, field: &Rc<str>, directory: bool) -> Option<Diagnostic> {
        if path.is_empty() && directory {
            return None;
        }
        let mut above = Vec::new();
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            match self.0.get(parent) {
                Some(Taken { by, kind: TakenKind::File }) => return Some(clash(parent, by, field)),
                // What is above a directory has been claimed with it.
                Some(_) => break,
                None => above.push(parent.to_owned()),
            }
            rest = parent;
        }
        let kind = if directory { TakenKind::Directory } else { TakenKind::File };
        let ours = |kind| Taken { by: Rc::clone(field), kind };
        match self.0.entry(path) {
            Entry::Vacant(place) => drop(place.insert(ours(kind))),
            Entry::Occupied(mut place) => match place.get().kind {
                TakenKind::Directory if directory => {}
                TakenKind::Above if directory => drop(place.insert(ours(kind))),
                _ => return Some(clash(place.key(), &place.get().by, field)),
            },
        }
        self.0.extend(above.into_iter().map(|path| (path, ours(TakenKind::Above))));
        None
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

    /// What ends in `/` is a directory.
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
            let mut take = |path: &str, field: &str| {
                taken.take(path.trim_end_matches('/').to_owned(), &Rc::from(field), path.ends_with('/'))
            };
            assert_eq!(take(one, "one"), None);
            assert_eq!(take(other, "other"), at.map(|at| clash(at, "one", "other")), "{one} and {other}");
        }
    }
}
