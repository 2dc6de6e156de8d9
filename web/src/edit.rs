//! What an editor of specs needs: where fields are in the text, and which keys there are.

use flowhold_core::{
    json::{self, Json},
    spec::{
        Place, Spec,
        keys::{KEYS, Key, KeyTable, KeyType},
    },
};
use wasm_bindgen::prelude::*;

use crate::error::{Thrown, to_js};

/// Where each field is in the text of a spec, whatever is wrong with it. JSON has no places.
#[wasm_bindgen(unchecked_return_type = "Place[]")]
pub fn places(text: &str) -> Result<JsValue, Thrown> {
    let places = Spec::places(text);
    // The UTF-16 offset of every byte, from one walk over the text.
    let mut units = Vec::with_capacity(text.len() + 1);
    let mut unit = 0_u32;
    for character in text.chars() {
        units.extend(std::iter::repeat_n(unit, character.len_utf8()));
        unit += character.len_utf16() as u32;
    }
    let utf16 = |offset: usize| units.get(offset).copied().unwrap_or(unit);
    let place = |(field, place): (String, Place)| {
        let (from, to) = (utf16(place.start).into(), utf16(place.end).into());
        Json::object(vec![("field", field.into()), ("from", from), ("to", to)])
    };
    to_js(places.into_iter().map(place).collect::<Json>())
}

/// Every key that a spec can have.
#[wasm_bindgen(unchecked_return_type = "Key[]")]
pub fn keys() -> Result<JsValue, Thrown> {
    to_js(KEYS.iter().map(key).collect::<Json>())
}

fn key(key: &Key) -> Json {
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
    let mut fields = json::Object::default();
    fields.put("table", table);
    fields.put("key", key.name);
    fields.put("type", value);
    fields.put("doc", key.doc);
    fields.put_some("values", (!key.values.is_empty()).then(|| key.values.iter().copied().collect::<Json>()));
    fields.put_some("storage", key.storage);
    fields.into()
}
