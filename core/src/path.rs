//! The check that paths inside a build context and paths inside an image share.

use std::fmt;

use crate::{
    context_path::ContextPath,
    diagnostic::Code,
    failure::Explain,
    image_path::ImagePath,
    text::{Excerpt, breaks_lines},
};

/// The longest path, in bytes (Linux's `PATH_MAX`).
const MOST_BYTES: usize = 4096;
/// The longest component, in bytes (`NAME_MAX` of the usual file systems).
pub(crate) const MOST_COMPONENT_BYTES: usize = 255;

/// What a path is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Relative to the build context, with one spelling.
    Context,
    /// Absolute; empty and `.` components are ignored.
    Image,
}

/// Why a text is not a path inside a build context, or not one inside an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    inside: Inside,
    path: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("is empty")]
    Empty,
    #[error("has {0} bytes; the maximum is {MOST_BYTES}")]
    TooLong(usize),
    /// NUL, a line end or another control character.
    #[error("has the control character {0:?}")]
    ControlCharacter(char),
    #[error("is absolute")]
    Absolute,
    #[error("is relative")]
    Relative,
    #[error("has a \"..\" component")]
    Parent,
    /// A component that is `.` or empty.
    #[error("has a component {0:?}")]
    Component(String),
    #[error("has a component of {0} bytes; the maximum is {MOST_COMPONENT_BYTES}")]
    ComponentTooLong(usize),
}

/// Refuses a text that is not such a path.
pub(crate) fn check(path: &str, inside: Inside) -> Result<(), PathError> {
    match fault(path, inside) {
        None => Ok(()),
        Some(fault) => Err(PathError { inside, path: path.to_owned(), fault }),
    }
}

fn fault(path: &str, inside: Inside) -> Option<Fault> {
    if path.is_empty() {
        return Some(Fault::Empty);
    }
    if path.len() > MOST_BYTES {
        return Some(Fault::TooLong(path.len()));
    }
    if let Some(character) = path.chars().find(|&c| breaks_lines(c)) {
        return Some(Fault::ControlCharacter(character));
    }
    match (inside, path.starts_with('/')) {
        (Inside::Context, true) => return Some(Fault::Absolute),
        (Inside::Image, false) => return Some(Fault::Relative),
        _ => {}
    }
    path.split('/').find_map(|component| match component {
        ".." => Some(Fault::Parent),
        "" | "." => (inside == Inside::Context).then(|| Fault::Component(component.to_owned())),
        long if long.len() > MOST_COMPONENT_BYTES => Some(Fault::ComponentTooLong(long.len())),
        _ => None,
    })
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, fault) = (Excerpt(&self.path), &self.fault);
        match (self.inside, fault) {
            (Inside::Context, Fault::Empty) => write!(f, "a context path {fault}"),
            (Inside::Context, _) => write!(f, "context path {path} {fault}"),
            (Inside::Image, Fault::Empty) => write!(f, "a path in the image {fault}"),
            (Inside::Image, _) => write!(f, "path {path} in the image {fault}"),
        }
    }
}

impl std::error::Error for PathError {}

impl Explain for PathError {
    fn code(&self) -> Code {
        Code::InvalidPath
    }

    fn help(&self) -> Option<String> {
        let path = &self.path;
        let help = match (&self.fault, self.inside) {
            (Fault::Empty | Fault::Absolute | Fault::Component(_), Inside::Context) => {
                match plain(path).parse::<ContextPath>() {
                    Ok(plain) => return Some(format!("write {:?}", plain.as_str())),
                    Err(_) => "name a file, relative to the context's root",
                }
            }
            (Fault::Relative, _) => match format!("/{path}").parse::<ImagePath>() {
                Ok(_) if path.starts_with('~') => "write the home directory out, such as \"/root\"",
                Ok(absolute) => return Some(format!("write an absolute path, such as {:?}", absolute.to_string())),
                Err(_) => "write an absolute path, such as \"/opt/model.bin\"",
            },
            (Fault::Empty | Fault::Absolute | Fault::Component(_), Inside::Image) => {
                "write an absolute path, such as \"/opt/model.bin\""
            }
            (Fault::Parent, Inside::Context) => "name a file inside the context, without \"..\"",
            (Fault::Parent, Inside::Image) => "write the path out, without \"..\"",
            (Fault::ControlCharacter(_), Inside::Context) => "rename the file",
            (Fault::ControlCharacter(_), Inside::Image) => "choose a path without control characters",
            (Fault::ComponentTooLong(_) | Fault::TooLong(_), _) => "shorten it",
        };
        Some(help.to_owned())
    }
}

/// A path without its empty and `.` components.
fn plain(path: &str) -> String {
    let components: Vec<&str> = path.split('/').filter(|c| !matches!(*c, "" | ".")).collect();
    components.join("/")
}
