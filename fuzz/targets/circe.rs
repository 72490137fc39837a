//! libFuzzer's entry to `bodies/circe.rs`.
#![no_main]

#[path = "../bodies/circe.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::check(data));
