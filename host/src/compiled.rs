//! The core, compiled ahead of time by the build script, and executed in place in the binary.
//!
//! wasmtime would copy the compiled code to memory of its own, which takes longer than all else in a small command. On
//! Linux, the code runs in the binary's pages that are already mapped, and the kernel reads only those that are needed.

use wasmtime::{Config, Engine, component::Component};

/// Aligns compiled code to a page.
#[repr(C, align(4096))]
struct Pages<const LENGTH: usize>([u8; LENGTH]);

macro_rules! compiled {
    ($static:ident, $file:literal) => {
        static $static: Pages<{ include_bytes!(concat!(env!("OUT_DIR"), "/", $file)).len() }> =
            Pages(*include_bytes!(concat!(env!("OUT_DIR"), "/", $file)));
    };
}

compiled!(CORE, "core.cwasm");
compiled!(METERED, "metered.cwasm");

/// Configures an engine for [`load`].
pub(crate) fn configure(config: &mut Config) {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    config.with_custom_code_memory(Some(std::sync::Arc::new(in_place::Protection)));
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    let _ = config;
}

/// Loads the core; `metered` must be what the engine was configured with.
#[expect(unsafe_code, reason = "loading compiled code is unsafe, because wasmtime can't check what it does")]
pub(crate) fn load(engine: &Engine, metered: bool) -> wasmtime::Result<Component> {
    let code = if metered { METERED.0.as_slice() } else { CORE.0.as_slice() };
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if in_place::is_first(metered) {
        // SAFETY: as below; and nothing ever writes to a static.
        return unsafe { Component::deserialize_raw(engine, std::ptr::NonNull::from(code)) };
    }
    // SAFETY: these bytes are the build script's own, made by the same wasmtime, and part of this binary.
    unsafe { Component::deserialize(engine, code) }
}

/// For platforms whose pages are as large as the alignment of [`Pages`].
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod in_place {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::mm::{MprotectFlags, mprotect};
    use wasmtime::CustomCodeMemory;

    use super::Pages;

    /// wasmtime wants each engine's code at its own address: a process's first engine uses it here, others copy it.
    pub(super) fn is_first(metered: bool) -> bool {
        static TAKEN: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];
        !TAKEN[usize::from(metered)].swap(true, Ordering::Relaxed)
    }

    /// Makes code executable: wasmtime itself does so only with memory that it has allocated.
    pub(super) struct Protection;

    impl CustomCodeMemory for Protection {
        fn required_alignment(&self) -> usize {
            align_of::<Pages<0>>()
        }

        #[expect(unsafe_code, reason = "wasmtime says what memory it is")]
        fn publish_executable(&self, code: *const u8, length: usize) -> wasmtime::Result<()> {
            let flags = MprotectFlags::READ | MprotectFlags::EXEC;
            // SAFETY: these are whole pages that hold compiled code and nothing else.
            Ok(unsafe { mprotect(code.cast_mut().cast(), length, flags) }?)
        }

        /// Called when code is dropped: a copy is unmapped next, and the static stays as it is.
        fn unpublish_executable(&self, _: *const u8, _: usize) -> wasmtime::Result<()> {
            Ok(())
        }
    }
}
