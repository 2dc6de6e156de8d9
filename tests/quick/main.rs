//! Tests that need no server.
#![expect(clippy::unwrap_used, reason = "tests stop at what they don't expect")]
#![forbid(unsafe_code)]

mod command_usage;
mod component;
mod day;
mod diagnostics;
mod disks;
mod docker_words;
mod dockerfile;
mod dockerfile_command;
mod durable;
mod fuzzed;
mod generated_spec;
mod hostile_names;
mod init;
mod local_storage;
mod parity;
mod preview;
mod run;
mod serialized;
mod snapshot;
mod spec_storages;
mod streams;
mod watch;
mod writers;
