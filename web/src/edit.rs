//! For editors of specs: where each field is in the text, and which keys exist.

use flowhold_core::{
    json::{Json, Object},
    spec::{
        Place as SpecPlace, Spec,
        keys::{KEYS, Key as SpecKey, KeyTable, KeyType},
    },
    storage::StorageKind,
};
use tsify::Tsify;
use wasm_bindgen::prelude::*;

use crate::{
    error::{Thrown, to_js},
    input::text_of,
};

/// Where a field is in the text of a spec, in UTF-16 code units: JavaScript's offsets.
#[derive(Tsify)]
pub struct Place {
    /// The field's name, as in diagnostics; empty for the place of a syntax error.
    pub field: String,
    /// The start of the key, or of the value in arrays.
    pub from: u32,
    /// The end of the value.
    pub to: u32,
}

/// A key that a spec can have.
#[derive(Tsify)]
pub struct Key {
    /// The table that has the key; empty for the spec itself.
    #[tsify(type = "'' | 'storage' | 'flows'")]
    pub table: &'static str,
    /// The key as it is written.
    pub key: &'static str,
    /// The type of its value.
    #[serde(rename = "type")]
    #[tsify(type = "'string' | 'number' | 'boolean' | 'array' | 'table'")]
    pub value: &'static str,
    /// What the key means, in a sentence.
    pub doc: &'static str,
    /// All values that the key can have, if they can be listed.
    #[tsify(optional, type = "string[]")]
    pub values: Option<&'static [&'static str]>,
    /// The type of storage that takes the key, if only one does.
    #[tsify(optional, type = "string")]
    pub storage: Option<&'static str>,
}

/// Where each field is in the text of a spec, even if the spec has errors.
#[wasm_bindgen(unchecked_return_type = "Place[]")]
pub fn places(#[wasm_bindgen(unchecked_param_type = "string")] text: &JsValue) -> Result<JsValue, Thrown> {
    let text = text_of(text, "the spec")?;
    let places = Spec::places(&text);
    // The UTF-16 offset of every byte, from one walk over the text.
    let mut units = Vec::with_capacity(text.len() + 1);
    let mut unit = 0_u32;
    for character in text.chars() {
        units.extend(std::iter::repeat_n(unit, character.len_utf8()));
        unit += character.len_utf16() as u32;
    }
    let utf16 = |offset: usize| units.get(offset).copied().unwrap_or(unit);
    let place = |(field, place): (String, SpecPlace)| {
        Json::object(vec![
            ("field", field.into()),
            ("from", utf16(place.start).into()),
            ("to", utf16(place.end).into()),
        ])
    };
    to_js(places.into_iter().map(place).collect::<Json>())
}

/// Every key that a spec can have.
#[wasm_bindgen(unchecked_return_type = "Key[]")]
pub fn keys() -> Result<JsValue, Thrown> {
    let key = |key: &SpecKey| {
        let table = match key.table {
            KeyTable::Spec => "",
            KeyTable::Storage => "storage",
            KeyTable::Flows => "flows",
        };
        let value = match key.value {
            KeyType::String => "string",
            KeyType::Number => "number",
            KeyType::Boolean => "boolean",
            KeyType::Array => "array",
            KeyType::Table => "table",
        };
        let mut fields = Object::default();
        for (name, text) in [("table", table), ("key", key.name), ("type", value), ("doc", key.doc)] {
            fields.put(name, text);
        }
        fields.put_some("values", Some(key.values).filter(|values| !values.is_empty()).map(to_array));
        fields.put_some("storage", key.storage.map(StorageKind::as_str));
        fields
    };
    to_js(KEYS.iter().map(key).collect::<Json>())
}

fn to_array(texts: &[&str]) -> Json {
    texts.iter().copied().collect()
}
