//! Flows, and the flow map from their names to their locations.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    blob::Content,
    diagnostic::Code,
    failure::Failure,
    flow_name::FlowName,
    json::{Json, Object},
    name_map::NameMap,
    words::words,
};

words! {
    /// The format of a flow's bytes.
    Format is "a format":
    /// A pickle of an object with `.run()`, or of a callable.
    Pickle = "pickle",
    /// A Python source file.
    Script = "script",
}

impl Format {
    /// The format by content, where none is stated: pickles of protocol 2 and later begin with the byte 0x80, with
    /// which no UTF-8 text begins.
    pub fn of(first_bytes: &[u8]) -> Self {
        if first_bytes.first() == Some(&0x80) { Self::Pickle } else { Self::Script }
    }
}

/// A named payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Unique within a storage.
    pub name: FlowName,
    /// The format of the bytes.
    pub format: Format,
    /// The bytes.
    pub content: Content,
}

/// Insertion-ordered flow name -> location. Names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowMap {
    flows: NameMap<Arc<str>>,
    /// Location -> index of the flow, so that a lookup does not scan all flows.
    locations: BTreeMap<Arc<str>, usize>,
}

impl FlowMap {
    /// Adds a flow.
    ///
    /// # Errors
    /// If its name is taken.
    pub fn insert(&mut self, name: FlowName, location: String) -> Result<(), FlowMapError> {
        if self.contains(name.as_str()) {
            return Err(FlowMapError::Duplicate { name: name.to_string() });
        }
        let location: Arc<str> = location.into();
        self.locations.insert(Arc::clone(&location), self.len());
        self.flows.insert(name, location);
        Ok(())
    }

    /// Whether a flow of that name is in the map.
    pub fn contains(&self, name: &str) -> bool {
        self.flows.get(name).is_some()
    }

    /// The flow at a location.
    ///
    /// # Errors
    /// If no flow has the location.
    pub fn at(&self, location: &str) -> Result<&FlowName, FlowMapError> {
        let found = self.locations.get(location).and_then(|index| self.flows.entries().get(*index));
        found.map(|(name, _)| name).ok_or_else(|| FlowMapError::NotContained { location: location.to_owned() })
    }

    /// Names and locations in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&FlowName, &str)> {
        self.flows.entries().iter().map(|(name, location)| (name, location.as_ref()))
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.flows.entries().len()
    }

    /// Whether there are no flows.
    pub fn is_empty(&self) -> bool {
        self.flows.entries().is_empty()
    }
}

impl From<&FlowMap> for Json {
    fn from(map: &FlowMap) -> Self {
        Self::Object(Object(map.iter().map(|(name, location)| (name.to_string(), location.into())).collect()))
    }
}

/// Why a flow map refuses a name or a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowMapError {
    /// The specification's error of `add_flow`.
    #[error("name conflict: a flow with the name {name:?} is already in this storage")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The specification's error of `get_flow` and `get_env_runner`.
    #[error("no flow of this storage has the location {location:?}")]
    NotContained {
        /// The location that was asked for.
        location: String,
    },
}

impl From<FlowMapError> for Failure {
    fn from(error: FlowMapError) -> Self {
        let (code, help) = match &error {
            FlowMapError::Duplicate { .. } => (Code::DuplicateFlow, "give one of them another name"),
            FlowMapError::NotContained { .. } => (Code::FlowNotFound, "`flowhold ls` lists names and locations"),
        };
        Self::input(code, error.to_string()).with_help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once() -> Result<(), Box<dyn std::error::Error>> {
        let mut map = FlowMap::default();
        map.insert("b".parse()?, "/b".to_owned())?;
        map.insert("a".parse()?, "/a".to_owned())?;
        assert_eq!(map.insert("b".parse()?, "/c".to_owned()), Err(FlowMapError::Duplicate { name: "b".to_owned() }));
        assert_eq!(Json::from(&map).to_string(), r#"{"b":"/b","a":"/a"}"#);
        assert!(map.contains("a") && !map.contains("/a"));
        assert_eq!(map.at("/c"), Err(FlowMapError::NotContained { location: "/c".to_owned() }));
        Ok(())
    }
}
