//! End-to-end tests, through the binary only.

mod architecture;
mod bad_input;
mod binary;
mod formats;
mod job_schema;
mod main_job;
mod output;
mod place;
mod same_bytes;
mod stopping;
