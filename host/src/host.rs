//! The host: the compiled core, and sessions in which it runs with just what it was granted.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use wasmtime::{
    Config, Engine, Store, UpdateDeadline,
    component::{Component, Instance, Linker, ResourceAny, ResourceTable},
};

use crate::{
    bindings::{Flowhold, FlowholdPre},
    capabilities::{CallGuard, Capabilities, DirectoryLock, Has},
    capability::{Clock, Docker, Files, NoDocker, Random, System},
    compiled,
    deadline::Ticker,
    docker::{self, PullAhead},
    engine_config,
    failure::Failure,
    files::{Access, Grants},
    inputs::Inputs,
    limits::Limits,
    policy::Policy,
    python::{PickleJob, WarmPython},
    quota::Quota,
    sources::{Pickling, Sources},
};

/// The core as a component, before it is compiled: what `flowhold component` writes.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core.wasm"));

/// The interface of the component, and that of policies.
pub static WIT: &str =
    concat!(include_str!("../../core/wit/storage.wit"), "\n", include_str!("../../core/wit/policy.wit"));

/// The compiled core and what its sessions may use. Cheap to share: many sessions run at once, in a tokio runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flowhold::Failure> {
/// use flowhold::{Host, Need, SpecText};
///
/// let host = Host::builder().memory_limit(64 << 20).build()?;
/// let mut session = host.session().await?;
/// let text = "[storage]\ntype = \"docker\"\nbase_image = \"python:3.11-slim\"\n".to_owned();
/// let spec = SpecText { text, folder: "/".into() };
/// let plan = session.plan(&spec, None, Need::Preview).await?;
/// let dockerfile = session.dockerfile(plan).await?;
/// assert_eq!(dockerfile.as_deref(), Some("FROM python:3.11-slim\n"));
/// # Ok(())
/// # }
/// ```
pub struct Host {
    engine: Engine,
    pre: FlowholdPre<Capabilities>,
    component: Component,
    policies: Vec<Policy>,
    settings: Settings,
    /// Counts time, if sessions have a deadline.
    ticker: Option<Ticker>,
}

/// What each session of a host gets.
struct Settings {
    grants: Vec<(PathBuf, Access)>,
    files: Option<Arc<dyn Files>>,
    docker: Arc<dyn Docker>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    sources: Sources,
    memory_limit: usize,
    deadline: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grants: Vec::new(),
            files: None,
            docker: Arc::new(NoDocker),
            clock: Arc::new(System),
            random: Arc::new(System),
            sources: Sources::default(),
            memory_limit: 1 << 30,
            deadline: None,
        }
    }
}

/// Makes a [`Host`], and grants what its sessions may use; by default only clock and randomness.
#[derive(Default)]
pub struct HostBuilder {
    settings: Settings,
    component: Option<Vec<u8>>,
    policies: Vec<(String, Vec<u8>)>,
}

impl HostBuilder {
    /// Grants a directory to every session. It need not exist yet.
    #[must_use]
    pub fn files(mut self, directory: impl Into<PathBuf>, access: Access) -> Self {
        self.settings.grants.push((directory.into(), access));
        self
    }

    /// Lets plans be made from these sources; by default only from specs that name none, or state all about theirs. The
    /// component asks for the sources, and its spec may be a stranger's.
    ///
    /// ```no_run
    /// # use std::{path::Path, sync::Arc};
    /// use flowhold::{Host, Sought, Sources};
    ///
    /// let below = Path::new("/srv/tenants/acme");
    /// let host = Host::builder().sources(Sources::Granted(Arc::new(move |sought| match sought {
    ///     Sought::File(path) => path.starts_with(below),
    ///     Sought::Python(_) => false,
    /// })));
    /// ```
    #[must_use]
    pub fn sources(mut self, granted: Sources) -> Self {
        self.settings.sources = granted;
        self
    }

    /// Supplies files in place of granted directories.
    #[must_use]
    pub fn own_files(mut self, files: Arc<dyn Files>) -> Self {
        self.settings.files = Some(files);
        self
    }

    /// Grants a container engine: [`Engine`](crate::Engine), or one of the embedder's own.
    #[must_use]
    pub fn docker(mut self, docker: Arc<dyn Docker>) -> Self {
        self.settings.docker = docker;
        self
    }

    /// Supplies the time; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Supplies randomness; the system's by default.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.settings.random = random;
        self
    }

    /// The most memory, in bytes, that one session's core may have; 1 GiB by default.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.settings.memory_limit = bytes;
        self
    }

    /// How long the core may compute within one call; no limit by default. Waiting for its host, such as for a build,
    /// does not count. With a deadline, computing takes about a quarter longer, to look at the time.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = Some(deadline);
        self
    }

    /// Runs another component instead of the core, such as another version of it. It is given as WebAssembly, which is
    /// compiled first, and may use no more than the core would.
    #[must_use]
    pub fn component(mut self, component: impl Into<Vec<u8>>) -> Self {
        self.component = Some(component.into());
        self
    }

    /// Has a policy, which is a component of the WIT world `policy`, judge every plan, besides those that a spec names.
    /// Diagnostics call it by this name.
    #[must_use]
    pub fn policy(mut self, name: impl Into<String>, component: impl Into<Vec<u8>>) -> Self {
        self.policies.push((name.into(), component.into()));
        self
    }

    /// Loads the core, and compiles the policies.
    ///
    /// # Errors
    /// If this machine can't run the core, a given component is not one or asks for more than there is, or one of the
    /// policies is invalid.
    pub fn build(self) -> Result<Host, Failure> {
        let mut host = load(self.settings, self.component.as_deref()).map_err(|error| Failure::of_guest(&error))?;
        let compile = |(name, bytes): &(String, Vec<u8>)| Policy::compile(&host.component, name, bytes);
        host.policies = self.policies.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(host)
    }
}

fn load(settings: Settings, component: Option<&[u8]>) -> wasmtime::Result<Host> {
    let mut config = Config::new();
    let metered = settings.deadline.is_some();
    engine_config::configure(&mut config, metered);
    compiled::configure(&mut config);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    Flowhold::add_to_linker::<_, Has>(&mut linker, |state| state)?;
    let component = match component {
        Some(bytes) => Component::from_binary(&engine, bytes)?,
        None => compiled::load(&engine, metered)?,
    };
    let pre = FlowholdPre::new(linker.instantiate_pre(&component)?)?;
    let ticker = settings.deadline.map(|_| Ticker::start(&engine)).transpose()?;
    Ok(Host { engine, pre, component, policies: Vec::new(), settings, ticker })
}

impl Host {
    /// A builder of a host, which grants only clock and randomness by default.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// A new instance of the core, with memory of its own.
    ///
    /// # Errors
    /// If the core can't be instantiated, or a granted directory can't be opened.
    pub async fn session(&self) -> Result<Session, Failure> {
        let settings = &self.settings;
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let mut grants = Grants::default();
        for (directory, access) in &settings.grants {
            grants.grant(directory, *access)?;
        }
        let capabilities = Capabilities {
            table,
            limits: Limits::of(settings.memory_limit),
            quota: Quota::of(settings.memory_limit),
            open_files: Quota::of(OPEN_FILES),
            ticks: None,
            grants,
            held: DirectoryLock::default(),
            files: settings.files.clone(),
            docker: Arc::clone(&settings.docker),
            clock: Arc::clone(&settings.clock),
            random: Arc::clone(&settings.random),
        };
        let mut store = Store::new(&self.engine, capabilities);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(settings.memory_limit.min(LARGEST_HANDOVER));
        // The guest's handles of its own and its host's resources, and those that it lends to calls.
        store.set_max_component_handles(HANDLES);
        let ticks = self.ticker.as_ref().zip(settings.deadline).map(|(ticker, deadline)| ticker.ticks(deadline));
        if let Some(ticks) = ticks {
            store.data_mut().ticks = Some(ticks);
            store.set_epoch_deadline(1);
            // Called once for each tick in which the guest runs, and never while it waits for its host.
            store.epoch_deadline_callback(|mut store| {
                Ok(match &mut store.data_mut().ticks {
                    Some(0) => UpdateDeadline::Interrupt,
                    Some(left) => {
                        *left -= 1;
                        UpdateDeadline::Yield(1)
                    }
                    None => UpdateDeadline::Yield(1),
                })
            });
        }
        let instance = self.pre.instance_pre().instantiate_async(&mut store).await;
        let instance = instance.map_err(|error| Failure::of_guest(&error))?;
        let core = Flowhold::new(&mut store, &instance).map_err(|error| Failure::of_guest(&error))?;
        let (component, policies) = (self.component.clone(), self.policies.clone());
        Ok(Session {
            store,
            core,
            instance,
            component,
            policies,
            ticks,
            sources: settings.sources.clone(),
            pickling: Pickling::default(),
            inputs: Inputs::default(),
            job: None,
            pulling: None,
            pull: None,
        })
    }
}

/// The most handles that a session has at once: for each flow and file of a spec, and for what the core makes of them.
const HANDLES: usize = 1 << 21;
/// How many granted files a guest may have open at once: most processes may have no more than 1,024.
const OPEN_FILES: usize = 64;

/// How many bytes a guest and its host may hand each other at once: a context of some 350,000 files.
const LARGEST_HANDOVER: usize = 400 << 20;

/// One instance of the core and what it was granted. Let each call come to its end: if the future of a call was dropped
/// in the middle, every other call of the session fails.
pub struct Session {
    pub(crate) store: Store<Capabilities>,
    pub(crate) core: Flowhold,
    pub(crate) instance: Instance,
    pub(crate) component: Component,
    /// The policies of the host, which judge every plan.
    pub(crate) policies: Vec<Policy>,
    /// The ticks that each call may take.
    ticks: Option<u32>,
    /// The sources that plans may be made from.
    pub(crate) sources: Sources,
    pub(crate) pickling: Pickling,
    /// What the last plan was made from, and what Python was asked to pickle for it.
    pub(crate) inputs: Inputs,
    pub(crate) job: Option<PickleJob>,
    /// The engine that pulls the next plan's base image ahead, and the pull that it has begun.
    pub(crate) pulling: Option<Arc<docker::Engine>>,
    pub(crate) pull: Option<PullAhead>,
}

impl Session {
    /// Grants a directory, which need not exist yet.
    ///
    /// # Errors
    /// If a part of the path is not a directory, or may not be looked into.
    pub fn grant(&mut self, directory: &Path, access: Access) -> Result<(), Failure> {
        self.store.data_mut().grants.grant(directory, access)
    }

    /// Sends the lines that flows' files print while they are pickled to this channel; by default they are dropped. As
    /// long as the channel is full, the printing code waits: read from it while a plan is made.
    pub fn print_to(&mut self, lines: Option<tokio::sync::mpsc::Sender<String>>) {
        self.pickling.printed = lines;
    }

    /// Keeps pickles of flows in this directory; by default they are not kept. They are used again, without executing
    /// the flows' files, as long as nothing that they were made from changes.
    pub fn keep_pickles_in(&mut self, directory: Option<PathBuf>) {
        self.pickling.kept = directory;
    }

    /// Has this engine, which the host was given for `docker`, pull the next plan's base image while its flows are
    /// pickled. It does so only if a build will certainly pull it: not if a policy may be against it, or if the image
    /// may be there already. The build then waits for that pull; without a build, nothing is reported of it.
    pub fn pull_ahead(&mut self, engine: Arc<docker::Engine>) {
        self.pulling = Some(engine);
    }

    /// Has this Python pickle flows, if it waits. The result is a guess: only a plan that is made without it counts.
    pub fn use_warm(&mut self, warm: Arc<WarmPython>) {
        self.pickling.warm = Some(warm);
    }

    /// What Python was asked to pickle for the last plan; none if the plan needed no Python.
    pub fn pickle_job(&self) -> Option<&PickleJob> {
        self.job.as_ref()
    }

    /// What the last plan was made from, besides the spec.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Begins a call, which has the whole deadline for itself.
    pub(crate) fn begin(&mut self) -> CallGuard {
        let capabilities = self.store.data_mut();
        capabilities.ticks = self.ticks;
        CallGuard(capabilities.held.clone())
    }

    pub(crate) async fn release(&mut self, resource: ResourceAny) -> Result<(), Failure> {
        let _guard = self.begin();
        resource.resource_drop_async(&mut self.store).await.map_err(|error| Failure::of_guest(&error))
    }
}
