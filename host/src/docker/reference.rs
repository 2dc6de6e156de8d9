//! An image reference, taken apart as far as the daemon's calls need it.
//!
//! Invariant: a [`Reference`] can be put into the path of a request and stays one segment of it (or several, but none
//! that leads elsewhere). The core decides which names are good.

use super::error::DockerError;

/// `host/path:tag` or `host/path@digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Everything before the tag or digest.
    pub(super) repository: String,
    /// The tag; the daemon's default where none is given.
    pub(super) tag: String,
    /// Such as `sha256:…`; it wins over the tag.
    pub(super) digest: Option<String>,
}

impl Reference {
    pub(super) fn parse(reference: &str) -> Result<Self, DockerError> {
        let wrong =
            |reason| DockerError::Reference { reference: crate::progress::clean(reference).into_owned(), reason };
        if reference.is_empty() {
            return Err(wrong("it is empty"));
        }
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (name, "latest"),
        };
        let path_letter = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        let is_part =
            |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(path_letter);
        let is_ip6 = |part: &str| {
            let address = part.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            address.is_some_and(|(address, port)| {
                address.parse::<std::net::Ipv6Addr>().is_ok() && port.chars().all(|c| c == ':' || c.is_ascii_digit())
            })
        };
        let (first, others) =
            repository.split_once('/').map_or((repository, None), |(first, rest)| (first, Some(rest)));
        let is_first = is_part(first) || others.is_some() && is_ip6(first);
        if !is_first || !others.is_none_or(|others| others.split('/').all(is_part)) {
            return Err(wrong("a name has letters, digits, '.', '_' and '-' between its slashes"));
        }
        let tag_letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || !tag.chars().all(tag_letter) {
            return Err(wrong("a tag has up to 128 letters, digits, '.', '_' and '-'"));
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(wrong("a digest is sha256: and 64 hexadecimal digits"));
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.to_owned(), digest: digest.map(str::to_owned) })
    }

    /// The tag or digest, the way the daemon's `tag` parameter takes either.
    pub(super) fn version(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.tag)
    }

    /// The name in full.
    pub(super) fn full(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.repository),
            None => format!("{}:{}", self.repository, self.tag),
        }
    }

    /// The registry's host and port: the first part, if it looks like a host.
    pub(super) fn registry(&self) -> &str {
        match self.repository.split_once('/') {
            Some((host, _)) if is_host(host) => host,
            _ => "docker.io",
        }
    }
}

/// `sha256:` and 64 hexadecimal digits.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a first part is a host by the grammar of references: only a host may have upper case.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_apart_the_way_docker_reads_them() {
        for (given, repository, version, registry) in [
            ("python", "python", "latest", "docker.io"),
            ("python:3.9-slim", "python", "3.9-slim", "docker.io"),
            ("acme/etl:v1", "acme/etl", "v1", "docker.io"),
            ("localhost:5000/etl", "localhost:5000/etl", "latest", "localhost:5000"),
            ("localhost/etl:x", "localhost/etl", "x", "localhost"),
            // Not Docker Hub, which has its own password.
            ("MYHOST/etl:x", "MYHOST/etl", "x", "MYHOST"),
            ("[2001:db8::1]:5000/a/b", "[2001:db8::1]:5000/a/b", "latest", "[2001:db8::1]:5000"),
            ("[::1]/a:2", "[::1]/a", "2", "[::1]"),
            ("r.example:443/a/b/c:1.0", "r.example:443/a/b/c", "1.0", "r.example:443"),
        ] {
            let reference = Reference::parse(given).unwrap();
            assert_eq!(
                (reference.repository.as_str(), reference.version(), reference.registry()),
                (repository, version, registry),
                "{given}"
            );
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        let reference = Reference::parse(&format!("r.example/a:1@{digest}")).unwrap();
        assert_eq!((reference.version(), reference.full()), (digest.as_str(), format!("r.example/a@{digest}")));
    }

    #[test]
    fn what_would_lead_a_request_elsewhere_is_refused() {
        for given in [
            "",
            ":",
            "a:",
            ":a",
            "a/",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            "a/./b",
            "a?x=1",
            "a#b",
            "a b",
            "a\nb",
            "a%2fb",
            "https://r.example/a",
            "a:-x",
            "a:x/y:",
            "a@sha256:12",
            "a@",
            "ä/b",
            "a:\u{1b}[0m",
        ] {
            assert!(matches!(Reference::parse(given), Err(DockerError::Reference { .. })), "{given:?}");
        }
    }
}
