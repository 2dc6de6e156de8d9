//! Tests that need the daemon and the registries of tests/run.sh.
#![expect(clippy::unwrap_used, reason = "tests stop at what they don't expect")]
#![forbid(unsafe_code)]

mod build;
mod builders;
mod clock;
mod context;
mod credentials;
mod daemon;
mod env_vars;
mod fake;
mod faults;
mod files;
mod forecast;
mod get;
mod health_check;
mod index;
mod installer;
mod installer_settings;
mod interrupt;
mod killed;
mod large_context;
mod load;
mod many_flows;
mod naming;
mod original;
mod pickle;
mod project;
mod proxy;
mod pull_ahead;
mod push;
mod registry;
mod registry_killed;
mod run;
mod secrets;
mod tls;
mod told;
mod unavailable;
mod watch;
