//! Flowhold's host: it runs the core inside wasmtime, and supplies what the core must ask for.
//!
//! Invariant: no rule is here. What a spec means, what an image is made of and what a storage is called, the core says;
//! the host reads and writes files, talks to the Docker daemon, and runs Python.

pub mod bindings;
pub mod blob;
mod capabilities;
pub mod capability;
mod compiled;
mod deadline;
pub mod docker;
mod engine_config;
pub mod failure;
pub mod files;
pub mod host;
pub mod inputs;
mod limits;
mod parallel;
pub mod planning;
pub mod policy;
pub mod progress;
pub mod python;
mod sources;
pub mod storages;

pub use bindings::exports::flowhold::storage::planning::ForecastStep;
pub use docker::{Engine, Output};
pub use failure::{Failure, FailureKind};
pub use files::Access;
pub use host::{Host, Session};
pub use planning::{Plan, SpecText};
pub use sources::{Need, Sought, SourceGrant, Sources};
pub use storages::{Format, NewFlow, Storage};
