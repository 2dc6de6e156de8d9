//! The core as a WebAssembly component. This crate only translates between WIT's types and the core's, and has no
//! rules.
#![deny(unsafe_code)]

mod host;
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "it is C's memcmp")]
mod memory;
mod planning;
mod storages;

wit_bindgen::generate!({ path: "../wit", world: "flowhold", generate_all });

struct Component;

#[expect(unsafe_code, reason = "generated bindings export symbols")]
mod exported {
    use super::Component;

    super::export!(Component with_types_in super);
}

impl exports::flowhold::storage::planning::Guest for Component {
    type Spec = planning::GuestSpec;
    type Plan = planning::GuestPlan;
}

impl exports::flowhold::storage::storages::Guest for Component {
    type Storage = storages::GuestStorage;
    type EnvRunner = storages::GuestRunner;
}
