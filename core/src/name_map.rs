//! A map by flow name that keeps the order in which entries were added.

use std::{collections::BTreeMap, sync::Arc};

use crate::flow_name::FlowName;

/// Flow name -> value, in the order of insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameMap<T> {
    entries: Vec<(FlowName, T)>,
    /// Name -> index of its entry, so that a lookup does not scan all entries.
    places: BTreeMap<Arc<str>, usize>,
}

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: BTreeMap::new() }
    }
}

impl<T> NameMap<T> {
    /// Replaces the value of a name, or adds the name at the end.
    pub(crate) fn insert(&mut self, name: FlowName, value: T) {
        let place = *self.places.entry(name.shared()).or_insert(self.entries.len());
        match self.entries.get_mut(place) {
            Some((_, old)) => *old = value,
            None => self.entries.push((name, value)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.places.get(name).and_then(|place| self.entries.get(*place)).map(|(_, value)| value)
    }

    /// All entries, in order.
    pub(crate) fn entries(&self) -> &[(FlowName, T)] {
        &self.entries
    }
}
