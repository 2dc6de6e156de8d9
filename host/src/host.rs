//! The host: the compiled core, and sessions in which it runs with just what it was granted.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use tokio_util::sync::CancellationToken;
use wasmtime::{
    Config, Engine, Store, StoreLimitsBuilder,
    component::{Component, Linker, ResourceAny, ResourceTable},
};

use crate::{
    bindings::{Flowhold, FlowholdPre},
    capabilities::{Capabilities, Docker, Has, Output},
    engine_config,
    failure::Failure,
    files::{Access, Grants},
    progress::Progress,
};

/// The core, compiled ahead of time by the build script.
static CORE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core.cwasm"));

/// The component that [`CORE`] was compiled from.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core.wasm"));

/// The compiled core and what every session of it may use. Cheap to share.
pub struct Host {
    engine: Engine,
    pre: FlowholdPre<Capabilities>,
    settings: Builder,
}

/// What the sessions of a host may use; nothing unless it is said.
pub struct Builder {
    docker: Option<Docker>,
    memory_limit: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self { docker: None, memory_limit: 1 << 30 }
    }
}

impl Builder {
    /// Grants the Docker daemon. `interrupt` stops whatever it is doing; `output` takes what flows print.
    #[must_use]
    pub fn docker(mut self, progress: Arc<dyn Progress>, interrupt: CancellationToken, output: Output) -> Self {
        self.docker = Some(Docker { progress, interrupt, output });
        self
    }

    /// The most memory, in bytes, that one session's core may have; 1 GiB unless it is said.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Loads the core.
    ///
    /// # Errors
    /// If this machine can't run it.
    pub fn build(self) -> Result<Host, Failure> {
        self.load().map_err(|error| Failure::of_guest(&error))
    }

    fn load(self) -> wasmtime::Result<Host> {
        let mut config = Config::new();
        engine_config::configure(&mut config);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        Flowhold::add_to_linker::<_, Has>(&mut linker, |state| state)?;
        let component = load_core(&engine)?;
        let pre = FlowholdPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Host { engine, pre, settings: self })
    }
}

#[expect(unsafe_code, reason = "loading compiled code is unsafe, because wasmtime can't check what it does")]
fn load_core(engine: &Engine) -> wasmtime::Result<Component> {
    // SAFETY: these bytes are the build script's own, made by the same wasmtime, and part of this binary.
    unsafe { Component::deserialize(engine, CORE) }
}

impl Host {
    /// A host that has nothing until something is granted.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A new instance of the core, with memory of its own.
    ///
    /// # Errors
    /// If it can't be instantiated.
    pub async fn session(&self) -> Result<Session, Failure> {
        let limits = StoreLimitsBuilder::new().memory_size(self.settings.memory_limit).build();
        let capabilities = Capabilities {
            table: ResourceTable::new(),
            limits,
            grants: Grants::default(),
            docker: self.settings.docker.clone(),
            temporary: Mutex::default(),
        };
        let mut store = Store::new(&self.engine, capabilities);
        store.limiter(|state| &mut state.limits);
        // Nobody counts the epoch up yet: deadlines are for hosts that set one.
        store.set_epoch_deadline(u64::MAX / 2);
        let core = self.pre.instantiate_async(&mut store).await.map_err(|error| Failure::of_guest(&error))?;
        Ok(Session { store, core, printed: None, kept: Vec::new() })
    }
}

/// One instance of the core and what it was granted.
pub struct Session {
    pub(crate) store: Store<Capabilities>,
    pub(crate) core: Flowhold,
    /// Takes the lines that flows' files print while they are pickled.
    pub(crate) printed: Option<tokio::sync::mpsc::UnboundedSender<String>>,
    /// Directories with files that blobs are of.
    pub(crate) kept: Vec<tempfile::TempDir>,
}

impl Session {
    /// Grants a directory, which need not exist yet.
    ///
    /// # Errors
    /// If something on the way to it is no directory, or must not be looked into.
    pub fn grant(&mut self, directory: &Path, access: Access) -> Result<(), Failure> {
        self.store.data_mut().grants.grant(directory, access)
    }

    /// Where the lines go that flows' files print while they are pickled; nowhere unless it is said.
    pub fn print_to(&mut self, lines: Option<tokio::sync::mpsc::UnboundedSender<String>>) {
        self.printed = lines;
    }

    pub(crate) async fn release(&mut self, resource: ResourceAny) -> Result<(), Failure> {
        resource.resource_drop_async(&mut self.store).await.map_err(|error| Failure::of_guest(&error))
    }
}
