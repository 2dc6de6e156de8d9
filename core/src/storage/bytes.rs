//! Bytes storage: flows kept as bytes. Unlike a Memory storage, it is serialized with everything in it.

use super::{BuildReport, MemoryStorage, report_of};
use crate::{
    blob::read_all,
    failure::Failure,
    flow::{Flow, FlowMap},
};

/// Flows as bytes. A flow's location is its name. A Bytes storage differs from a Memory storage only in how it is
/// serialized.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BytesStorage {
    pub(crate) flows: MemoryStorage,
}

impl BytesStorage {
    /// Flow name -> location.
    pub const fn flows(&self) -> &FlowMap {
        self.flows.flows()
    }

    /// Adds a flow, and returns its location. An error if the name is taken.
    pub fn add_flow(&mut self, flow: Flow) -> Result<String, Failure> {
        self.flows.add_flow(flow)
    }

    /// The flow at a location. An error if there is none.
    pub fn get_flow(&self, location: &str) -> Result<Flow, Failure> {
        self.flows.get_flow(location)
    }

    /// All flows, in order.
    pub fn all(&self) -> Vec<Flow> {
        self.flows.all()
    }

    /// All flows and their bytes, in order.
    pub(crate) fn contents(&self) -> Result<Vec<(Flow, Vec<u8>)>, Failure> {
        let all = self.all().into_iter().map(|flow| {
            let bytes = read_all(super::blob_of(&flow)?.as_ref())?;
            Ok((flow, bytes))
        });
        all.collect()
    }

    /// Reports that there is nothing to build. With `expect`, refuses flows of any other digest.
    pub fn build(&self, expect: Option<&str>) -> Result<BuildReport, Failure> {
        report_of(&self.all(), expect)
    }
}
