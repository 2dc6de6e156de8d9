//! sha256 of bytes that come in pieces: a page hashes a file of any size without holding it.

use sha2::{Digest as _, Sha256 as Hash};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, wrong_argument},
    input::bytes_of,
};

/// The sha256 of a stream.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sha256(Hash);

#[wasm_bindgen]
impl Sha256 {
    /// A hash of no bytes yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] bytes: &JsValue,
    ) -> Result<(), Thrown> {
        self.0.update(bytes_of(bytes).ok_or_else(|| wrong_argument("the bytes are not a Uint8Array"))?);
        Ok(())
    }

    /// The digest of all bytes so far, as 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        flowhold_core::digest::Digest::from_bytes(self.0.clone().finalize().into()).hex()
    }
}
