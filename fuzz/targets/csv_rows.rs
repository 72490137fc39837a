//! libFuzzer's entry to `bodies/csv_rows.rs`, with the tokenizer alone: the
//! rest of `farr-source` needs Polars.
#![no_main]

#[path = "../bodies/csv_rows.rs"]
mod body;
#[path = "../../crates/farr-source/src/chunks.rs"]
mod chunks;
#[path = "../../crates/farr-source/src/cutting.rs"]
mod cutting;
#[path = "../../crates/farr-source/src/plain.rs"]
mod plain;
#[path = "../../crates/farr-source/src/tokens.rs"]
mod tokens;

/// Blocks of a store, which are none here.
mod decode {
    pub(crate) enum Stored {}

    impl Stored {
        pub(crate) fn next_block(&mut self) -> std::io::Result<Option<bytes::Bytes>> {
            match *self {}
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::check(data));
