//! Where the daemon is.

use std::path::{Path, PathBuf};

use hyper::http::uri::Authority;

use super::{cli_config, cli_context, error::DockerError, tls::Tls};
use crate::progress::{clean, without_passwords};

/// A way to reach a daemon that this build knows.
#[derive(Debug, Clone)]
pub(super) enum Address {
    /// A Unix domain socket.
    Unix(String),
    /// A Windows named pipe.
    Pipe(String),
    /// Plain HTTP over TCP: host and port.
    Http(String),
    /// HTTP over TLS: host and port.
    Https(String, Tls),
}

impl Address {
    /// Finds `given`, else `DOCKER_HOST`, else the address of docker's current context, else where this platform's
    /// docker usually is. `environment` reads a variable; an empty one counts as none, as for docker.
    pub(super) fn find(given: Option<&str>, environment: impl Fn(&str) -> Option<String>) -> Result<Self, DockerError> {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let folder = cli_config::folder(variable);
        let Some((address, certificates)) = chosen(given, variable, folder.as_deref())? else {
            return Ok(Self::platform(variable));
        };
        Self::parse(&address, certificates, variable, folder.as_deref()).map_err(|reason| DockerError::Address {
            address: without_passwords(&clean(&address)).into_owned(),
            reason,
        })
    }

    fn parse(
        address: &str,
        certificates: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<String>,
        folder: Option<&Path>,
    ) -> Result<Self, String> {
        let (scheme, place) = address.split_once("://").ok_or("it has no scheme")?;
        if place.is_empty() {
            return Err("nothing follows the scheme".to_owned());
        }
        let reason = match scheme {
            "unix" if !cfg!(unix) => "there are no unix sockets on this system",
            // Prefect writes its default without the slash of the root.
            "unix" => return Ok(Self::Unix(format!("/{}", place.trim_start_matches('/')))),
            "npipe" if !cfg!(windows) => "named pipes are for Windows",
            "npipe" => return Ok(Self::Pipe(place.to_owned())),
            "tcp" | "http" | "https" => return Self::over_tcp(scheme, place, certificates, variable, folder),
            "ssh" => "ssh is not supported; forward the socket instead: `ssh -L PATH:/var/run/docker.sock HOST`",
            _ => "its scheme is unknown",
        };
        Err(reason.to_owned())
    }

    fn over_tcp(
        scheme: &str,
        place: &str,
        certificates: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<String>,
        folder: Option<&Path>,
    ) -> Result<Self, String> {
        // `tcp://` says nothing about TLS; if a variable or the context asks for it, nothing may be sent in the clear.
        let is_secure =
            scheme == "https" || scheme == "tcp" && (variable("DOCKER_TLS_VERIFY").is_some() || certificates.is_some());
        if scheme == "tcp" && !is_secure && variable("DOCKER_TLS").is_some() {
            let reason = "DOCKER_TLS is set, and TLS without verification is not supported: set DOCKER_TLS_VERIFY";
            return Err(reason.to_owned());
        }
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ if is_secure => 2376,
            _ => 2375,
        };
        let host = match place.trim_end_matches('/') {
            host if host.contains(['/', '?', '#', '@']) => {
                return Err("only a host and a port may follow the scheme".to_owned());
            }
            host if host.starts_with(':') => format!("localhost{host}"),
            host if has_port(host) => host.to_owned(),
            host => format!("{host}:{port}"),
        };
        let authority = host.parse::<Authority>().map_err(|error| error.to_string())?;
        if authority.port_u16().is_none_or(|port| port == 0) {
            return Err("ports are numbers from 1 to 65535".to_owned());
        }
        if !is_secure {
            return Ok(Self::Http(host));
        }
        let certificates = certificates.or_else(|| variable("DOCKER_CERT_PATH").map(PathBuf::from));
        Ok(Self::Https(host, Tls::of(certificates.as_deref(), folder)?))
    }

    #[cfg(not(windows))]
    fn platform(variable: impl Fn(&str) -> Option<String>) -> Self {
        const SYSTEM: &str = "/var/run/docker.sock";
        // Rootless docker and Docker Desktop keep their sockets elsewhere.
        let rootless = variable("XDG_RUNTIME_DIR").map(|folder| format!("{folder}/docker.sock"));
        let desktop = variable("HOME").map(|home| format!("{home}/.docker/run/docker.sock"));
        let candidates = std::iter::once(SYSTEM.to_owned()).chain(rootless).chain(desktop);
        Self::Unix(candidates.into_iter().find(|path| Path::new(path).exists()).unwrap_or_else(|| SYSTEM.to_owned()))
    }

    #[cfg(windows)]
    fn platform(_: impl Fn(&str) -> Option<String>) -> Self {
        Self::Pipe("//./pipe/docker_engine".to_owned())
    }
}

/// The address that the user has chosen, if any, and the certificates that belong to it.
fn chosen(
    given: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
    folder: Option<&Path>,
) -> Result<Option<(String, Option<PathBuf>)>, DockerError> {
    let address = given.filter(|given| !given.is_empty()).map(str::to_owned).or_else(|| variable("DOCKER_HOST"));
    if let Some(address) = address {
        return Ok(Some((address, None)));
    }
    let Some(folder) = folder else { return Ok(None) };
    let context = cli_context::chosen(variable("DOCKER_CONTEXT"), folder)?;
    Ok(context.map(|context| (context.address, context.certificates)))
}

fn has_port(host: &str) -> bool {
    // An IPv6 address has colons of its own, in brackets.
    host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{path}"),
            Self::Pipe(path) => write!(f, "npipe://{path}"),
            Self::Http(host) => write!(f, "tcp://{host}"),
            Self::Https(host, _) => write!(f, "https://{host}"),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn find(given: Option<&str>, environment: &[(&str, &str)]) -> Result<String, String> {
        let read = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Address::find(given, read).map(|address| address.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_argument_comes_before_the_environment() {
        let environment = [("DOCKER_HOST", "unix:///run/other.sock")];
        assert_eq!(find(Some("tcp://host:1"), &environment).unwrap(), "tcp://host:1");
        assert_eq!(find(None, &environment).unwrap(), "unix:///run/other.sock");
        assert!(find(None, &[("DOCKER_HOST", "")]).unwrap().starts_with("unix://"));
    }

    #[test]
    fn a_context_of_docker_comes_after_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let far = [("DOCKER_CONFIG", path), ("DOCKER_CONTEXT", "far")];
        let error = find(None, &far).unwrap_err();
        assert!(error.contains("the docker context \"far\""), "{error}");
        assert_eq!(find(Some("unix:///s"), &far).unwrap(), "unix:///s");
        assert_eq!(find(None, &[far[0], far[1], ("DOCKER_HOST", "tcp://host:1")]).unwrap(), "tcp://host:1");
    }

    #[test]
    fn a_socket_in_the_users_own_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("docker.sock"), "").unwrap();
        let found = find(None, &[("XDG_RUNTIME_DIR", folder.path().to_str().unwrap())]).unwrap();
        let system = Path::new("/var/run/docker.sock").exists();
        let expected = if system { "/var/run/docker.sock".into() } else { folder.path().join("docker.sock") };
        assert_eq!(found, format!("unix://{}", expected.display()));
    }

    #[test]
    fn certificates_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let (chosen, own) = ("DOCKER_CERT_PATH", "DOCKER_CONFIG");
        let refused = |name: &str, by: &str| {
            let error = find(Some("tcp://host"), &[("DOCKER_TLS_VERIFY", "1"), (by, path)]).unwrap_err();
            assert!(error.contains(&format!("{path}/{name} can't be used")), "{error}");
        };
        refused("ca.pem", chosen);
        std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
        refused("ca.pem", chosen);
        refused("ca.pem", own);
        std::fs::remove_file(folder.path().join("ca.pem")).unwrap();
        find(Some("tcp://host"), &[("DOCKER_TLS_VERIFY", "1"), (own, path)]).unwrap();
        std::fs::write(folder.path().join("key.pem"), "").unwrap();
        refused("key.pem", own);
        std::fs::write(folder.path().join("cert.pem"), "-----BEGIN CERTIFICATE-----\n!\n").unwrap();
        refused("cert.pem", own);
    }

    #[test]
    fn addresses_are_completed_or_refused() {
        for (given, found) in [
            ("tcp://host", Ok("tcp://host:2375")),
            ("tcp://host:abc", Err("invalid")),
            ("tcp://host:99999", Err("1 to 65535")),
            ("tcp://host:0", Err("1 to 65535")),
            ("http://a b", Err("invalid")),
            ("tcp://:2375", Ok("tcp://localhost:2375")),
            ("tcp://[::1]", Ok("tcp://[::1]:2375")),
            ("tcp://[::1]:9", Ok("tcp://[::1]:9")),
            ("http://host:8080/", Ok("tcp://host:8080")),
            ("http://host", Ok("tcp://host:80")),
            ("http://host:8080/prefix", Err("only a host and a port")),
            ("https://host:2376", Ok("https://host:2376")),
            ("https://host", Ok("https://host:443")),
            ("ssh://me@host", Err("ssh is not supported")),
            ("npipe:////./pipe/docker_engine", Err("named pipes")),
            ("fd://", Err("nothing follows")),
            ("ftp://host", Err("unknown")),
            ("/var/run/docker.sock", Err("no scheme")),
            ("unix://var/run/docker.sock", Ok("unix:///var/run/docker.sock")),
        ] {
            match (find(Some(given), &[("DOCKER_CONFIG", "/none")]), found) {
                (Ok(address), Ok(expected)) => assert_eq!(address, expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (address, expected) => panic!("{given}: {address:?}, not {expected:?}"),
            }
        }
        let verify = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CONFIG", "/none")];
        assert!(find(Some("tcp://host"), &[("DOCKER_TLS", "1")]).unwrap_err().contains("DOCKER_TLS_VERIFY"));
        assert_eq!(find(Some("tcp://host"), &verify).unwrap(), "https://host:2376");
        assert_eq!(find(Some("http://host:1"), &verify).unwrap(), "tcp://host:1");
        assert_eq!(find(Some("unix:///s"), &verify).unwrap(), "unix:///s");
    }
}
