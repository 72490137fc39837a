//! Whole exports, read into a small intake in memory.

mod bad_input;
mod corpus;
mod export;
mod exports;
mod intake;
mod shares;
mod synthea;
mod time;
mod vocabulary;
mod writers;
