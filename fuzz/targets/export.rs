//! libFuzzer's entry to `bodies/export.rs`.
#![no_main]

#[path = "../bodies/export.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::check(data));
