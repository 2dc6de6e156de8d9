//! The engine's configuration, for the build script and for the host: code that was compiled ahead of time with
//! another one does not load.

/// Sets everything that compiled code depends on.
pub(crate) fn configure(config: &mut wasmtime::Config) {
    config.epoch_interruption(true);
}
