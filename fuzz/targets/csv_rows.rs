//! libFuzzer's entry to `bodies/csv_rows.rs`, with the tokenizer alone: the
//! rest of `farr-source` needs Polars.
#![no_main]

#[path = "../bodies/csv_rows.rs"]
mod body;
#[path = "../../crates/farr-source/src/cutting.rs"]
mod cutting;
#[path = "../../crates/farr-source/src/tokens.rs"]
mod tokens;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::check(data));
