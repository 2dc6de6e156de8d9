//! The component's interface as Rust. Generated from `core/wit`; nothing is written by hand here.
#![expect(missing_docs, reason = "generated; the documentation is in core/wit")]

wasmtime::component::bindgen!({
    path: "../core/wit",
    world: "flowhold",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "flowhold:storage/files.blob": crate::blob::Blob,
        "flowhold:storage/docker.daemon": crate::capabilities::DaemonHandle,
    },
});
