//! Any text as the JSON of a storage: a storage that is read survives a round trip, as JSON and as a snapshot.

use flowhold_core::{serialized, snapshot};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(storage) = serialized::from_json(text) else { return };
    let Ok(json) = serialized::to_json(&storage) else { return };
    let again = serialized::from_json(&json).expect("our own JSON is read");
    assert_eq!(serialized::to_json(&again).expect("it was written before"), json);
    let bytes = snapshot::encode(&again).expect("what fits into JSON fits into a snapshot");
    assert_eq!(snapshot::decode(&bytes).expect("our own snapshot is read"), again);
}
