//! How much an instance of the core may have.

use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};

/// The most elements of a table. The core's largest table is that of its functions, and does not grow.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// A guest wanted more memory than it may have. Without this error it would stop without saying why.
#[derive(Debug, thiserror::Error)]
#[error("the core needs more than the {} MiB of memory that it may have", .0 >> 20)]
pub(crate) struct MemoryExceeded(usize);

/// The limits of one instance.
pub(crate) struct Limits {
    memory: usize,
    store: StoreLimits,
}

impl Limits {
    /// Limits with this much memory, in bytes.
    pub(crate) fn of(memory: usize) -> Self {
        let store = StoreLimitsBuilder::new().memory_size(memory).memories(1);
        Self { memory, store: store.table_elements(TABLE_ELEMENTS).tables(10).instances(10).build() }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        match self.store.memory_growing(current, desired, maximum)? {
            false if desired > self.memory => Err(MemoryExceeded(self.memory).into()),
            may => Ok(may),
        }
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.store.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        self.store.instances()
    }

    fn tables(&self) -> usize {
        self.store.tables()
    }

    fn memories(&self) -> usize {
        self.store.memories()
    }
}
