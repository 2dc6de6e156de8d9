//! Flowhold's host: it runs the core inside wasmtime, and supplies what the core must ask for.
//!
//! A program that embeds it makes a [`Host`] once, says what its sessions may use, and has sessions plan and build.
//! Anything that was not granted is refused. This stores a flow in a directory, and reads it back:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let project = folder.path().canonicalize()?;
//! use std::sync::Arc;
//!
//! use flowhold::{Access, Host, Need, Sought, Sources, SpecText};
//!
//! std::fs::write(project.join("greet.py"), "print('hello')\n")?;
//! let spec = SpecText {
//!     text: "[storage]\ndirectory = \"flows\"\n[[flows]]\npath = \"greet.py\"\n".to_owned(),
//!     folder: project.clone(),
//! };
//!
//! // A spec may be a stranger's: this one may read files below the project, and run no Python.
//! let below = project.clone();
//! let sources = Sources::Granted(Arc::new(move |sought| match sought {
//!     Sought::File(path) => path.starts_with(&below),
//!     Sought::Python(_) => false,
//! }));
//! let host = Host::builder().sources(sources).files(project.join("flows"), Access::Write).build()?;
//!
//! let mut session = host.session().await?;
//! let plan = session.plan(&spec, None, Need::Build).await?;
//! // Fails with the first error of the spec, with help for people.
//! session.need_plan(plan).await?;
//! let storage = session.storage_of(plan).await?;
//! session.build(storage, false, None).await?;
//!
//! let flows = session.flows(storage).await?;
//! let location = project.join("flows/greet.prefect").display().to_string();
//! assert_eq!(flows, [("greet".to_owned(), location.clone())]);
//! let flow = session.get_flow(storage, &location).await?;
//! assert_eq!(flow.content.read(0, 100)?, "print('hello')\n");
//! # Ok(())
//! # }
//! ```
//!
//! Sessions need a tokio runtime, whose other tasks go on while they wait for disks or daemons. The feature `cli`, on
//! by default, is for the command `flowhold`; leave it out to embed the library (`default-features = false`).
//!
//! Invariant: no rule is here. The core says what a spec means, what an image is made of and what a storage is called;
//! the host reads and writes files, talks to the Docker daemon, and runs Python.

mod bindings;
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
mod quota;
mod sources;
pub mod storages;

pub use bindings::exports::flowhold::storage::planning::ForecastStep;
pub use bindings::flowhold::storage::plans::{ContextEntry, Image};
pub use docker::{Engine, Output};
pub use failure::{Diagnostic, Failure, FailureKind, Severity};
pub use files::Access;
pub use host::{Host, HostBuilder, Session};
pub use planning::{Plan, SpecText};
pub use sources::{Need, Sought, SourceGrant, Sources};
pub use storages::{Flow, Format, PythonRun, Storage};
