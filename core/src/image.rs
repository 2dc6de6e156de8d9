//! The names of images, and the registries to which they are pushed.
//!
//! [`ImageReference`] is a whole name. [`RegistryUrl`], [`ImageName`] and [`ImageTag`] are the three arguments of a
//! Docker storage that make up a whole name; [`join`] joins them under the rules of their registry.

mod reference;
mod registry;

pub use reference::{ImageReference, ReferenceError};
pub use registry::{JoinError, join};
pub(crate) use registry::{is_docker_hub, too_deep};

use core::fmt;
use core::str::FromStr;
use reference::{MOST_REPOSITORY_BYTES, check_domain, check_length, check_path, check_tag, refuse_at_once, split_tag};

/// The `registry_url` argument: `[domain[:port]][/path…]`, without tag or digest. `acme` alone is a namespace of
/// Docker Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryUrl {
    text: String,
    domain_end: usize,
}

/// The `image_name` argument: path components without domain, tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName(String);

/// The `image_tag` argument: 1 to 128 characters of `A-Z a-z 0-9 _ . -`, not beginning with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTag(String);

impl RegistryUrl {
    /// The domain with its port; `None` means Docker Hub.
    pub fn domain(&self) -> Option<&str> {
        self.text.get(..self.domain_end).filter(|domain| !domain.is_empty())
    }

    /// The components that follow the domain; none for a domain alone.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let path = self.text.get(self.domain_end..).unwrap_or_default();
        path.split('/').filter(|component| !component.is_empty())
    }
}

impl ImageName {
    /// The components, at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl ImageTag {
    /// The tag as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryUrl {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_at_once(text)?;
        // A slash at the end is allowed: the original joins registry and image name like paths.
        let text = text.strip_suffix('/').filter(|text| !text.is_empty()).unwrap_or(text);
        // A colon before the first slash starts a port; any later colon starts a tag.
        let tag = split_tag(text).1.filter(|_| text.contains('/')).map(|tag| text.len() - tag.len() - 1);
        if let Some(end) = text.find('@').or(tag) {
            let part = text.get(end..).unwrap_or_default().to_owned();
            return Err(ReferenceError::UnexpectedTag { text: text.to_owned(), part });
        }
        let first = text.split_once('/').map_or(text, |(first, _)| first);
        // An upper-case letter makes no domain here: whether `Acme` is a domain depends on the daemon's version, and it
        // is more likely a mistake.
        let domain_end = if first == "localhost" || first.contains(['.', ':']) { first.len() } else { 0 };
        let (domain, path) = text.split_at(domain_end);
        if domain.is_empty() {
            check_path(path, text)?;
        } else {
            check_domain(domain)?;
            if let Some(path) = path.strip_prefix('/') {
                check_path(path, text)?;
            }
        }
        check_length(text, text)?;
        Ok(Self { text: text.to_owned(), domain_end })
    }
}

/// Splits a name into the registry with which it begins and the rest; `None` if it begins with no registry.
pub(crate) fn split(text: &str) -> Option<(RegistryUrl, ImageName)> {
    let (domain, name) = text.split_once('/')?;
    let registry: RegistryUrl = domain.parse().ok()?;
    registry.domain()?;
    Some((registry, name.parse().ok()?))
}

impl FromStr for ImageName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_at_once(text)?;
        let text = text.to_owned();
        match text.split_once('/') {
            // A component that only its dot marks as a host (`gcr.io/p/etl`) may be part of a name inside a registry:
            // `join` decides.
            Some((first, _)) if first == "localhost" || first.contains(':') => {
                let domain = first.to_owned();
                return Err(ReferenceError::UnexpectedRegistry { text, domain });
            }
            _ => {}
        }
        if let Some(part) = text.find([':', '@']).and_then(|end| text.get(end..)) {
            let part = part.to_owned();
            return Err(ReferenceError::UnexpectedTag { text, part });
        }
        check_path(&text, &text)?;
        // `join` measures the name together with its registry.
        if text.len() > MOST_REPOSITORY_BYTES {
            return Err(ReferenceError::TooLong { bytes: text.len(), text, most: MOST_REPOSITORY_BYTES });
        }
        Ok(Self(text))
    }
}

impl FromStr for ImageTag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        check_tag(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for ImageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageName, ImageTag, ReferenceError, RegistryUrl};
    use crate::failure::Explain as _;
    use proptest::prelude::*;

    #[test]
    fn good_registries() -> Result<(), ReferenceError> {
        #[rustfmt::skip] // one case, one line
        let cases: [(&str, Option<&str>, &[&str]); 9] = [
            ("acme", None, &["acme"]),
            ("acme/team", None, &["acme", "team"]),
            ("localhost", Some("localhost"), &[]),
            ("localhost:5000/acme", Some("localhost:5000"), &["acme"]),
            ("docker.io/acme", Some("docker.io"), &["acme"]),
            ("gcr.io/my-project/sub", Some("gcr.io"), &["my-project", "sub"]),
            ("GHCR.IO/acme", Some("GHCR.IO"), &["acme"]),
            ("[::1]:5000", Some("[::1]:5000"), &[]),
            ("acme:5000", Some("acme:5000"), &[]),
        ];
        for (text, domain, components) in cases {
            let registry: RegistryUrl = text.parse()?;
            assert_eq!((registry.domain(), &*registry.to_string()), (domain, text));
            assert_eq!(format!("{text}/").parse::<RegistryUrl>()?, registry);
            assert_eq!(registry.components().collect::<Vec<_>>(), components, "{text}");
        }
        Ok(())
    }

    #[test]
    fn bad_registries() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "an image name, registry or tag is empty", "write a name such as \"etl\", or leave it out"),
            ("https://gcr.io/p/", "image or registry \"https://gcr.io/p/\" starts with \"https://\"", "write it without the scheme: \"gcr.io/p\""),
            ("https://index.docker.io/v1/", "image or registry \"https://index.docker.io/v1/\" starts with \"https://\"", "write \"docker.io/\" and your namespace"),
            ("http://", "image or registry \"http://\" starts with \"http://\"", "write the host, such as \"registry.example.com\""),
            ("me:secret@gcr.io/p", "image or registry has a user or password before its host", "leave them out: `docker login` keeps them for builds, too"),
            ("/", "image name \"/\" has an empty part", "write a name such as \"etl\""),
            ("/acme", "image name \"/acme\" has an empty part", "write \"acme\", or a name between the slashes"),
            ("gcr.io/p//", "image name \"gcr.io/p/\" has an empty part", "write \"gcr.io/p\", or a name between the slashes"),
            ("gcr.io//p", "image name \"gcr.io//p\" has an empty part", "write \"gcr.io/p\", or a name between the slashes"),
            ("gcr.io/p:v1", "\"gcr.io/p:v1\" has the tag or digest \":v1\" where only a name belongs", "write \"gcr.io/p\", and the tag as image_tag"),
            ("gcr.io/p@sha256:0", "\"gcr.io/p@sha256:0\" has the tag or digest \"@sha256:0\" where only a name belongs", "write \"gcr.io/p\", and the tag as image_tag"),
            ("acme:v1", "registry port \"v1\" is not a number from 1 to 65535", "write a port such as 5000; a tag belongs in image_tag, and only after the last slash"),
            ("Acme", "image name part \"Acme\" has upper-case letters", "write \"acme\""),
            ("gcr.io/My-Project", "image name part \"My-Project\" has upper-case letters", "write \"my-project\""),
            (" gcr.io", "registry host \" gcr.io\" is not a domain name, IPv4 address or [IPv6 address]", "write a host such as \"registry.example.com:5000\""),
        ];
        for (text, message, help) in cases {
            let found = text.parse::<RegistryUrl>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message.to_owned(), help.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn image_names() {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("etl", None),
            ("team/sub/etl", None),
            ("gcr.io/p/etl", None),
            ("etl:v1", Some(("\"etl:v1\" has the tag or digest \":v1\" where only a name belongs", "write \"etl\", and the tag as image_tag"))),
            ("localhost:5000/etl", Some(("image name \"localhost:5000/etl\" has the registry \"localhost:5000\" where only a name belongs", "write \"etl\", and \"localhost:5000\" as registry_url"))),
            ("My Flow", Some(("image name part \"My Flow\" is not lower-case letters and digits, separated by one of . _ __ or dashes", "write \"my-flow\""))),
            ("/etl", Some(("image name \"/etl\" has an empty part", "write \"etl\", or a name between the slashes"))),
        ];
        for (text, expected) in cases {
            let found = text.parse::<ImageName>().err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, expected.map(|(m, h): (&str, &str)| (m.to_owned(), h.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn image_tags() {
        let longest = "x".repeat(128);
        for tag in ["v1", "V1", "_", "2019-10-17t10-00-00", "1.0.0", &longest] {
            assert_eq!(tag.parse::<ImageTag>().map(|one| one.to_string()), Ok(tag.to_owned()));
        }
        for (tag, help) in [("-v1", "write \"v1\""), ("a/b", "write \"a-b\""), ("é", "write a tag such as \"v1\"")] {
            assert_eq!(
                tag.parse::<ImageTag>().err().map(|e| e.help().unwrap_or_default()),
                Some(help.to_owned()),
                "{tag:?}"
            );
        }
        assert!("x".repeat(129).parse::<ImageTag>().is_err());
        assert_eq!("".parse::<ImageTag>(), Err(ReferenceError::Empty));
    }

    proptest! {
        #[test]
        fn what_parses_comes_back(text in "[aA0.:/@_-]{0,16}|\\PC*") {
            let registry = text.parse::<RegistryUrl>().map(|one| one.to_string());
            let name = text.parse::<ImageName>().map(|one| one.to_string());
            let tag = text.parse::<ImageTag>().map(|one| one.to_string());
            let without_slash = text.strip_suffix('/').unwrap_or(&text);
            for (parsed, expected) in [(registry, without_slash), (name, &text), (tag, &text)] {
                match parsed {
                    Ok(parsed) => prop_assert_eq!(&parsed, expected),
                    Err(error) => prop_assert!(!error.to_string().is_empty() && error.help().is_some()),
                }
            }
        }
    }
}
