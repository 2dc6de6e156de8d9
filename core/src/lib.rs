//! Every rule of Flowhold: the flow map, naming, specs, plans, Dockerfiles, the storages and their serialization.
//!
//! This crate does no I/O. It opens no file and no connection, reads no clock, environment or randomness, starts no
//! thread and prints nothing; it asks its host for all of that through a [`capability`]. It compiles to wasm32 and
//! produces the same bytes there as on every other platform.
//!
//! ```text
//! spec --parse--> Spec --resolve--> ResolvedSpec --plan--> BuildPlan --build--> BuildReport
//! ```
//!
//! A spec that states the size and digest of everything that it names can be planned without a host:
//!
//! ```
//! use flowhold_core::{preview::Preview, resolve::Facts, spec::Spec};
//!
//! let text = r#"
//!     [storage]
//!     type = "docker"
//!     base_image = "python:3.11-slim"
//!
//!     [[flows]]
//!     name = "etl"
//!     format = "script"
//!     size = 1
//!     sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
//! "#;
//! let (spec, diagnostics) = Spec::parse(text);
//! let facts = spec.as_ref().map(Facts::skipping).unwrap_or_default();
//! let preview = Preview::of(spec.map(Into::into), diagnostics, facts);
//! for diagnostic in &preview.diagnostics {
//!     println!("{}: {}", diagnostic.code(), diagnostic.message);
//! }
//! let plan = preview.plan.expect("no diagnostic is an error");
//! assert!(plan.dockerfile.starts_with("FROM python:3.11-slim\n"));
//! assert!(plan.digest.is_some());
//! ```

#![forbid(unsafe_code)]

pub mod blob;
pub mod capability;
pub mod context;
pub mod context_path;
pub mod diagnostic;
pub mod digest;
pub mod dockerfile;
mod document;
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
pub mod path;
pub mod plan;
pub mod policy;
pub mod prefect_version;
pub mod preview;
pub mod python;
mod reader;
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
pub mod words;
