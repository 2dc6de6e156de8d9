//! Tests that need the daemon and the registries of tests/run.sh.
