//! The readings of rarer scripts: a file of the package that is loaded when a name first needs it.

use flowhold_core::{
    failure::Failure,
    slug::readings::{NoReadings, supply, supply_from},
};
use wasm_bindgen::prelude::*;

use crate::error::{Thrown, thrown};

#[wasm_bindgen(raw_module = "./assets.js")]
extern "C" {
    fn readings() -> Option<Vec<u8>>;
}

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
/**
 * Loads ahead how scripts other than Latin, Greek, Cyrillic and Hangul are read (readings.bin, 45 KB compressed).
 * Without it that is loaded, once and while the caller waits, when a flow's name first needs it.
 */
export function loadReadings(): Promise<void>;
";

#[wasm_bindgen(start)]
fn start() {
    supply_from(readings);
}

/// Takes the content of `readings.bin`. Throws if the content is anything else, or missing.
#[wasm_bindgen(js_name = supplyReadings)]
pub fn supply_readings(content: Option<Vec<u8>>) -> Result<(), Thrown> {
    content.ok_or(NoReadings::Missing).and_then(supply).map_err(|error| thrown(Failure::explained(error)))
}
