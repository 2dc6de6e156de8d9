//! A guest that obeys the text of a spec, one command a line, and reports the result of each as a diagnostic.
#![expect(unsafe_code, reason = "generated bindings export symbols")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "breaking is what it is for")]

mod attack;
mod handle;
mod pretence;

wit_bindgen::generate!({ path: "../../../core/wit", world: "flowhold", generate_all });

struct Component;

export!(Component);
