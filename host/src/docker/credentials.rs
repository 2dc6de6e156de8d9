//! Credentials for a registry, from where `docker login` keeps them.
//!
//! The places and their order are those of the docker command line: the registry's own helper (`credHelpers`), the
//! common store (`credsStore`), the file itself (`auths`). Written here because `docker_credential` 1.4 takes a missing
//! file for a broken one, fails on the empty `auth` that a store leaves behind, and blocks the thread while a helper
//! asks its user.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{
    cli_config::{self, Entry},
    request_error::words,
};
use crate::failure::{FailureKind, of_system};

/// Docker Hub's name in configuration files, older than its host's.
const HUB: &str = "https://index.docker.io/v1/";

/// How long a helper may ask its user for a password: after this long nobody is there.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest answer of a helper, in bytes.
const LARGEST: u64 = 64 << 10;
/// Reasons are quoted up to this length, in characters.
const LONGEST_REASON: usize = 500;

/// Why credentials could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// The configuration file is there, but can't be read.
    #[error("the docker configuration {file:?} can't be read: {reason}")]
    Unreadable {
        file: PathBuf,
        /// Why it can't be read; never with the file's content.
        reason: String,
    },
    /// The configuration's entry for a registry makes no sense.
    #[error("the credentials for {registry:?} in {file:?} can't be understood: {reason}")]
    Malformed {
        registry: String,
        file: PathBuf,
        /// What is wrong with the entry; never its content.
        reason: &'static str,
    },
    /// A credential helper did not do its work.
    #[error("the credential helper {helper:?} failed for {registry:?}: {reason}")]
    Helper { helper: String, registry: String, reason: String },
}

impl CredentialsError {
    pub(super) const fn kind(&self) -> FailureKind {
        match self {
            Self::Unreadable { .. } | Self::Malformed { .. } => FailureKind::Input,
            Self::Helper { .. } => FailureKind::Unavailable,
        }
    }

    pub(super) fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { file, .. } => format!("mend or remove {file:?}"),
            Self::Malformed { registry, .. } => format!("run `docker login {registry}` again"),
            Self::Helper { helper, .. } => {
                format!("install {helper:?}, or remove it from credHelpers and credsStore in the docker configuration")
            }
        })
    }
}

/// The user's credentials for a registry. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
    /// An OAuth refresh token, in place of a password.
    pub(super) identity_token: Option<String>,
    /// The key under which the daemon stores them.
    pub(super) server: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Where to look for credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct CredentialStore {
    /// The folder of `config.json`; `None` where the user has no home.
    pub(super) folder: Option<PathBuf>,
    /// The folder of the helpers, in place of the search path.
    helpers: Option<PathBuf>,
}

impl CredentialStore {
    pub(super) fn of_user() -> Self {
        Self { folder: cli_config::folder(|name| std::env::var(name).ok()), helpers: None }
    }

    /// The credentials for a registry such as `docker.io` or `localhost:5000`; `None` when there are none.
    pub(super) async fn find(&self, registry: &str) -> Result<Option<Credentials>, CredentialsError> {
        let registry = host(registry);
        let Some(folder) = &self.folder else { return Ok(None) };
        let Some(config) = cli_config::read(folder)? else { return Ok(None) };
        let helper = entry(&config.cred_helpers, registry).filter(|name| !name.is_empty());
        let store = config.creds_store.as_ref().filter(|name| !name.is_empty());
        if let Some(name) = helper.or(store)
            && let Some(found) = self.ask(name, registry).await?
        {
            return Ok(Some(found));
        }
        let Some(entry) = entry(&config.auths, registry) else {
            return Ok(None);
        };
        entry.credentials(registry).map_err(|reason| CredentialsError::Malformed {
            registry: registry.to_owned(),
            file: cli_config::file(folder),
            reason,
        })
    }

    /// Asks `docker-credential-<name>`.
    async fn ask(&self, name: &str, registry: &str) -> Result<Option<Credentials>, CredentialsError> {
        let helper = format!("docker-credential-{name}");
        let failed = |reason: String| CredentialsError::Helper {
            helper: words(&helper),
            registry: registry.to_owned(),
            reason: words(&reason),
        };
        if name.contains(['/', '\\']) {
            return Err(failed("a helper's name must not contain a path".to_owned()));
        }
        let program = self.helpers.as_deref().unwrap_or(Path::new("")).join(&helper);
        let server = server(registry);
        let output = tokio::time::timeout(PATIENCE, converse(&program, server))
            .await
            .map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| failed(of_system(&error)))?;
        if !output.status.success() {
            return complaint(output).map_or(Ok(None), |reason| Err(failed(reason)));
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| failed("its answer is not JSON with Username and Secret".to_owned()))?;
        Ok(answer.credentials(server))
    }
}

/// Runs a helper to its end.
async fn converse(program: &Path, server: &str) -> io::Result<Output> {
    let mut child = tokio::process::Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that needs no input may close it unread; its exit code says whether that is an error.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(read_some(stdout), read_some(stderr))?;
    Ok(Output { status: child.wait().await?, stdout, stderr })
}

/// Why a helper failed; none if it only has no credentials for this registry.
fn complaint(output: Output) -> Option<String> {
    // By convention the reason is on stdout; some write to stderr. A secret on stdout must not be repeated.
    let has_secret = serde_json::from_slice::<Answer>(&output.stdout).is_ok();
    let stdout = if has_secret { Vec::new() } else { output.stdout };
    let said = [stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).join("\n");
    let unknown = ["credentials not found", "no credentials server url"];
    if unknown.iter().any(|words| said.to_lowercase().contains(words)) {
        return None;
    }
    let said: String = words(&said).chars().take(LONGEST_REASON).collect();
    Some(if said.is_empty() { output.status.to_string() } else { said })
}

/// Reads a helper's output up to the limit. A helper that goes on writing finds its pipe closed.
async fn read_some(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(LARGEST).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Answer {
    fn credentials(self, server: &str) -> Option<Credentials> {
        let Self { username, secret } = self;
        let server = server.to_owned();
        match username.as_str() {
            _ if secret.is_empty() => None,
            // This name marks the secret as a token.
            "<token>" => {
                let (username, password) = (String::new(), String::new());
                Some(Credentials { username, password, identity_token: Some(secret), server })
            }
            _ => Some(Credentials { username, password: secret, identity_token: None, server }),
        }
    }
}

impl Entry {
    fn credentials(&self, registry: &str) -> Result<Option<Credentials>, &'static str> {
        let mut username = self.username.clone().unwrap_or_default();
        let mut password = self.password.clone().unwrap_or_default();
        if let Some(auth) = self.auth.as_deref().map(str::trim).filter(|auth| !auth.is_empty()) {
            let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let bytes = GeneralPurpose::new(&STANDARD, lenient).decode(auth).map_err(|_| "auth is not base64")?;
            let text = String::from_utf8(bytes).map_err(|_| "auth is not UTF-8")?;
            let (name, secret) = text.split_once(':').ok_or("auth is not user:password")?;
            // Docker for Windows once padded the password with zeros.
            (username, password) = (name.to_owned(), secret.trim_end_matches('\0').to_owned());
        }
        let identity_token = self.identitytoken.clone().filter(|token| !token.is_empty());
        if password.is_empty() && identity_token.is_none() {
            return Ok(None);
        }
        Ok(Some(Credentials { username, password, identity_token, server: server(registry).to_owned() }))
    }
}

/// The entry for a registry, whether its key has a scheme and a path or not. An exact key wins.
fn entry<'a, T>(entries: &'a Option<BTreeMap<String, Option<T>>>, registry: &str) -> Option<&'a T> {
    let entries = entries.as_ref()?;
    let exact = entries.get(server(registry));
    exact.or_else(|| entries.iter().find(|(key, _)| host(key) == host(registry)).map(|(_, entry)| entry))?.as_ref()
}

/// The key under which `docker login` files a registry.
fn server(registry: &str) -> &str {
    if host(registry) == "docker.io" { HUB } else { registry }
}

/// The host and port of a key; Docker Hub has several names.
fn host(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match key.split('/').next().unwrap_or(key) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn find(config: &str, registry: &str, helpers: &[(&str, &str)]) -> Result<Option<Credentials>, CredentialsError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        for (name, script) in helpers {
            // Written by another process: a file that this one holds open for writing can't be run as long as any
            // thread's fork has inherited it.
            let path = folder.path().join(format!("docker-credential-{name}"));
            let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 755 "$0""#;
            let status = std::process::Command::new("sh").arg("-c").arg(write).arg(path).arg(script).status();
            assert!(status.unwrap().success());
        }
        let store = CredentialStore { folder: Some(folder.path().to_owned()), helpers: Some(folder.path().to_owned()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(store.find(registry))
    }

    fn pair(config: &str, registry: &str, helpers: &[(&str, &str)]) -> Option<(String, String)> {
        find(config, registry, helpers).unwrap().map(|found| (found.username, found.password))
    }

    fn me(password: &str) -> Option<(String, String)> {
        Some(("me".to_owned(), password.to_owned()))
    }

    #[test]
    fn auths_are_found_with_and_without_scheme() {
        // bWU6c2U6Y3JldA== is me:se:cret
        for (key, registry) in [
            ("localhost:5000", "localhost:5000"),
            ("https://r.example", "r.example"),
            ("http://r.example/v1/", "r.example"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            // BuildKit's names for Docker Hub.
            ("https://index.docker.io/v1/", "registry-1.docker.io"),
            ("docker.io", "index.docker.io"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"bWU6c2U6Y3JldA=="}}}}}}"#);
            assert_eq!(pair(&config, registry, &[]), me("se:cret"), "{key}");
            assert_eq!(pair(&config, "other.example", &[]), None, "{key}");
        }
        let found = find(r#"{"auths":{"docker.io":{"auth":"bWU6eA"}}}"#, "docker.io", &[]).unwrap().unwrap();
        assert_eq!((found.server.as_str(), found.password.as_str()), (HUB, "x"));
    }

    #[test]
    fn the_registry_itself_comes_before_a_key_that_only_resembles_it() {
        let config = r#"{"auths":{"https://r.example":{"username":"me","password":"1"},"r.example":{"username":"me","password":"2"}}}"#;
        assert_eq!(pair(config, "r.example", &[]), me("2"));
        assert_eq!(pair(config, "r.example:5000", &[]), None);
    }

    #[test]
    fn tokens_are_no_passwords() {
        let found = find(r#"{"auths":{"r.example":{"auth":"bWU6","identitytoken":"tok"}}}"#, "r.example", &[])
            .unwrap()
            .unwrap();
        assert_eq!((found.identity_token.as_deref(), found.password.as_str()), (Some("tok"), ""));
        let helper = [("h", r#"cat >/dev/null; echo '{"ServerURL":"x","Username":"<token>","Secret":"tok"}'"#)];
        let found = find(r#"{"credHelpers":{"r.example":"h"}}"#, "r.example", &helper).unwrap().unwrap();
        assert_eq!((found.identity_token.as_deref(), found.username.as_str()), (Some("tok"), ""));
    }

    #[test]
    fn helpers_are_asked_for_the_name_that_docker_login_used() {
        let echo = r#"[ "$1" = get ] && echo "{\"Username\":\"me\",\"Secret\":\"$(cat)\"}""#;
        let config = r#"{"credsStore":"store","credHelpers":{"r.example":"own"},"auths":{"r.example":{},"docker.io":{"auth":""}}}"#;
        let helpers = [("store", echo), ("own", r#"echo '{"Username":"me","Secret":"own"}'"#)];
        assert_eq!(pair(config, "docker.io", &helpers), me(HUB));
        assert_eq!(pair(config, "localhost:5000", &helpers), me("localhost:5000"));
        assert_eq!(pair(config, "r.example", &helpers), me("own"));
    }

    #[test]
    fn a_helper_that_knows_nothing_leaves_the_file() {
        let nothing = [("store", "echo 'credentials not found in native keychain'; exit 1")];
        assert_eq!(pair(r#"{"credsStore":"store"}"#, "r.example", &nothing), None);
        let config = r#"{"credsStore":"store","auths":{"r.example":{"username":"me","password":"file"}}}"#;
        assert_eq!(pair(config, "r.example", &nothing), me("file"));
    }

    #[test]
    fn a_helper_that_fails_is_named() {
        for (script, reason) in [
            ("echo 'the keychain is locked' >&2; exit 2", "the keychain is locked"),
            ("exit 3", "exit status: 3"),
            ("echo '{\"Secret\": \"hunter2\"'", "its answer is not JSON"),
            ("echo '{\"Username\": \"me\", \"Secret\": \"hunter2\"}'; exit 4", "exit status: 4"),
            ("yes; exit 5", "y y y"),
        ] {
            let error = find(r#"{"credsStore":"store"}"#, "r.example", &[("store", script)]).unwrap_err();
            let text = error.to_string();
            assert!(text.len() < 1000);
            assert!(
                text.contains("\"docker-credential-store\" failed for \"r.example\"") && text.contains(reason),
                "{text}"
            );
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert_eq!(error.kind(), FailureKind::Unavailable);
        }
        let error = find(r#"{"credsStore":"gone"}"#, "r.example", &[]).unwrap_err();
        assert!(error.to_string().contains("docker-credential-gone") && error.help().unwrap().contains("credsStore"));
        assert!(
            find(r#"{"credsStore":"../gone"}"#, "r.example", &[])
                .unwrap_err()
                .to_string()
                .contains("must not contain a path")
        );
    }

    #[test]
    fn what_is_missing_or_empty_is_no_error() {
        for config in [
            "{}",
            r#"{"auths":null}"#,
            r#"{"auths":{"r.example":null}}"#,
            r#"{"auths":{"r.example":{}},"credHelpers":{"r.example":""}}"#,
            r#"{"auths":{"r.example":{"auth":null,"identitytoken":null}},"credsStore":null}"#,
            "",
        ] {
            assert_eq!(find(config, "r.example", &[]).unwrap(), None, "{config}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let nowhere = CredentialStore { folder: Some(tempfile::tempdir().unwrap().path().join("gone")), helpers: None };
        assert_eq!(runtime.block_on(nowhere.find("r.example")).unwrap(), None);
        assert_eq!(runtime.block_on(CredentialStore::default().find("r.example")).unwrap(), None);
    }

    #[test]
    fn a_broken_file_is_an_error_without_its_content() {
        for config in [
            r#"{"auths":{"r.example":"hunter2"}}"#,
            r#"{"auths": hunter2"#,
            r#"{"auths":{"r.example":{"auth":"aHVudGVyMg=="}}}"#,
        ] {
            let error = find(config, "r.example", &[]).unwrap_err();
            assert!(error.to_string().contains("config.json"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
            assert_eq!(error.kind(), FailureKind::Input);
        }
        let malformed = find(r#"{"auths":{"docker.io":{"auth":"!"}}}"#, "registry-1.docker.io", &[]).unwrap_err();
        assert_eq!(malformed.help().unwrap(), "run `docker login docker.io` again");
    }

    #[test]
    fn secrets_are_not_shown() {
        let found =
            find(r#"{"auths":{"r.example":{"username":"me","password":"hunter2"}}}"#, "r.example", &[]).unwrap();
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}
