//! Pushing an image to its registry.

use std::sync::atomic::{AtomicU32, Ordering};

use bollard::BollardRequest;
use bollard::query_parameters::CreateImageOptions;

use super::reference::{Reference, is_digest};
use super::request_error::RequestError;
use super::retry::LastProgress;
use super::{Daemon, DockerError, Fault, readable_credentials};
use crate::progress::{Event, Operation};

impl Daemon {
    /// Gives an image to its registry and returns the digest under which that has it.
    /// The image stays in the daemon: it is the cache of the next build.
    ///
    /// # Errors
    /// If the daemon doesn't have the image, or the registry doesn't take it.
    pub(crate) async fn push(&self, reference: &str) -> Result<String, DockerError> {
        let name = Reference::parse(reference)?;
        if name.digest.is_some() {
            return Err(DockerError::Reference {
                reference: reference.to_owned(),
                reason: "a push needs a tag, the registry computes the digest",
            });
        }
        let last_progress = LastProgress::new();
        let attempts = AtomicU32::new(0);
        let push = async {
            let push = || {
                attempts.fetch_add(1, Ordering::Relaxed);
                self.push_now(&name, &last_progress)
            };
            let digest = self.patiently(&last_progress, push).await?;
            // A registry that was killed while it wrote a manifest may keep a half one, and say that it has it.
            if attempts.into_inner() > 1 && self.published(reference).await?.as_ref() != Some(&digest) {
                return Err(DockerError::Registry {
                    operation: "push",
                    reference: name.full(),
                    registry: name.registry().to_owned(),
                    message: format!("the registry took {digest}, and does not have it under that name"),
                    fault: Fault::Busy,
                    present: false,
                });
            }
            Ok(digest)
        };
        self.watched(Operation::Push, reference, push).await
    }

    async fn push_now(&self, name: &Reference, last_progress: &LastProgress) -> Result<String, DockerError> {
        // The daemon's own message for this has no status that would set it apart.
        if self.image(&name.full()).await?.is_none() {
            return Err(DockerError::NoImage { reference: name.full() });
        }
        let credentials = self.registry_credentials(name).await?;
        // bollard 0.21.1 leaves the layer's id out of what a push tells, and so out of progress.
        // A pull's lines have the same shape and are complete, so the push is sent as one.
        let target = name.clone();
        let docker = self.docker.clone().with_request_modifier(move |pull| as_push(pull, &target));
        let mut stream = docker.create_image(None::<CreateImageOptions>, None, Some(credentials));
        let mut digest = None;
        loop {
            match self.next(&mut stream).await {
                Ok(Some(info)) => match info.status.as_deref().and_then(pushed_digest) {
                    Some(pushed) => digest = Some(pushed.to_owned()),
                    None => self.tell_transfer(&info, last_progress),
                },
                Ok(None) => break,
                Err(error) => return Err(self.push_error(name, error)),
            }
        }
        let digest = match digest {
            Some(digest) => digest,
            None => self.unspoken_digest(name).await?,
        };
        self.tell(Event::Message { text: &format!("digest {digest}") });
        Ok(digest)
    }

    /// A daemon that is killed ends the stream without a word. Only if the registry has under that
    /// name what the daemon has, the push is complete.
    async fn unspoken_digest(&self, name: &Reference) -> Result<String, DockerError> {
        let pushed = self.image(&name.full()).await?.map(|image| image.digests).unwrap_or_default();
        let published = self.published(&name.full()).await?;
        published
            .filter(|digest| pushed.contains(&format!("{}@{digest}", name.repository)))
            .ok_or_else(|| DockerError::Cut { operation: "push an image", reason: "the push did not end".to_owned() })
    }

    fn push_error(&self, name: &Reference, error: RequestError) -> DockerError {
        let mut error = self.registry_error("push", "push an image", name, error);
        if let DockerError::Registry { message, fault, .. } = &mut error
            && message.starts_with("tag does not exist")
        {
            // It was there a moment ago: another build is about to give it the tag anew (containerd, 28.5).
            *fault = Fault::Busy;
        }
        error
    }
}

fn as_push(mut request: BollardRequest, name: &Reference) -> BollardRequest {
    let from = request.uri().to_string();
    let base = from.split_once("/images/create").map_or("", |(base, _)| base);
    // Both parts are free of characters that mean something in a URL: see `Reference`.
    if let Ok(uri) = format!("{base}/images/{}/push?tag={}", name.repository, name.tag).parse() {
        *request.uri_mut() = uri;
    }
    readable_credentials(request)
}

/// The digest in `v1: digest: sha256:… size: 1234`, the last line of a push.
fn pushed_digest(status: &str) -> Option<&str> {
    let (_, rest) = status.split_once("digest: ")?;
    rest.split_whitespace().next().filter(|digest| is_digest(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_in_the_last_line() {
        let digest = format!("sha256:{}", "0a1b".repeat(16));
        assert_eq!(pushed_digest(&format!("v1: digest: {digest} size: 528")), Some(digest.as_str()));
        assert_eq!(pushed_digest(&format!("digest: {digest} size: 528")), Some(digest.as_str()));
        assert_eq!(pushed_digest("v1: digest: sha256:\u{1b}[2J size: 528"), None);
        assert_eq!(pushed_digest("Pushed"), None);
        assert_eq!(pushed_digest("v1: digest: "), None);
    }
}
