//! libFuzzer's entry to `bodies/job_file.rs`.
#![no_main]

#[path = "../bodies/job_file.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::check(data));
