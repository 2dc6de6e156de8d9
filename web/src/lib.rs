//! The core for JavaScript: wasm-bindgen's bindings, and the translation between JavaScript's values and the core's.
//! No rule is here.

#![forbid(unsafe_code)]

pub mod edit;
pub mod error;
pub mod input;
mod nothing;
pub mod options;
pub mod policies;
pub mod preview;
pub mod readings;
pub mod sha256;
pub mod storages;
