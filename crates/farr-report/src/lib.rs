//! Aggregate tables to Parquet with documented columns.
