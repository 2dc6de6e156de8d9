//! The Python programs that get into images.
//!
//! A plan needs only their lengths and digests. The feature `scripts` compiles them in; without it, the program that
//! embeds the core supplies the build script's `scripts.bin` where a build context is made.

use crate::{
    blob::{Content, in_memory},
    digest::Digest,
};

/// A program.
struct Script {
    size: usize,
    sha256: Digest,
    text: Option<&'static [u8]>,
}

macro_rules! script {
    ($name:literal) => {
        Script {
            size: include_bytes!($name).len(),
            sha256: Digest::from_bytes(*include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".sha256"))),
            text: if cfg!(feature = "scripts") { Some(include_bytes!($name)) } else { None },
        }
    };
}

const INSTALL: Script = script!("install.py");
const HEALTH_CHECK: Script = script!("health_check.py");

/// The program that installs the requirements.
pub(crate) fn install() -> Content {
    INSTALL.content()
}

/// The program that loads every flow.
pub(crate) fn health_check() -> Content {
    HEALTH_CHECK.content()
}

/// The script with this digest, from the content of `scripts.bin`; `None` if no script has the digest, or `scripts` is
/// something else.
pub fn find<'s>(scripts: &'s [u8], sha256: &Digest) -> Option<&'s [u8]> {
    let (install, rest) = scripts.split_at_checked(INSTALL.size)?;
    [install, rest].into_iter().find(|script| Digest::of(script) == *sha256)
}

impl Script {
    fn content(self) -> Content {
        Content { blob: self.text.map(in_memory), ..Content::stated(self.size as u64, self.sha256) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_is_what_is_there() {
        let scripts = include_bytes!(concat!(env!("OUT_DIR"), "/scripts.bin"));
        for content in [install(), health_check()] {
            let text = find(scripts, &content.sha256).unwrap();
            assert_eq!(Content::from_bytes(text), content);
        }
        assert_eq!(find(&scripts[1..], &install().sha256), None);
        assert_eq!(find(b"", &install().sha256), None);
    }
}
