//! The corpus of the fuzz targets, replayed without a fuzzer. That of
//! `csv_rows` is replayed by `farr-source`, whose tokenizer is its own affair.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

#[path = "../fuzz/bodies/circe.rs"]
mod circe;
#[path = "../fuzz/bodies/export.rs"]
mod export;
#[path = "../fuzz/bodies/job_file.rs"]
mod job_file;
#[path = "../fuzz/bodies/short_form.rs"]
mod short_form;
#[path = "../fuzz/bodies/state.rs"]
mod state;

type Target = (&'static str, fn(&[u8]));

#[test]
fn every_file_of_the_corpus() {
    let targets: [Target; 5] = [
        ("circe", circe::check),
        ("export", export::check),
        ("job_file", job_file::check),
        ("short_form", short_form::check),
        ("state", state::check),
    ];
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, check) in targets {
        let mut count = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            check(&std::fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count >= 3, "{name} has only {count} files");
    }
}
