//! The one bridge between Polars' columns and Arrow's: the C data interface.
//!
//! Polars keeps its own Arrow crate, so that the two share no types, only this
//! interface. Buffers are handed over, not copied; texts are copied once, since
//! Polars keeps them as views.

use arrow::array::{Array, ArrayRef, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::error::PolarsError;
use polars::prelude::{CompatLevel, Series};
use polars_arrow::datatypes::Field;
use polars_arrow::ffi::{self, ArrowArray, ArrowSchema};

use crate::Error;

fn arrow_failed(source: ArrowError) -> Error {
    Error::Arrow { object: "rows on their way from Polars".to_owned(), source }
}

fn polars_failed(source: PolarsError) -> Error {
    Error::Frame { object: "rows on their way to Polars".to_owned(), source }
}

/// A Polars column of an Arrow array (Int64, Float64, Boolean, Date32,
/// Timestamp, Utf8).
pub(crate) fn to_series(name: &str, array: &dyn Array) -> Result<Series, Error> {
    let (array, schema) = to_ffi(&array.to_data()).map_err(arrow_failed)?;
    let array = import(array, schema).map_err(polars_failed)?;
    Series::from_arrow(name.into(), array).map_err(polars_failed)
}

/// An Arrow array of a Polars column: Utf8 for its texts.
pub(crate) fn to_array(series: &Series) -> Result<ArrayRef, Error> {
    let series = series.rechunk();
    let array = series.to_arrow(0, CompatLevel::oldest());
    let field = Field::new(series.name().clone(), array.dtype().clone(), true);
    let schema = ffi::export_field_to_c(&field);
    let array = export(ffi::export_array_to_c(array), schema).map_err(arrow_failed)?;
    match array.data_type() {
        DataType::LargeUtf8 => cast(&array, &DataType::Utf8).map_err(arrow_failed),
        _ => Ok(array),
    }
}

// Both crates lay the interface's structs out as the C header says.
const _: () = assert!(size_of::<ArrowArray>() == size_of::<FFI_ArrowArray>());
const _: () = assert!(size_of::<ArrowSchema>() == size_of::<FFI_ArrowSchema>());

#[expect(unsafe_code, reason = "the C data interface passes pointers")]
fn export(array: ArrowArray, schema: ArrowSchema) -> Result<ArrayRef, ArrowError> {
    // SAFETY: both types are the interface's struct of the same name, in C
    // layout; ownership (the release callback) moves with the bytes.
    let array = unsafe { std::mem::transmute::<ArrowArray, FFI_ArrowArray>(array) };
    // SAFETY: as above.
    let schema = unsafe { std::mem::transmute::<ArrowSchema, FFI_ArrowSchema>(schema) };
    // SAFETY: Polars has just exported the two as one valid pair.
    let data = unsafe { from_ffi(array, &schema) }?;
    Ok(make_array(data))
}

#[expect(unsafe_code, reason = "the C data interface passes pointers")]
fn import(
    array: FFI_ArrowArray,
    schema: FFI_ArrowSchema,
) -> Result<Box<dyn polars_arrow::array::Array>, PolarsError> {
    // SAFETY: both types are the interface's struct of the same name, in C
    // layout; ownership (the release callback) moves with the bytes.
    let array = unsafe { std::mem::transmute::<FFI_ArrowArray, ArrowArray>(array) };
    // SAFETY: as above.
    let schema = unsafe { std::mem::transmute::<FFI_ArrowSchema, ArrowSchema>(schema) };
    // SAFETY: Arrow has just exported a valid schema.
    let field = unsafe { ffi::import_field_from_c(&schema) }?;
    // SAFETY: Arrow has just exported the two as one valid pair.
    unsafe { ffi::import_array_from_c(array, field.dtype().clone()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn there_and_back(array: &ArrayRef) {
        for (start, length) in [(0, array.len()), (1, array.len() - 1), (2, 1), (0, 0)] {
            let sliced = array.slice(start, length);
            let series = to_series("column", &sliced).unwrap();
            assert_eq!(series.len(), length);
            assert_eq!(&to_array(&series).unwrap(), &sliced);
        }
    }

    #[test]
    fn every_type_used_crosses_both_ways() {
        there_and_back(&(Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(7)])) as _));
        there_and_back(&(Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-1.0)])) as _));
        there_and_back(&(Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])) as _));
        there_and_back(&(Arc::new(Date32Array::from(vec![Some(-1), None, Some(19_000)])) as _));
        let times = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1 << 50)]);
        there_and_back(&(Arc::new(times) as _));
        let texts = vec![Some(""), None, Some("a text too long for a view to hold: äöü")];
        there_and_back(&(Arc::new(StringArray::from(texts)) as _));
    }
}
