//! Things by flow name, in the order in which they were added.

use std::{collections::BTreeMap, sync::Arc};

use crate::flow_name::FlowName;

/// A value for each of some names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameMap<T> {
    entries: Vec<(FlowName, T)>,
    /// Name -> index of its entry, so that looking one up does not walk over all.
    places: BTreeMap<Arc<str>, usize>,
}

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: BTreeMap::new() }
    }
}

impl<T> NameMap<T> {
    /// Gives a name another value, or adds it at the end.
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

    /// All, in order.
    pub(crate) fn entries(&self) -> &[(FlowName, T)] {
        &self.entries
    }
}
