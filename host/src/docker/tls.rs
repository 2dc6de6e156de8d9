//! TLS to a daemon: trusted authorities and our own certificate, from where the docker command line takes them.

use std::{
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{FOREVER, cli_config, request_error::words};
use crate::{blob::read_regular, failure::of_system};

/// The TLS configuration that connections to a daemon share.
#[derive(Debug, Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads the folder that the user has chosen, else docker's own: `ca.pem` has the authorities to trust, `cert.pem`
    /// and `key.pem` our own certificate, if we have one. Without a chosen folder and without `ca.pem`, the system's
    /// authorities are trusted.
    pub(super) fn of(chosen: Option<&Path>, own: Option<&Path>) -> Result<Self, String> {
        let file = |name: &str| chosen.or(own).map(|folder| folder.join(name));
        let mut roots = RootCertStore::empty();
        if let Some((path, trusted)) = certificates(file("ca.pem"))? {
            for certificate in trusted {
                roots.add(certificate).map_err(|error| unusable(&path, &error))?;
            }
        } else if let Some(folder) = chosen {
            return Err(unusable(&folder.join("ca.pem"), &"it is missing"));
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match (certificates(file("cert.pem"))?, file("key.pem")) {
            (None, Some(key)) if key.exists() => {
                return Err(unusable(&key, &"cert.pem, which belongs to it, is missing"));
            }
            (Some((_, own)), Some(key)) => {
                let text =
                    read_regular(&key, cli_config::LARGEST).map_err(|error| unusable(&key, &of_system(&error)))?;
                let secret = PrivateKeyDer::from_pem_slice(&text).map_err(|error| unusable(&key, &error))?;
                config.with_client_auth_cert(own, secret).map_err(|error| unusable(&key, &error))?
            }
            _ => config.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// A client of the daemon at `host`, which includes a port.
    pub(super) fn client(&self, host: &str) -> Result<Docker, bollard::errors::Error> {
        let connector = HttpsConnectorBuilder::new().with_tls_config(self.0.as_ref().clone()).https_only();
        // A daemon closes idle connections, which we would notice only at the next request.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector.enable_http1().build());
        let ask = move |request: BollardRequest| {
            let answer = client.request(request);
            async { answer.await.map_err(bollard::errors::Error::from) }
        };
        Docker::connect_with_custom_transport(ask, Some(format!("https://{host}")), FOREVER, API_DEFAULT_VERSION)
    }

    /// Opens a connection of our own, without bollard.
    pub(super) async fn open(&self, host: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, TcpStream::connect(host).await?).await
    }
}

type Certificates = (PathBuf, Vec<CertificateDer<'static>>);

/// The certificates in a file, if it is there.
fn certificates(path: Option<PathBuf>) -> Result<Option<Certificates>, String> {
    let Some(path) = path else { return Ok(None) };
    let text = match read_regular(&path, cli_config::LARGEST) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| unusable(&path, &of_system(&error)))?,
    };
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|error| unusable(&path, &error))?;
    if all.is_empty() { Err(unusable(&path, &"it has no certificate")) } else { Ok(Some((path, all))) }
}

fn unusable(path: &Path, reason: &dyn fmt::Display) -> String {
    format!("{} can't be used: {}", path.display(), words(&reason.to_string()))
}
