//! Any bytes as a snapshot: a storage that is read survives a round trip.

use flowhold_core::snapshot;

pub(crate) fn check(data: &[u8]) {
    // Magic and format are given to the fuzzer, which has better things to find than ten bytes.
    let bytes = [b"flowhold\0\x01", data].concat();
    for bytes in [data, &bytes] {
        let Ok(storage) = snapshot::decode(bytes) else { continue };
        let encoded = snapshot::encode(&storage).expect("what was read can be written");
        let again = snapshot::decode(&encoded).expect("our own snapshot is read");
        assert_eq!(snapshot::encode(&again).expect("it was written before"), encoded);
    }
}
