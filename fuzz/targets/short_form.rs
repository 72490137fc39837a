//! libFuzzer's entry to `bodies/short_form.rs`.
#![no_main]

#[path = "../bodies/short_form.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::check(data));
