//! Failures as JavaScript errors.

use flowhold_core::{
    failure::{Failure, FailureKind},
    json::Json,
};
use wasm_bindgen::prelude::*;

/// The JavaScript value that a function throws.
pub(crate) type Thrown = JsValue;

#[wasm_bindgen(raw_module = "./error.js")]
extern "C" {
    #[wasm_bindgen(extends = js_sys::Error)]
    type FlowholdError;

    #[wasm_bindgen(constructor)]
    fn new(kind: &str, code: &str, field: Option<&str>, message: &str, help: Option<&str>) -> FlowholdError;
}

/// What a `FlowholdError` says besides its message.
#[derive(tsify::Tsify)]
pub struct ErrorDetails {
    /// `input`: the input is wrong. `unavailable`: something that is needed is missing. `retry`: trying again may help.
    /// `interrupted`: the operation was stopped.
    #[tsify(type = "'input' | 'unavailable' | 'retry' | 'interrupted'")]
    pub kind: String,
    /// Stable, kebab-case: for programs.
    pub code: String,
    /// The field of the spec that the error is about.
    #[tsify(type = "string | null")]
    pub field: Option<String>,
    /// What to do.
    #[tsify(type = "string | null")]
    pub help: Option<String>,
}

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
/** Why an operation did not happen. Every error that this package throws is one. */
export interface FlowholdError extends ErrorDetails {}
export class FlowholdError extends Error {}
";

/// A failure as an error to throw.
pub(crate) fn thrown(failure: Failure) -> Thrown {
    let kind = match failure.kind {
        FailureKind::Input => "input",
        FailureKind::Unavailable => "unavailable",
        FailureKind::Retry => "retry",
        FailureKind::Interrupted => "interrupted",
    };
    let Failure { code, field, message, help, .. } = failure;
    FlowholdError::new(kind, &code, field.as_deref(), &message, help.as_deref()).into()
}

/// The error for an argument of the wrong type.
pub(crate) fn wrong_argument(message: impl Into<String>) -> Thrown {
    thrown(Failure::input(flowhold_core::diagnostic::Code::WrongType, message))
}

/// Plain data as a JavaScript value. It passes as JSON text, which the engine reads faster than single values.
pub(crate) fn to_js(json: impl Into<Json>) -> Result<JsValue, Thrown> {
    js_sys::JSON::parse(&json.into().to_string())
}
