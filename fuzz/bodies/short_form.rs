//! The short form of a cohort: a definition or an error that can be printed; a
//! definition can be planned and explained.

use farr_cohort::{Plan, explain, parse_short};
use farr_records::Vocabulary;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_short(1, text) {
        Ok(definition) => {
            let vocabulary = Vocabulary::new(&[]).expect("an empty vocabulary");
            let plan = Plan::new(std::slice::from_ref(&definition), &vocabulary);
            assert!(!plan.needs().is_empty());
            assert!(!explain(&definition).is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
