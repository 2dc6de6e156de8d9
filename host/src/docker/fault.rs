//! What the daemon's error messages mean.
//!
//! The daemon speaks in sentences, not codes: the same status 500 means a registry that is down, a wrong password, or a
//! name that DNS doesn't know. [`Fault`] reads the sentences, so that nothing else must.

use crate::failure::FailureKind;

/// What the daemon's words mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no such image.
    Missing,
    /// No credentials, wrong ones, or ones that don't suffice.
    Denied,
    /// The registry can't be reached.
    Unreachable,
    /// The registry's certificate is not trusted, or it speaks plain HTTP.
    Untrusted,
    /// Too slow, too many requests, or an error of the registry's own.
    Busy,
    /// The daemon's disk is full.
    DiskFull,
    /// The daemon rejects what it was given.
    Invalid,
    /// None of these.
    Other,
}

impl Fault {
    /// Reads the daemon's words; the status is that of its answer, if the words came with one.
    pub(super) fn of(status: Option<u16>, words: &str) -> Self {
        // Quoted parts are left out: they are addresses, in which the image's name may be any word.
        let words = words.split('"').step_by(2).collect::<String>().trim().to_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
        // Ordered: "pull access denied, repository does not exist" is about access, and a DNS server that doesn't
        // answer is slow before it is unreachable.
        if says(&["no space left on device"]) {
            Self::DiskFull
        } else if says(&["invalid reference format", "not supported by buildkit"]) {
            // Some calls answer this with status 500.
            Self::Invalid
        } else if status == Some(429) || says(&["toomanyrequests", "too many requests", " 429 "]) {
            Self::Busy
        } else if matches!(status, Some(401 | 403))
            || says(&[
                "unauthorized",
                "no basic auth credentials",
                "authentication required",
                "resource is denied",
                "access denied",
                "access forbidden",
                "403 forbidden",
                "http 401 response",
                "http 403 response",
                "docker login",
                "incorrect username or password",
                "denied: ",
            ])
        {
            Self::Denied
        } else if status == Some(404) || says(&["manifest unknown", "name unknown"]) || words.ends_with(": not found") {
            // Checked before the words below, because the image's name may contain one of them.
            Self::Missing
        } else if says(&["x509:", "certificate", "server gave http response to https client"]) {
            Self::Untrusted
        } else if says(&[
            "timeout",
            "deadline exceeded",
            "connection reset",
            "broken pipe",
            "unexpected eof",
            "unexpected http status: 5",
            "internal server error",
            "bad gateway",
            "service unavailable",
            // A registry's status 500, in the words of a daemon that keeps images in containerd.
            "error from registry: unknown error",
            // The registry discarded what was sent so far; all of it can be sent again.
            "blob upload unknown",
            "blob upload invalid",
        ]) || words == "eof"
            || words.ends_with(": eof")
        {
            Self::Busy
        } else if says(&[
            "connection refused",
            "no such host",
            "no route to host",
            "network is unreachable",
            "server misbehaving",
            "name resolution",
            "dial tcp",
        ]) {
            Self::Unreachable
        } else if says(&["http 404 response", "not found", "no such image", "does not exist"])
            // How newer daemons report an answer without a body whose status is not 401, 403 or 429.
            || words == "unknown:"
        {
            Self::Missing
        } else {
            match status {
                Some(400..500) => Self::Invalid,
                Some(500..) => Self::Busy,
                _ => Self::Other,
            }
        }
    }

    pub(super) const fn kind(self) -> FailureKind {
        match self {
            Self::Missing | Self::Invalid => FailureKind::Input,
            Self::Denied | Self::Unreachable | Self::Untrusted | Self::DiskFull | Self::Other => {
                FailureKind::Unavailable
            }
            Self::Busy => FailureKind::Retry,
        }
    }

    pub(super) fn help(self, registry: &str) -> Option<String> {
        Some(match self {
            Self::Missing => "check the name and the tag".to_owned(),
            Self::Denied => format!("check the name, and log in with `docker login {registry}`"),
            Self::Unreachable => {
                format!("check that {registry} is the right name and that the registry is running")
            }
            Self::Untrusted => format!(
                "let the daemon trust {registry}: install its CA certificate for docker, or list it in the \
                 daemon's insecure-registries"
            ),
            Self::Busy => "try again in a little while".to_owned(),
            Self::DiskFull => "free some space on the daemon's disk, for example with `docker system prune`".to_owned(),
            Self::Invalid | Self::Other => return None,
        })
    }
}

/// Whether another build gave an image the same new name at the same moment: a daemon that keeps images in containerd
/// (such as 28.5) then fails one of the two builds. All steps of that build are in the cache by then.
pub(super) fn named_at_once(words: &str) -> bool {
    words.starts_with("image \"") && words.ends_with("\": already exists")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_image_is_named_at_once() {
        // Heard from Docker 28.5, the host name replaced.
        assert!(named_at_once("image \"localhost:5000/a:1\": already exists"));
        assert!(!named_at_once("failed to solve: file \"a\": already exists"));
        assert!(!named_at_once("image \"localhost:5000/a:1\": not found"));
    }

    #[test]
    fn the_daemons_words_are_understood() {
        for (status, words, fault) in [
            // Heard from Docker 20.10, host names replaced.
            (
                Some(404),
                "manifest for localhost:5000/a:1 not found: manifest unknown: manifest unknown",
                Fault::Missing,
            ),
            (Some(404), "manifest for localhost:5000/certificate:v1 not found: manifest unknown", Fault::Missing),
            (None, "manifest for localhost:5000/timeout@sha256:01429 not found: manifest unknown", Fault::Missing),
            (
                None,
                "failed to resolve reference \"localhost:5000/certificate:v1\": localhost:5000/certificate:v1: not found",
                Fault::Missing,
            ),
            (
                None,
                "failed to do request: Head \"http://localhost:1/v2/timeout/manifests/1\": dial tcp 127.0.0.1:1: connect: connection refused",
                Fault::Unreachable,
            ),
            (Some(500), "error parsing HTTP 404 response body: unexpected end of JSON input: \"\"", Fault::Missing),
            (
                Some(404),
                "pull access denied for localhost:5000/a, repository does not exist or may require 'docker login': denied: not yours",
                Fault::Denied,
            ),
            (Some(500), "Head \"http://localhost:5001/v2/a/manifests/1\": no basic auth credentials", Fault::Denied),
            (Some(500), "unauthorized: authentication required", Fault::Denied),
            (None, "unauthorized: authentication required", Fault::Denied),
            (
                Some(500),
                "Get \"http://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                Fault::Unreachable,
            ),
            (
                Some(500),
                "Get \"https://r.example/v2/\": dial tcp: lookup r.example on 10.0.0.2:53: no such host",
                Fault::Unreachable,
            ),
            (Some(500), "received unexpected HTTP status: 503 Service Unavailable", Fault::Busy),
            (Some(500), "toomanyrequests: slow down", Fault::Busy),
            (Some(500), "Head \"http://localhost:5000/v2/a/manifests/1\": EOF", Fault::Busy),
            (Some(500), "invalid reference format: repository name must be lowercase", Fault::Invalid),
            (Some(500), "network mode \"bridge\" not supported by buildkit", Fault::Invalid),
            // Heard from Docker 28.5.
            (Some(500), "unknown: ", Fault::Missing),
            (Some(401), "unauthorized: ", Fault::Denied),
            (
                Some(404),
                "pull access denied for localhost:5000/a, repository does not exist or may require 'docker login': denied: ",
                Fault::Denied,
            ),
            (Some(429), "toomanyrequests: ", Fault::Busy),
            (None, "error from registry: blob upload unknown to registry", Fault::Busy),
            (None, "error from registry: blob upload invalid", Fault::Busy),
            (None, "error from registry: unknown error", Fault::Busy),
            // Not heard here, but known from elsewhere.
            (
                Some(500),
                "Get \"https://r.example/v2/\": dial tcp: lookup r.example: Temporary failure in name resolution",
                Fault::Unreachable,
            ),
            (Some(500), "Get \"https://r.example/v2/\": net/http: TLS handshake timeout", Fault::Busy),
            (None, "EOF", Fault::Busy),
            (
                Some(500),
                "Get \"https://r.example/v2/\": x509: certificate signed by unknown authority",
                Fault::Untrusted,
            ),
            (
                Some(500),
                "Get \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client",
                Fault::Untrusted,
            ),
            (None, "denied: requested access to the resource is denied", Fault::Denied),
            (None, "write /data/layer: no space left on device", Fault::DiskFull),
            (None, "something new", Fault::Other),
            (Some(400), "no build stage in current context", Fault::Invalid),
            (Some(500), "something new", Fault::Busy),
        ] {
            assert_eq!(Fault::of(status, words), fault, "{status:?} {words}");
        }
    }
}
