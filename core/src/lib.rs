//! Every rule of Flowhold: the flow map, naming, specs, plans, Dockerfiles, the storages and their serialization.
//!
//! This crate does no I/O. It opens no file and no connection, reads no clock, environment or randomness, starts no
//! thread and prints nothing; what it must ask for, it asks of a [`capability`]. It compiles to wasm32 and yields the
//! same bytes there as everywhere.
//!
//! ```text
//! spec --parse--> Spec --resolve--> ResolvedSpec --plan--> BuildPlan --build--> BuildReport
//! ```

#![forbid(unsafe_code)]

pub mod blob;
pub mod capability;
pub mod context;
pub mod context_path;
pub mod diagnostic;
pub mod digest;
pub mod dockerfile;
pub mod env_name;
pub mod failure;
pub mod flow;
pub mod flow_name;
pub mod forecast;
pub mod image;
pub mod image_path;
pub mod json;
mod literal_secret;
mod name_map;
mod naming;
mod order;
pub mod plan;
pub mod policy;
pub mod prefect_version;
pub mod preview;
pub mod python;
pub mod requirement;
pub mod resolve;
pub mod script;
pub mod serialized;
pub mod settings;
pub mod slug;
pub mod snapshot;
pub mod spec;
pub mod storage;
mod text;
