//! Pushing an image to its registry.

use std::sync::atomic::{AtomicU32, Ordering};

use hyper::Request;

use super::{
    AUTH, Daemon, DockerError, Fault,
    connection::push_parameter,
    reference::{Reference, is_digest},
    request_error::RequestError,
    retry::LastProgress,
};
use crate::progress::{Event, Operation};

impl Daemon {
    /// Pushes an image, and returns the digest under which the registry has it. The image stays in the daemon: it is
    /// the cache of the next build.
    ///
    /// # Errors
    /// If the daemon doesn't have the image, or the registry doesn't take it.
    pub(crate) async fn push(&self, reference: &str) -> Result<String, DockerError> {
        let name = Reference::parse(reference)?;
        if name.digest.is_some() {
            return Err(DockerError::Reference {
                reference: reference.to_owned(),
                reason: "a push needs a tag; the registry computes the digest",
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
            // A registry that was killed while it wrote a manifest may keep half of it, and say that it has the
            // manifest.
            if attempts.into_inner() > 1 && self.published(reference).await?.as_ref() != Some(&digest) {
                return Err(DockerError::Registry {
                    operation: "push",
                    reference: name.full(),
                    registry: name.registry().to_owned(),
                    message: format!("the registry accepted {digest}, but does not have it under that name"),
                    fault: Fault::Busy,
                    present: false,
                });
            }
            Ok(digest)
        };
        self.watched(Operation::Push, reference, push).await
    }

    async fn push_now(&self, name: &Reference, last_progress: &LastProgress) -> Result<String, DockerError> {
        // The daemon's own message for this has no status that would distinguish it.
        if self.image(&name.full()).await?.is_none() {
            return Err(DockerError::NoImage { reference: name.full() });
        }
        let auth = self.registry_auth(name).await?;
        let mut query = String::new();
        push_parameter(&mut query, "tag", &name.tag);
        // The repository is free of characters that mean something in a URL: see `Reference`.
        let request = Request::post(format!("/images/{}/push?{query}", name.repository)).header(AUTH, auth);
        let mut digest = None;
        let push = self.transfer(self.send(request), |line| match line.status.as_deref().and_then(pushed_digest) {
            Some(pushed) => digest = Some(pushed.to_owned()),
            None => self.tell_transfer(line, last_progress),
        });
        push.await.map_err(|error| self.push_error(name, error))?;
        let digest = match digest {
            Some(digest) => digest,
            None => self.unspoken_digest(name).await?,
        };
        self.tell(Event::Message { text: &format!("digest {digest}") });
        Ok(digest)
    }

    /// A killed daemon ends the stream without a word. The push is complete only if the registry has the daemon's image
    /// under that name.
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
            // The tag was there a moment ago: another build is about to set it again (containerd, 28.5).
            *fault = Fault::Busy;
        }
        error
    }
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
