//! The capability `docker`, with a real daemon.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Daemon, DockerError, Output, SecretGrant, Settings, pull::BegunPull};
use crate::{
    bindings::exports::flowhold::storage::planning::PulledImage,
    blob::Blob,
    capability::{self, Answer, BuildOptions, BuiltImage, ContainerRun, ImageBuilder, LocalImage},
    failure::Failure,
    progress::{Progress, clean, without_passwords},
};

/// Docker daemons: the host's own, and others that it lets specs name.
pub struct Engine {
    settings: Settings,
    addresses: AddressGrant,
    output: Output,
    begun: Arc<Begun>,
}

/// Says whether a component may use the daemon at an address such as `tcp://10.0.0.7:2375`.
pub type AddressGrant = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A pull that was begun ahead, until a build asks for it.
type Begun = Mutex<Option<(PulledImage, BegunPull)>>;

fn locked(begun: &Begun) -> MutexGuard<'_, Option<(PulledImage, BegunPull)>> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dropping this ends a pull that was begun ahead, unless it was asked for; a later build begins one of its own.
#[must_use]
pub(crate) struct PullAhead {
    begun: Arc<Begun>,
    task: task::Id,
}

impl Drop for PullAhead {
    fn drop(&mut self) {
        // Another pull may have been begun since.
        locked(&self.begun).take_if(|(_, pull)| pull.as_ref().id() == self.task);
    }
}

impl Engine {
    /// Reports events to `progress`, and gives `output` what flows print. `interrupt` stops everything that is running.
    pub fn new(progress: Arc<dyn Progress>, interrupt: CancellationToken, output: Output) -> Self {
        let (kill, secrets): (_, SecretGrant) = (CancellationToken::new(), Arc::new(|_| false));
        let settings = Settings { progress, interrupt, kill, secrets };
        Self { settings, addresses: Arc::new(|_| false), output, begun: Arc::default() }
    }

    /// Begins to pull a base image that a build will ask for, in a tokio runtime. Progress and errors are reported only
    /// when it asks; if nobody asks, dropping the result ends the pull without a word. None if the component may not
    /// have the daemon.
    pub(crate) fn pull_ahead(&self, image: PulledImage) -> Option<PullAhead> {
        self.may_connect(image.base_url.as_deref()).ok()?;
        let (settings, wanted) = (self.settings.clone(), image.clone());
        let pull = tokio::spawn(async move {
            let Ok(daemon) = Daemon::connect(wanted.base_url.as_deref(), settings).await else { return Ok(None) };
            daemon.begin_pull(&wanted.reference, wanted.platform.as_deref()).await
        });
        let ahead = PullAhead { begun: Arc::clone(&self.begun), task: pull.id() };
        *locked(&self.begun) = Some((image, AbortOnDropHandle::new(pull)));
        Some(ahead)
    }

    fn may_connect(&self, base_url: Option<&str>) -> Result<(), Failure> {
        match base_url {
            Some(address) if !(self.addresses)(address) => {
                Err(Failure::not_granted(without_passwords(&clean(address)))
                    .with_help("leave out base_url: then it is the daemon that the host has"))
            }
            _ => Ok(()),
        }
    }

    /// After an interruption, a flow has time to clean up; cancelling this token kills it at once.
    #[must_use]
    pub fn kill(mut self, kill: CancellationToken) -> Self {
        self.settings.kill = kill;
        self
    }

    /// Lets specs name the daemons that `granted` allows; by default, only the host's own (as `DOCKER_HOST` has it) is
    /// used. A daemon gets the user's credentials for the registries of the images that it pulls and pushes, and its
    /// BuildKit those for any registry that it asks for.
    #[must_use]
    pub fn addresses(mut self, granted: AddressGrant) -> Self {
        self.addresses = granted;
        self
    }

    /// Lets builds have the secrets that `granted` allows; by default they have none. The component asks for the
    /// secrets, and the steps of its Dockerfile get them.
    #[must_use]
    pub fn secrets(mut self, granted: SecretGrant) -> Self {
        self.settings.secrets = granted;
        self
    }
}

impl capability::Docker for Engine {
    fn connect<'a>(&'a self, base_url: Option<&'a str>) -> Answer<'a, Arc<dyn capability::Daemon>> {
        Box::pin(async move {
            self.may_connect(base_url)?;
            let daemon = Daemon::connect(base_url, self.settings.clone()).await?;
            let base_url = base_url.map(str::to_owned);
            let begun = Arc::clone(&self.begun);
            let daemon = EngineDaemon { daemon, base_url, begun, output: Arc::clone(&self.output) };
            Ok(Arc::new(daemon) as Arc<dyn capability::Daemon>)
        })
    }
}

/// A daemon in terms of the capability.
struct EngineDaemon {
    daemon: Daemon,
    base_url: Option<String>,
    begun: Arc<Begun>,
    output: Output,
}

impl capability::Daemon for EngineDaemon {
    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<LocalImage>> {
        Box::pin(async move {
            let image = self.daemon.image(reference).await?;
            Ok(image.map(|image| LocalImage { id: image.id, labels: image.labels.into_iter().collect() }))
        })
    }

    fn published<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move { Ok(self.daemon.published(reference).await?) })
    }

    fn pull<'a>(&'a self, reference: &'a str, platform: Option<&'a str>) -> Answer<'a, ()> {
        let wanted = (reference, self.base_url.as_deref(), platform);
        let is_wanted = |image: &PulledImage| {
            (image.reference.as_str(), image.base_url.as_deref(), image.platform.as_deref()) == wanted
        };
        let begun = locked(&self.begun).take_if(|(image, _)| is_wanted(image));
        Box::pin(async move { Ok(self.daemon.pull(reference, platform, begun.map(|(_, pull)| pull)).await?) })
    }

    fn builder(&self) -> Answer<'_, ImageBuilder> {
        Box::pin(async { Ok(self.daemon.builder()) })
    }

    fn build(&self, archive: Vec<Blob>, options: BuildOptions) -> Answer<'_, BuiltImage> {
        Box::pin(async move { Ok(self.daemon.build(archive, &options).await?) })
    }

    fn push<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move { Ok(Some(self.daemon.push(reference).await?)) })
    }

    fn run(&self, run: ContainerRun) -> Answer<'_, i64> {
        Box::pin(async move { Ok(self.daemon.run(&run, &self.output).await?) })
    }

    fn copy_out<'a>(&'a self, image: &'a str, path: &'a str) -> Answer<'a, Option<Blob>> {
        Box::pin(async move {
            let Some(file) = self.daemon.copy_out(image, path).await? else { return Ok(None) };
            Ok(Some(Blob::of_file(path.into(), file).map_err(DockerError::Save)?))
        })
    }
}
