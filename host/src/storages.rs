//! Storages, as a session's user sees them.

use std::time::Duration;

use wasmtime::component::ResourceAny;

use crate::{
    Session,
    bindings::exports::flowhold::storage::storages as wit,
    blob::Blob,
    failure::Failure,
    planning::{Plan, call},
};

pub use wit::Format;

/// A storage inside a session.
#[derive(Debug, Clone, Copy)]
pub struct Storage(ResourceAny);

/// A flow, on its way into a storage or out of one.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// A pickle or a script.
    pub format: Format,
    /// Its bytes.
    pub content: Blob,
}

/// How a Python of the host runs a flow that is not in an image.
#[derive(Debug, Clone)]
pub struct PythonRun {
    /// The text of a Python program; its arguments are the flow's path and format, as [`Format::name`] has it.
    pub program: String,
    /// The path of the flow, if it is a file already.
    pub path: Option<String>,
    /// A pickle or a script.
    pub format: Format,
    /// The flow's bytes.
    pub content: Blob,
}

impl Format {
    /// `pickle` or `script`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pickle => "pickle",
            Self::Script => "script",
        }
    }
}

impl Session {
    /// The storage that a plan describes, with its flows in it but nothing built.
    ///
    /// # Errors
    /// The first error of the spec.
    pub async fn storage_of(&mut self, plan: Plan) -> Result<Storage, Failure> {
        Ok(Storage(call!(self.flowhold_storage_storages.storage.call_from_plan(plan.resource))??))
    }

    /// A local storage: a directory with the flows that are in it. The directory must have been granted.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub async fn local(&mut self, directory: &str) -> Result<Storage, Failure> {
        Ok(Storage(call!(self.flowhold_storage_storages.storage.call_local(directory))??))
    }

    /// A storage from JSON or a snapshot, told apart by content.
    ///
    /// # Errors
    /// If the bytes are neither, or damaged.
    pub async fn deserialize(&mut self, serialized: &[u8]) -> Result<Storage, Failure> {
        Ok(Storage(call!(self.flowhold_storage_storages.storage.call_deserialize(serialized))??))
    }

    /// `docker`, `local`, `memory` or `bytes`.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn kind(&mut self, storage: Storage) -> Result<String, Failure> {
        call!(self.flowhold_storage_storages.storage.call_kind(storage.0))
    }

    /// The image's reference, or the directory.
    ///
    /// # Errors
    /// While an image has no name or no tag.
    pub async fn name(&mut self, storage: Storage) -> Result<String, Failure> {
        call!(self.flowhold_storage_storages.storage.call_name(storage.0))?
    }

    /// The file name of the spec that a Docker storage was built from, as far as it is known.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn spec(&mut self, storage: Storage) -> Result<Option<String>, Failure> {
        call!(self.flowhold_storage_storages.storage.call_spec(storage.0))
    }

    /// Has a Docker storage remember the file of its spec.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn set_spec(&mut self, storage: Storage, file: &str) -> Result<(), Failure> {
        call!(self.flowhold_storage_storages.storage.call_set_spec(storage.0, file))
    }

    /// The name and location of each flow, in the order in which the flows were added.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn flows(&mut self, storage: Storage) -> Result<Vec<(String, String)>, Failure> {
        call!(self.flowhold_storage_storages.storage.call_flows(storage.0))
    }

    /// Whether a flow of that name is in the storage.
    ///
    /// # Errors
    /// Only if the core itself breaks.
    pub async fn contains(&mut self, storage: Storage, name: &str) -> Result<bool, Failure> {
        call!(self.flowhold_storage_storages.storage.call_contains(storage.0, name))
    }

    /// Adds a plan's only flow to the local storage that it names; returns name and location.
    ///
    /// # Errors
    /// If the name, or its slug, is taken, even by the same flow: only building a spec again accepts that.
    pub async fn add_planned(&mut self, plan: Plan) -> Result<(String, String), Failure> {
        call!(self.flowhold_storage_storages.storage.call_add_planned(plan.resource))?
    }

    /// Adds a flow, and returns its location.
    ///
    /// # Errors
    /// If the name, or its slug, is taken.
    pub async fn add_flow(&mut self, storage: Storage, flow: Flow) -> Result<String, Failure> {
        let content = self.store.data_mut().table.push(flow.content);
        let content = content.map_err(|error| Failure::of_guest(&error.into()))?;
        let flow = wit::Flow { name: flow.name, format: flow.format, content };
        call!(self.flowhold_storage_storages.storage.call_add_flow(storage.0, &flow))?
    }

    /// A flow's bytes, also out of a Docker storage's image, which is not run.
    ///
    /// # Errors
    /// If no flow of the storage has that location.
    pub async fn read_flow(&mut self, storage: Storage, location: &str) -> Result<Blob, Failure> {
        let blob = call!(self.flowhold_storage_storages.storage.call_read_flow(storage.0, location))??;
        self.take(blob)
    }

    /// The flow at a location; for a Docker storage, this works only inside its image.
    ///
    /// # Errors
    /// If no flow of the storage has that location.
    pub async fn get_flow(&mut self, storage: Storage, location: &str) -> Result<Flow, Failure> {
        let flow = call!(self.flowhold_storage_storages.storage.call_get_flow(storage.0, location))??;
        Ok(Flow { name: flow.name, format: flow.format, content: self.take(flow.content)? })
    }

    /// Runs a flow of a Docker storage in a container, and returns its exit code.
    ///
    /// # Errors
    /// If the flow can't be run.
    pub async fn run_in_image(
        &mut self,
        storage: Storage,
        location: &str,
        env: &[(String, String)],
        timeout: Option<Duration>,
    ) -> Result<i64, Failure> {
        let runner = call!(self.flowhold_storage_storages.storage.call_get_env_runner(storage.0, location))??;
        let seconds = timeout.map(|timeout| timeout.as_secs().saturating_add(u64::from(timeout.subsec_nanos() > 0)));
        let code = call!(self.flowhold_storage_storages.env_runner.call_run(runner, env, seconds))?;
        self.release(runner).await?;
        code
    }

    /// How to run a flow that is not in an image.
    ///
    /// # Errors
    /// If no flow of the storage has that location.
    pub async fn python_run(&mut self, storage: Storage, location: &str) -> Result<PythonRun, Failure> {
        let run = call!(self.flowhold_storage_storages.storage.call_get_python_run(storage.0, location))??;
        let wit::PythonRun { program, path, format, content } = run;
        Ok(PythonRun { program, path, format, content: self.take(content)? })
    }

    /// Builds, and returns the JSON of `flowhold build --format json`.
    ///
    /// # Errors
    /// The reason why the storage can't be built.
    pub async fn build(&mut self, storage: Storage, push: bool, expect: Option<&str>) -> Result<String, Failure> {
        call!(self.flowhold_storage_storages.storage.call_build(storage.0, push, expect))?
    }

    /// Pulls the base image, and returns its reference.
    ///
    /// # Errors
    /// The daemon's error.
    pub async fn pull_image(&mut self, storage: Storage) -> Result<String, Failure> {
        call!(self.flowhold_storage_storages.storage.call_pull_image(storage.0))?
    }

    /// Pushes the image, and returns its reference.
    ///
    /// # Errors
    /// The daemon's error, or an error if the storage names no registry.
    pub async fn push_image(&mut self, storage: Storage) -> Result<String, Failure> {
        call!(self.flowhold_storage_storages.storage.call_push_image(storage.0))?
    }

    /// The storage as JSON.
    ///
    /// # Errors
    /// If a flow's bytes can't be read.
    pub async fn serialize(&mut self, storage: Storage) -> Result<String, Failure> {
        call!(self.flowhold_storage_storages.storage.call_serialize(storage.0))?
    }

    /// The storage as a snapshot.
    ///
    /// # Errors
    /// If the storage is too large for a snapshot.
    pub async fn snapshot(&mut self, storage: Storage) -> Result<Vec<u8>, Failure> {
        call!(self.flowhold_storage_storages.storage.call_snapshot(storage.0))?
    }

    fn take(&mut self, blob: wasmtime::component::Resource<Blob>) -> Result<Blob, Failure> {
        let blob = self.store.data_mut().table.delete(blob).map_err(|error| Failure::of_guest(&error.into()))?;
        Ok(blob.uncounted())
    }
}
