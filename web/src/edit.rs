//! What an editor of specs needs: where fields are in the text, and which keys there are.

use flowhold_core::spec::{
    Spec,
    keys::{KEYS, KeyTable, KeyType},
};
use serde::Serialize;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use crate::error::{Thrown, to_js};

/// Where a field is in the text of a spec, in UTF-16 code units: JavaScript's offsets.
#[derive(Serialize, Tsify)]
pub struct Place {
    /// As in diagnostics; empty for the place of a syntax error.
    field: String,
    /// The start of the key, or of the value in arrays.
    from: u32,
    /// The end of the value.
    to: u32,
}

/// A key that a spec can have.
#[derive(Serialize, Tsify)]
pub struct Key {
    /// The table that has it; empty for the spec itself.
    #[tsify(type = "'' | 'storage' | 'flows'")]
    table: &'static str,
    /// As it is written.
    key: &'static str,
    /// What its value is.
    #[serde(rename = "type")]
    #[tsify(type = "'string' | 'number' | 'boolean' | 'array' | 'table'")]
    value: &'static str,
    /// What it says, in a sentence.
    doc: &'static str,
    /// All values that it can have, where they can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional, type = "string[]")]
    values: Option<&'static [&'static str]>,
    /// The one type of storage that takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional, type = "string")]
    storage: Option<&'static str>,
}

/// Where each field is in the text of a spec, whatever is wrong with it.
#[wasm_bindgen]
pub fn places(text: &str) -> Result<Vec<Ts<Place>>, Thrown> {
    let places = Spec::places(text);
    // The UTF-16 offset of every byte, from one walk over the text.
    let mut units = Vec::with_capacity(text.len() + 1);
    let mut unit = 0_u32;
    for character in text.chars() {
        units.extend(std::iter::repeat_n(unit, character.len_utf8()));
        unit += character.len_utf16() as u32;
    }
    let utf16 = |offset: usize| units.get(offset).copied().unwrap_or(unit);
    let places = places.into_iter();
    let places = places.map(|(field, place)| Place { field, from: utf16(place.start), to: utf16(place.end) });
    places.map(to_js).collect()
}

/// Every key that a spec can have.
#[wasm_bindgen]
pub fn keys() -> Result<Vec<Ts<Key>>, Thrown> {
    let keys = KEYS.iter().map(|key| Key {
        table: match key.table {
            KeyTable::Spec => "",
            KeyTable::Storage => "storage",
            KeyTable::Flows => "flows",
        },
        key: key.name,
        value: match key.value {
            KeyType::String => "string",
            KeyType::Number => "number",
            KeyType::Boolean => "boolean",
            KeyType::Array => "array",
            KeyType::Table => "table",
        },
        doc: key.doc,
        values: Some(key.values).filter(|values| !values.is_empty()),
        storage: key.storage,
    });
    keys.map(to_js).collect()
}
