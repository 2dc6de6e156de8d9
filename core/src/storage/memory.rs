//! Memory storage: flows kept as they are. For tests; serializing it keeps no flows.

use super::{BuildReport, report_of};
use crate::{
    failure::Failure,
    flow::{Flow, FlowMap},
    name_map::NameMap,
};

/// Flows in memory. A flow's location is its name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryStorage {
    map: FlowMap,
    flows: NameMap<Flow>,
    pub(crate) extra: crate::serialized::Extra,
}

impl MemoryStorage {
    /// Flow name -> location.
    pub const fn flows(&self) -> &FlowMap {
        &self.map
    }

    /// Adds a flow, and returns its location. An error if the name is taken.
    pub fn add_flow(&mut self, flow: Flow) -> Result<String, Failure> {
        let location = flow.name.to_string();
        self.map.insert(flow.name.clone(), location.clone())?;
        self.flows.insert(flow.name.clone(), flow);
        Ok(location)
    }

    /// The flow at a location. An error if there is none.
    pub fn get_flow(&self, location: &str) -> Result<Flow, Failure> {
        let name = self.map.at(location)?;
        self.flows.get(name.as_str()).cloned().ok_or_else(|| super::no_content(name))
    }

    /// All flows, in order.
    pub fn all(&self) -> Vec<Flow> {
        self.flows.entries().iter().map(|(_, flow)| flow.clone()).collect()
    }

    /// Reports that there is nothing to build. With `expect`, refuses flows of any other digest.
    pub fn build(&self, expect: Option<&str>) -> Result<BuildReport, Failure> {
        report_of(&self.all(), expect)
    }
}
