#![no_main]

#[path = "../../quick/docker_words.rs"]
mod docker_words;
#[path = "../checks/dockerfile.rs"]
mod dockerfile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockerfile::check(data));
