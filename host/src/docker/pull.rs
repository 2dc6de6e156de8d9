//! Pulling an image from its registry.

use hyper::{Request, http::request::Builder};
use serde::Deserialize;
use tokio_util::task::AbortOnDropHandle;

use super::{
    AUTH, Daemon, DockerError,
    connection::{Answering, push_parameter},
    reference::Reference,
    request_error::RequestError,
    retry::LastProgress,
    transfer_line::Line,
};
use crate::progress::Operation;

/// A pull that was begun before a build asked for it.
pub(super) type BegunPull = AbortOnDropHandle<Result<Option<Answering>, DockerError>>;

impl Daemon {
    /// Pulls an image from its registry, newer or not: for this platform (`linux/arm64`), or else for the daemon's own.
    ///
    /// # Errors
    /// If the registry doesn't give it, even if the daemon has an image of that name, which may be another one; the
    /// error's help mentions that one.
    pub(super) async fn pull(
        &self,
        reference: &str,
        platform: Option<&str>,
        mut begun: Option<BegunPull>,
    ) -> Result<(), DockerError> {
        let name = Reference::parse(reference)?;
        let last_progress = LastProgress::new();
        let pull = self.patiently(&last_progress, || self.pull_now(&name, platform, begun.take(), &last_progress));
        self.watched(Operation::Pull, reference, pull).await
    }

    /// Has the daemon begin a pull for a later call of `pull`. None if it can't be asked, and that call will say why.
    ///
    /// # Errors
    /// An error that trying again can't mend: the user's credentials can't be had.
    pub(super) async fn begin_pull(
        &self,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<Option<Answering>, DockerError> {
        let request = self.pull_request(&Reference::parse(reference)?, platform).await?;
        Ok(self.send(request).await.ok())
    }

    async fn pull_request(&self, name: &Reference, platform: Option<&str>) -> Result<Builder, DockerError> {
        let auth = self.registry_auth(name).await?;
        let mut query = String::new();
        push_parameter(&mut query, "fromImage", &name.repository);
        // Without a tag, the daemon would pull every tag.
        push_parameter(&mut query, "tag", name.version());
        if let Some(platform) = platform {
            push_parameter(&mut query, "platform", platform);
        }
        Ok(Request::post(format!("/images/create?{query}")).header(AUTH, auth))
    }

    async fn pull_now(
        &self,
        name: &Reference,
        platform: Option<&str>,
        begun: Option<BegunPull>,
        last_progress: &LastProgress,
    ) -> Result<(), DockerError> {
        let tell = |line: &Line| self.tell_transfer(line, last_progress);
        let mut of_begun = None;
        if let Some(begun) = begun
            && let Some(answering) = self.unless_interrupted(begun).await?.unwrap_or(Ok(None))?
        {
            of_begun = Some(self.transfer(async { Ok(answering) }, tell).await);
        }
        let end = match of_begun {
            // A connection that nobody reads for long may be cut: then the pull begins anew. Other errors count.
            None | Some(Err(RequestError::Cut(_))) => {
                let request = self.pull_request(name, platform).await?;
                match (self.transfer(self.send(request), tell).await, of_begun) {
                    (Err(RequestError::Unreachable { .. }), Some(cut)) => cut,
                    (end, _) => end,
                }
            }
            Some(end) => end,
        };
        if let Err(error) = end {
            return Err(self.pull_error(name, error).await);
        }
        // A daemon that is killed ends the stream without a word.
        let Some(image) = self.image(&name.full()).await? else {
            return Err(DockerError::Cut { operation: "pull an image", reason: "the image is not there".to_owned() });
        };
        let Some(wanted) = platform else { return Ok(()) };
        let found = match image.platform {
            Some(one) => vec![one],
            None => self.platforms(name).await?,
        };
        check_platform(name, &found, wanted)
    }

    /// The platforms for which the daemon has the image; empty if the daemon doesn't tell (before Docker 28).
    async fn platforms(&self, name: &Reference) -> Result<Vec<String>, DockerError> {
        let question = Request::get(format!("/images/{}/json?manifests=1", name.full()));
        let image: Manifests =
            self.answer(question).await.map_err(|error| error.into_error("look up an image", &self.address))?;
        let there = image.manifests.into_iter().flatten().filter(|manifest| manifest.available);
        let platforms = there.filter_map(|manifest| manifest.image_data);
        Ok(platforms.map(|data| format!("{}/{}", data.platform.os, data.platform.architecture)).collect())
    }

    async fn pull_error(&self, name: &Reference, error: RequestError) -> DockerError {
        let mut error = self.registry_error("pull", "pull an image", name, error);
        if let DockerError::Registry { present, .. } = &mut error {
            *present = matches!(self.image(&name.full()).await, Ok(Some(_)));
        }
        error
    }
}

/// The answer about an image that may be there for several platforms. Attestations have no image data.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifests {
    manifests: Option<Vec<Manifest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    available: bool,
    image_data: Option<ImageData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageData {
    platform: Platform,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

/// Other names that the daemon takes for an architecture.
const ALIASES: [(&str, &str); 6] = [
    ("aarch64", "arm64"),
    ("x86_64", "amd64"),
    ("x86-64", "amd64"),
    ("i386", "386"),
    ("armhf", "arm"),
    ("armel", "arm"),
];

/// Refuses an image for another platform. If a name stands for a single image instead of a list, daemons accept it for
/// any platform: older ones always, newer ones if they have it already.
fn check_platform(name: &Reference, found: &[String], wanted: &str) -> Result<(), DockerError> {
    let lower = wanted.to_lowercase();
    let known = lower.split('/').map(|part| ALIASES.iter().find(|(alias, _)| *alias == part).map_or(part, |one| one.1));
    // A variant may be left out.
    let is_wanted = |one: &String| known.clone().zip(one.split('/')).all(|(one, other)| one == other);
    if found.is_empty() || found.iter().any(is_wanted) {
        return Ok(());
    }
    let (wanted, found) = (wanted.to_owned(), found.join(" and "));
    Err(DockerError::Platform { reference: name.full(), wanted, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_has_the_names_that_the_daemon_knows() {
        let name = Reference::parse("a:1").unwrap();
        for (wanted, found) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/AARCH64", "linux/arm64"),
            ("Linux/x86-64", "linux/amd64"),
            ("linux/i386", "linux/386"),
            ("linux/armhf", "linux/arm"),
            ("linux/armel", "linux/arm"),
        ] {
            assert!(check_platform(&name, &[found.to_owned()], wanted).is_ok(), "{wanted}");
            assert!(check_platform(&name, &["linux/s390x".to_owned()], wanted).is_err(), "{wanted}");
        }
    }
}
