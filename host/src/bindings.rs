//! The component's interface as Rust, generated from `core/wit`.
#![expect(unreachable_pub, reason = "what is generated is public; lib.rs says which of it others see")]

wasmtime::component::bindgen!({
    path: "../core/wit",
    world: "flowhold",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "flowhold:storage/diagnostics": diagnostics,
        "flowhold:storage/files.blob": crate::blob::Blob,
        "flowhold:storage/docker.daemon": crate::capabilities::DaemonHandle,
    },
});

/// Replaces the generated module, so that [`Failure`] can be an error and be shown to people. The interface has types
/// and no functions.
pub mod diagnostics {
    use wasmtime::component::{HasData, Linker};

    pub use crate::failure::{Diagnostic, Failure};

    pub trait Host {}

    impl<T: ?Sized> Host for T {}

    pub trait HostWithStore<T>: HasData {}

    impl<T, D: HasData> HostWithStore<T> for D {}

    pub fn add_to_linker<T, D: HasData>(linker: &mut Linker<T>, _: fn(&mut T) -> D::Data<'_>) -> wasmtime::Result<()> {
        linker.instance("flowhold:storage/diagnostics@0.1.0").map(drop)
    }
}
