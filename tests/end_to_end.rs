//! End-to-end tests, through the binary only.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod algebra;
mod architecture;
mod bad_input;
mod bad_objects;
mod binary;
mod cohort_check;
mod cohort_run;
mod cohort_why;
mod concepts;
mod formats;
mod job_schema;
mod main_job;
mod omop_reading;
mod output;
mod parts;
mod place;
mod reports;
mod runs;
mod same_bytes;
mod sources;
mod stopping;
