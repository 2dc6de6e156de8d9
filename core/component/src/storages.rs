//! The interface `storages`.

use std::cell::RefCell;

use flowhold_core::{
    blob::Content,
    failure::Failure,
    flow::{Flow, Format},
    serialized, snapshot,
    storage::{self, BytesStorage, DockerStorage, LocalStorage, MemoryStorage, Storage, docker::EnvRunner},
};

use crate::{
    exports::flowhold::storage::storages as wit,
    flowhold::storage::{diagnostics, files},
    host::{CAPABILITIES, Host, failure_to_host, from_host, to_host},
    planning::GuestPlan,
};

/// A storage. A `RefCell` will do, because WIT's methods share their resource and there is one thread.
pub(crate) struct GuestStorage(RefCell<Storage>);

/// A runner.
pub(crate) struct GuestRunner(EnvRunner);

fn new(storage: Storage) -> wit::Storage {
    wit::Storage::new(GuestStorage(RefCell::new(storage)))
}

impl wit::GuestStorage for GuestStorage {
    fn docker() -> wit::Storage {
        new(Storage::Docker(Box::<DockerStorage>::default()))
    }

    fn local(directory: String) -> Result<wit::Storage, diagnostics::Failure> {
        let storage = LocalStorage::read(directory, &Host).map_err(failure_to_host)?;
        Ok(new(Storage::Local(storage)))
    }

    fn memory() -> wit::Storage {
        new(Storage::Memory(MemoryStorage::default()))
    }

    fn bytes() -> wit::Storage {
        new(Storage::Bytes(BytesStorage::default()))
    }

    fn from_plan(plan: wit::PlanBorrow<'_>) -> Result<wit::Storage, diagnostics::Failure> {
        let plan = plan.get::<GuestPlan>().0.borrow();
        let resolved = plan.ready().map_err(failure_to_host)?;
        Ok(new(Storage::of(resolved).map_err(failure_to_host)?))
    }

    fn add_planned(plan: wit::PlanBorrow<'_>) -> Result<(String, String), diagnostics::Failure> {
        let plan = plan.get::<GuestPlan>().0.borrow();
        let resolved = plan.ready().map_err(failure_to_host)?;
        storage::add_planned(resolved, &Host).map_err(failure_to_host)
    }

    fn deserialize(serialized: Vec<u8>) -> Result<wit::Storage, diagnostics::Failure> {
        Ok(new(serialized::from_bytes(&serialized).map_err(failure_to_host)?))
    }

    fn kind(&self) -> String {
        self.0.borrow().kind().to_string()
    }

    fn name(&self) -> Result<String, diagnostics::Failure> {
        self.0.borrow().name().map_err(failure_to_host)
    }

    fn spec(&self) -> Option<String> {
        self.0.borrow().spec().map(str::to_owned)
    }

    fn set_spec(&self, file: String) {
        self.0.borrow_mut().set_spec(file);
    }

    fn flows(&self) -> Vec<(String, String)> {
        let storage = self.0.borrow();
        storage.flows().iter().map(|(name, location)| (name.to_string(), location.to_owned())).collect()
    }

    fn contains(&self, name: String) -> bool {
        self.0.borrow().contains(&name)
    }

    fn add_flow(&self, flow: wit::Flow) -> Result<String, diagnostics::Failure> {
        let add = || {
            let name = flow.name.parse().map_err(Failure::explained)?;
            let content = Content::of(from_host(flow.content))?;
            let flow = Flow { name, format: format_from_host(flow.format), content };
            self.0.borrow_mut().add_flow(flow, CAPABILITIES)
        };
        add().map_err(failure_to_host)
    }

    fn get_flow(&self, location: String) -> Result<wit::Flow, diagnostics::Failure> {
        let flow = self.0.borrow().get_flow(&location, CAPABILITIES).map_err(failure_to_host)?;
        Ok(wit::Flow {
            name: flow.name.to_string(),
            format: format_to_host(flow.format),
            content: content_to_host(&flow).map_err(failure_to_host)?,
        })
    }

    fn read_flow(&self, location: String) -> Result<files::Blob, diagnostics::Failure> {
        let blob = self.0.borrow().read_flow(&location, CAPABILITIES).map_err(failure_to_host)?;
        to_host(&blob).map_err(failure_to_host)
    }

    fn get_env_runner(&self, location: String) -> Result<wit::EnvRunner, diagnostics::Failure> {
        let runner = self.0.borrow().get_env_runner(&location).map_err(failure_to_host)?;
        Ok(wit::EnvRunner::new(GuestRunner(runner)))
    }

    fn get_python_run(&self, location: String) -> Result<wit::PythonRun, diagnostics::Failure> {
        let run = self.0.borrow().get_python_run(&location, CAPABILITIES).map_err(failure_to_host)?;
        Ok(wit::PythonRun {
            program: run.program.to_owned(),
            path: run.path,
            format: format_to_host(run.flow.format),
            content: content_to_host(&run.flow).map_err(failure_to_host)?,
        })
    }

    fn build(&self, push: bool, expect: Option<String>) -> Result<String, diagnostics::Failure> {
        let mut storage = self.0.borrow_mut();
        let report = storage.build(push, expect.as_deref(), CAPABILITIES).map_err(failure_to_host)?;
        storage.report_json(&report).map_err(failure_to_host)
    }

    fn pull_image(&self) -> Result<String, diagnostics::Failure> {
        self.0.borrow_mut().pull_image(&Host).map_err(failure_to_host)
    }

    fn push_image(&self) -> Result<String, diagnostics::Failure> {
        self.0.borrow_mut().push_image(&Host).map_err(failure_to_host)
    }

    fn serialize(&self) -> Result<String, diagnostics::Failure> {
        serialized::to_json(&self.0.borrow()).map_err(failure_to_host)
    }

    fn snapshot(&self) -> Result<Vec<u8>, diagnostics::Failure> {
        snapshot::encode(&self.0.borrow()).map_err(failure_to_host)
    }
}

impl wit::GuestEnvRunner for GuestRunner {
    fn run(&self, env: Vec<(String, String)>, timeout_seconds: Option<u64>) -> Result<i64, diagnostics::Failure> {
        self.0.run(env, timeout_seconds, &Host).map_err(failure_to_host)
    }
}

fn content_to_host(flow: &Flow) -> Result<files::Blob, Failure> {
    match &flow.content.blob {
        Some(blob) => to_host(blob),
        None => Err(flowhold_core::storage::no_content(&flow.name)),
    }
}

fn format_from_host(format: wit::Format) -> Format {
    match format {
        wit::Format::Pickle => Format::Pickle,
        wit::Format::Script => Format::Script,
    }
}

fn format_to_host(format: Format) -> wit::Format {
    match format {
        Format::Pickle => wit::Format::Pickle,
        Format::Script => wit::Format::Script,
    }
}
