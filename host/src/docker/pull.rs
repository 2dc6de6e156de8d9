//! Pulling an image from its registry.

use hyper::Request;

use super::{
    AUTH, Daemon, DockerError, connection::push_parameter, reference::Reference, request_error::RequestError,
    retry::LastProgress,
};
use crate::progress::Operation;

impl Daemon {
    /// Gets an image from its registry, newer or not: for this platform (`linux/arm64`), or else the daemon's own.
    ///
    /// # Errors
    /// If the registry doesn't give it. That the daemon has an image of that name doesn't help, as it may be another
    /// one; but the error's help mentions it.
    pub(crate) async fn pull(&self, reference: &str, platform: Option<&str>) -> Result<(), DockerError> {
        let name = Reference::parse(reference)?;
        let last_progress = LastProgress::new();
        let pull = self.patiently(&last_progress, || self.pull_now(&name, platform, &last_progress));
        self.watched(Operation::Pull, reference, pull).await
    }

    async fn pull_now(
        &self,
        name: &Reference,
        platform: Option<&str>,
        last_progress: &LastProgress,
    ) -> Result<(), DockerError> {
        let auth = self.registry_auth(name).await?;
        let mut query = String::new();
        push_parameter(&mut query, "fromImage", &name.repository);
        // Without a tag, the daemon would pull every tag.
        push_parameter(&mut query, "tag", name.version());
        if let Some(platform) = platform {
            push_parameter(&mut query, "platform", platform);
        }
        let request = Request::post(format!("/images/create?{query}")).header(AUTH, auth);
        let pull = self.transfer(request, |line| self.tell_transfer(line, last_progress));
        if let Err(error) = pull.await {
            return Err(self.pull_error(name, error).await);
        }
        // A daemon that is killed ends the stream without a word.
        match self.image(&name.full()).await? {
            Some(image) => check_platform(name, image.platform.as_deref(), platform),
            None => Err(DockerError::Cut { operation: "pull an image", reason: "the image is not there".to_owned() }),
        }
    }

    async fn pull_error(&self, name: &Reference, error: RequestError) -> DockerError {
        let mut error = self.registry_error("pull", "pull an image", name, error);
        if let DockerError::Registry { present, .. } = &mut error {
            *present = matches!(self.image(&name.full()).await, Ok(Some(_)));
        }
        error
    }
}

/// If a name stands for a single image instead of a list, older daemons take it whatever platform was asked for.
fn check_platform(name: &Reference, found: Option<&str>, wanted: Option<&str>) -> Result<(), DockerError> {
    let (Some(found), Some(wanted)) = (found, wanted) else { return Ok(()) };
    // As the daemon reads them.
    let known = wanted.replace("/aarch64", "/arm64").replace("/x86_64", "/amd64").to_lowercase();
    // A variant may be left out.
    let is_same = |(one, other)| one == other;
    if known.split('/').zip(found.split('/')).all(is_same) {
        return Ok(());
    }
    Err(DockerError::Platform { reference: name.full(), wanted: wanted.to_owned(), found: found.to_owned() })
}
