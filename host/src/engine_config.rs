//! The engine's configuration, for the build script and for the host: code that was compiled ahead of time with another
//! configuration does not load.

/// Sets everything that compiled code depends on. Metered code checks at every function entry and loop iteration
/// whether its time is up, which costs a fifth of its speed.
pub(crate) fn configure(config: &mut wasmtime::Config, metered: bool) {
    config.epoch_interruption(metered);
}
