//! The capabilities that this host gives a storage: none.

use flowhold_core::{
    blob::SharedBlob,
    capability::{Daemon, Docker, Files, refused},
    failure::Failure,
};

/// Refuses everything that needs files or a daemon.
pub(crate) struct Nothing;

impl Files for Nothing {
    fn open(&self, _: &str) -> Result<Option<SharedBlob>, Failure> {
        Err(refused("files"))
    }

    fn create(&self, _: &str, _: &SharedBlob) -> Result<bool, Failure> {
        Err(refused("files"))
    }

    fn replace(&self, _: &str, _: &SharedBlob) -> Result<(), Failure> {
        Err(refused("files"))
    }

    fn entries(&self, _: &str) -> Result<Vec<String>, Failure> {
        Err(refused("files"))
    }

    fn create_directory(&self, _: &str) -> Result<(), Failure> {
        Err(refused("files"))
    }
}

impl Docker for Nothing {
    fn connect(&self, _: Option<&str>) -> Result<Box<dyn Daemon>, Failure> {
        Err(refused("docker"))
    }
}
