//! What the fuzzer of the tokenizer has found worth keeping.

use std::path::Path;

#[path = "../../../../fuzz/bodies/csv_rows.rs"]
mod csv_rows;

#[test]
fn csv_rows_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/csv_rows");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        csv_rows::check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 5, "only {count} files");
}
