//! The grammar of image names, as defined by the distribution project's `reference` package, which Docker uses.
//!
//! `[domain[:port]/]path[:tag][@digest]`. The first component of a path is a domain if it has a `.`, a `:` or an
//! upper-case letter, or is `localhost`; otherwise the image belongs to Docker Hub.

use crate::{diagnostic::Code, failure::Explain, text::Excerpt};
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

/// The longest repository name, domain included, that registries and daemons take.
pub(super) const MOST_REPOSITORY_BYTES: usize = 255;
/// More than any valid name has: 255 bytes for the repository, 128 for the tag, and the longest digest. Checked first,
/// so that no error holds a whole file.
const MOST_BYTES: usize = 1024;

/// The name of an image, with or without registry, tag and digest; kept as it was written.
///
/// ```
/// # use flowhold_core::image::ImageReference;
/// let image: ImageReference = "localhost:5000/acme/etl:v1".parse()?;
/// assert_eq!(image.registry(), Some("localhost:5000"));
/// assert_eq!(image.path(), "acme/etl");
/// assert_eq!(image.tag(), Some("v1"));
/// assert_eq!(image.repository(), "localhost:5000/acme/etl");
/// # Ok::<(), flowhold_core::image::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    text: String,
    /// Where the path starts: after the domain and a `/`, or at 0.
    path_start: usize,
    repository_end: usize,
    tag: Option<(usize, usize)>,
    digest_start: Option<usize>,
}

/// Why a text is not the name of an image, or not a part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// No characters at all.
    #[error("an image name, registry or tag is empty")]
    Empty,
    /// `https://` or another scheme in front.
    #[error("image or registry {} starts with {scheme:?}", Excerpt(text))]
    Scheme {
        /// The text.
        text: String,
        /// The scheme with its `://`.
        scheme: String,
    },
    /// Something before an `@`, and a path after it. The text is never shown, since it may have a password.
    #[error("image or registry has a user or password before its host")]
    Credentials,
    /// An upper-case letter in the path.
    #[error("image name part {} has upper-case letters", Excerpt(part))]
    UpperCase {
        /// The component.
        part: String,
    },
    /// Nothing between two slashes, before the first or after the last.
    #[error("image name {} has an empty part", Excerpt(text))]
    EmptyComponent {
        /// The text.
        text: String,
    },
    /// A path component outside the grammar.
    #[error(
        "image name part {} is not lower-case letters and digits, separated by one of . _ __ or dashes",
        Excerpt(part)
    )]
    BadComponent {
        /// The component.
        part: String,
    },
    /// A domain outside the grammar.
    #[error("registry host {} is not a domain name, IPv4 address or [IPv6 address]", Excerpt(domain))]
    BadDomain {
        /// The domain without its port.
        domain: String,
    },
    /// A port that is not 1 to 65535.
    #[error("registry port {} is not a number from 1 to 65535", Excerpt(port))]
    BadPort {
        /// What follows the colon.
        port: String,
    },
    /// A tag outside the grammar.
    #[error("image tag {} is not 1 to 128 of letters, digits, _ . and -, starting with none of . and -", Excerpt(tag))]
    BadTag {
        /// The tag without its colon.
        tag: String,
    },
    /// A digest of an unknown algorithm or of the wrong length.
    #[error(
        "image digest {} is not sha256, sha384 or sha512 with its 64, 96 or 128 lower-case hexadecimal digits",
        Excerpt(digest)
    )]
    BadDigest {
        /// The digest without its `@`.
        digest: String,
    },
    /// A tag or digest where only a repository belongs.
    #[error("{} has the tag or digest {} where only a name belongs", Excerpt(text), Excerpt(part))]
    UnexpectedTag {
        /// The text.
        text: String,
        /// The tag or digest with its `:` or `@`.
        part: String,
    },
    /// A registry where only a name belongs.
    #[error("image name {} has the registry {} where only a name belongs", Excerpt(text), Excerpt(domain))]
    UnexpectedRegistry {
        /// The text.
        text: String,
        /// Its first component.
        domain: String,
    },
    /// 64 hexadecimal digits: Docker reads them as the id of an image.
    #[error("image name {} is the id of an image, not a name", Excerpt(text))]
    Identifier {
        /// The text.
        text: String,
    },
    /// A repository name of more than 255 bytes, or a text that is longer than any name.
    #[error("image name {} has {bytes} bytes; the maximum is {most}", Excerpt(text))]
    TooLong {
        /// The text.
        text: String,
        /// Its length, with `docker.io/` if no registry is named.
        bytes: usize,
        /// The limit that it exceeds.
        most: usize,
    },
}

impl Explain for ReferenceError {
    fn code(&self) -> Code {
        Code::InvalidReference
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "write a name such as \"etl\", or leave it out",
            Self::Scheme { text, scheme } => {
                let rest = text.get(scheme.len()..).unwrap_or_default().trim_end_matches('/');
                match rest.split('/').collect::<Vec<_>>().as_slice() {
                    [""] => "write the host, such as \"registry.example.com\"",
                    // The address that Docker's own configuration file uses for Docker Hub.
                    ["index.docker.io", "v1" | "v2"] => "write \"docker.io/\" and your namespace",
                    _ => return Some(format!("write it without the scheme: {rest:?}")),
                }
            }
            Self::Credentials => "leave them out: `docker login` keeps them for builds, too",
            Self::UpperCase { part } => return Some(format!("write {:?}", part.to_ascii_lowercase())),
            Self::EmptyComponent { text } => {
                let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
                match parts.as_slice() {
                    [] => "write a name such as \"etl\"",
                    [tag] if tag.starts_with(':') => {
                        return Some(format!("write a name before it: {:?}", format!("etl{tag}")));
                    }
                    parts => return Some(format!("write {:?}, or a name between the slashes", parts.join("/"))),
                }
            }
            Self::BadComponent { part } => match fitting(part) {
                fitting if fitting.is_empty() => "use lower-case letters and digits",
                fitting => return Some(format!("write {fitting:?}")),
            },
            Self::BadDomain { .. } => "write a host such as \"registry.example.com:5000\"",
            Self::BadPort { .. } => {
                "write a port such as 5000; a tag belongs in image_tag, and only after the last slash"
            }
            Self::BadTag { tag } => match fitting_tag(tag) {
                fitting if fitting.is_empty() => "write a tag such as \"v1\"",
                fitting => return Some(format!("write {fitting:?}")),
            },
            Self::BadDigest { .. } => "copy the whole digest, \"sha256:\" included",
            Self::UnexpectedTag { text, part } => {
                return Some(format!(
                    "write {:?}, and the tag as image_tag",
                    text.strip_suffix(part.as_str()).unwrap_or(text)
                ));
            }
            Self::UnexpectedRegistry { text, domain } => {
                let name = text.get(domain.len()..).unwrap_or_default().trim_start_matches('/');
                return Some(format!("write {name:?}, and {domain:?} as registry_url"));
            }
            Self::Identifier { .. } => "give the image a name",
            Self::TooLong { .. } => "shorten it",
        };
        Some(help.to_owned())
    }
}

/// A valid component of a path that resembles `part`; may be empty, for example if the readings of its script are
/// missing.
fn fitting(part: &str) -> String {
    crate::slug::slugify(part).unwrap_or_default()
}

/// A tag that resembles `tag`; may be empty.
fn fitting_tag(tag: &str) -> String {
    let kept: String = tag.chars().map(|c| if is_tag_character(c) { c } else { '-' }).take(128).collect();
    kept.trim_start_matches(['.', '-']).trim_end_matches('-').to_owned()
}

impl ImageReference {
    /// The domain as it was written, with its port; `None` means Docker Hub.
    pub fn registry(&self) -> Option<&str> {
        self.text.get(..self.path_start)?.strip_suffix('/')
    }

    /// The path in the registry.
    pub fn path(&self) -> &str {
        self.part(self.path_start..self.repository_end)
    }

    /// The domain and the path: the name without tag and digest.
    pub fn repository(&self) -> &str {
        self.part(0..self.repository_end)
    }

    /// The tag, without its colon.
    pub fn tag(&self) -> Option<&str> {
        self.tag.map(|(start, end)| self.part(start..end))
    }

    /// The digest with its algorithm, without its `@`.
    pub fn digest(&self) -> Option<&str> {
        self.text.get(self.digest_start?..)
    }

    /// The whole name as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_at_once(text)?;
        let (before_digest, digest) = match text.split_once('@') {
            Some((before, digest)) => (before, Some(digest)),
            None => (text, None),
        };
        let (repository, tag) = split_tag(before_digest);
        let path_start = match repository.split_once('/') {
            Some((first, _)) if is_domain(first) => first.len() + 1,
            _ => 0,
        };
        let (domain, path) = repository.split_at(path_start);
        if let Some(domain) = domain.strip_suffix('/') {
            check_domain(domain)?;
        }
        check_path(path, text)?;
        check_length(repository, text)?;
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        if let Some(digest) = digest {
            check_digest(digest)?;
        }
        if text.len() == 64 && text.bytes().all(is_lower_hex) {
            return Err(ReferenceError::Identifier { text: text.to_owned() });
        }
        Ok(Self {
            text: text.to_owned(),
            path_start,
            repository_end: repository.len(),
            tag: tag.map(|tag| (before_digest.len() - tag.len(), before_digest.len())),
            digest_start: digest.map(|digest| text.len() - digest.len()),
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Refuses a text that can't be a name of any kind.
pub(super) fn refuse_at_once(text: &str) -> Result<(), ReferenceError> {
    if text.is_empty() {
        return Err(ReferenceError::Empty);
    }
    if text.len() > MOST_BYTES {
        let bytes = text.len();
        return Err(ReferenceError::TooLong { text: text.to_owned(), bytes, most: MOST_BYTES });
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let scheme = format!("{scheme}://");
        return Err(ReferenceError::Scheme { text: text.to_owned(), scheme });
    }
    // A digest has no slash, so the part before the `@` is a user or password.
    if text.split_once('@').is_some_and(|(_, after)| after.contains('/')) {
        return Err(ReferenceError::Credentials);
    }
    Ok(())
}

/// Splits a name into the repository and the tag, which follows a colon after the last slash.
pub(super) fn split_tag(text: &str) -> (&str, Option<&str>) {
    let name_start = text.rfind('/').map_or(0, |slash| slash + 1);
    match text.get(name_start..).and_then(|name| name.find(':')) {
        Some(colon) => {
            let (repository, tag) = text.split_at(name_start + colon);
            (repository, tag.strip_prefix(':'))
        }
        None => (text, None),
    }
}

/// Whether the first component names a registry.
fn is_domain(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.contains(|c: char| c.is_ascii_uppercase())
}

/// The host of a domain and its port, if it has one.
pub(super) fn split_port(domain: &str) -> (&str, Option<&str>) {
    let host_end = domain.rfind(']').unwrap_or(0);
    match domain.get(host_end..).and_then(|rest| rest.find(':')) {
        Some(colon) => {
            let (host, port) = domain.split_at(host_end + colon);
            (host, port.strip_prefix(':'))
        }
        None => (domain, None),
    }
}

pub(super) fn check_domain(domain: &str) -> Result<(), ReferenceError> {
    let (host, port) = split_port(domain);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.len() >= 2 && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(|label| {
            let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !label.is_empty() && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
        }),
    };
    if !is_host {
        return Err(ReferenceError::BadDomain { domain: host.to_owned() });
    }
    match port {
        // The grammar takes any digits, but only these ports exist.
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) || !matches!(port.parse::<u16>(), Ok(1..)) => {
            Err(ReferenceError::BadPort { port: port.to_owned() })
        }
        _ => Ok(()),
    }
}

pub(super) fn check_path(path: &str, text: &str) -> Result<(), ReferenceError> {
    path.split('/').try_for_each(|part| {
        if part.is_empty() {
            return Err(ReferenceError::EmptyComponent { text: text.to_owned() });
        }
        if is_component(part) {
            return Ok(());
        }
        let part = part.to_owned();
        // Only if lower case alone makes the part valid.
        if is_component(&part.to_ascii_lowercase()) {
            return Err(ReferenceError::UpperCase { part });
        }
        Err(ReferenceError::BadComponent { part })
    })
}

/// Whether `part` consists of runs of lower-case letters and digits, separated by one `.`, one or two `_`, or any
/// number of `-`.
fn is_component(part: &str) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(is_alphanumeric)
        && part.ends_with(is_alphanumeric)
        && part
            .split(is_alphanumeric)
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

/// Measures `repository` with the domain that Docker adds to it, as Docker does.
pub(super) fn check_length(repository: &str, text: &str) -> Result<(), ReferenceError> {
    let added = match repository.split_once('/') {
        Some((first, _)) if is_domain(first) => "",
        Some(_) => "docker.io/",
        None => "docker.io/library/",
    };
    let bytes = added.len() + repository.len();
    if bytes > MOST_REPOSITORY_BYTES {
        return Err(ReferenceError::TooLong { text: text.to_owned(), bytes, most: MOST_REPOSITORY_BYTES });
    }
    Ok(())
}

fn is_tag_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

pub(super) fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let fits = (1..=128).contains(&tag.len()) && tag.chars().all(is_tag_character) && !tag.starts_with(['.', '-']);
    if fits { Ok(()) } else { Err(ReferenceError::BadTag { tag: tag.to_owned() }) }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The grammar allows any algorithm, but registries and daemons know only these three, and want lower case.
fn check_digest(digest: &str) -> Result<(), ReferenceError> {
    let length = match digest.split_once(':') {
        Some(("sha256", hex)) => Some((hex, 64)),
        Some(("sha384", hex)) => Some((hex, 96)),
        Some(("sha512", hex)) => Some((hex, 128)),
        _ => None,
    };
    match length {
        Some((hex, length)) if hex.len() == length && hex.bytes().all(is_lower_hex) => Ok(()),
        _ => Err(ReferenceError::BadDigest { digest: digest.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageReference, ReferenceError};
    use crate::failure::Explain as _;
    use proptest::prelude::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Text, registry, path, tag, digest.
    type Good<'a> = (&'a str, Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);

    #[test]
    fn good_references() -> Result<(), ReferenceError> {
        let digest = format!("sha256:{HEX}");
        let with_digest = format!("localhost:5000/acme/etl:v1@{digest}");
        let only_digest = format!("etl@{digest}");
        let longest = "a".repeat(255 - "docker.io/library/".len());
        let longest_tag = format!("a:{}", "_".repeat(128));
        let hex_with_tag = format!("{HEX}:v1");
        #[rustfmt::skip] // one case, one line
        let cases: [Good<'_>; 24] = [
            ("etl", None, "etl", None, None),
            ("etl:v1", None, "etl", Some("v1"), None),
            ("acme/etl", None, "acme/etl", None, None),
            ("localhost", None, "localhost", None, None),
            ("localhost/etl", Some("localhost"), "etl", None, None),
            ("localhost:5000", None, "localhost", Some("5000"), None),
            ("localhost:5000/etl:5000", Some("localhost:5000"), "etl", Some("5000"), None),
            (&with_digest, Some("localhost:5000"), "acme/etl", Some("v1"), Some(&digest)),
            (&only_digest, None, "etl", None, Some(&digest)),
            ("gcr.io/p/sub/dir/etl", Some("gcr.io"), "p/sub/dir/etl", None, None),
            ("GHCR.io/a/b", Some("GHCR.io"), "a/b", None, None),
            ("Acme/etl", Some("Acme"), "etl", None, None),
            ("127.0.0.1:1/a", Some("127.0.0.1:1"), "a", None, None),
            ("[::1]/a", Some("[::1]"), "a", None, None),
            ("[2001:db8::1]:65535/a/b:c", Some("[2001:db8::1]:65535"), "a/b", Some("c"), None),
            ("a-b.c/d", Some("a-b.c"), "d", None, None),
            ("a.b", None, "a.b", None, None),
            ("a__b/c---d_e.f", None, "a__b/c---d_e.f", None, None),
            ("a:_.-A", None, "a", Some("_.-A"), None),
            ("0/0:0", None, "0/0", Some("0"), None),
            ("xn--n3h.com/myimage", Some("xn--n3h.com"), "myimage", None, None),
            (&longest, None, &longest, None, None),
            (&longest_tag, None, "a", longest_tag.get(2..), None),
            (&hex_with_tag, None, HEX, Some("v1"), None),
        ];
        for (text, registry, path, tag, digest) in cases {
            let image: ImageReference = text.parse()?;
            let found = (image.as_str(), image.registry(), image.path(), image.tag(), image.digest());
            assert_eq!(found, (text, registry, path, tag, digest));
            let repository = registry.map_or(path.to_owned(), |registry| format!("{registry}/{path}"));
            assert_eq!((image.repository(), &*image.to_string()), (&*repository, text));
        }
        Ok(())
    }

    #[test]
    fn bad_references() {
        const COMPONENT: &str = "is not lower-case letters and digits, separated by one of . _ __ or dashes";
        const HOST: &str = "is not a domain name, IPv4 address or [IPv6 address]";
        const PORT: &str = "is not a number from 1 to 65535";
        const TAG: &str = "is not 1 to 128 of letters, digits, _ . and -, starting with none of . and -";
        const DIGEST: &str = "is not sha256, sha384 or sha512 with its 64, 96 or 128 lower-case hexadecimal digits";
        let a_host = "write a host such as \"registry.example.com:5000\"";
        let a_port = "write a port such as 5000; a tag belongs in image_tag, and only after the last slash";
        let whole = "copy the whole digest, \"sha256:\" included";
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "an image name, registry or tag is empty".to_owned(), "write a name such as \"etl\", or leave it out"),
            ("https://gcr.io/p/etl", "image or registry \"https://gcr.io/p/etl\" starts with \"https://\"".to_owned(), "write it without the scheme: \"gcr.io/p/etl\""),
            ("Etl", "image name part \"Etl\" has upper-case letters".to_owned(), "write \"etl\""),
            ("gcr.io/p/My_Etl", "image name part \"My_Etl\" has upper-case letters".to_owned(), "write \"my_etl\""),
            ("a//b", "image name \"a//b\" has an empty part".to_owned(), "write \"a/b\", or a name between the slashes"),
            ("/a", "image name \"/a\" has an empty part".to_owned(), "write \"a\", or a name between the slashes"),
            ("a/", "image name \"a/\" has an empty part".to_owned(), "write \"a\", or a name between the slashes"),
            ("/", "image name \"/\" has an empty part".to_owned(), "write a name such as \"etl\""),
            (":v1", "image name \":v1\" has an empty part".to_owned(), "write a name before it: \"etl:v1\""),
            ("-a", format!("image name part \"-a\" {COMPONENT}"), "write \"a\""),
            ("a..b", format!("image name part \"a..b\" {COMPONENT}"), "write \"a-b\""),
            ("a___b", format!("image name part \"a___b\" {COMPONENT}"), "write \"a-b\""),
            ("a_-b", format!("image name part \"a_-b\" {COMPONENT}"), "write \"a-b\""),
            ("a b", format!("image name part \"a b\" {COMPONENT}"), "write \"a-b\""),
            ("étude", format!("image name part \"étude\" {COMPONENT}"), "write \"etude\""),
            ("a\nb", format!("image name part \"a\\nb\" {COMPONENT}"), "write \"a-b\""),
            ("a/..", format!("image name part \"..\" {COMPONENT}"), "use lower-case letters and digits"),
            ("-a.b/c", format!("registry host \"-a.b\" {HOST}"), a_host),
            ("a..b/c", format!("registry host \"a..b\" {HOST}"), a_host),
            ("./c", format!("registry host \".\" {HOST}"), a_host),
            ("[::1/c", format!("registry host \"[\" {HOST}"), a_host),
            ("[fe80::1%eth0]/c", format!("registry host \"[fe80::1%eth0]\" {HOST}"), a_host),
            ("user:pw@host.com/c", "image or registry has a user or password before its host".to_owned(), "leave them out: `docker login` keeps them for builds, too"),
            ("a.b:/c", format!("registry port \"\" {PORT}"), a_port),
            ("a.b:0/c", format!("registry port \"0\" {PORT}"), a_port),
            ("a.b:65536/c", format!("registry port \"65536\" {PORT}"), a_port),
            ("a.b:+1/c", format!("registry port \"+1\" {PORT}"), a_port),
            ("a:v1/c", format!("registry port \"v1\" {PORT}"), a_port),
            ("a:", format!("image tag \"\" {TAG}"), "write a tag such as \"v1\""),
            ("a:.v1", format!("image tag \".v1\" {TAG}"), "write \"v1\""),
            ("a:b:c", format!("image tag \"b:c\" {TAG}"), "write \"b-c\""),
            ("a:v 1", format!("image tag \"v 1\" {TAG}"), "write \"v-1\""),
            ("a@", format!("image digest \"\" {DIGEST}"), whole),
            ("a@sha256:abc", format!("image digest \"sha256:abc\" {DIGEST}"), whole),
            ("a@md5:0123456789abcdef0123456789abcdef", format!("image digest \"md5:0123456789abcdef0123456789abcdef\" {DIGEST}"), whole),
            (HEX, format!("image name \"{}…\" is the id of an image, not a name", &HEX[..60] ), "give the image a name"),
        ];
        for (text, message, help) in cases {
            let found = text.parse::<ImageReference>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message, help.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn lengths() {
        let a = "a".repeat(60);
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("a".repeat(238), format!("image name \"{a}…\" has 256 bytes; the maximum is 255")),
            (format!("a/{}", "b".repeat(244)), format!("image name \"a/{}…\" has 256 bytes; the maximum is 255", "b".repeat(58) )),
            (format!("a.b/{}", "b".repeat(252)), format!("image name \"a.b/{}…\" has 256 bytes; the maximum is 255", "b".repeat(56) )),
            ("a".repeat(10_000), format!("image name \"{a}…\" has 10000 bytes; the maximum is 1024")),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<ImageReference>().err().map(|e| e.to_string()), Some(message));
        }
        assert!(format!("a:{}", "b".repeat(129)).parse::<ImageReference>().is_err());
    }

    proptest! {
        #[test]
        fn parts_make_the_whole(
            domain in proptest::option::of("[a-z0-9]{1,8}\\.[A-Za-z0-9]{1,8}(:[1-9][0-9]{0,3})?"),
            path in "[a-z0-9]{1,8}(_|__|-{1,3})?[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            let mut text = path.clone();
            if let Some(domain) = &domain { text = format!("{domain}/{text}"); }
            if let Some(tag) = &tag { text = format!("{text}:{tag}"); }
            if let Some(digest) = &digest { text = format!("{text}@{digest}"); }
            let image = text.parse::<ImageReference>().map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(image.registry(), domain.as_deref());
            prop_assert_eq!(image.path(), path);
            prop_assert_eq!(image.tag(), tag.as_deref());
            prop_assert_eq!(image.digest(), digest.as_deref());
            prop_assert_eq!(image.to_string(), text);
        }

        #[test]
        fn nothing_panics(text in "[aA0.:/@_\\[\\]-]{0,20}|(https?://)?\\PC*") {
            match text.parse::<ImageReference>() {
                Ok(image) => prop_assert_eq!(image.to_string(), text),
                Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
            }
        }
    }
}
