//! Pulling an image from its registry.

use bollard::models::{CreateImageInfo, ProgressDetail};
use bollard::query_parameters::CreateImageOptionsBuilder;

use super::reference::Reference;
use super::request_error::RequestError;
use super::retry::LastProgress;
use super::{Daemon, DockerError};
use crate::progress::{Event, Operation, Progress};

impl Daemon {
    /// Gets an image from its registry, newer or not: for this platform (`linux/arm64`), or else the daemon's own.
    ///
    /// # Errors
    /// If the registry doesn't give it. That the daemon has an image of that name doesn't help:
    /// it may be another one; but the error's help says so.
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
        let credentials = self.registry_credentials(name).await?;
        // Without a tag the daemon would pull them all.
        let mut options = CreateImageOptionsBuilder::default().from_image(&name.repository).tag(name.version());
        if let Some(platform) = platform {
            options = options.platform(platform);
        }
        let mut stream = self.docker.create_image(Some(options.build()), None, Some(credentials));
        loop {
            match self.next(&mut stream).await {
                Ok(Some(info)) => self.tell_transfer(&info, last_progress),
                Ok(None) => break,
                Err(error) => return Err(self.pull_error(name, error).await),
            }
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

    /// Passes a line of a pull or a push on.
    pub(super) fn tell_transfer(&self, info: &CreateImageInfo, last_progress: &LastProgress) {
        last_progress.hear(info.status.as_deref());
        tell_transfer(
            &*self.settings.progress,
            info.id.as_deref(),
            info.status.as_deref(),
            info.progress_detail.as_ref(),
        );
    }
}

/// Of an image that isn't a list, older daemons take what there is, whatever was asked for.
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

/// The same, for lines of another type but of the same shape.
pub(super) fn tell_transfer(
    progress: &dyn Progress,
    id: Option<&str>,
    status: Option<&str>,
    amount: Option<&ProgressDetail>,
) {
    let Some(status) = status.filter(|status| !status.is_empty()) else {
        return;
    };
    let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    progress.event(match id {
        // In the first line of a pull the id is a tag.
        Some(id) if !status.starts_with("Pulling from") => Event::Layer {
            id,
            status,
            current: bytes(amount.and_then(|amount| amount.current)),
            total: bytes(amount.and_then(|amount| amount.total)),
        },
        _ => Event::Message { text: status },
    });
}
