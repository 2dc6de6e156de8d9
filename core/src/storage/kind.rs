//! The types of storage.

use std::fmt;

use crate::words::words;

words! {
    /// A type of storage.
    StorageKind is "a storage type":
    /// Flows in a directory.
    Local = "local",
    /// Flows in an image.
    Docker = "docker",
    /// Flows as they are.
    Memory = "memory",
    /// Flows as bytes.
    Bytes = "bytes",
}

impl StorageKind {
    /// The word for the type in serialized storages, as the original writes it.
    pub const fn original(self) -> &'static str {
        match self {
            Self::Local => "Local",
            Self::Docker => "Docker",
            Self::Memory => "Memory",
            Self::Bytes => "Bytes",
        }
    }

    /// The type that has this word in serialized storages.
    pub(crate) fn of_original(text: &str) -> Option<Self> {
        [Self::Local, Self::Docker, Self::Memory, Self::Bytes].into_iter().find(|kind| kind.original() == text)
    }
}

impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
