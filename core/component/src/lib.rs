//! The core as a WebAssembly component. Nothing but the translation between WIT's types and the core's: no rule.
#![expect(unsafe_code, reason = "generated bindings export symbols")]

mod host;
#[cfg(target_arch = "wasm32")]
mod memory;
mod planning;
mod storages;

wit_bindgen::generate!({ path: "../wit", world: "flowhold", generate_all });

struct Component;

export!(Component);

impl exports::flowhold::storage::planning::Guest for Component {
    type Spec = planning::GuestSpec;
    type Plan = planning::GuestPlan;
}

impl exports::flowhold::storage::storages::Guest for Component {
    type Storage = storages::GuestStorage;
    type EnvRunner = storages::GuestRunner;
}
