//! End-to-end tests, through the binary only.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod architecture;
mod bad_input;
mod bad_objects;
mod binary;
mod formats;
mod job_schema;
mod main_job;
mod output;
mod place;
mod same_bytes;
mod stopping;
