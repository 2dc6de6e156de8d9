#![no_main]

#[path = "../checks/storage_json.rs"]
mod storage_json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| storage_json::check(data));
