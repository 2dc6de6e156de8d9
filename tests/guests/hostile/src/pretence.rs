//! The core's interface, as far as the tests call it.

use std::cell::RefCell;

use crate::{
    Component,
    attack::obey,
    exports::flowhold::storage::{
        planning::{
            ArchiveSegment, BuildPlan, ContextEntry, Facts, ForecastStep, Guest as Planning, GuestPlan, GuestSpec,
            Image, Plan, PlanBorrow, PulledImage, Source, SourceLine, Step, Verdict,
        },
        storages::{Flow, Guest as Storages, GuestEnvRunner, GuestStorage, PythonRun, Storage},
    },
    flowhold::storage::{
        diagnostics::{Diagnostic, Failure, Severity},
        files::Blob,
    },
    handle::give,
};

pub(crate) struct Orders(String);

#[derive(Default)]
pub(crate) struct Obeyed(RefCell<Vec<String>>);

pub(crate) struct Unused;

impl Planning for Component {
    type Spec = Orders;
    type Plan = Obeyed;
}

impl GuestSpec for Orders {
    fn new(text: String) -> Self {
        Self(text)
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn python(&self) -> Option<String> {
        None
    }

    fn sources(&self) -> Vec<Source> {
        Vec::new()
    }

    fn policies(&self) -> Vec<String> {
        Vec::new()
    }

    fn pulled_base(&self) -> Option<PulledImage> {
        None
    }

    fn plan(&self, _: Facts) -> Plan {
        Plan::new(Obeyed(RefCell::new(self.0.lines().map(str::to_owned).collect())))
    }
}

impl GuestPlan for Obeyed {
    /// Obeys each line, and gives a diagnostic with the result.
    fn diagnostics(&self) -> Vec<Diagnostic> {
        let lines = self.0.take();
        let said = lines.iter().map(|line| Diagnostic {
            code: "obeyed".to_owned(),
            severity: Severity::Info,
            field: line.clone(),
            message: obey(line),
            help: None,
            line: None,
            policy: None,
        });
        said.collect()
    }

    /// As many flows as the first line says, each with a name of 1 MiB: more than any host wants to copy.
    fn flows(&self) -> Vec<(String, String)> {
        let count = self.0.borrow()[0].parse().unwrap();
        let name = "x".repeat(1 << 20);
        (0..count).map(|_| (name.clone(), String::new())).collect()
    }

    fn digest(&self) -> Option<String> {
        None
    }

    fn build_plan(&self) -> Option<BuildPlan> {
        None
    }

    fn judge(&self, _: String, _: Result<Vec<Verdict>, Failure>) {}

    fn dockerfile(&self) -> Option<String> {
        Some("x".repeat(self.0.borrow()[0].parse().unwrap()))
    }

    fn source_map(&self) -> Vec<SourceLine> {
        Vec::new()
    }

    fn steps(&self) -> Vec<Step> {
        Vec::new()
    }

    fn forecast(&self, _: String) -> Result<Vec<ForecastStep>, Failure> {
        Ok(Vec::new())
    }

    fn context(&self) -> Vec<ContextEntry> {
        Vec::new()
    }

    fn image(&self) -> Option<Image> {
        None
    }

    fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn spec(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn to_json(&self, _: Option<String>) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Gives handles away, and afterwards obeys as if it still had them.
    fn archive(&self) -> Result<Vec<ArchiveSegment>, Failure> {
        let how = self.0.borrow()[0].clone();
        let (given, then) = give(&how);
        self.0.replace(vec![then]);
        Ok(given)
    }
}

impl Storages for Component {
    type Storage = Unused;
    type EnvRunner = Unused;
}

impl GuestEnvRunner for Unused {
    fn run(&self, _: Vec<(String, String)>, _: Option<u64>) -> Result<i64, Failure> {
        panic!("not called")
    }
}

impl GuestStorage for Unused {
    fn docker() -> Storage {
        panic!("not called")
    }

    fn local(_: String) -> Result<Storage, Failure> {
        panic!("not called")
    }

    fn memory() -> Storage {
        panic!("not called")
    }

    fn bytes() -> Storage {
        panic!("not called")
    }

    fn from_plan(_: PlanBorrow<'_>) -> Result<Storage, Failure> {
        panic!("not called")
    }

    fn add_planned(_: PlanBorrow<'_>) -> Result<(String, String), Failure> {
        panic!("not called")
    }

    fn deserialize(_: Vec<u8>) -> Result<Storage, Failure> {
        panic!("not called")
    }

    fn kind(&self) -> String {
        panic!("not called")
    }

    fn name(&self) -> Result<String, Failure> {
        panic!("not called")
    }

    fn spec(&self) -> Option<String> {
        panic!("not called")
    }

    fn set_spec(&self, _: String) {
        panic!("not called")
    }

    fn flows(&self) -> Vec<(String, String)> {
        panic!("not called")
    }

    fn contains(&self, _: String) -> bool {
        panic!("not called")
    }

    fn add_flow(&self, _: Flow) -> Result<String, Failure> {
        panic!("not called")
    }

    fn get_flow(&self, _: String) -> Result<Flow, Failure> {
        panic!("not called")
    }

    fn read_flow(&self, _: String) -> Result<Blob, Failure> {
        panic!("not called")
    }

    fn get_env_runner(&self, _: String) -> Result<crate::exports::flowhold::storage::storages::EnvRunner, Failure> {
        panic!("not called")
    }

    fn get_python_run(&self, _: String) -> Result<PythonRun, Failure> {
        panic!("not called")
    }

    fn build(&self, _: bool, _: Option<String>) -> Result<String, Failure> {
        panic!("not called")
    }

    fn pull_image(&self) -> Result<String, Failure> {
        panic!("not called")
    }

    fn push_image(&self) -> Result<String, Failure> {
        panic!("not called")
    }

    fn serialize(&self) -> Result<String, Failure> {
        panic!("not called")
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        panic!("not called")
    }
}
