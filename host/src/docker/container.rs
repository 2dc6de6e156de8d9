//! A container that is removed whatever happens.

use std::{collections::HashMap, time::Duration};

use bollard::{
    Docker,
    models::ContainerCreateBody,
    query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, WaitContainerOptionsBuilder},
};
use futures_util::StreamExt;

use super::{
    ANSWER, Daemon, DockerError,
    request_error::{Interrupted, RequestError},
};
use crate::progress::Event;

/// The label of every container that we create, with its purpose as value: what a killed flowhold leaves behind can be
/// found with `docker ps -a --filter label=io.flowhold.run`.
const LABEL: &str = "io.flowhold.run";

/// How long to wait, after an interruption, for the id of a container that is being made.
const LAST_WORD: Duration = Duration::from_secs(10);
const REMOVAL: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 3;

/// A container of ours, until [`Daemon::remove`] removes it. If it is dropped before (with the future of its
/// operation), it is removed in the background as long as the runtime lives.
#[derive(Debug)]
pub(super) struct Container {
    docker: Docker,
    id: String,
    removed: bool,
}

impl Container {
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl Daemon {
    /// Makes a container, without starting it.
    pub(super) async fn create(
        &self,
        purpose: &str,
        image: &str,
        mut body: ContainerCreateBody,
    ) -> Result<Container, DockerError> {
        if self.settings.interrupt.is_cancelled() {
            return Err(DockerError::Interrupted);
        }
        body.image = Some(image.to_owned());
        body.labels = Some(HashMap::from([(LABEL.to_owned(), purpose.to_owned())]));
        // We choose the name, so that people can be told which container it is, even if the daemon doesn't say.
        let name = format!("flowhold-{}", uuid::Uuid::new_v4());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let request = self.docker.create_container(Some(options), body);
        tokio::pin!(request);
        let answer = match self.unless_interrupted(tokio::time::timeout(ANSWER, &mut request)).await {
            Ok(Ok(answer)) => answer.map_err(RequestError::from),
            Ok(Err(_)) => {
                self.may_be_left(&name);
                Err(RequestError::Timeout(ANSWER))
            }
            Err(Interrupted) => {
                // The daemon may be creating the container: only its answer tells whether there is one to remove.
                match tokio::time::timeout(LAST_WORD, request).await {
                    Ok(Ok(made)) => self.remove(self.container(made.id)).await,
                    Ok(Err(_)) => {}
                    Err(_) => self.may_be_left(&name),
                }
                return Err(DockerError::Interrupted);
            }
        };
        match answer {
            Ok(made) => Ok(self.container(made.id)),
            Err(RequestError::Answer { status: 404, .. }) => Err(DockerError::NoImage { reference: image.to_owned() }),
            Err(RequestError::Answer { status: 400, message }) => {
                Err(DockerError::Start { image: image.to_owned(), message })
            }
            Err(error) => Err(error.into_error("create a container", &self.address)),
        }
    }

    fn may_be_left(&self, name: &str) {
        self.tell(Event::Message {
            text: &format!(
                "the daemon may still be creating the container {name}: remove it with `docker rm -f {name}`"
            ),
        });
    }

    /// Kills and removes the container, even after an interruption, in several attempts. If it fails, that is reported,
    /// and the operation's own result stays.
    pub(super) async fn remove(&self, mut container: Container) {
        let mut reason = String::new();
        for attempt in 1..=ATTEMPTS {
            match tokio::time::timeout(REMOVAL, removal(&container.docker, &container.id)).await {
                // The container is gone, or being removed.
                Ok(Ok(()) | Err(RequestError::Answer { status: 404 | 409, .. })) => {
                    container.removed = true;
                    return;
                }
                Ok(Err(error)) => reason = error.into_error("remove a container", &self.address).to_string(),
                Err(_) => reason = format!("no answer within {} s", REMOVAL.as_secs()),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        container.removed = true;
        self.tell(Event::Message {
            text: &format!("container {} was left behind, remove it with `docker rm -f {0}`: {reason}", container.id),
        });
    }

    /// Waits until the daemon has removed the container of an interrupted build, which it does by itself.
    pub(super) async fn wait_for_removal(&self, container: Option<&str>) {
        let Some(id) = container else { return };
        let options = WaitContainerOptionsBuilder::default().condition("removed").build();
        let mut removed = self.docker.wait_container(id, Some(options));
        let _ = tokio::time::timeout(LAST_WORD, removed.next()).await;
    }

    fn container(&self, id: String) -> Container {
        Container { docker: self.docker.clone(), id, removed: false }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (docker, id) = (self.docker.clone(), std::mem::take(&mut self.id));
            runtime.spawn(async move { removal(&docker, &id).await.ok() });
        }
    }
}

async fn removal(docker: &Docker, id: &str) -> Result<(), RequestError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    docker.remove_container(id, Some(options)).await.map_err(RequestError::from)
}
