//! Pure numbers: slices in, structs out.
