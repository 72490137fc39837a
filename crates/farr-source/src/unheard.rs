//! An intake for what is read only to be looked at.

use std::convert::Infallible;

use farr_records::{
    Derivations, Incoming, Intake, LocalCodes, ObjectId, ObjectRead, RangeRead, Reject,
    SourceTableId,
};

/// Takes everything and keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Unheard {
    codes: LocalCodes,
}

impl Intake for Unheard {
    type Error = Infallible;

    fn source_table(&self, _: &str, _: &str, _: Derivations) -> SourceTableId {
        SourceTableId(0)
    }

    fn object(&self, _: ObjectRead) -> ObjectId {
        ObjectId(0)
    }

    fn range_read(&self, _: ObjectId, _: RangeRead) {}

    fn rows_read(&self, _: SourceTableId, _: u64) {}

    fn rows(&self, _: Incoming) -> Result<(), Infallible> {
        Ok(())
    }

    fn rejects(&self, _: Vec<Reject>) -> Result<(), Infallible> {
        Ok(())
    }

    fn local_codes(&self) -> &LocalCodes {
        &self.codes
    }
}
