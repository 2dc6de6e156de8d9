//! The engine's configuration, for the build script and for the host: code that was compiled ahead of time with
//! another one does not load.

/// Sets everything that compiled code depends on. Code that is metered asks at every function and round of a loop
/// whether its time is over, which takes a fifth of its speed.
pub(crate) fn configure(config: &mut wasmtime::Config, metered: bool) {
    config.epoch_interruption(metered);
}
